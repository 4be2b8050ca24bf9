"""Our own URLs below `auth_path`: one file each, one line here that names it."""

from collections.abc import Mapping

from asgi_oidc.endpoints import backchannel_logout, callback, form, frontchannel_logout, login, logout, session
from asgi_oidc.endpoints.endpoint import Endpoint

ENDPOINTS: Mapping[str, Endpoint] = {
    "login": login.ENDPOINT,
    "callback": callback.ENDPOINT,
    "logout": logout.ENDPOINT,
    "session": session.ENDPOINT,
    "backchannel-logout": backchannel_logout.ENDPOINT,
    "frontchannel-logout": frontchannel_logout.ENDPOINT,
    "form": form.ENDPOINT,
}
