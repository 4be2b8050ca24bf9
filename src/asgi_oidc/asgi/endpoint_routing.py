"""Answers requests to our own URLs, and CORS preflights from the origins that a rule allows; the app sees neither."""

from collections.abc import Mapping

from asgi_oidc.endpoints.endpoint import Endpoint
from asgi_oidc.errors import OIDCError, RequestRejected
from asgi_oidc.errors.sanitized import sanitizes_errors
from asgi_oidc.pages.failures import Failures
from asgi_oidc.pages.pages import Pages
from asgi_oidc.policy.policy import MatchedPolicy, Policy
from asgi_oidc.web.asgi_types import Receive, Scope
from asgi_oidc.web.cors import answer_preflight
from asgi_oidc.web.request import Request, methods_of
from asgi_oidc.web.response import Response


class EndpointRouting:
    """Routes requests to our endpoints."""

    __slots__ = ("_endpoints", "_failures", "_pages", "_policy")

    def __init__(self, endpoints: Mapping[str, Endpoint], policy: Policy, pages: Pages, failures: Failures) -> None:
        """Set up the routing.

        Args:
            endpoints: by their paths, as in `MatchedPolicy.endpoint_path`.
        """
        self._endpoints = endpoints
        self._policy = policy
        self._pages = pages
        self._failures = failures

    @sanitizes_errors
    async def response(
        self, scope: Scope, request: Request, matched: MatchedPolicy, receive: Receive
    ) -> Response | None:
        """Return the response to a request for one of our URLs; None if the request is for the app."""
        if matched.endpoint_path is None and not request.is_preflight:
            return None
        if matched.endpoint_path is None:
            methods = methods_of(request.header(b"access-control-request-method") or "")
            return answer_preflight(request, self._policy.match(scope, methods).origins)
        endpoint = self._endpoints[matched.endpoint_path]
        if request.method not in endpoint.methods:
            return self._method_not_allowed(request, endpoint)
        try:
            return await endpoint.handle(request, receive)
        except OIDCError as error:
            return self._failures.response(request, error)

    def _method_not_allowed(self, request: Request, endpoint: Endpoint) -> Response:
        allowed = ", ".join(endpoint.methods).encode("ascii")
        if request.shows_html:
            error = RequestRejected("method_not_allowed", f"only {allowed.decode()}", status=405)
            return self._failures.response(request, error).with_headers((b"allow", allowed))
        response = self._pages.problem(405, "method_not_allowed", "problem.method_not_allowed")
        return response.with_headers((b"allow", allowed))
