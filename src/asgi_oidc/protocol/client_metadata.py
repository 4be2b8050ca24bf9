"""What this app tells a provider about itself (RFC 7591 §2, OpenID Connect Registration 1.0 §2).

A registration sends it, and `/auth/client-metadata.json` publishes it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

RESPONSE_TYPES = ("code",)
GRANT_TYPES = ("authorization_code", "refresh_token")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientUrls:
    """The URLs of this app that a provider has to know.

    Attributes:
        redirect_uris: one for each host.
        post_logout_redirect_uris: where browsers return after a sign-out.
        backchannel_logout_uri: None if the provider cannot reach the app.
        frontchannel_logout_uri: None unless front-channel logout is on.
        jwks_uri: where the public keys are; None if there are none, or they are sent by value.
        client_uri: the start page of the app.
        logo_uri: None if the app has no logo with a URL of its own.
    """

    redirect_uris: Sequence[str]
    post_logout_redirect_uris: Sequence[str] = ()
    backchannel_logout_uri: str | None = None
    frontchannel_logout_uri: str | None = None
    jwks_uri: str | None = None
    client_uri: str | None = None
    logo_uri: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRequirements:
    """How the client authenticates, and what it asks the provider to hold it to.

    Attributes:
        auth_method: a `token_endpoint_auth_method`.
        auth_signing_alg: of its assertions; None for any.
        jwks: the public keys by value, instead of `jwks_uri`.
        subject_dn: subject of the certificate, for `tls_client_auth` (RFC 8705 §2.1.2).
        pushes_requests: whether to accept only pushed authorization requests (RFC 9126 §6).
        request_object_signing_alg: None if requests are not signed.
        binds_tokens_by_dpop: RFC 9449 §5.2.
        binds_tokens_by_certificate: RFC 8705 §3.4.
        authorization_details_types: RFC 9396 §10.
        response_algs: members such as `id_token_signed_response_alg`, by name.
    """

    auth_method: str
    auth_signing_alg: str | None = None
    jwks: Sequence[Mapping[str, object]] = ()
    subject_dn: str | None = None
    pushes_requests: bool = False
    request_object_signing_alg: str | None = None
    binds_tokens_by_dpop: bool = False
    binds_tokens_by_certificate: bool = False
    authorization_details_types: Sequence[str] = ()
    response_algs: Mapping[str, str] = field(default_factory=dict)


def client_metadata(
    urls: ClientUrls, requirements: ClientRequirements, *, scope: str, name: str | None = None
) -> dict[str, object]:
    """Return the metadata of this client; members without a value are left out.

    Args:
        scope: what logins request, separated by spaces.
        name: what users read at the provider; None for its default.
    """
    members: dict[str, object] = {
        "client_name": name,
        "client_uri": urls.client_uri,
        "logo_uri": urls.logo_uri,
        "application_type": "web",
        "redirect_uris": list(urls.redirect_uris),
        "post_logout_redirect_uris": list(urls.post_logout_redirect_uris),
        "grant_types": list(GRANT_TYPES),
        "response_types": list(RESPONSE_TYPES),
        "scope": scope,
        **_logout_members(urls),
        **_authentication_members(urls, requirements),
        **requirements.response_algs,
        "require_pushed_authorization_requests": requirements.pushes_requests,
        "request_object_signing_alg": requirements.request_object_signing_alg,
        "require_signed_request_object": requirements.request_object_signing_alg is not None,
        "dpop_bound_access_tokens": requirements.binds_tokens_by_dpop,
        "tls_client_certificate_bound_access_tokens": requirements.binds_tokens_by_certificate,
        "authorization_details_types": list(requirements.authorization_details_types),
    }
    return {name: value for name, value in members.items() if value not in (None, False, "", [])}


def _logout_members(urls: ClientUrls) -> dict[str, object]:
    """Return the members of Back-Channel Logout 1.0 §2.2 and Front-Channel Logout 1.0 §2."""
    return {
        "backchannel_logout_uri": urls.backchannel_logout_uri,
        "backchannel_logout_session_required": urls.backchannel_logout_uri is not None,
        "frontchannel_logout_uri": urls.frontchannel_logout_uri,
        "frontchannel_logout_session_required": urls.frontchannel_logout_uri is not None,
    }


def _authentication_members(urls: ClientUrls, requirements: ClientRequirements) -> dict[str, object]:
    keys = [dict(key) for key in requirements.jwks]
    return {
        "token_endpoint_auth_method": requirements.auth_method,
        "token_endpoint_auth_signing_alg": requirements.auth_signing_alg,
        "tls_client_auth_subject_dn": requirements.subject_dn,
        # Both together are not allowed (RFC 7591 §2).
        "jwks_uri": None if keys else urls.jwks_uri,
        "jwks": {"keys": keys} if keys else None,
    }
