"""Client authentication with a shared secret, or none for a public client (RFC 6749 §2.3.1)."""

from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import quote_plus

from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.messages import Call, form_call


def basic_call(client: Client, url: str, fields: Mapping[str, str]) -> Call:
    """`client_secret_basic`: id and secret, form-encoded each, in the Authorization header."""
    # Form-encoding comes first: a ":" or "%" in a secret would otherwise be read as something else.
    pair = f"{quote_plus(client.client_id)}:{quote_plus(client.secret or '')}"
    encoded = b64encode(pair.encode("ascii")).decode("ascii")
    return form_call(url, fields, {"authorization": f"Basic {encoded}"}, secrets=(encoded, client.secret or ""))


def post_call(client: Client, url: str, fields: Mapping[str, str]) -> Call:
    """`client_secret_post`: id and secret in the form."""
    return form_call(url, {**fields, "client_id": client.client_id, "client_secret": client.secret or ""}, {})


def public_call(client: Client, url: str, fields: Mapping[str, str]) -> Call:
    """`none`: a public client only names itself; PKCE protects the code."""
    return form_call(url, {**fields, "client_id": client.client_id}, {})
