"""The authorization request and its response (OIDC Core §3.1.2, RFC 7636, RFC 9207)."""

from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from urllib.parse import urlencode

from asgi_oidc.errors import RequestRejected
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.metadata import ProviderMetadata

# Ours alone: a setting that doubled one of them could undo PKCE, state or nonce.
RESERVED = frozenset(
    {
        "client_id",
        "redirect_uri",
        "response_type",
        "scope",
        "state",
        "nonce",
        "code_challenge",
        "code_challenge_method",
        "request",
        "request_uri",
        "client_secret",
    }
)
MAX_VALUE_LENGTH = 8192  # characters of one parameter of the response; codes of real providers stay below 4096

Params = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True, slots=True)
class Proofs:
    """The three random values that bind a response, a code and an ID Token to one login in one browser."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AuthorizationResponse:
    """What the provider sent back through the browser; nothing of it is trusted yet.

    Attributes:
        error_description: anybody can have written it into the URL.
    """

    state: str | None = field(repr=False)
    code: str | None = field(default=None, repr=False)
    iss: str | None = None
    error: str | None = None
    error_description: str | None = None


def authorization_url(metadata: ProviderMetadata, client: Client, proofs: Proofs, *, scope: str, extra: Params) -> str:
    """Write the URL that starts a login; `S256` is the only challenge method that we know.

    Args:
        extra: parameters of the settings, none of `RESERVED`; a list stands for a repeated parameter.
    """
    ours = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": client.redirect_uri,
        "scope": scope,
        "state": proofs.state,
        "nonce": proofs.nonce,
        "code_challenge": code_challenge(proofs.code_verifier),
        "code_challenge_method": "S256",
    }
    endpoint = metadata.authorization_endpoint
    joint = "&" if "?" in endpoint else "?"
    return f"{endpoint}{joint}{urlencode({**ours, **extra}, doseq=True)}"


def account_prompt(metadata: ProviderMetadata) -> str:
    """Say which `prompt` lets the user take another account (Initiating User Registration via OpenID Connect 1.0 §3).

    `login` is the one that every provider knows (OIDC Core §15.1), but Google: it takes `none`, `consent` and
    `select_account` alone (Google Identity, OpenID Connect, "prompt").
    """
    known = metadata.prompt_values_supported
    if isinstance(known, list):
        return "select_account" if "select_account" in known else "login"
    return "select_account" if metadata.issuer == "https://accounts.google.com" else "login"


def code_challenge(code_verifier: str) -> str:
    """Hash a verifier the S256 way (RFC 7636 §4.2)."""
    return urlsafe_b64encode(sha256(code_verifier.encode("ascii")).digest()).rstrip(b"=").decode("ascii")


def read_authorization_response(pairs: Iterable[tuple[str, str]]) -> AuthorizationResponse:
    """Read the parameters of the callback; unknown ones are ignored.

    Raises:
        RequestRejected: one of ours stands twice or is too long.
    """
    found: dict[str, str] = {}
    for name, value in pairs:
        if name == "error_description":  # for the log alone, so that it refuses nothing
            found.setdefault(name, value)
        if name not in ("state", "code", "iss", "error"):
            continue
        if name in found:
            raise RequestRejected("parameter_repeated", name)
        if len(value) > MAX_VALUE_LENGTH:
            raise RequestRejected("parameter_too_long", name)
        found[name] = value
    return AuthorizationResponse(
        state=found.get("state"),
        code=found.get("code"),
        iss=found.get("iss"),
        error=found.get("error"),
        error_description=found.get("error_description"),
    )


def has_login_page_expired(response: AuthorizationResponse) -> bool:
    """Say whether the person only took too long, so that the login can be started again.

    Keycloak sends this pair when its login page has expired, and expects a new authorization request (Keycloak, Server
    Administration Guide, "Redirect URI for authentication_expired errors").
    """
    return (response.error, response.error_description) == ("temporarily_unavailable", "authentication_expired")


def check_response_issuer(response: AuthorizationResponse, metadata: ProviderMetadata) -> None:
    """Refuse a response of another provider (RFC 9207 §2.4): the defence against mix-up.

    An error without `iss` passes, also where the metadata promises one: it is refused for what it says, which is what
    the log should tell.

    Raises:
        RequestRejected: `iss` is another one, or missing although the metadata promises it.
    """
    if response.iss is None:
        if metadata.authorization_response_iss_parameter_supported and response.error is None:
            raise RequestRejected("iss_missing", "the metadata says that a response carries iss")
        return
    if not compare_digest(response.iss.encode("utf-8", "replace"), metadata.issuer.encode("utf-8")):
        raise RequestRejected("iss_mismatch", f"expected {metadata.issuer}, got {response.iss}")
