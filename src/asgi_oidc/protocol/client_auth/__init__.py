"""Client authentication at the token endpoint: one file per family of methods, each method listed in `METHODS`."""

from collections.abc import Callable, Mapping, Sequence

from asgi_oidc.errors import AnswerRejected
from asgi_oidc.protocol.client_auth import certificate, secret
from asgi_oidc.protocol.client_registration import CERTIFICATE_METHODS, Client
from asgi_oidc.protocol.messages import Call, Fields

MakeCall = Callable[[Client, str, Fields], Call]

METHODS: Mapping[str, MakeCall] = {
    "client_secret_basic": secret.basic_call,
    "client_secret_post": secret.post_call,
    **dict.fromkeys(CERTIFICATE_METHODS, certificate.certificate_call),
    "none": secret.public_call,
}


SECRET_METHODS = ("client_secret_basic", "client_secret_post")  # in order of preference


def choose_method(client: Client, supported: Sequence[str]) -> str:
    """Choose how to authenticate: by the setting `client_auth`, else the first method that both sides support.

    A secret that is signed for each call is sent in the form, regardless of the metadata: Apple, the only provider that
    has such secrets, documents no other way.

    Args:
        supported: `token_endpoint_auth_methods_supported` of the metadata.

    Raises:
        AnswerRejected: no method in common; a weaker method is never chosen silently.
    """
    if client.auth_method is not None:
        return client.auth_method
    if client.secret_signer is not None:
        return "client_secret_post"
    possible = [] if client.certificate is None else list(CERTIFICATE_METHODS)  # on the wire, these are the same
    possible += [] if client.secret is None else SECRET_METHODS
    for method in possible:
        if method in supported:
            return method
    if client.secret is None and (client.certificate is None or "none" in supported):
        return "none"
    setting = "client_certificate" if client.secret is None else "client_secret"
    detail = f"the provider supports only {', '.join(supported)}, but {setting} needs {' or '.join(possible)}"
    raise AnswerRejected("client_auth_unsupported", detail)
