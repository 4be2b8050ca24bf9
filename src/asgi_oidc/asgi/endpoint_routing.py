"""Answers requests to our own URLs, and CORS preflights from the origins that a rule allows; the app sees neither."""

from collections.abc import Mapping, Sequence

from asgi_oidc.endpoints.endpoint import Endpoint, ProviderEndpoint
from asgi_oidc.errors import OIDCError, RequestRejected
from asgi_oidc.errors.sanitized import sanitizes_errors
from asgi_oidc.login.provider_choice import ProviderChoice
from asgi_oidc.pages.failures import Failures
from asgi_oidc.pages.pages import Pages
from asgi_oidc.policy.policy import MatchedPolicy, Policy
from asgi_oidc.web.asgi_types import Receive, Scope
from asgi_oidc.web.cors import answer_preflight
from asgi_oidc.web.request import Request, methods_of
from asgi_oidc.web.response import Response


class EndpointRouting:
    """Routes requests to our endpoints."""

    __slots__ = ("_endpoints", "_failures", "_pages", "_policy", "_provider_endpoints", "_providers")

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        provider_endpoints: Mapping[str, ProviderEndpoint],
        providers: ProviderChoice,
        policy: Policy,
        pages: Pages,
        failures: Failures,
    ) -> None:
        """Set up the routing.

        Args:
            endpoints: by their names, as in `OwnUrl.endpoint`.
            provider_endpoints: those that belong to one provider, which their path names.
        """
        self._endpoints = endpoints
        self._provider_endpoints = provider_endpoints
        self._providers = providers
        self._policy = policy
        self._pages = pages
        self._failures = failures

    @sanitizes_errors
    async def response(
        self, scope: Scope, request: Request, matched: MatchedPolicy, receive: Receive
    ) -> Response | None:
        """Return the response to a request for one of our URLs; None if the request is for the app."""
        own_url = matched.own_url
        if own_url is None and not request.is_preflight:
            return None
        if own_url is None:
            methods = methods_of(request.header(b"access-control-request-method") or "")
            return answer_preflight(request, self._policy.match(scope, methods).origins)
        provider_endpoint = self._provider_endpoints.get(own_url.endpoint)
        endpoint = provider_endpoint or self._endpoints[own_url.endpoint]
        if request.method not in endpoint.methods:
            return self._method_not_allowed(request, endpoint.methods)
        try:
            if provider_endpoint is None:
                return await self._endpoints[own_url.endpoint].handle(request, receive)
            provider = await self._providers.named(own_url.provider)
            return await provider_endpoint.handle(request, receive, provider)
        except OIDCError as error:
            if provider_endpoint is not None and error.code != "provider_unknown":  # that name may be anything
                error.provider = own_url.provider or None
            return self._failures.response(request, error)

    def _method_not_allowed(self, request: Request, methods: Sequence[str]) -> Response:
        allowed = ", ".join(methods).encode("ascii")
        if request.shows_html:
            error = RequestRejected("method_not_allowed", f"only {allowed.decode()}", status=405)
            return self._failures.response(request, error).with_headers((b"allow", allowed))
        response = self._pages.problem(request, 405, "method_not_allowed", "problem.method_not_allowed")
        return response.with_headers((b"allow", allowed))
