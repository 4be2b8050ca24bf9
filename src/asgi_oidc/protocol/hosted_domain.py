"""Checks which organization a Google account belongs to: the claim `hd` of the ID Token.

The parameter `hd` of the authorization request only changes which accounts Google offers, and users can remove it.

Source: Google, OpenID Connect (`hd`), at https://developers.google.com/identity/openid-connect/openid-connect.
"""

from collections.abc import Collection, Mapping

from asgi_oidc.errors import TokenRejected


def check_hosted_domain_again(claims: Mapping[str, object], hosted_domains: Collection[str]) -> None:
    """Refuse a refreshed ID Token of a user who has moved to another organization.

    A token without `hd` passes: Google does not document which claims a refreshed token has.

    Raises:
        TokenRejected: `claim_hd`.
    """
    if "hd" in claims:
        check_hosted_domain(claims, hosted_domains)


def check_hosted_domain(claims: Mapping[str, object], hosted_domains: Collection[str]) -> None:
    """Refuse a user of another organization, or of none.

    Args:
        claims: of the ID Token, already checked.
        hosted_domains: in lower case; empty if any account may sign in.

    Raises:
        TokenRejected: `claim_hd`; the user may sign in with another account.
    """
    if not is_hosted(claims, hosted_domains):
        domain = claims.get("hd")
        found = "one of no organization" if domain is None else f"one of {domain}"
        raise TokenRejected("claim_hd", f"expected an account of {', '.join(sorted(hosted_domains))}, got {found}")


def is_hosted(claims: Mapping[str, object], hosted_domains: Collection[str]) -> bool:
    """Return whether a user belongs to one of these organizations; True if everybody may sign in."""
    domain = claims.get("hd")
    return not hosted_domains or (isinstance(domain, str) and domain in hosted_domains)
