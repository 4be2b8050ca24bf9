"""The HTTP status of each error: asked from the middleware itself, with a login that ends in that error."""

from typing import Any

from asgi_oidc import errors
from asgi_oidc.errors import OIDCError, RequestRejected
from asgi_oidc.errors.codes.bearer import BEARER
from asgi_oidc.errors.codes.proofs import PROOFS
from tests.bearer.token_calls import TokenSite
from tests.protected_site import Site
from tests.reference.codes import CODES
from tests.reference.source import CLASSES, Raised

IN_THE_APP = {  # the app gets these; what a browser gets where the app lets them pass
    "NotSignedIn": "303 or 401",
    "SessionEnded": "303 or 401",
    "StepUpRequired": "303 or 401",
    "InsufficientScope": "403",
    "AccessTokenExpired": "303 or 401",
    "TokenNotGranted": "-",
    "SettingsError": "-",
    "UnsupportedScope": "-",
}
OF_REFRESHES = ("refresh_timeout", "exchange_timeout", "refresh_{code}", "exchange_{code}")
BY_THE_ERROR = {"provider_refused": "403, 502 or 503"}  # `access_denied`, `invalid_client`, `server_error`
ONLY_CODE = {"no_store": "-", "no_bearer": "-"}  # for the developer, at once
OF_REQUESTS_WITH_TOKENS = {name for code in (*BEARER, *PROOFS) for name in code.names.split()}
JSON_ANSWERS = {
    "login_required": "401",
    "insufficient_user_authentication": "401",
    "forbidden": "403",
    "insufficient_scope": "403",
    "method_not_allowed": "405",
    "forward_auth_only": "403",
    "frontchannel_logout_off": "404",
}


async def statuses(raised: list[Raised]) -> dict[str, dict[str, str]]:
    """Return, for each code, the exceptions (or "JSON response") that carry it, with the status of each."""
    error: OIDCError = OIDCError()

    async def on_login(user: Any, claims: Any) -> None:
        raise error

    site, token_site = Site(on_login=on_login), TokenSite(bearer={"on_token": on_login})
    found: dict[str, dict[str, str]] = {}
    for name in (name for codes in CODES.values() for code in codes for name in code.names.split()):
        if name in JSON_ANSWERS:
            found[name] = {"JSON response": JSON_ANSWERS[name]}
        for kind, status in _raised_as(name, raised):
            if name in BY_THE_ERROR:
                found[name] = {kind: BY_THE_ERROR[name]}
                continue
            if kind in IN_THE_APP or name in ONLY_CODE:
                found.setdefault(name, {})[kind] = IN_THE_APP.get(kind, "-")
                continue
            error = _error(kind, name, status)
            if name in OF_REQUESTS_WITH_TOKENS:
                token_answer = await token_site.call_with(token_site.token())
                found.setdefault(name, {})[kind] = str(token_answer.status)
                continue
            answer = await site.browser().sign_in("alice", path="/page")
            found.setdefault(name, {})[kind] = str(answer.status_code)
    return found


def _raised_as(name: str, raised: list[Raised]) -> list[tuple[str, int | None]]:
    if name in OF_REFRESHES:
        return [("RefreshFailed", None)]
    if name == errors.LoginRefused.default_code:
        return [("LoginRefused", None)]  # only apps raise it
    exact = {(each.kind, each.status) for each in raised if each.code == name}
    made = {
        (each.kind, each.status) for each in raised if each.pattern.fullmatch(name) and each.kind != "RefreshFailed"
    }
    return sorted(pair for pair in exact or made if pair[0] in CLASSES)


def _error(kind: str, code: str, status: int | None) -> OIDCError:
    made = CLASSES[kind]
    if issubclass(made, RequestRejected):
        return made(code, status=status) if status else made(code)
    if made is errors.LoginRefused:
        return errors.LoginRefused()
    return made(code)
