"""Finds the parameters of an authorization request: in the URL, pushed before (RFC 9126 §4), or signed (RFC 9101)."""

from dataclasses import replace

from ..accounts import Client
from ..provider_rules import ProviderRules
from ..request_objects import RequestObjectRefused
from ..wire import Call


class RequestRefused(Exception):
    """The request cannot be read; the browser must not be sent anywhere. The message is for the user."""


def authorization_request(provider: ProviderRules, call: Call) -> Call:
    """Return the call with the parameters of the authorization request as its query.

    Raises:
        RequestRefused: The pushed request is unknown, used up, expired or another client's, or the signed one is wrong.
    """
    request_uri = call.params.get("request_uri")
    if request_uri is not None:
        return _pushed_request(provider, call, request_uri)
    client = provider.client_with_keys(call.params.get("client_id", ""))
    if client is None:
        raise RequestRefused("No such client is registered here.")
    try:
        return signed_request(provider, call, client) or call
    except RequestObjectRefused as refused:
        raise RequestRefused(f"The signed request is wrong ({refused.error}): {refused}.") from None


def _pushed_request(provider: ProviderRules, call: Call, request_uri: str) -> Call:
    pushed = provider.memory.pushed_requests.get(request_uri)
    if pushed is None:
        raise RequestRefused("The request_uri is unknown, or was used before.")
    if provider.now() >= pushed.expires_at:
        raise RequestRefused("The request_uri has expired.")
    if call.params.get("client_id") != pushed.client_id:
        raise RequestRefused("The request_uri is another client's.")
    ignore_others(provider, call, ("client_id", "request_uri"))
    return replace(call, query=pushed.params)


def signed_request(provider: ProviderRules, call: Call, client: Client) -> Call | None:
    """Return the call with the parameters of its request object as its query; None without such an object.

    Raises:
        RequestObjectRefused: The object is wrong.
    """
    if "request" not in call.params:
        return None
    params = provider.request_object_params(call.params["request"], client)
    ignore_others(provider, call, ("client_id", "request"))
    return replace(call, query=params)


def use_up(provider: ProviderRules, call: Call) -> None:
    """Let the `request_uri` of a call work no more (RFC 9126 §7.3)."""
    provider.memory.pushed_requests.pop(call.params.get("request_uri", ""), None)


def ignore_others(provider: ProviderRules, call: Call, needed: tuple[str, ...]) -> None:
    """Note the parameters that count for nothing (RFC 9126 §4, RFC 9101 §6.3)."""
    provider.ignored_params += [name for name, _ in call.query if name not in needed]
