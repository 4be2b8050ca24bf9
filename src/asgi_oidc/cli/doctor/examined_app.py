"""What the checks look at: an app, its middleware and settings, the environment, and the calls that they may make."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from asgi_oidc.cli.doctor.calls import CallBudget
from asgi_oidc.middleware import OIDCMiddleware
from asgi_oidc.policy.policy import Policy
from asgi_oidc.settings.settings import Settings
from asgi_oidc.settings.variable_names import PREFIX, variable_of, variable_prefix


@dataclass(frozen=True, slots=True)
class ExaminedApp:
    """One middleware, and what is around it.

    Attributes:
        whole: the app that was named; None if the settings come from the environment alone.
        module: the name of the module that the app is in; empty if there is none.
        others: the other middlewares of the app.
        is_one_of_several: whether several processes run this app.
        budget: limits the calls of all checks.
        clock: returns seconds since the epoch.
    """

    middleware: OIDCMiddleware
    whole: object | None = None
    module: str = ""
    others: Sequence["ExaminedApp"] = ()
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    is_one_of_several: bool = False
    budget: CallBudget = field(default_factory=CallBudget)
    clock: Callable[[], float] = time.time

    @property
    def settings(self) -> Settings:
        """The settings of the middleware."""
        return self.middleware._settings

    @property
    def policy(self) -> Policy:
        """The policy of the middleware."""
        return self.middleware._composition.explainer.policy

    @property
    def has_app(self) -> bool:
        """Whether there is an app to look into."""
        return self.whole is not None

    @property
    def app(self) -> Any:
        """The app inside the middleware."""
        return self.middleware.app


def name_setting(setting: str, provider: str = "") -> str:
    """Name a setting and its variable: `issuer (OIDC_ISSUER)`."""
    if not provider:
        return f"{setting} ({variable_of(setting)})"
    return f"{setting} of {provider} ({PREFIX}{variable_prefix(provider)}{setting.upper()})"
