"""Finds the parameters of an authorization request: in the URL, or pushed before (RFC 9126 §4)."""

from dataclasses import replace

from ..faults import Params
from ..provider_rules import ProviderRules
from ..wire import Call


class RequestRefused(Exception):
    """The request cannot be read; the browser must not be sent anywhere. The message is for the user."""


def authorization_request(provider: ProviderRules, call: Call) -> Call:
    """Return the call with the parameters of the authorization request as its query.

    Raises:
        RequestRefused: The pushed request is unknown, used up, expired or another client's.
    """
    request_uri = call.params.get("request_uri")
    if request_uri is None:
        return call
    pushed = provider.memory.pushed_requests.get(request_uri)
    if pushed is None:
        raise RequestRefused("The request_uri is unknown, or was used before.")
    if provider.now() >= pushed.expires_at:
        raise RequestRefused("The request_uri has expired.")
    if call.params.get("client_id") != pushed.client_id:
        raise RequestRefused("The request_uri is another client's.")
    _ignore_others(provider, call, ("client_id", "request_uri"))
    return replace(call, query=pushed.params)


def is_pushed(call: Call) -> bool:
    """Whether a call to the authorization endpoint names a pushed request."""
    return "request_uri" in call.params


def use_up(provider: ProviderRules, call: Call) -> None:
    """Let the `request_uri` of a call work no more (RFC 9126 §7.3)."""
    provider.memory.pushed_requests.pop(call.params.get("request_uri", ""), None)


def _ignore_others(provider: ProviderRules, call: Call, needed: tuple[str, ...]) -> None:
    """Note the parameters that count for nothing (RFC 9126 §4, RFC 9101 §6.3)."""
    others: Params = [pair for pair in call.query if pair[0] not in needed]
    provider.ignored_params += [name for name, _ in others]
