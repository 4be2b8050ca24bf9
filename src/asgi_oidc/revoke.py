"""Give a refresh token back (RFC 7009), as well as it goes: nobody waits long for that, and nothing fails by it."""

import anyio

from asgi_oidc import events
from asgi_oidc.errors import OIDCError
from asgi_oidc.parts import Parts

DEADLINE = 3.0  # seconds; a provider that is down does not hold up a sign-out


async def revoke(refresh_token: str | None, parts: Parts) -> None:
    """Revoke a refresh token where the provider knows how; without it there is nothing to do."""
    if refresh_token is None:
        return
    code = "revocation_timeout"
    with anyio.move_on_after(DEADLINE):
        try:
            await parts.provider.revoke(refresh_token)
        except OIDCError as error:
            code = error.code
        else:
            return
    events.log(events.PROVIDER_FAILED, code=code, going_on_with="a refresh token that was not revoked")
