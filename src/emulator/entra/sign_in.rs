//! What a browser meets at `/authorize` and at the device's page.

use serde_json::{Value, json};

use super::Entra;
use super::authorize::{self, Answer, End, Fields, Next, Wanted, check_known, find_user};
use super::back::{Back, Way};
use super::device::LIFE;
use super::page::{Frame, Language, Page, escape};
use super::refused::{self, Refused};
use super::resource::is_of_users;
use super::scope::Asked;
use super::token::draw;
use crate::emulator::directory::{Application, Directory, User};

/// Seconds between two polls of a device.
const INTERVAL: u32 = 5;

/// What a browser gets.
pub(super) enum Shown {
    /// A page, with a status.
    Page(u16, Page),
    /// Back to the client.
    Redirect(String),
}

impl Entra {
    /// Answers one request to `/authorize`. A user is picked, and consent given, only by a form.
    pub(super) fn authorize(&self, language: Language, fields: &Fields, posted: bool) -> Shown {
        let act = |directory: &mut Directory| {
            let request = authorize::parse(directory, fields)?;
            let frame = Frame {
                language,
                hidden: fields,
                back: request.back.source(),
                client: &request.client.properties.display_name,
            };
            let Some(name) = fields.get("user").filter(|_| posted) else {
                return Ok(Err(frame.pick_user(directory.users(), "")));
            };
            let user = find_user(directory, name).cloned();
            let user = user.ok_or_else(|| End::Shown(refused::no_user(name)))?;
            let answer = answer_of(fields);
            let now = (self.clock)();
            let next = request.next(now, &self.facts, directory, (&user, answer))?;
            Ok(match next {
                Next::Ask(scopes) => Err(frame.ask_consent(&user, &scopes)),
                Next::AskAdministrator => Err(frame.ask_administrator(&user)),
                Next::Give(code) => Ok((request.back, code)),
            })
        };
        // Only a form can change what was consented to.
        let outcome = if posted { self.directory.with(act) } else { self.directory.look(act) };
        let (back, code) = match outcome {
            Ok(Ok(given)) => given,
            Ok(Err(page)) => return Shown::Page(200, page),
            Err(End::Told(back, refused)) => return send(language, &back, back.refusal(&refused)),
            Err(End::Shown(refused)) => return refusal(language, &refused),
        };
        let secret = match draw() {
            Ok(secret) => secret,
            Err(refused) => return send(language, &back, back.refusal(&refused)),
        };
        let now = (self.clock)();
        self.ledger.with(|ledger| ledger.give_code(now, &secret, code));
        send(language, &back, back.with(&[("code", &secret)]))
    }

    /// Answers one request to `/devicecode`. With a `login_hint`, which real Entra does not take here,
    /// that user has approved at once: for whom there is no browser.
    pub(super) fn device_code(&self, form: &Fields) -> Result<Value, Refused> {
        let now = (self.clock)();
        let field = |name: &str| form.get(name).ok_or_else(|| refused::missing(name));
        let (id, scope) = (field("client_id")?, field("scope")?);
        Asked::parse(scope)?;
        let (client, user) = self.directory.look(|directory| {
            let client = directory.application_by_app_id(id);
            let client = client.ok_or_else(|| refused::application(id))?;
            let Some(hint) = form.get("login_hint") else { return Ok((client.app_id, None)) };
            let user = find_user(directory, hint).ok_or_else(|| refused::no_user(hint))?;
            check_known(&self.facts, user, client)?;
            Ok((client.app_id, Some(user.id)))
        })?;
        let secret = draw()?;
        let user_code = self.ledger.with(|ledger| {
            let user_code = ledger.give_device(now, &secret, (client, scope));
            if let (Some(user), Some(device)) = (user, ledger.waiting(now, &user_code)) {
                device.approve(user);
            }
            user_code
        });
        let page = format!("{}/oauth2/deviceauth", self.authority());
        Ok(json!({
            "user_code": user_code,
            "device_code": secret,
            "verification_uri": page,
            "expires_in": LIFE.num_seconds(),
            "interval": INTERVAL,
            "message": format!(
                "To sign in, use a web browser to open the page {page} and enter the code {user_code} \
                 to authenticate."
            ),
        }))
    }

