"""The fake end_session endpoint: OpenID Connect RP-Initiated Logout 1.0."""

from ..authorization import is_registered, with_query
from ..pages import message_page
from ..provider_state import COOKIE, ProviderState
from ..wire import Answer, Call, html_answer, redirect_answer


def end_session(provider: ProviderState, call: Call) -> Answer:
    """End the session at the provider and send the browser back, where that is allowed."""
    memory = provider.memory
    params = call.form if call.method == "POST" else call.params
    hinted = memory.id_tokens.get(params.get("id_token_hint", ""))
    if "id_token_hint" in params and hinted is None:
        return html_answer(message_page("Cannot sign out", "This ID Token is not one of ours."), 400)
    client_id = params.get("client_id") or (hinted.client_id if hinted else "")
    if hinted and hinted.client_id != client_id:
        return html_answer(message_page("Cannot sign out", "The ID Token is another client's."), 400)
    target = params.get("post_logout_redirect_uri")
    client = provider.clients.get(client_id)
    if target and not (client and is_registered(target, client.post_logout_redirect_uris)):
        return html_answer(message_page("Cannot sign out", "The way back is not registered."), 400)
    known = memory.sign_ins.get(call.cookies.get(COOKIE, ""))
    for sid in {sign_in.sid for sign_in in (known, hinted and hinted.sign_in) if sign_in}:
        memory.end_session(sid)
    if not target:
        return html_answer(message_page("Signed out", "You are signed out of the fake provider."))
    state = [("state", params["state"])] if "state" in params else []
    return redirect_answer(with_query(target, state))
