"""The fake end_session endpoint: OpenID Connect RP-Initiated Logout 1.0, Front-Channel Logout 1.0 §3."""

from ..authorization import is_registered, with_query
from ..logout import ProviderLogout
from ..pages import frames_page, message_page
from ..provider_state import COOKIE
from ..wire import Answer, Call, html_answer, redirect_answer


def end_session(provider: ProviderLogout, call: Call) -> Answer:
    """End the session at the provider, and send the browser back if the target is registered."""
    memory = provider.memory
    params = call.form if call.method == "POST" else call.params
    hinted = memory.id_tokens.get(params.get("id_token_hint", ""))
    if "id_token_hint" in params and hinted is None:
        return html_answer(message_page("Cannot sign out", "This ID Token is not from this provider."), 400)
    client_id = params.get("client_id") or (hinted.client_id if hinted else "")
    if hinted and hinted.client_id != client_id:
        return html_answer(message_page("Cannot sign out", "The ID Token is another client's."), 400)
    target = params.get("post_logout_redirect_uri")
    client = provider.clients.get(client_id)
    if target and not (client and is_registered(target, client.post_logout_redirect_uris)):
        return html_answer(message_page("Cannot sign out", "The post_logout_redirect_uri is not registered."), 400)
    current = memory.sign_ins.get(call.cookies.get(COOKIE, ""))
    frames: list[str] = []
    for sign_in in {sign_in.sid: sign_in for sign_in in (current, hinted and hinted.sign_in) if sign_in}.values():
        frames += provider.end_sign_in(sign_in)
    state = [("state", params["state"])] if "state" in params else []
    return _signed_out(frames, with_query(target, state) if target else None)


def _signed_out(frames: list[str], return_url: str | None) -> Answer:
    title, message = "Signed out", "You are signed out of the fake provider."
    if frames:
        return html_answer(frames_page(title, message, frames, return_url))
    return html_answer(message_page(title, message)) if return_url is None else redirect_answer(return_url)
