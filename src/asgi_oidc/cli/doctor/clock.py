"""Compares the clock with that of the provider: tokens from the future are refused (OIDC Core §3.1.3.7)."""

from asgi_oidc.cli.doctor.examined_provider import ExaminedProvider
from asgi_oidc.cli.doctor.finding import Finding


async def check_clock(provider: ExaminedProvider) -> list[Finding]:
    """Compare the clock with the `Date` of all answers; the one that differs least counts, as others may be cached."""
    skews = provider.client.skews
    if not skews:
        return []
    provider.checked.add("clock")
    skew = min(skews, key=abs)
    leeway = provider.site.settings.leeway
    if abs(skew) <= leeway + 1:  # a Date has no fractions
        return []
    direction = "behind" if skew > 0 else "ahead of"
    problem = f"this machine's clock is {abs(skew):.0f} s {direction} that of the provider; leeway is {leeway} s"
    return [provider.found("clock_skew", problem, "synchronize the clock of this machine with NTP (timedatectl)")]
