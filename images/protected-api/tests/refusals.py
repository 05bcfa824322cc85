"""Every request that must be refused, as one table: what is sent, and which answer it gets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.signer import DAEMON, MISSING, SWAGGER, TENANT, Key, Signer, base64url, decode, encode

Headers = Sequence[tuple[str, str]]

OTHER = "99999999-9999-4999-8999-999999999999"
ATTACKER = Key()
ELLIPTIC = ec.generate_private_key(ec.SECP256R1())
CLAIMS = ("exp", "nbf", "iat", "sub", "iss", "aud", "ver", "tid", "azp")


@dataclass(frozen=True)
class Refusal:
    """A request that no one may get through."""

    name: str
    status: int
    code: str
    send: Callable[[Signer], Headers]
    path: str = "/me"


def refusals() -> list[Refusal]:
    """The whole table."""
    return [
        *_without_token(),
        *_times(),
        *_claims(),
        *_keys(),
        *_signatures(),
        *_forged_before_forbidden(),
        *_forbidden(),
    ]


def bearer(token: str) -> Headers:
    """The headers that carry a token."""
    return [("Authorization", f"Bearer {token}")]


def _without_token() -> list[Refusal]:
    def header(value: str) -> Callable[[Signer], Headers]:
        return lambda _: [("Authorization", value)]

    def with_token(template: str) -> Callable[[Signer], Headers]:
        return lambda s: [("Authorization", template.format(s.token()))]

    missing, malformed = "token_missing", "token_malformed"
    return [
        Refusal("no header", 401, missing, lambda _: []),
        Refusal("empty header", 401, missing, header("")),
        Refusal("Basic", 401, missing, header("Basic dXNlcjpwYXNzd29yZA==")),
        Refusal("Basic with a token", 401, missing, with_token("Basic {}")),
        Refusal("scheme without token", 401, missing, header("Bearer")),
        Refusal("token without scheme", 401, missing, with_token("{}")),
        Refusal("token in a cookie", 401, missing, lambda s: [("Cookie", f"token={s.token()}")]),
        Refusal("token in the query", 401, missing, lambda _: [], "/me?access_token={token}"),
        Refusal("garbage", 401, malformed, header("Bearer garbage")),
        Refusal("garbage in three parts", 401, malformed, header("Bearer a.b.c")),
        Refusal("header a list", 401, malformed, header(f"Bearer {encode(['x'])}.e30.e30")),
        Refusal("header no JSON", 401, malformed, header("Bearer abcd.e30.e30")),
        Refusal("header no base64", 401, malformed, header("Bearer a.e30.e30")),
        Refusal("header no text", 401, malformed, header("Bearer __79.e30.e30")),
        Refusal("two spaces", 401, malformed, with_token("Bearer  {}")),
        Refusal("two tokens in a header", 401, malformed, with_token("Bearer {0},{0}")),
        Refusal("two headers", 401, malformed, lambda s: [*bearer(s.token()), *bearer("x.y.z")]),
        Refusal("20 kB", 401, malformed, lambda s: bearer(s.token(s.claims(x="x" * 15_000)))),
    ]


def _times() -> list[Refusal]:
    def changed(name: str, seconds: int) -> Callable[[Signer], Headers]:
        return lambda s: bearer(s.token(s.claims(**{name: s.claims()["iat"] + seconds})))

    def valued(**values: object) -> Callable[[Signer], Headers]:
        return lambda s: bearer(s.token(s.claims(**values)))

    return [
        Refusal("expired", 401, "token_expired", changed("exp", 200)),
        Refusal("not valid yet", 401, "token_claims", changed("nbf", 3600)),
        Refusal("issued in the future", 401, "token_claims", changed("iat", 3600)),
        Refusal("exp null", 401, "token_claims", valued(exp=None)),
        Refusal("exp a string", 401, "token_claims", valued(exp="4102444800")),
        Refusal("exp true", 401, "token_claims", valued(exp=True)),
        Refusal("exp infinite", 401, "token_claims", valued(exp=float("inf"))),
    ]


def _claims() -> list[Refusal]:
    def changed(**values: object) -> Callable[[Signer], Headers]:
        return lambda s: bearer(s.token(s.claims(**values)))

    def missing(name: str) -> Refusal:
        return Refusal(f"no {name}", 401, "token_claims", changed(**{name: MISSING}))

    def wrong(name: str, make: Callable[[Signer], dict[str, object]]) -> Refusal:
        return Refusal(name, 401, "token_claims", lambda s: bearer(s.token(s.claims(**make(s)))))

    return [
        *(missing(name) for name in CLAIMS),
        wrong("aud of another API", lambda _: {"aud": OTHER}),
        wrong("aud as api://", lambda s: {"aud": f"api://{s.claims()['aud']}"}),
        wrong("aud a list", lambda s: {"aud": [s.claims()["aud"]]}),
        wrong("iss of another tenant", lambda s: {"iss": s.issuer.replace(TENANT, OTHER)}),
        wrong("iss with a slash", lambda s: {"iss": s.issuer + "/"}),
        wrong("iss in upper case", lambda s: {"iss": s.issuer.upper()}),
        wrong("tid of another tenant", lambda _: {"tid": OTHER}),
        wrong("ver 1.0", lambda _: {"ver": "1.0"}),
        wrong("ver a number", lambda _: {"ver": 2.0}),
        wrong("sub empty", lambda _: {"sub": ""}),
        wrong("azp a list", lambda _: {"azp": [SWAGGER]}),
        Refusal("azp of another client", 401, "client_refused", changed(azp=OTHER)),
        Refusal("no claims but a list", 401, "token_malformed", lambda s: bearer(_list(s))),
    ]


def _list(signer: Signer) -> str:
    head, _, _ = signer.token().split(".")
    signed = f"{head}.{encode([1])}"
    return f"{signed}.{_rs256(signed, signer.key)}"


def _rs256(signed: str, key: Key) -> str:
    from tests.signer import sign

    return sign("RS256", signed, key.private)


def _keys() -> list[Refusal]:
    def header(**values: object) -> Callable[[Signer], Headers]:
        return lambda s: bearer(s.token(header=values))

    def forged(make: Callable[[Signer], dict[str, object]]) -> Callable[[Signer], Headers]:
        return lambda s: bearer(s.token(header=make(s), key=ATTACKER.private))

    unknown: dict[str, object] = {"kid": ATTACKER.kid}
    elsewhere = "https://localhost/keys"
    return [
        Refusal("no kid", 401, "token_malformed", header(kid=MISSING)),
        Refusal("kid a list", 401, "token_malformed", header(kid=["x"])),
        Refusal("kid null", 401, "token_malformed", header(kid=None)),
        Refusal("kid empty", 401, "token_unverified", header(kid="")),
        Refusal("kid a path", 401, "token_unverified", header(kid="../../dev/null")),
        Refusal("kid unknown", 401, "token_unverified", forged(lambda _: unknown)),
        Refusal("kid ours, key not", 401, "token_unverified", forged(lambda _: {})),
        Refusal("embedded jwk", 401, "token_unverified", forged(lambda _: {"jwk": ATTACKER.jwk()})),
        Refusal(
            "embedded jwk, its kid",
            401,
            "token_unverified",
            forged(lambda _: {**unknown, "jwk": ATTACKER.jwk()}),
        ),
        Refusal("jku", 401, "token_unverified", forged(lambda _: {**unknown, "jku": elsewhere})),
        Refusal("x5u", 401, "token_unverified", forged(lambda _: {**unknown, "x5u": elsewhere})),
        Refusal("crit", 401, "token_malformed", header(crit=["exp"], exp=1)),
        Refusal("crit b64", 401, "token_malformed", header(crit=["b64"], b64=False)),
    ]


def _signatures() -> list[Refusal]:
    def algorithm(name: str, key: object = None) -> Callable[[Signer], Headers]:
        return lambda s: bearer(s.token(algorithm=name, key=key))

    def rewritten(change: Callable[[str, str, str], str]) -> Callable[[Signer], Headers]:
        return lambda s: bearer(change(*s.token().split(".")))

    def tampered(head: str, body: str, tail: str) -> str:
        return f"{head}.{encode(decode(body) | {'name': 'Root'})}.{tail}"

    def pem(signer: Signer) -> bytes:
        return signer.key.public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    malformed, unverified = "token_malformed", "token_unverified"
    none = encode({"alg": "none", "typ": "JWT"})
    return [
        Refusal("alg none", 401, malformed, algorithm("none")),
        Refusal("alg NONE", 401, malformed, algorithm("NONE")),
        Refusal(
            "alg none with a signature",
            401,
            malformed,
            rewritten(lambda _, b, t: f"{none}.{b}.{t}"),
        ),
        Refusal(
            "HS256 with the public key",
            401,
            malformed,
            lambda s: bearer(s.token(algorithm="HS256", key=pem(s))),
        ),
        Refusal("HS256 with nothing", 401, malformed, algorithm("HS256", b"")),
        Refusal("RS512", 401, malformed, algorithm("RS512")),
        Refusal("PS256", 401, malformed, algorithm("PS256")),
        Refusal("ES256", 401, malformed, algorithm("ES256", ELLIPTIC)),
        Refusal("PS256 called RS256", 401, unverified, lambda s: bearer(_renamed(s, "PS256"))),
        Refusal("claims tampered", 401, unverified, rewritten(tampered)),
        Refusal("signature stripped", 401, malformed, rewritten(lambda h, b, _: f"{h}.{b}.")),
        Refusal("two parts", 401, malformed, rewritten(lambda h, b, _: f"{h}.{b}")),
        Refusal("five parts", 401, malformed, rewritten(lambda h, b, t: f"{h}.{b}.{t}.{t}.{t}")),
        Refusal("signature cut", 401, unverified, rewritten(lambda h, b, t: f"{h}.{b}.{t[:-6]}")),
        Refusal(
            "signature of another token",
            401,
            unverified,
            lambda s: bearer(f"{s.token().rpartition('.')[0]}.{s.token().rpartition('.')[2]}"),
        ),
        Refusal("signature zero", 401, unverified, rewritten(lambda h, b, _: f"{h}.{b}.{ZERO}")),
        Refusal("signature padded", 401, malformed, rewritten(lambda h, b, t: f"{h}.{b}.{t}==")),
    ]


ZERO = base64url(bytes(256))


def _renamed(signer: Signer, algorithm: str) -> str:
    from tests.signer import sign

    head, body, _ = signer.token().split(".")
    return f"{head}.{body}.{sign(algorithm, f'{head}.{body}', signer.key.private)}"


def _forged_before_forbidden() -> list[Refusal]:
    """Whom the signature does not vouch for learns nothing of guests and scopes."""

    def forged(**values: object) -> Callable[[Signer], Headers]:
        return lambda s: bearer(s.token(s.claims(**values), key=ATTACKER.private))

    unverified = "token_unverified"
    return [
        Refusal("forged guest", 401, unverified, forged(acct=1)),
        Refusal("forged without scope", 401, unverified, forged(scp=MISSING)),
        Refusal("forged without role", 401, unverified, forged(roles=[]), "/jobs"),
    ]


def _forbidden() -> list[Refusal]:
    def user(**values: object) -> Callable[[Signer], Headers]:
        return lambda s: bearer(s.token(s.claims(**values)))

    def application(**values: object) -> Callable[[Signer], Headers]:
        return lambda s: bearer(s.token(s.application(**values)))

    both = "user_impersonation"
    guest = {"idp": f"https://sts.windows.net/{OTHER}/"}
    return [
        Refusal("guest by idp", 403, "guest_refused", user(**guest)),
        Refusal("guest by acct", 403, "guest_refused", user(acct=1)),
        Refusal(
            "guest with the role", 403, "guest_refused", user(roles=["Jobs.Run"], acct=1), "/jobs"
        ),
        Refusal("no scp", 403, "user_required", user(scp=MISSING)),
        Refusal("scp empty", 403, "scope_missing", user(scp="")),
        Refusal("scp of another route", 403, "scope_missing", user(scp="Reports.Read")),
        Refusal("scp cut", 403, "scope_missing", user(scp="user_imperson")),
        Refusal("scp longer", 403, "scope_missing", user(scp="user_impersonation.all")),
        Refusal("scp in upper case", 403, "scope_missing", user(scp=both.upper())),
        Refusal("scp parted by commas", 403, "scope_missing", user(scp=f"{both},other")),
        Refusal("scp a list", 403, "scope_missing", user(scp=[both])),
        Refusal("further scope missing", 403, "scope_missing", user(), "/reports"),
        Refusal("application alone", 403, "user_required", application()),
        Refusal("application alone at /", 403, "user_required", application(), "/"),
        Refusal("application with scp", 403, "user_required", application(scp=both)),
        Refusal("role missing", 403, "role_missing", user(), "/jobs"),
        Refusal("role cut", 403, "role_missing", application(roles=["Jobs"]), "/jobs"),
        Refusal("role a string", 401, "token_claims", application(roles="Jobs.Run"), "/jobs"),
        Refusal("role as a scope", 403, "role_missing", user(scp="Jobs.Run"), "/jobs"),
        Refusal(
            "identity token with the role",
            401,
            "token_claims",
            user(azp=MISSING, scp=MISSING, roles=["Jobs.Run"]),
            "/jobs",
        ),
        Refusal("application unknown", 401, "client_refused", application(azp=OTHER), "/jobs"),
        Refusal("daemon without role", 403, "role_missing", application(roles=MISSING), "/jobs"),
        Refusal("daemon posing as user", 403, "user_required", user(idtyp="app", azp=DAEMON)),
    ]
