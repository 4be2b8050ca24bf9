"""Google as a ready-made provider.

Sources: OpenID Connect, at https://developers.google.com/identity/openid-connect/openid-connect; its reference, at
https://developers.google.com/identity/openid-connect/reference.
"""

from asgi_oidc.policy.requirements import read_domains
from asgi_oidc.settings.ready_made.preset import Preset, read_argument
from asgi_oidc.settings.value_checks import read_switch

CALL = "Provider.google"
# The reference knows a second spelling, without https, of "legacy implementations". The OpenID endpoints have this one.
ISSUER = "https://accounts.google.com"
ANY_ORGANIZATION = "*"  # as the parameter `hd`: accounts of any organization


def google(*, hosted_domains: object, offline_access: object) -> Preset:
    """Return what is known of Google."""
    problems: list[str] = []
    domains = None
    if hosted_domains is not None:
        domains = read_argument("hosted_domains", read_domains, hosted_domains, problems)
    is_offline = read_argument("offline_access", read_switch, offline_access, problems)
    parameters = {"hd": next(iter(domains)) if len(domains) == 1 else ANY_ORGANIZATION} if domains else {}
    if is_offline:
        # Google sends a refresh token only when the user consents, which is once without this prompt.
        parameters |= {"access_type": "offline", "prompt": "consent"}
    return Preset(
        call=CALL,
        title="Google",
        logo="google",
        fixed={"issuer": ISSUER},
        parameters=parameters,
        reasons={
            "hd": "users can remove this parameter; name the domains in hosted_domains, which are checked as well",
            "access_type": "offline_access decides it",
        },
        fields={"hosted_domains": domains or frozenset()},
        problems=tuple(problems),
    )
