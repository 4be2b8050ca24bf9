"""Logs why a provider may refuse the certificate of this client, which would otherwise show only at the next login."""

from collections.abc import Callable

from asgi_oidc import events
from asgi_oidc.protocol.certificate_pair import find_certificate_problems
from asgi_oidc.provider.provider_settings import ProviderSettings


def log_certificate_problems(provider: ProviderSettings, *, clock: Callable[[], float]) -> None:
    """Log each problem of the certificate of a provider, if there is one.

    Args:
        clock: returns seconds since the epoch.
    """
    certificate = provider.client.certificate
    if certificate is None:
        return
    for problem in find_certificate_problems(certificate, now=int(clock())):
        name = provider.name or provider.issuer
        events.log(events.CLIENT_CERTIFICATE_PROBLEM, provider=name, problem=problem)
