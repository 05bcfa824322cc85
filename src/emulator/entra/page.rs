//! The pages that people see, in French and English. Nothing comes from elsewhere.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::authorize::Fields;
use super::refused::Refused;
use crate::emulator::directory::{Scope, User, UserType};

const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b1b1f;--paper:#fff;--edge:#767680;--accent:#0b57d0}\
@media(prefers-color-scheme:dark){:root{--ink:#e4e2e6;--paper:#1b1b1f;--edge:#90909a;--accent:#a8c7fa}}\
body{font:1.0625rem/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);\
max-width:32rem;margin:3rem auto;padding:0 1rem}\
h1{font-size:1.5rem;margin:0 0 1rem}ul{padding:0;list-style:none}li{margin:.5rem 0}\
button{font:inherit;color:inherit;background:none;border:1px solid var(--edge);border-radius:.5rem;\
padding:.75rem 1rem;text-align:left;cursor:pointer}.wide button{width:100%}\
button:hover,button:focus-visible{border-color:var(--accent);outline:2px solid var(--accent)}\
input[type=text]{font:inherit;padding:.5rem;border:1px solid var(--edge);border-radius:.5rem}\
small{display:block;opacity:.8}code{overflow-wrap:anywhere}";

/// Sends a form on; who allows no script presses its button.
const SCRIPT: &str = "document.forms[0].submit()";

/// In which language a page speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Language {
    English,
    French,
}

impl Language {
    /// The first that is known of a list such as `fr-CH, fr;q=0.9, en;q=0.8`; its order counts.
    pub(super) fn of(list: &str) -> Self {
        let mut names = list.split([',', ' ']).map(|name| name.trim().to_lowercase());
        let known = names.find_map(|name| match name.get(..2) {
            Some("fr") => Some(Self::French),
            Some("en") => Some(Self::English),
            _ => None,
        });
        known.unwrap_or(Self::English)
    }

    /// One of two texts.
    pub(super) fn pick<'a>(self, english: &'a str, french: &'a str) -> &'a str {
        if self == Self::French { french } else { english }
    }
}

/// A page, and whom its forms may reach beside us.
pub(super) struct Page {
    pub(super) html: String,
    pub(super) form_action: Option<String>,
}

impl Page {
    /// Its Content Security Policy. Browsers hold `form-action` against the redirect too that answers
    /// a form, so the client's origin must be in it.
    pub(super) fn policy(&self) -> String {
        let hash = |text: &str| STANDARD.encode(digest(&SHA256, text.as_bytes()));
        let (style, script) = (hash(STYLE), hash(SCRIPT));
        let action = self.form_action.as_deref().unwrap_or_default();
        format!(
            "default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; form-action 'self' {action}; base-uri \
             'none'; frame-ancestors 'none'"
        )
    }
}

/// What the pages of one request have in common.
pub(super) struct Frame<'a> {
    pub(super) language: Language,
    /// What the form sends along.
    pub(super) hidden: &'a Fields,
    /// Whom its answer may be sent to.
    pub(super) back: Option<String>,
    /// The client's name.
    pub(super) client: &'a str,
}

