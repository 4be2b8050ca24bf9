"""The signed-in user in Django under ASGI: `request.user`, for `login_required` and similar decorators.

In the settings:

    MIDDLEWARE = [..., "asgi_oidc.integrations.django.UserMiddleware"]  # after AuthenticationMiddleware, if you use it
    LOGIN_URL = "/auth/login"  # preceded by the path of base_url, if it has one

Use `login_required(redirect_field_name="return_to")`, so that the login comes back to the page. The user is not a
Django model: it has no permissions and cannot use the admin site. `user_passes_test` can check its claims.
"""

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction

from asgi_oidc.integrations.route_checks import find_user
from asgi_oidc.principal import AnonymousUser, User


class UserMiddleware:
    """Sets `request.user` and `request.auser`. Works in sync and async chains, without a thread in between."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self._get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        """Return the response, or the coroutine that makes it.

        Raises:
            RuntimeError: the app is not wrapped in `OIDCMiddleware`, or runs under WSGI.
        """
        user = find_user(getattr(request, "scope", {})) or AnonymousUser()

        async def auser() -> User | AnonymousUser:
            return user

        request.user, request.auser = user, auser
        return self._get_response(request)
