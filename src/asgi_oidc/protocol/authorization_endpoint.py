"""The authorization request and its response (OIDC Core §3.1.2, RFC 7636, RFC 9207)."""

from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import urlencode

from asgi_oidc.errors import RequestRejected
from asgi_oidc.protocol.client_registration import Client
from asgi_oidc.protocol.dpop.make_proof import DPoPKey
from asgi_oidc.protocol.entra import AUTHORITIES
from asgi_oidc.protocol.issuer_template import IssuerTemplate, includes_issuer
from asgi_oidc.protocol.metadata import ProviderMetadata, ServerMetadata

# Parameters that only we set: a setting that repeated one of them could disable PKCE, state or nonce.
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
        "dpop_jkt",
        "authorization_details",
        "client_secret",
    }
)
MAX_VALUE_LENGTH = 8192  # characters per parameter of the response; codes of real providers stay below 4096

_GOOGLE = "https://accounts.google.com"
_ENTRA = tuple(f"https://{host}/" for host in AUTHORITIES)

Params = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True, slots=True)
class Proofs:
    """The three random values that bind a response, a code and an ID Token to one login in one browser.

    Attributes:
        dpop_key: binds the code and its tokens to this app as well; None if DPoP is not used.
    """

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    code_verifier: str = field(repr=False)
    dpop_key: DPoPKey | None = field(default=None, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class AuthorizationResponse:
    """What the provider sent back through the browser; none of it is trusted yet, unless it was signed.

    Attributes:
        error_description: anyone can put any text here, by a link to the callback.
        user: what Apple sends about the user at the first login; see `user_field`.
        is_signed: whether it came as a JWT whose signature, issuer, audience and lifetime were checked (JARM).
    """

    state: str | None = field(repr=False)
    code: str | None = field(default=None, repr=False)
    iss: str | None = None
    error: str | None = None
    error_description: str | None = None
    user: str | None = field(default=None, repr=False)
    is_signed: bool = False


def authorization_parameters(
    client: Client,
    proofs: Proofs,
    *,
    redirect_uri: str,
    scope: str,
    extra: Params,
    uses_nonce: bool = True,
    uses_pkce: bool = True,
) -> dict[str, str | Sequence[str]]:
    """Return the parameters of an authorization request, with PKCE; `S256` is the only challenge method that is used.

    Args:
        extra: parameters from the settings, none of `RESERVED`; a list is sent as a repeated parameter.
        uses_nonce: False for a provider without ID Tokens, which are what a nonce is for (OIDC Core §3.1.2.1).
        uses_pkce: False for a provider that refuses a `code_verifier`, as LinkedIn does unless it has enabled PKCE for
            the client. Then only the nonce detects a code that an attacker has injected, and if the provider does not
            return the nonce either, nothing does (RFC 9700 §2.1.1).
    """
    parameters: dict[str, str | Sequence[str]] = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": redirect_uri,
        "state": proofs.state,
    }
    if scope:  # GitHub Apps have none; an OpenID provider always gets `openid`
        parameters["scope"] = scope
    if uses_nonce:
        parameters["nonce"] = proofs.nonce
    if uses_pkce:
        parameters["code_challenge"] = code_challenge(proofs.code_verifier)
        parameters["code_challenge_method"] = "S256"
    if proofs.dpop_key is not None:
        parameters["dpop_jkt"] = proofs.dpop_key.thumbprint  # RFC 9449 §10
    return {**parameters, **extra}


def authorization_url(metadata: ServerMetadata, parameters: Params) -> str:
    """Return the URL of an authorization request; a query of the endpoint is kept (RFC 6749 §3.1)."""
    endpoint = metadata.authorization_endpoint
    separator = "&" if "?" in endpoint else "?"
    return f"{endpoint}{separator}{urlencode(parameters, doseq=True)}"


def account_prompt(metadata: ProviderMetadata) -> str:
    """Return the `prompt` that lets the user choose another account.

    That is `select_account` if `prompt_values_supported` lists it (Initiating User Registration via OpenID Connect 1.0
    §3), else `login`, which every provider must support (OIDC Core §15.1). Google does not: it accepts only `none`,
    `consent` and `select_account` (Google Identity, OpenID Connect, "prompt"). Entra supports both, and only
    `select_account` shows the accounts (Microsoft identity platform, "OpenID Connect on the Microsoft identity
    platform", "Send the sign-in request").
    """
    supported = metadata.prompt_values_supported
    if isinstance(supported, list):
        return "select_account" if "select_account" in supported else "login"
    return "select_account" if metadata.issuer == _GOOGLE or metadata.issuer.startswith(_ENTRA) else "login"


def code_challenge(code_verifier: str) -> str:
    """Return the S256 code challenge of a code verifier (RFC 7636 §4.2)."""
    return urlsafe_b64encode(sha256(code_verifier.encode("ascii")).digest()).rstrip(b"=").decode("ascii")


def read_authorization_response(pairs: Iterable[tuple[str, str]]) -> AuthorizationResponse:
    """Read the parameters of the callback; unknown ones are ignored.

    Raises:
        RequestRejected: a parameter that we use is repeated or too long.
    """
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in ("error_description", "user"):  # no login depends on these, so they never make it fail
            found.setdefault(name, value)
        if name not in ("state", "code", "iss", "error"):
            continue
        if name in found:
            raise RequestRejected("parameter_repeated", f"expected {name} once")
        if len(value) > MAX_VALUE_LENGTH:
            raise RequestRejected("parameter_too_long", f"{name}: expected at most {MAX_VALUE_LENGTH} characters")
        found[name] = value
    return AuthorizationResponse(
        state=found.get("state"),
        code=found.get("code"),
        iss=found.get("iss"),
        error=found.get("error"),
        error_description=found.get("error_description"),
        user=found.get("user"),
    )


def has_login_page_expired(response: AuthorizationResponse) -> bool:
    """Whether the provider's login page expired because the user took too long, so the login can be started again.

    Keycloak sends this pair when its login page has expired, and expects a new authorization request (Keycloak, Server
    Administration Guide, "Redirect URI for authentication_expired errors").
    """
    return (response.error, response.error_description) == ("temporarily_unavailable", "authentication_expired")


def check_response_issuer(
    response: AuthorizationResponse,
    metadata: ServerMetadata,
    *,
    template: IssuerTemplate | None = None,
    is_required: bool = False,
) -> None:
    """Refuse a response from another provider, the defence against mix-up attacks (RFC 9207 §2.4).

    An error response without `iss` passes, even if the metadata promises `iss`: the login fails anyway, and the log
    should name the provider's error as the reason.

    Args:
        template: of the provider, if it has an issuer for each tenant; the ID Token then shows which tenant it is.
        is_required: whether an error needs it too, as a security profile demands.

    Raises:
        RequestRejected: `iss` names another issuer, or is missing although the metadata promises it.
    """
    if response.iss is None:
        if is_required:
            got = "" if response.error is None else " in an error response"
            raise RequestRejected("iss_missing", f"expected {metadata.issuer}, got none{got}: the profile requires it")
        if metadata.authorization_response_iss_parameter_supported and response.error is None:
            detail = f"expected {metadata.issuer}: the metadata has authorization_response_iss_parameter_supported"
            raise RequestRejected("iss_missing", detail)
        return
    if not includes_issuer(metadata.issuer if template is None else template, response.iss):
        raise RequestRejected("iss_mismatch", f"expected {metadata.issuer}, got {response.iss}")
