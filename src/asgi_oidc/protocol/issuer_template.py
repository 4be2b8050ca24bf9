"""The issuer of a multi-tenant provider, whose metadata has a placeholder for the tenant (Microsoft Entra).

OpenID Connect Discovery has no such issuers. Microsoft requires apps that use the tenant-independent metadata to fill
the template with the tenant of the token and compare the result exactly; use a key only for tokens of the `issuer` that
the JWKS gives for that key; and make sure that `tid` is a GUID and belongs to `iss`.

Source: Microsoft identity platform, "Access tokens in the Microsoft identity platform", "Validate the issuer".
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from hmac import compare_digest

from asgi_oidc.errors import TokenRejected
from asgi_oidc.protocol.claims import Claims, same
from asgi_oidc.safe_urls import check_url

PLACEHOLDER = "{tenantid}"
# Entra's tenant of personal Microsoft accounts.
PERSONAL_ACCOUNTS = "9188040d-6c67-4c5b-b112-36a304b66dad"

# The issuer of Entra's tokens of version 1.0; Azure China has another host.
_VERSION_1 = ("https://sts.windows.net/", "https://sts.chinacloudapi.cn/")
_VERSION_1_FIX = (
    "this is a token of version 1.0: use the metadata and the endpoints of version 2.0; for an access token of your "
    "own API, set requestedAccessTokenVersion to 2 in the manifest of its registration"
)
# A UUID as Entra writes it. With any other spelling, one tenant would have several issuers.
_TENANT = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class IssuerTemplate:
    """The issuers of a multi-tenant provider: one for each tenant.

    Attributes:
        template: the `issuer` of the metadata, such as `https://login.microsoftonline.com/{tenantid}/v2.0`.
        tenants: the tenants whose users may sign in, each as `is_tenant` accepts it; None for every tenant.
        excluded: tenants that may not, even if `tenants` is None.

    Raises:
        ValueError: the template is not a URL with exactly one placeholder.
    """

    template: str
    tenants: Collection[str] | None = None
    excluded: Collection[str] = ()

    def __post_init__(self) -> None:
        if self.template.count(PLACEHOLDER) != 1:
            raise ValueError(f"must contain {PLACEHOLDER} exactly once")
        check_url(_filled(self.template, PERSONAL_ACCOUNTS))

    def fill(self, tid: object) -> str:
        """Return the issuer of a tenant.

        Args:
            tid: the claim `tid` of a token, signature already checked.

        Raises:
            TokenRejected: `claim_tid` if it is not a UUID in lower case, or not a tenant whose users may sign in.
        """
        if not is_tenant(tid):
            raise TokenRejected("claim_tid", "expected tid to be the UUID of a tenant, in lower case")
        tenant = str(tid)
        if tenant in self.excluded or (self.tenants is not None and tenant not in self.tenants):
            raise TokenRejected("claim_tid", f"users of the tenant {tenant} may not sign in here")
        return _filled(self.template, tenant)

    def has_issuer(self, issuer: str) -> bool:
        """Whether this is the issuer of a tenant whose users may sign in."""
        tenant = issuer[self.template.index(PLACEHOLDER) :][: len(PERSONAL_ACCOUNTS)]
        try:
            return issuer == self.fill(tenant)
        except TokenRejected:
            return False


Issuer = str | IssuerTemplate


def is_tenant(value: object) -> bool:
    """Whether a value is the id of a tenant: a UUID in lower case, with hyphens."""
    return isinstance(value, str) and _TENANT.fullmatch(value) is not None


def check_issuer(claims: Claims, issuer: Issuer) -> str:
    """Return the issuer of a token; refuse one that is not from this provider.

    Raises:
        TokenRejected: `claim_iss` or `claim_tid`.
    """
    expected = issuer if isinstance(issuer, str) else issuer.fill(claims.get("tid"))
    if not same(claims.get("iss"), expected):
        raise TokenRejected("claim_iss", f"expected {expected}, got {shown_issuer(claims.get('iss'))}")
    return expected


def includes_issuer(issuer: Issuer, iss: str) -> bool:
    """Whether an issuer is the one of this provider, or that of one of its tenants, byte for byte."""
    if isinstance(issuer, IssuerTemplate):
        return issuer.has_issuer(iss)
    return compare_digest(iss.encode("utf-8", "replace"), issuer.encode("utf-8"))


def shown_issuer(iss: object) -> str:
    """Return the issuer of a token for an error, with the fix if it is that of Entra's other version."""
    text = str(iss)
    return f"{text}: {_VERSION_1_FIX}" if text.startswith(_VERSION_1) else text


def check_key_issuer(claims: Claims, key_issuer: str | None) -> None:
    """Refuse a token that is signed with the key of another issuer of the same JWKS.

    Args:
        key_issuer: the member `issuer` of the key in the JWKS: an issuer, or a template; None if it has none.

    Raises:
        TokenRejected: `key_issuer`; `claim_tid` if the template cannot be filled.
    """
    if key_issuer is None:
        return
    expected = key_issuer
    if PLACEHOLDER in key_issuer:
        if not is_tenant(claims.get("tid")):
            raise TokenRejected("claim_tid", "expected tid to be the UUID of a tenant, in lower case")
        expected = _filled(key_issuer, str(claims["tid"]))
    if not same(claims.get("iss"), expected):
        shown = shown_issuer(claims.get("iss"))
        raise TokenRejected("key_issuer", f"the key is for tokens of {expected}, got one of {shown}")


def _filled(template: str, tenant: str) -> str:
    return template.replace(PLACEHOLDER, tenant)
