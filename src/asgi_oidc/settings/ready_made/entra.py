"""Microsoft Entra as a ready-made provider: which tenants may sign in, and whose word on e-mail addresses counts.

Sources: Microsoft identity platform, "OpenID Connect on the Microsoft identity platform" (tenants in addresses),
"National clouds", "Microsoft identity platform UserInfo endpoint" (prefer the ID Token), "Application authentication
certificate credentials" (assertions).
"""

from collections.abc import Mapping
from typing import Any

from asgi_oidc.errors import describe_value
from asgi_oidc.protocol.client_registration import AssertionForm
from asgi_oidc.protocol.entra import AUTHORITIES, EntraRules
from asgi_oidc.protocol.issuer_template import PERSONAL_ACCOUNTS, PLACEHOLDER, IssuerTemplate, is_tenant
from asgi_oidc.settings.ready_made.entra_certificate import entra_certificate
from asgi_oidc.settings.ready_made.preset import Preset, read_argument

CALL = "Provider.entra"
ORGANIZATIONS = "organizations"
EXAMPLE = "['8eaef023-2b34-4da1-9baa-8bc8c9d6a490']"
MAX_TENANTS = 10_000
NOT_GIVEN = (
    "trusted_email_domains",
    "internal_url",
    "client_key",
    "token_endpoint_auth_signing_alg",
    "client_assertion_typ",
)


def entra(given: Mapping[str, Any], *, tenants: object, trusted_tenants: object, authority: object) -> Preset:
    """Return what is known of Entra.

    Args:
        given: the other settings of the app, not checked yet.
    """
    problems: list[str] = []
    admitted = read_argument("tenants", read_tenants, tenants, problems)
    trusted = read_argument("trusted_tenants", read_tenant_ids, trusted_tenants, problems) or frozenset()
    host = read_argument("authority", read_authority, authority, problems) or AUTHORITIES[0]
    if admitted:
        problems += [f"trusted_tenants: {tenant} is not in tenants" for tenant in sorted(trusted - admitted)]
    directory = _directory(admitted)
    address, template = f"https://{host}/{directory}/v2.0", f"https://{host}/{PLACEHOLDER}/v2.0"
    rules = EntraRules(
        IssuerTemplate(template, tenants=admitted, excluded=(PERSONAL_ACCOUNTS,) if admitted is None else ()),
        trusted_tenants=trusted,
        metadata_url=None if is_tenant(directory) else f"{address}/.well-known/openid-configuration",
    )
    certificate = entra_certificate(given, problems)
    return Preset(
        call=CALL,
        title="Microsoft",
        logo="entra",
        fixed={"issuer": address, **dict.fromkeys(NOT_GIVEN)},
        replaced=certificate.settings,
        defaults={"userinfo": "never"},
        reasons={
            "issuer": "it is made from tenants",
            "client_key": "Entra finds a key by its certificate: set client_certificate, the PEM with both, or "
            "client_assertion_file for workload identity, or client_secret",
            "internal_url": "Entra has no address inside your network",
            "trusted_email_domains": "any tenant can have users with such addresses; name the tenants whose word "
            "counts in trusted_tenants",
        },
        has_secret=False,
        # Elsewhere, only an assertion for the issuer is safe: a malicious provider could name the token endpoint of
        # another one as its own (CVE-2025-27370). This audience is a fixed address of Microsoft, from no metadata.
        assertion_form=AssertionForm(
            "JWT",
            audience=f"https://{host}/{directory}/oauth2/v2.0/token",
            certificate_thumbprint=certificate.thumbprint,
        ),
        fields={"issuer": address if is_tenant(directory) else template, "entra": rules},
        problems=tuple(problems),
    )


def _directory(tenants: frozenset[str] | None) -> str:
    """Return what stands for the tenant in addresses: one tenant, or a name that Entra has for several."""
    if tenants is not None and len(tenants) == 1:
        return next(iter(tenants))
    return "common" if tenants is not None and PERSONAL_ACCOUNTS in tenants else ORGANIZATIONS


def read_tenants(value: object) -> frozenset[str] | None:
    """Read `tenants`: ids of tenants, or "organizations", which is None.

    Raises:
        ValueError: it is something else.
    """
    if value == ORGANIZATIONS:
        return None
    if value is None or isinstance(value, str):
        raise ValueError(
            f"must be a list of tenant ids such as {EXAMPLE}, or {ORGANIZATIONS!r} for the work and school accounts "
            f"of all tenants, got {describe_value(value)}"
        )
    tenants = read_tenant_ids(value)
    if not tenants:
        raise ValueError(f"is empty: name the tenants, or write {ORGANIZATIONS!r}")
    return tenants


def read_tenant_ids(value: object) -> frozenset[str]:
    """Read a list of ids of tenants.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(value, list | tuple | set | frozenset) or len(value) > MAX_TENANTS:
        expected = f"must be a list of at most {MAX_TENANTS} tenant ids such as {EXAMPLE}"
        raise ValueError(f"{expected}, got {describe_value(value)}")
    for tenant in value:
        if not is_tenant(tenant):
            raise ValueError(
                f"{describe_value(tenant)} is not the id of a tenant: write the Directory (tenant) ID in lower case, "
                "not a domain"
            )
    return frozenset(value)


def read_authority(value: object) -> str:
    """Read `authority`: the host of a cloud.

    Raises:
        ValueError: it is not one of `AUTHORITIES`.
    """
    if value not in AUTHORITIES:
        raise ValueError(f"must be one of {', '.join(AUTHORITIES)}, got {describe_value(value)}")
    return str(value)
