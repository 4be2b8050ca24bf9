"""Logs that the groups of a user are missing from the token, which does not mean that there are none (group
overage)."""

from collections.abc import Mapping
from typing import Any

from asgi_oidc import events
from asgi_oidc.protocol.entra import OVERAGE_FIX, group_overage


def log_omitted_groups(claims: Mapping[str, Any]) -> None:
    """Log it if the claims of a session have no groups, although the user is in many.

    Args:
        claims: as the app sees them: `on_login` may have added the groups.
    """
    if "groups" not in claims and group_overage(claims):
        events.log(events.GROUPS_OMITTED, fix=OVERAGE_FIX)
