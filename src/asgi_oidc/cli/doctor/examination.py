"""Runs all checks of an app, each isolated from the others, within limits of time and calls."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import anyio

from asgi_oidc.cli.doctor.access_rules import check_access
from asgi_oidc.cli.doctor.calls import TooManyCalls
from asgi_oidc.cli.doctor.client import check_client
from asgi_oidc.cli.doctor.clock import check_clock
from asgi_oidc.cli.doctor.cookies import check_cookies
from asgi_oidc.cli.doctor.deployed import check_deployed
from asgi_oidc.cli.doctor.discovery import check_discovery
from asgi_oidc.cli.doctor.examined_app import ExaminedApp
from asgi_oidc.cli.doctor.examined_provider import ExaminedProvider
from asgi_oidc.cli.doctor.finding import Finding
from asgi_oidc.cli.doctor.keys import check_keys
from asgi_oidc.cli.doctor.processes import check_processes
from asgi_oidc.cli.doctor.settings import check_values
from asgi_oidc.cli.doctor.sizes import check_sizes
from asgi_oidc.cli.doctor.stores import check_stores
from asgi_oidc.cli.doctor.uris import check_uris
from asgi_oidc.errors import ProviderUnavailable
from asgi_oidc.provider.http import HttpClient, OwnClient
from asgi_oidc.provider.tls_contexts import DEFAULT_TLS, TlsOptions

DEADLINE = 25.0  # seconds for all calls of a run
MAX_PROVIDERS = 20  # that are checked
AT_ONCE = 5  # providers

# Subject -> what looks at the settings and the app, and makes no call.
LOCAL_CHECKS: dict[str, Callable[[ExaminedApp], Iterable[Finding]]] = {
    "settings": check_values,
    "processes": check_processes,
    "access": check_access,
    "cookies": check_cookies,
    "sizes": check_sizes,
}
# Subject -> what calls a provider, in this order: the first one fetches what the others need.
PROVIDER_CHECKS: dict[str, Callable[[ExaminedProvider], Awaitable[Iterable[Finding]]]] = {
    "discovery": check_discovery,
    "keys": check_keys,
    "client": check_client,
    "uris": check_uris,
    "clock": check_clock,
}


class Examination:
    """The checks of one middleware, and what they found.

    Attributes:
        checked: the subjects that were checked, in the order of their checks.
        unchecked: the subjects that could not be checked, and for which providers.
    """

    def __init__(self, site: ExaminedApp) -> None:
        self._site = site
        self.base_url = site.settings.base_url
        self.findings: list[Finding] = []
        self.checked: list[str] = []
        self.unchecked: dict[str, list[str]] = {}

    def run_local(self) -> None:
        """Run the checks that make no calls."""
        for subject, check in LOCAL_CHECKS.items():
            self.checked.append(subject)
            try:
                self.findings += check(self._site)
            except Exception as error:  # noqa: BLE001  # one check must not prevent the others
                self.findings.append(_failed(subject, error))

    async def run_calls(self, *, calls_app: bool = False) -> None:
        """Run the checks that call providers and stores; stop after `DEADLINE`.

        Args:
            calls_app: whether to call the app at `base_url` as well.
        """
        with anyio.move_on_after(DEADLINE) as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._check_stores)
                tasks.start_soon(self._check_providers)
                if calls_app:
                    tasks.start_soon(self._check_deployed)
        if scope.cancelled_caught:
            problem = f"the checks were stopped after {DEADLINE:g} s"
            self.findings.append(Finding("not_finished", problem, "try again, or look for what is slow"))

    async def _check_stores(self) -> None:
        if self._site.settings.store is not None or self._site.settings.logout_store is not None:
            self.checked.append("store")
        try:
            self.findings += await check_stores(self._site)
        except Exception as error:  # noqa: BLE001  # one check must not prevent the others
            self.findings.append(_failed("store", error))

    async def _check_deployed(self) -> None:
        self.checked.append("deployed")
        try:
            async with _own_client() as own:
                self.findings += await check_deployed(self._site, own)
        except Exception as error:  # noqa: BLE001  # one check must not prevent the others
            self.findings.append(_failed("the app", error))

    async def _check_providers(self) -> None:
        providers = list(self._site.settings.fixed_providers.values())
        if not providers:
            problem = "the setting providers looks them up when they are needed: none was checked"
            self.findings.append(Finding("providers_looked_up", problem))
            return
        if len(providers) > MAX_PROVIDERS:
            problem = f"only the first {MAX_PROVIDERS} of {len(providers)} providers were checked"
            self.findings.append(Finding("not_finished", problem, "check the others by themselves"))
        findings: list[list[Finding]] = [[] for _ in providers[:MAX_PROVIDERS]]
        try:
            async with AsyncExitStack() as stack:
                clients = {
                    tls: await stack.enter_async_context(_own_client(tls))
                    for tls in {provider.tls for provider in providers[:MAX_PROVIDERS]}
                }
                tasks = await stack.enter_async_context(anyio.create_task_group())
                limiter = anyio.CapacityLimiter(AT_ONCE)
                for provider, its_findings in zip(providers, findings, strict=False):
                    examined = ExaminedProvider.of(self._site, provider, clients[provider.tls])
                    tasks.start_soon(self._check_provider, examined, its_findings, limiter)
        except ProviderUnavailable as error:  # a variable of the environment
            self.findings.append(Finding("connect_environment", "no HTTP client can be made", error.detail))
        finally:
            self.findings += [finding for its_findings in findings for finding in its_findings]

    async def _check_provider(
        self, provider: ExaminedProvider, findings: list[Finding], limiter: anyio.CapacityLimiter
    ) -> None:
        async with limiter:
            try:
                await _run_provider_checks(provider, findings)
            finally:
                self.checked += sorted(provider.checked - set(self.checked))
                for subject in provider.unchecked:
                    self.unchecked.setdefault(subject, []).append(provider.name)


async def _run_provider_checks(provider: ExaminedProvider, findings: list[Finding]) -> None:
    for subject, check in PROVIDER_CHECKS.items():
        try:
            findings += await check(provider)
        except TooManyCalls:
            problem = "the run has reached its limit of calls"
            findings.append(provider.found("not_finished", problem, "check fewer hosts at once"))
            return
        except Exception as error:  # noqa: BLE001  # one check must not prevent the others
            findings.append(_failed(f"{subject} of {provider.name}", error))


@asynccontextmanager
async def _own_client(tls: TlsOptions = DEFAULT_TLS) -> AsyncIterator[HttpClient]:
    client = OwnClient().new(tls)
    try:
        yield client
    finally:
        await client.aclose()


def _failed(subject: str, error: Exception) -> Finding:
    """Report a check that raised an exception; its text may contain anything, so only its class is shown."""
    name = type(error).__name__
    fix = "please report it at https://github.com/asgi-oidc/asgi-oidc/issues, with asgi-oidc --version"
    return Finding("check_failed", f"the check of {subject} raised {name}", fix)


def examine(sites: Sequence[ExaminedApp], *, is_offline: bool, calls_app: bool = False) -> list[Examination]:
    """Examine the middlewares of one app."""
    examinations = [Examination(site) for site in sites]
    for examination in examinations:
        examination.run_local()
    if not is_offline:
        anyio.run(_run_calls, examinations, calls_app)
    return examinations


async def _run_calls(examinations: Sequence[Examination], calls_app: bool) -> None:
    async with anyio.create_task_group() as tasks:
        for examination in examinations:
            tasks.start_soon(partial(examination.run_calls, calls_app=calls_app))
