"""What people read, in French and English, chosen by `Accept-Language`."""

from typing import Literal, get_args

from starlette.requests import HTTPConnection

Language = Literal["en", "fr"]
LANGUAGES: tuple[Language, ...] = get_args(Language)

TEXTS: dict[str, dict[Language, str]] = {
    "title.401": {"en": "Sign-in required", "fr": "Connexion requise"},
    "title.403": {"en": "Not allowed", "fr": "Accès refusé"},
    "title.404": {"en": "Not found", "fr": "Introuvable"},
    "title.405": {"en": "Method not allowed", "fr": "Méthode non autorisée"},
    "title.422": {"en": "Invalid values", "fr": "Valeurs invalides"},
    "title.500": {"en": "Internal error", "fr": "Erreur interne"},
    "title.503": {"en": "Temporarily unavailable", "fr": "Temporairement indisponible"},
    "token_missing": {
        "en": "Send an access token in the Authorization header.",
        "fr": "Envoyez un jeton d'accès dans l'en-tête Authorization.",
    },
    "token_malformed": {
        "en": "This is not an access token of Entra ID.",
        "fr": "Ceci n'est pas un jeton d'accès d'Entra ID.",
    },
    "token_unverified": {
        "en": "The token is not signed by the issuer that this API trusts.",
        "fr": "Le jeton n'est pas signé par l'émetteur auquel cette API fait confiance.",
    },
    "token_expired": {
        "en": "The token has expired: sign in again.",
        "fr": "Le jeton a expiré : connectez-vous à nouveau.",
    },
    "token_claims": {
        "en": "The token was not issued for this API, by its tenant.",
        "fr": "Le jeton n'a pas été émis pour cette API par son annuaire.",
    },
    "client_refused": {
        "en": "The application that asked for this token may not call this API.",
        "fr": "L'application qui a demandé ce jeton ne peut pas appeler cette API.",
    },
    "guest_refused": {
        "en": "Guests of the tenant may not use this API.",
        "fr": "Les invités de l'annuaire ne peuvent pas utiliser cette API.",
    },
    "user_required": {
        "en": "This needs a signed-in user: an application alone may not do it.",
        "fr": "Un utilisateur connecté est requis : une application seule n'y a pas droit.",
    },
    "scope_missing": {
        "en": "The token lacks the scope that this needs: {name}.",
        "fr": "Il manque au jeton l'étendue requise ici : {name}.",
    },
    "role_missing": {
        "en": "The token lacks the app role that this needs: {name}.",
        "fr": "Il manque au jeton le rôle d'application requis ici : {name}.",
    },
    "not_found": {"en": "There is nothing here.", "fr": "Il n'y a rien ici."},
    "method_not_allowed": {
        "en": "This cannot be done here.",
        "fr": "Cela ne peut pas être fait ici.",
    },
    "invalid_values": {
        "en": "Some values cannot be used; `errors` says which.",
        "fr": "Certaines valeurs sont inutilisables ; `errors` dit lesquelles.",
    },
    "internal": {
        "en": "Something went wrong here; it is in the log.",
        "fr": "Une erreur est survenue ici ; elle est dans le journal.",
    },
    "issuer_unavailable": {
        "en": "The sign-in service cannot be reached; try again shortly.",
        "fr": "Le service de connexion est injoignable ; réessayez dans un instant.",
    },
    "hello": {"en": "Hello {name}", "fr": "Bonjour {name}"},
    "api.title": {"en": "Protected API", "fr": "API protégée"},
    "api.description": {
        "en": "Press Authorize and sign in; then try a request.",
        "fr": "Cliquez sur Authorize et connectez-vous, puis essayez une requête.",
    },
    "api.scheme": {
        "en": "Sign-in with Entra ID (code flow with PKCE). Leave `client_secret` empty.",
        "fr": "Connexion par Entra ID (flux de code avec PKCE). Laissez `client_secret` vide.",
    },
    "page.redirect": {"en": "Signing in…", "fr": "Connexion en cours…"},
    "page.script": {
        "en": "This page needs JavaScript.",
        "fr": "Cette page a besoin de JavaScript.",
    },
}


def text(key: str, language: Language, **values: str) -> str:
    """One text, with its values put in."""
    return TEXTS[key][language].format(**values)


def language_of(connection: HTTPConnection) -> Language:
    """The language that the caller likes best among ours (RFC 9110, section 12.5.4)."""
    best: tuple[float, Language] = (0.0, LANGUAGES[0])
    for item in connection.headers.get("accept-language", "").split(","):
        tag, _, weight = item.partition(";")
        for language in LANGUAGES:
            if tag.strip().lower().split("-")[0] == language and _weight(weight) > best[0]:
                best = (_weight(weight), language)
    return best[1]


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if not name:
        return 1.0
    try:
        return min(float(value), 1.0) if name.strip() == "q" else 0.0
    except ValueError:
        return 0.0
