"""Client authentication at the provider: one file per family of methods, each method listed in `METHODS`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from asgi_oidc.errors import AnswerRejected
from asgi_oidc.protocol.client_auth import assertion, certificate, secret
from asgi_oidc.protocol.client_registration import CERTIFICATE_METHODS, Client
from asgi_oidc.protocol.messages import Call, Fields
from asgi_oidc.protocol.metadata import ServerMetadata

MakeCall = Callable[[Client, str, Fields], Call]

METHODS: Mapping[str, MakeCall] = {
    "private_key_jwt": assertion.private_key_call,
    "client_secret_jwt": assertion.secret_jwt_call,
    "client_secret_basic": secret.basic_call,
    "client_secret_post": secret.post_call,
    **dict.fromkeys(CERTIFICATE_METHODS, certificate.certificate_call),
    "none": secret.public_call,
}

KEY_METHODS = ("private_key_jwt",)
SECRET_METHODS = ("client_secret_basic", "client_secret_post")  # in order of preference


def authenticated_call(
    metadata: ServerMetadata, client: Client, url: str, fields: Fields, *, endpoint: str = "token"
) -> Call:
    """Return the POST of a form, with client authentication.

    Args:
        client: as `Client.for_call` returns it.
        endpoint: whose metadata counts; that of the token endpoint does for an endpoint that has none (RFC 8414 §2).

    Raises:
        AnswerRejected: no client authentication method that both sides support.
    """
    method = choose_method(client, metadata.auth_methods_of(endpoint))
    if algorithm := choose_algorithm(client, method, metadata.auth_algorithms_of(endpoint)):
        client = replace(client, signing_alg=algorithm)
    return METHODS[method](client, url, fields)


def choose_method(client: Client, supported: Sequence[str]) -> str:
    """Choose how to authenticate: by the setting `client_auth`, else the strongest method that both sides support.

    A secret that is signed for each call is sent in the form, regardless of the metadata: Apple, the only provider that
    has such secrets, documents no other way.

    `client_secret_jwt` is only used if `client_auth` names it: many providers, such as Keycloak, list it, but expect it
    only of clients that are registered for it.

    Args:
        supported: `token_endpoint_auth_methods_supported` of the metadata.

    Raises:
        AnswerRejected: no method in common; a weaker method is never chosen silently.
    """
    if client.auth_method is not None:
        return client.auth_method
    if client.secret_signer is not None:
        return "client_secret_post"
    credentials = _credentials(client)
    for method in (method for methods in credentials.values() for method in methods):
        if method in supported:
            return method
    only_certificate = client.certificate is not None and len(credentials) == 1
    if not credentials or (only_certificate and "none" in supported):
        return "none"  # a certificate may be for the tokens only (RFC 8705 §4)
    ours = "; ".join(f"{setting} needs {' or '.join(methods)}" for setting, methods in credentials.items())
    raise AnswerRejected("client_auth_unsupported", f"the provider supports only {', '.join(supported)}, but {ours}")


def choose_algorithm(client: Client, method: str, supported: Sequence[str]) -> str | None:
    """Choose the algorithm of the assertion; None if this method has none, or somebody else signs it.

    Args:
        supported: `token_endpoint_auth_signing_alg_values_supported` of the metadata.

    Raises:
        AnswerRejected: no algorithm in common.
    """
    if method == "client_secret_jwt":
        return assertion.choose_secret_algorithm(client, supported)
    if method == "private_key_jwt" and client.keys:
        return assertion.choose_key_algorithm(client, supported)
    return None


def _credentials(client: Client) -> Mapping[str, Sequence[str]]:
    """Return the methods that each credential of the client allows, by its setting, the strongest first."""
    credentials: dict[str, Sequence[str]] = {}
    if client.certificate is not None:
        credentials["client_certificate"] = CERTIFICATE_METHODS  # on the wire, these are the same
    if client.has_assertion:
        credentials["client_key" if client.keys else "client_assertion_file"] = KEY_METHODS
    if client.secret is not None:
        credentials["client_secret"] = SECRET_METHODS
    return credentials
