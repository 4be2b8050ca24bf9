"""GET /auth/login: starts a login, as does every page that needs one (OIDC Core §3.1.2.1)."""

import secrets
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from asgi_oidc import events
from asgi_oidc.composition import Parts
from asgi_oidc.endpoints.endpoint import Endpoint
from asgi_oidc.errors import LoginLoop, RequestRejected
from asgi_oidc.login.login_loops import MAX_LOGINS_IN_A_ROW
from asgi_oidc.login.login_transactions import RESTARTED, Before, Transaction
from asgi_oidc.protocol.authorization import Proofs, account_prompt, authorization_url
from asgi_oidc.protocol.step_up import ANOTHER_ACCOUNT, ANY_LOGIN, AuthenticationRequest
from asgi_oidc.sessions.authentication import delete_over, expect_login, is_over, who_was
from asgi_oidc.sessions.digests import digest
from asgi_oidc.sessions.repository import ActiveSession
from asgi_oidc.urls import host_name, is_address, is_loopback
from asgi_oidc.web.asgi_types import Receive
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response, redirect
from asgi_oidc.web.return_to import check_return_to, shorter_paths

CLAIM_PARAMETER = "claim"  # parameter of the page that offers a form: which session its login became
RANDOM_BYTES = 32  # bytes in each of state, nonce and code_verifier (RFC 7636 §7.1)


class KeptForm(NamedTuple):
    """A form that was stopped, and is kept until its login has ended.

    Attributes:
        size: characters, sealed.
        sealed: for the cookie; empty where the browser has it already.
    """

    id: str
    size: int
    sealed: str = ""


async def login(request: Request, parts: Parts, receive: Receive) -> Response:
    """Start a login that comes back to `return_to`, or home.

    Raises:
        OIDCError: this is no page that a person opens, or the provider gives no metadata.
    """
    if request.denies_navigation:
        raise RequestRejected("not_a_navigation", "a login starts with a page that a person opens")
    given = request.parameters()
    asked = [value for name, value in given if name == "ask"]
    ask = parts.asks.read(asked[0], now=parts.now()) if len(asked) == 1 else ANY_LOGIN
    # A person clicks on a page of ours, as often as they like. A script that was told to step up may do so for ever,
    # and so may an app that is not content with whom it gets: that way leads by the provider, as the browser says.
    is_clicked = request.header(b"sec-fetch-user") == "?1" or not (ask.acr_values or ask.max_age is not None)
    is_wanted = is_clicked and request.is_same_origin(parts.origin)
    return await start_login(request, parts, return_to=_return_to(given, parts), ask=ask, is_wanted=is_wanted)


async def start_login(
    request: Request,
    parts: Parts,
    *,
    return_to: str | None,
    ask: AuthenticationRequest = ANY_LOGIN,
    is_wanted: bool = False,
    again: bool = False,
    form: KeptForm | None = None,
) -> Response:
    """Send the browser to the provider, with a new login in progress.

    Args:
        return_to: path on our own site, checked; None for home.
        ask: how the login has to be done, beyond the settings.
        is_wanted: a person has asked for it; then somebody who is signed in is in no loop.
        again: started by a callback that nobody waited for. The state says so, for where no cookie is kept.
        form: one that is kept meanwhile.

    Raises:
        LoginLoop: the browser has just signed in, several times.
        ProviderError: the provider gives no metadata, or it rules out every login.
        StoreUnavailable: the login could not be kept.
    """
    if "host" not in parts.notices and request.is_navigation:
        _tell_of_another_host(request, parts)
    metadata = await parts.provider.metadata_for_login(response_mode=parts.settings.response_mode)
    state = secrets.token_urlsafe(RANDOM_BYTES) + (RESTARTED if again else "")
    proofs = Proofs(state, secrets.token_urlsafe(RANDOM_BYTES), secrets.token_urlsafe(RANDOM_BYTES))
    settings, now = parts.settings, parts.now()
    before = await who_was(request, parts)
    live = None if before is None or is_over(before.session, parts, now=now) else before
    ask = settings.ask_of(ask)
    extra = {**settings.authorization_params, **ask.parameters}
    if ask.prompt == ANOTHER_ACCOUNT:
        always = str(settings.authorization_params.get("prompt", "")).split()
        prompts = [*(word for word in always if word != "none"), account_prompt(metadata)]
        extra["prompt"] = " ".join(dict.fromkeys(prompts))
    url = authorization_url(metadata, parts.client, proofs, scope=settings.scope, extra=extra)
    transaction = Transaction(
        state=proofs.state,
        nonce=proofs.nonce,
        code_verifier=proofs.code_verifier,
        return_to=return_to,
        form_post=settings.form_post,
        max_age=ask.max_age,
        acr_values=list(ask.acr_values),
        created_at=now,
        before=None if live is None else Before(live.session.id, digest(live.session.login.sub)),
        round=None if is_wanted and live is not None else _round(request, parts, live, now=now),
        session_id=secrets.token_urlsafe(RANDOM_BYTES),
        is_from_elsewhere=request.is_from_elsewhere(parts.origin),
        form_size=0 if form is None else form.size,
        form=None if form is None else form.id,
    )
    events.log(events.LOGIN_STARTED, again=again)
    cookies, budget = request.cookies, parts.cookie_budget
    new_form = "" if form is None else form.sealed
    room, paths = budget.room_for_logins(cookies, form=new_form), _shorter(return_to, parts)
    lines = [
        *delete_over(request, parts),
        *parts.transactions.write(transaction, cookies, now=now, room=room, paths=paths),
    ]
    if new_form:
        lines.append(parts.forms.set_cookie(new_form))
    lines += budget.make_room(cookies, lines, now=now, keeps_form=form is not None)
    if before is not None or request.session_over_at is not None:
        expect_login(request, parts)
    return redirect(url).with_cookies(lines)


