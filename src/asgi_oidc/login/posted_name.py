"""Adds the name that comes in the form of a first login to the claims of the user."""

from asgi_oidc import events
from asgi_oidc.protocol.authorization_endpoint import AuthorizationResponse
from asgi_oidc.protocol.claims import Claims
from asgi_oidc.protocol.user_field import read_user_field
from asgi_oidc.provider.provider_settings import ProviderSettings


def add_posted_name(claims: Claims, answer: AuthorizationResponse, settings: ProviderSettings) -> dict[str, object]:
    """Add the name from the form to the claims, if the provider sends it there; signed claims take precedence."""
    if answer.user is None or not settings.reads_user_field:
        return dict(claims)
    name, why = read_user_field(answer.user, email=claims.get("email"))
    if why:
        events.log(events.USER_FIELD_IGNORED, why=why)
    return {**name, **claims}
