"""The signed-in user in Django under ASGI: `request.user`, so that `login_required` and its kin work.

In the settings:

    MIDDLEWARE = [..., "asgi_oidc.integrations.django.UserMiddleware"]  # after AuthenticationMiddleware, or without it
    LOGIN_URL = "/auth/login"  # where base_url has a path, that comes first

and `login_required(redirect_field_name="return_to")`, for a login that comes back to the page. The user is no model of
Django: it has no permissions, and cannot use the admin site; `user_passes_test` looks at its claims.
"""

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction

from asgi_oidc.integrations.route_checks import find_user
from asgi_oidc.principal import AnonymousUser, User


class UserMiddleware:
    """Sets `request.user` and `request.auser`; in the sync and the async chain, without a thread in between."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self._get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        """Answer, or give the coroutine that does.

        Raises:
            RuntimeError: the app is not wrapped in `OIDCMiddleware`, or runs under WSGI.
        """
        user = find_user(getattr(request, "scope", {})) or AnonymousUser()

        async def auser() -> User | AnonymousUser:
            return user

        request.user, request.auser = user, auser
        return self._get_response(request)