def _tell_of_another_host(request: Request, parts: Parts) -> None:
    """Warn once if the browser seems to be at another host than `base_url`; no decision depends on that.

    The login cookie stays at that host, so the callback at `base_url` never finds it.
    """
    visited, expected = host_name(request.header(b"host") or ""), host_name(parts.origin.partition("://")[2])
    if visited in (None, expected) or expected is None:
        return
    # Scanners come by address, and some proxies put that of the app there.
    if is_address(visited) and not is_address(expected) and not is_loopback(expected):
        return
    parts.notices.add("host")
    events.log(
        events.HOST_MISMATCH,
        host=visited,
        base_url=parts.settings.base_url,
        what="a login that starts on this host cannot finish at base_url, where its cookie is not sent",
        fix="visit base_url, redirect this host to it, or change base_url; a proxy must forward Host unchanged",
    )


def _shorter(return_to: str | None, parts: Parts) -> list[str | None]:
    """Return shorter return paths, for one that is too long for a cookie."""
    if return_to is None:
        return []
    path, _, sealed = return_to.partition("?form=")
    lost = parts.forms.open(sealed, now=parts.now()) if path == parts.form_path else None
    if lost is None:
        return [*shorter_paths(return_to)]
    return [f"{path}?form={parts.forms.seal(msgspec.structs.replace(lost, page=None))}", path]


def _round(request: Request, parts: Parts, live: ActiveSession | None, *, now: int) -> int | None:
    """Count this login when it may be one of a loop: there is a session, dead or alive, or somebody led here."""
    done, has_session = parts.rounds.count(request.cookies, now=now), parts.sessions.is_there(request.cookies)
    if done < MAX_LOGINS_IN_A_ROW:
        is_sent_by_other_site = request.is_sent_by_other_site(parts.origin)
        return max(done, int(is_sent_by_other_site)) if done or has_session or is_sent_by_other_site else None
    detail = f"{done} logins in a row"
    if live is not None:
        raise LoginLoop("login_loop_signed_in", detail, status=403)
    raise LoginLoop("login_loop_with_cookie" if has_session else "login_loop_without_cookie", detail)


def own_path(value: str, parts: Parts) -> str | None:
    """Return a path that a browser may come back to, else None; a URL of our own origin counts as its path."""
    if value.startswith(parts.origin + "/"):
        value = value[len(parts.origin) :]
    checked = check_return_to(value, own_paths=parts.own_paths)
    if checked is None and value:
        events.log(events.RETURN_TO_IGNORED, reason="not a plain path of this site")
    return checked


def _return_to(given: Sequence[tuple[str, str]], parts: Parts) -> str | None:
    values = [value for name, value in given if name == "return_to"]
    if len(values) != 1:
        return None
    # The one page of our own that a login may end at: it says what became of a form.
    path, _, sealed = values[0].partition("?form=")
    if path == parts.form_path:
        return values[0] if parts.forms.open(sealed, now=parts.now()) else parts.form_path
    return own_path(values[0], parts)


ENDPOINT = Endpoint(("GET",), login)
