"""How a client proves who it is at the token endpoint: one file a family, one line here that names it."""

from collections.abc import Callable, Mapping, Sequence

from asgi_oidc.errors import AnswerRejected
from asgi_oidc.protocol.client_auth import secret
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.messages import Call

MakeCall = Callable[[Client, str, Mapping[str, str]], Call]

METHODS: Mapping[str, MakeCall] = {
    "client_secret_basic": secret.basic_call,
    "client_secret_post": secret.post_call,
    "none": secret.public_call,
}


SECRET_METHODS = ("client_secret_basic", "client_secret_post")  # the first that the provider knows


def choose_method(client: Client, supported: Sequence[str]) -> str:
    """Choose how to authenticate: as set, else the first that both sides can do.

    Args:
        supported: `token_endpoint_auth_methods_supported` of the metadata.

    Raises:
        AnswerRejected: nothing in common; never a silent step down to a weaker method.
    """
    if client.auth_method is not None:
        return client.auth_method
    if client.secret is None:
        return "none"
    for method in SECRET_METHODS:
        if method in supported:
            return method
    detail = f"the provider supports only {', '.join(supported)}, but client_secret needs {' or '.join(SECRET_METHODS)}"
    raise AnswerRejected("client_auth_unsupported", detail)