impl Frame<'_> {
    /// Lets one pick who signs in. `more` is HTML above the users.
    pub(super) fn pick_user(&self, users: &[User], more: &str) -> Page {
        let t = |english, french| self.language.pick(english, french);
        let title = t("Sign in", "Se connecter");
        let to = t("to continue to", "pour continuer vers");
        let note = t(
            "This is local Azure: these are test users, and no password is needed.",
            "Ceci est Azure en local : ces utilisateurs sont fictifs, aucun mot de passe n’est demandé.",
        );
        let hint = self.hidden.get("login_hint").map(String::as_str).unwrap_or_default();
        let buttons: String = users.iter().map(|user| self.button(user, hint)).collect();
        self.page(
            title,
            &format!(
                "<p>{to} <strong>{}</strong></p><p>{note}</p>{}{more}<ul class=\"wide\">{buttons}</ul></form>",
                escape(self.client),
                self.form(&["user", "consent"]),
            ),
        )
    }

    fn button(&self, user: &User, hint: &str) -> String {
        let t = |english, french| self.language.pick(english, french);
        let what = match user.user_type {
            Some(UserType::Member) if user.may_consent => t("member", "membre"),
            Some(UserType::Member) => {
                t("member who may not consent to anything", "membre qui ne peut consentir à rien")
            }
            Some(UserType::Guest) => t("guest", "invité"),
            None => t("of another organisation", "d’une autre organisation"),
        };
        let hinted = user.mail.eq_ignore_ascii_case(hint);
        let focus = if hinted { " autofocus" } else { "" };
        let mail = escape(&user.mail);
        format!(
            "<li><button name=\"user\" value=\"{mail}\"{focus}>{}<small>{mail} · {what}</small></button></li>",
            escape(&user.display_name),
        )
    }

    /// Asks a user for what the client wants of them.
    pub(super) fn ask_consent(&self, user: &User, scopes: &[Scope]) -> Page {
        let t = |english, french| self.language.pick(english, french);
        let title = t("Permissions requested", "Autorisations demandées");
        let wants = t("would like to", "souhaite");
        let items: String = scopes.iter().map(item).collect();
        let accept = t("Accept", "Accepter");
        let cancel = t("Cancel", "Annuler");
        self.page(
            title,
            &format!(
                "<p>{}</p><p><strong>{}</strong> {wants}</p><ul>{items}</ul>{}\
                 <input type=\"hidden\" name=\"user\" value=\"{0}\">\
                 <button name=\"consent\" value=\"accept\">{accept}</button> \
                 <button name=\"consent\" value=\"decline\">{cancel}</button></form>",
                escape(&user.mail),
                escape(self.client),
                self.form(&["user", "consent"]),
            ),
        )
    }

    /// Says that only an administrator can consent.
    pub(super) fn ask_administrator(&self, user: &User) -> Page {
        let t = |english, french| self.language.pick(english, french);
        let title = t("Need admin approval", "Approbation de l’administrateur requise");
        let needs = t(
            "needs permission to access resources in your organisation that only an admin can grant.",
            "a besoin d’une autorisation que seul un administrateur peut accorder.",
        );
        let back = t(
            "Return to the application without granting consent",
            "Revenir à l’application sans donner son accord",
        );
        self.page(
            title,
            &format!(
                "<p>{0}</p><p><strong>{1}</strong> {needs}</p><p><code>AADSTS90094</code></p>{2}\
                 <input type=\"hidden\" name=\"user\" value=\"{0}\">\
                 <button name=\"consent\" value=\"decline\">{back}</button></form>",
                escape(&user.mail),
                escape(self.client),
                self.form(&["user", "consent"]),
            ),
        )
    }

    /// Sends the browser back to the client with a form.
    pub(super) fn send(&self, redirect: &str) -> Page {
        let title = self.language.pick("You are being sent back", "Retour à l’application");
        let fields: String = self.hidden.iter().map(hidden).collect();
        let on = self.language.pick("Continue", "Continuer");
        let action = escape(redirect);
        self.page(
            title,
            &format!(
                "<form method=\"post\" action=\"{action}\">{fields}<button>{on}</button></form>\
                 <script>{SCRIPT}</script>"
            ),
        )
    }

    /// Says what is wrong. There is no way on.
    pub(super) fn refusal(&self, refused: &Refused) -> Page {
        let title = self.language.pick(
            "Sorry, but we’re having trouble signing you in.",
            "Désolé, la connexion n’a pas abouti.",
        );
        self.page(title, &format!("<p><code>{}</code></p>", escape(&refused.description())))
    }

    /// A title and one sentence.
    pub(super) fn note(&self, title: &str, text: &str) -> Page {
        self.page(title, &format!("<p>{}</p>", escape(text)))
    }

    /// The start of a form with every hidden field but `without`. It is sent to where it comes from,
    /// without the query.
    fn form(&self, without: &[&str]) -> String {
        let kept = self.hidden.iter().filter(|(name, _)| !without.contains(&name.as_str()));
        let fields: String = kept.map(hidden).collect();
        format!("<form method=\"post\" action=\"?\">{fields}")
    }

    fn page(&self, title: &str, body: &str) -> Page {
        let language = self.language.pick("en", "fr");
        let html = format!(
            "<!doctype html><html lang=\"{language}\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
             <style>{STYLE}</style></head><body><main><h1>{title}</h1>{body}</main></body></html>"
        );
        Page { html, form_action: self.back.clone() }
    }
}

fn hidden((name, value): (&String, &String)) -> String {
    let (name, value) = (escape(name), escape(value));
    format!("<input type=\"hidden\" name=\"{name}\" value=\"{value}\">")
}

fn item(scope: &Scope) -> String {
    let value = scope.value.clone().unwrap_or_default();
    let named = |user: &Option<String>, admin: &Option<String>| {
        let text = user.clone().filter(|text| !text.is_empty());
        text.or_else(|| admin.clone())
    };
    let name = named(&scope.user_consent_display_name, &scope.admin_consent_display_name);
    let more = named(&scope.user_consent_description, &scope.admin_consent_description);
    let more = more.unwrap_or_default();
    let name = name.unwrap_or_else(|| value.clone());
    format!(
        "<li><strong>{}</strong><small>{} <code>{}</code></small></li>",
        escape(&name),
        escape(&more),
        escape(&value)
    )
}

/// A text inside HTML or one of its quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages() {
        for (list, expected) in [
            ("", Language::English),
            ("fr-CH, fr;q=0.9, en;q=0.8", Language::French),
            ("de-DE,en-GB;q=0.5,fr;q=0.4", Language::English),
            ("é", Language::English),
        ] {
            assert_eq!(Language::of(list), expected, "{list}");
        }
    }

    #[test]
    fn nothing_gets_out_of_its_place() {
        let hidden =
            Fields::from([("state".to_owned(), "\"><script>alert('x')</script>".to_owned())]);
        let frame =
            Frame { language: Language::French, hidden: &hidden, back: None, client: "<b>&" };
        let page = frame.pick_user(&[], "");
        assert!(!page.html.contains("<script") && !page.html.contains("<b>"), "{}", page.html);
        assert!(page.html.contains("&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)"));
        assert!(page.html.contains("lang=\"fr\""));
    }
}
