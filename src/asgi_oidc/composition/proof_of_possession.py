"""Builds what checks that tokens come from the clients that they are bound to."""

from asgi_oidc.asgi.certificate_headers import CertificateHeaders
from asgi_oidc.bearer.client_certificates import ClientCertificates
from asgi_oidc.bearer.dpop_nonces import DPoPNonces
from asgi_oidc.bearer.proof_of_possession import ProofsOfPossession
from asgi_oidc.bearer.used_proofs import SeenProofs, UsedProofs
from asgi_oidc.composition.sessions import SessionServices
from asgi_oidc.sessions.sealing import Sealer
from asgi_oidc.settings.bearer import Bearer
from asgi_oidc.settings.settings import Settings
from asgi_oidc.web.asgi_types import ASGIApp


def make_proofs(settings: Settings, bearer: Bearer, sessions: SessionServices, sealer: Sealer) -> ProofsOfPossession:
    """Build what checks the proofs of requests on one host.

    Args:
        sealer: of this host.
    """
    leeway, now = settings.leeway, sessions.now
    return ProofsOfPossession(
        origin=settings.origin,
        used_proofs=UsedProofs(sessions.shared, sessions.record_names, SeenProofs(), leeway=leeway, now=now),
        certificates=_make_client_certificates(bearer),
        nonces=DPoPNonces(sealer, leeway=leeway, now=now) if bearer.dpop_nonce else None,
        requires_key=bearer.dpop == "require",
        requires_certificate=bearer.mtls == "require",
        leeway=leeway,
        now=now,
    )


def without_foreign_certificates(settings: Settings, serve: ASGIApp) -> ASGIApp:
    """Return what removes certificates that clients send themselves; no request pays for it without that header."""
    if settings.bearer is None or settings.bearer.client_certificate_header is None:
        return serve
    return CertificateHeaders(serve, _make_client_certificates(settings.bearer)).serve


def _make_client_certificates(bearer: Bearer) -> ClientCertificates:
    proxies = bearer.proxies
    return ClientCertificates(bearer.client_certificate_header, networks=proxies.networks, has_unix=proxies.has_unix)
