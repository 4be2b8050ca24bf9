"""Claims of Microsoft Entra ID with a special meaning: the tenant, group overage, and verified e-mail addresses.

Source: Microsoft identity platform, "ID token claims reference" (`hasgroups`, groups overage), "Optional claims
reference" (`xms_edov`), "Migrate away from using email claims for user identification or authorization", "National
clouds".
"""

from collections.abc import Collection
from dataclasses import dataclass

from asgi_oidc.errors import TokenRejected
from asgi_oidc.protocol.claims import Claims, is_true, same
from asgi_oidc.protocol.issuer_template import IssuerTemplate

# The hosts of the global cloud, of the US government's, and of the one in China.
AUTHORITIES = ("login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn")
OVERAGE_FIX = (
    "use app roles, or send only the groups that are assigned to the application, or read them from Microsoft Graph in "
    "on_login"
)


@dataclass(frozen=True, slots=True)
class EntraRules:
    """Which tenants may sign in, and whose e-mail addresses count as verified.

    Attributes:
        template: of the issuers, with the tenants whose users may sign in.
        trusted_tenants: as in `with_email_verification`.
        metadata_url: of the metadata of all tenants; None if it is that of one tenant, below its issuer.
    """

    template: IssuerTemplate
    trusted_tenants: Collection[str] = ()
    metadata_url: str | None = None

    def checked(self, claims: Claims) -> dict[str, object]:
        """Return the claims of a token, with `email_verified`; signature and issuer are checked already.

        Raises:
            TokenRejected: `claim_tid` if `tid` is not the tenant of the issuer: apps may use it to tell tenants apart.
        """
        if "tid" in claims and not same(claims.get("iss"), self.template.fill(claims["tid"])):
            raise TokenRejected("claim_tid", f"expected tid to be the tenant of {claims.get('iss')}, got another one")
        return with_email_verification(claims, trusted_tenants=self.trusted_tenants)

    def checked_userinfo(self, userinfo: Claims, *, tid: object) -> dict[str, object]:
        """Return the claims of userinfo, with `email_verified`; userinfo itself cannot say that.

        Args:
            tid: of the ID Token.
        """
        found = {name: value for name, value in userinfo.items() if name not in ("tid", "xms_edov")}
        verified = with_email_verification({**found, "tid": tid}, trusted_tenants=self.trusted_tenants)
        return {name: value for name, value in verified.items() if name != "tid"}


def group_overage(claims: Claims) -> bool:
    """Whether the user is in more groups than fit into a token, so that `groups` is missing or incomplete.

    In place of `groups`, such a token has `_claim_names` with a member `groups`, or `hasgroups`. The groups can be read
    from Microsoft Graph.
    """
    names = claims.get("_claim_names")
    return (isinstance(names, dict) and "groups" in names) or is_true(claims.get("hasgroups"))


def is_email_owner_verified(claims: Claims) -> bool:
    """Whether the owner of the domain of `email` has been verified: the optional claim `xms_edov`.

    It is documented as a boolean, and seen as the text "1" too (Supabase Auth, `internal/api/provider/azure.go`).
    """
    verified = claims.get("xms_edov")
    is_one = isinstance(verified, int) and verified == 1  # True as well
    return isinstance(claims.get("email"), str) and (is_one or verified in ("1", "true"))


def with_email_verification(claims: Claims, *, trusted_tenants: Collection[str]) -> dict[str, object]:
    """Set `email_verified`, which Entra does not send, for `email`.

    It is true if the owner of the domain has been verified, or the tenant is trusted. It is false otherwise, even in a
    trusted e-mail domain: the administrators of a tenant can enter any address for their users. An `email_verified` in
    the token does not count, because a tenant can map claims of its own into it.

    Args:
        trusted_tenants: ids of the tenants whose addresses always count as verified.
    """
    found = {name: value for name, value in claims.items() if name != "email_verified"}
    if found.get("email") is not None:
        is_trusted = isinstance(found["email"], str) and claims.get("tid") in tuple(trusted_tenants)
        found["email_verified"] = is_trusted or is_email_owner_verified(claims)
    return found