    /// Answers one request to the page where the code of a device is typed.
    pub(super) fn approve_device(
        &self,
        language: Language,
        fields: &Fields,
        posted: bool,
    ) -> Shown {
        let frame = Frame { language, hidden: fields, back: None, client: "" };
        let (Some(code), Some(name)) = (fields.get("code"), fields.get("user").filter(|_| posted))
        else {
            return self.ask_device_code(&frame);
        };
        let now = (self.clock)();
        let waiting = self.ledger.with(|ledger| ledger.waiting(now, code).cloned());
        let Some(device) = waiting else { return refusal(language, &refused::device_code()) };
        let answer = answer_of(fields);
        let outcome = self.directory.with(|directory| {
            let (client, user) = known(directory, device.client, name)?;
            check_known(&self.facts, &user, &client)?;
            let asked = Asked::parse(&device.scope)?;
            let wanted = Wanted::of(&self.facts, directory, &client, &asked, &user)?;
            let client = &client.properties.display_name;
            let frame = Frame { client, ..frame };
            if answer == Answer::NotAsked && !wanted.missing.is_empty() {
                let may = user.may_consent && wanted.missing.iter().all(is_of_users);
                return Ok(Err(if may {
                    frame.ask_consent(&user, &wanted.missing)
                } else {
                    frame.ask_administrator(&user)
                }));
            }
            if answer == Answer::Accepted && !wanted.missing.is_empty() {
                wanted.grant(now, directory, &user)?;
            }
            Ok(Ok(user))
        });
        let user = match outcome {
            Ok(Ok(user)) => user,
            Ok(Err(page)) => return Shown::Page(200, page),
            Err(refused) => return refusal(language, &refused),
        };
        self.ledger.with(|ledger| {
            let Some(device) = ledger.waiting(now, code) else { return };
            if answer == Answer::Declined { device.decline() } else { device.approve(user.id) }
        });
        let title = language.pick("That is all", "C’est tout");
        let text = language.pick("You may close this page.", "Vous pouvez fermer cette page.");
        let frame = Frame { language, hidden: fields, back: None, client: "" };
        Shown::Page(200, frame.note(title, text))
    }

    fn ask_device_code(&self, frame: &Frame<'_>) -> Shown {
        let typed = frame.hidden.get("code").map(String::as_str).unwrap_or_default();
        let input = format!(
            "<p><label>Code <input type=\"text\" name=\"code\" value=\"{}\" autocomplete=\"off\" \
             required></label></p>",
            escape(typed)
        );
        let nothing = Fields::new();
        let device = frame.language.pick("a device", "un appareil");
        let frame = Frame { hidden: &nothing, client: device, back: None, ..*frame };
        let users = self.directory.look(|directory| directory.users().to_vec());
        Shown::Page(200, frame.pick_user(&users, &input))
    }
}

/// Sends the browser back to the client.
fn send(language: Language, back: &Back, way: Way) -> Shown {
    match way {
        Way::Redirect(to) => Shown::Redirect(to),
        Way::Form(fields) => {
            let frame = Frame { language, hidden: &fields, back: back.source(), client: "" };
            Shown::Page(200, frame.send(&back.redirect))
        }
    }
}

/// What an answered form says about consent.
fn answer_of(fields: &Fields) -> Answer {
    match fields.get("consent").map(String::as_str) {
        Some("accept") => Answer::Accepted,
        Some(_) => Answer::Declined,
        None => Answer::NotAsked,
    }
}

fn known(
    directory: &Directory,
    client: uuid::Uuid,
    user: &str,
) -> Result<(Application, User), Refused> {
    let id = client.to_string();
    let client = directory.application_by_app_id(&id).ok_or_else(|| refused::application(&id))?;
    let user = find_user(directory, user).ok_or_else(|| refused::no_user(user))?;
    Ok((client.clone(), user.clone()))
}

/// A refusal as a page of its own.
pub(super) fn refusal(language: Language, refused: &Refused) -> Shown {
    let nothing = Fields::new();
    let frame = Frame { language, hidden: &nothing, back: None, client: "" };
    Shown::Page(refused.status, frame.refusal(refused))
}
