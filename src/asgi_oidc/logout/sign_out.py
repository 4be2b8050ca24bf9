"""Sign out a user, or a session at the provider, everywhere: when the provider says so, or the app."""

from asgi_oidc.composition import Parts


async def sign_out_everywhere(parts: Parts, *, sub: str | None, sid: str | None) -> int:
    """End all sessions of a user, of a session at the provider, or of both; logins that are under way too.

    Returns:
        How many were found; those that are in browsers alone are not.

    Raises:
        StoreUnavailable: it may not have come about: try again.
    """
    await parts.log.catch_up()
    # The mark comes first: a login that is under way writes its session, and looks for marks after that.
    marks = parts.ended.sign_out(sub=sub, sid=sid, now=parts.clock())
    try:
        await parts.log.write(marks)
    finally:  # a store that takes nothing any more can still give room
        count = await parts.sessions.end_named(sub=sub, sid=sid)
    return count
