"""GitLab as a ready-made provider: gitlab.com, or one that an organization runs itself.

Source: GitLab as OpenID Connect identity provider, at https://docs.gitlab.com/integration/openid_connect_provider/.
"""

from asgi_oidc.settings.ready_made.preset import Preset, read_argument
from asgi_oidc.settings.value_checks import read_issuer

CALL = "Provider.gitlab"


def gitlab(*, url: object) -> Preset:
    """Return what is known of a GitLab."""
    problems: list[str] = []
    issuer = read_argument("url", read_issuer, url, problems) or ""
    return Preset(
        call=CALL,
        title="GitLab",
        logo="gitlab",
        fixed={"issuer": issuer.rstrip("/")},
        reasons={"issuer": "url decides it"},
        has_secret=False,  # an application may be public ("Confidential" is off)
        problems=tuple(problems),
    )
