"""What is known of a ready-made provider, and how it is combined with the settings that the app gives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from asgi_oidc.errors import describe_value
from asgi_oidc.protocol.client_registration import AssertionForm, SecretSigner
from asgi_oidc.provider.provider_settings import ProviderSettings

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A ready-made provider.

    Attributes:
        call: how apps write it, such as `Provider.google`.
        title: what users see if the app gives no other title.
        logo: id of a drawing.
        fixed: settings that the app cannot give.
        defaults: settings that the app may give.
        replaced: settings that are made from those that the app has given, and stand in their place.
        parameters: of the authorization request. The app may add others, and further words to `prompt`.
        reasons: why the app cannot give a setting or a parameter, by its name; for those that need an explanation.
        has_secret: whether logins need a client secret.
        secret_signer: makes the client secret for each call.
        assertion_form: what the provider expects of client assertions; None for the form of the settings.
        fields: further fields of `ProviderSettings`.
        problems: of the arguments that only this provider has.
    """

    call: str
    title: str
    logo: str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    replaced: Mapping[str, Any] = field(default_factory=dict, repr=False)
    parameters: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    has_secret: bool = True
    secret_signer: SecretSigner | None = field(default=None, repr=False)
    assertion_form: AssertionForm | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def combine(self, given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """Return all settings of the provider, not checked yet, and the problems of those that the app has given."""
        given = {name: value for name, value in given.items() if value is not None}
        problems = [*self.problems, *(self._refusal(name) for name in given if name in self.fixed)]
        if self.has_secret and "client_secret" not in given:
            problems.append(f"client_secret: missing; {self.title} shows it next to the client id")
        settings = {"title": self.title, **self.defaults, **given, **self.fixed, **self.replaced}
        parameters = given.get("authorization_params", {})
        if isinstance(parameters, Mapping):  # else its reader finds the problem
            problems += [
                f"authorization_params: {self._refusal(str(name))}"
                for name, value in parameters.items()
                if self._sets(name) and value != self.parameters.get(name)
            ]
            settings["authorization_params"] = {**parameters, **self.parameters, **self._prompts(parameters)}
        metadata = given.get("metadata", {})
        if isinstance(metadata, Mapping) and "metadata" in self.defaults:
            settings["metadata"] = {**self.defaults["metadata"], **metadata}
        return settings, problems

    def complete(self, settings: ProviderSettings) -> ProviderSettings:
        """Add to checked settings what is no setting of every provider."""
        form = self.assertion_form or settings.client.assertion_form
        client = replace(settings.client, secret_signer=self.secret_signer, assertion_form=form)
        return replace(settings, logo=self.logo, client=client, **self.fields)

    def _sets(self, parameter: object) -> bool:
        return parameter != "prompt" and (parameter in self.parameters or parameter in self.reasons)

    def _refusal(self, name: str) -> str:
        return f"{name}: {self.reasons.get(name, f'{self.call} sets it')}; leave it out"

    def _prompts(self, parameters: Mapping[str, Any]) -> dict[str, str]:
        given, own = parameters.get("prompt"), self.parameters.get("prompt")
        if own is None or not isinstance(given, str):
            return {}
        return {"prompt": " ".join(dict.fromkeys([*given.split(), own]))}


def read_argument(name: str, read: Callable[[object], Value], value: object, problems: list[str]) -> Value | None:
    """Check an argument; if it is invalid, add the problem and return None."""
    try:
        return read(value)
    except ValueError as exc:
        problems.append(f"{name}: {exc}")
        return None


def read_words(value: object) -> list[str]:
    """Split scopes, which are a text or a list; empty for anything else."""
    if isinstance(value, str):
        return value.split()
    return [item for item in value if isinstance(item, str)] if isinstance(value, list | tuple) else []


def not_text(value: object) -> str:
    """Return the problem of a value that is not text."""
    return "missing" if value is None else f"must be text, got {describe_value(value)}"
