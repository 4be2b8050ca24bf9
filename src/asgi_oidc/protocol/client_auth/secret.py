"""Client authentication with a shared secret, or none for a public client (RFC 6749 §2.3.1)."""

from base64 import b64encode
from urllib.parse import quote_plus

from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.messages import Call, Fields, form_call


def basic_call(client: Client, url: str, fields: Fields) -> Call:
    """`client_secret_basic`: client id and secret, each form-encoded, in the Authorization header."""
    # Without the form-encoding, a ":" or "%" in the secret would be misread.
    pair = f"{quote_plus(client.client_id)}:{quote_plus(client.secret or '')}"
    encoded = b64encode(pair.encode("ascii")).decode("ascii")
    return form_call(url, fields, {"authorization": f"Basic {encoded}"}, secrets=(encoded, client.secret or ""))


def post_call(client: Client, url: str, fields: Fields) -> Call:
    """`client_secret_post`: client id and secret in the form."""
    return form_call(url, {**fields, "client_id": client.client_id, "client_secret": client.secret or ""}, {})


def public_call(client: Client, url: str, fields: Fields) -> Call:
    """`none`: a public client sends only its client id; PKCE protects the code."""
    return form_call(url, {**fields, "client_id": client.client_id}, {})
