"""Registers the client, shows, changes or removes its registration, and prints what to keep."""

import json
import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TextIO

import anyio

from asgi_oidc.cli.env_file import add_variables
from asgi_oidc.cli.find_app import ImportFailed, NoSuchApp
from asgi_oidc.cli.quiet_log import without_log
from asgi_oidc.cli.register.differences import SECRET_METHODS, Problem, find_problems
from asgi_oidc.cli.register.find_settings import CannotRegister, RegisteredApp, find_settings
from asgi_oidc.cli.register.provider_calls import ProviderCalls
from asgi_oidc.cli.register.saved_values import (
    ACCESS_TOKEN,
    CLIENT_URI,
    INITIAL_ACCESS_TOKEN,
    env_lines,
    saved_access,
    values_to_keep,
    why_not_writable,
    write_private,
)
from asgi_oidc.errors import OIDCError, ProviderRefused, SettingsError
from asgi_oidc.protocol.dynamic_registration import Registration, RegistrationAccess
from asgi_oidc.settings.variable_names import variable_prefix

Action = Literal["register", "show", "update", "delete"]
OK, FAILED, WARNED = 0, 1, 2  # exit statuses, as those of `doctor`
MAX_TOKEN_FILE = 16_384  # bytes
SECRETS = ("client_secret", "registration_access_token")  # members that `--show` hides


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says.

    Attributes:
        app: as in `find_app`; None for the settings of the environment.
        provider: its name; None if there is only one.
        keys_by_value: whether to send the public keys, instead of their URL.
        is_dry_run: whether to print what would be sent, and send nothing.
        output: the file for the values to keep; None to print them.
    """

    action: Action = "register"
    app: str | None = None
    is_factory: bool = False
    env_file: str | None = None
    provider: str | None = None
    keys_by_value: bool = False
    is_dry_run: bool = False
    initial_access_token_file: str | None = None
    output: Path | None = None
    overwrites: bool = False


def register(
    options: Options,
    *,
    environ: MutableMapping[str, str],
    output: TextIO,
    errors: TextIO,
    clock: Callable[[], float] = time.time,
) -> int:
    """Do what the options say; return the exit status: 1 after an error, 2 after warnings only."""
    try:
        with without_log():
            return _run(options, environ=environ, output=output, errors=errors, clock=clock)
    except SettingsError as error:
        return _failed(errors, *error.problems)
    except ProviderRefused as refused:
        return _failed(errors, f"the provider refuses: {refused.detail}{_hint(refused, options.action)}")
    except OIDCError as error:
        return _failed(errors, f"{error.code}: {error.detail}")
    except (CannotRegister, NoSuchApp) as error:
        return _failed(errors, str(error))
    except ImportFailed as error:
        return _failed(errors, f"importing {options.app} raised {error}")
    except OSError as error:
        return _failed(errors, f"{error.filename}: {error.strerror}")


def _hint(refused: ProviderRefused, action: Action) -> str:
    if refused.error not in ("invalid_token", "unauthorized") and refused.answer_status not in (401, 403):
        return ""
    if action == "register":
        return (
            f": it may require an initial access token: add --initial-access-token-file, or set {INITIAL_ACCESS_TOKEN}"
        )
    return f": {ACCESS_TOKEN} may be an old one, or the registration was deleted at the provider"


def _run(
    options: Options,
    *,
    environ: MutableMapping[str, str],
    output: TextIO,
    errors: TextIO,
    clock: Callable[[], float],
) -> int:
    if options.env_file is not None:
        _add_env_file(options.env_file, environ)
    app = find_settings(options.app, is_factory=options.is_factory, provider=options.provider, environ=environ)
    access = saved_access(environ, provider=app.provider.name)
    _check_access(options, access, app)
    if options.output is not None and (problem := why_not_writable(options.output, overwrites=options.overwrites)):
        raise CannotRegister(problem)
    calls = ProviderCalls(app, initial_access_token=_initial_access_token(options, environ))
    return anyio.run(_act, _Run(options, app, access, calls, output, errors, int(clock())))


@dataclass(frozen=True, slots=True, repr=False)
class _Run:
    """One run: what was asked for, and where it goes."""

    options: Options
    app: RegisteredApp
    access: RegistrationAccess | None
    calls: ProviderCalls
    output: TextIO
    errors: TextIO
    now: int


async def _act(run: _Run) -> int:
    action = run.options.action
    if action == "delete":
        await run.calls.delete(run.access)
        print("The registration is deleted at the provider.", file=run.output)
        return OK
    if action == "show":
        return _show(run, await run.calls.read(run.access))
    asked = await run.calls.client_metadata(keys_by_value=run.options.keys_by_value)
    if run.options.is_dry_run:
        print(json.dumps(asked, indent=2), file=run.output)
        return OK
    registered = await (_update(run, asked) if action == "update" else run.calls.register(asked))
    return _report(run, asked, registered)


async def _update(run: _Run, asked: Mapping[str, object]) -> Registration:
    current = await run.calls.read(run.access)
    try:
        return await run.calls.update(run.access, current, asked)
    except OIDCError:
        if _has_new_values(run, current):  # only this answer has them
            _keep(run, {}, current)
        raise


def _show(run: _Run, registration: Registration) -> int:
    shown = {name: "***" if name in SECRETS else value for name, value in registration.members.items()}
    print(json.dumps(shown, indent=2), file=run.errors if _has_new_values(run, registration) else run.output)
    if _has_new_values(run, registration):
        return _keep(run, {}, registration)
    return OK


def _has_new_values(run: _Run, registration: Registration) -> bool:
    """Whether the provider has replaced the registration access token (RFC 7592 §3)."""
    token = registration.access_token
    return run.access is not None and token is not None and token != run.access.access_token


def _report(run: _Run, asked: Mapping[str, object], registration: Registration) -> int:
    is_new = run.options.action == "register"
    problems = find_problems(
        asked,
        registration,
        now=run.now,
        endpoint=run.calls.registration_endpoint if is_new else None,
        issuer=run.app.provider.issuer,
        algorithms=run.app.provider.algorithms,
    )
    for problem in problems:
        print(f"asgi-oidc: {problem.severity}: {problem.text}", file=run.errors)
    return max(_keep(run, asked, registration), _status(problems), key=(OK, WARNED, FAILED).index)


def _keep(run: _Run, asked: Mapping[str, object], registration: Registration) -> int:
    """Print the values to keep, or write them into a file; print them too if that fails: nobody has them otherwise."""
    if run.access is not None:  # what the answer leaves out stays as it was
        registration = replace(
            registration,
            access_token=registration.access_token or run.access.access_token,
            uri=registration.uri or run.access.uri,
        )
    method = registration.members.get("token_endpoint_auth_method", asked.get("token_endpoint_auth_method"))
    values = values_to_keep(registration, provider=run.app.provider.name, has_secret=method in SECRET_METHODS)
    text = env_lines(values)
    if run.options.output is None:
        print(text, end="", file=run.output)
        return OK
    try:
        write_private(run.options.output, text, overwrites=run.options.overwrites)
    except OSError as error:
        print(f"asgi-oidc: error: {run.options.output}: {error.strerror}; the values:", file=run.errors)
        print(text, end="", file=run.output)
        return FAILED
    print(f"Wrote {run.options.output}, which only you can read: {', '.join(values)}", file=run.output)
    return OK


def _status(problems: list[Problem]) -> int:
    severities = {problem.severity for problem in problems}
    return FAILED if "error" in severities else WARNED if severities else OK


def _add_env_file(name: str, environ: MutableMapping[str, str]) -> None:
    try:
        add_variables(Path(name), environ)
    except ValueError as error:
        raise CannotRegister(f"{name}: {error}") from None


def _check_access(options: Options, access: RegistrationAccess | None, app: RegisteredApp) -> None:
    prefix = variable_prefix(app.provider.name) if app.provider.name else ""
    if options.action == "register" and access is not None and not options.is_dry_run:
        text = f"{prefix}{CLIENT_URI} is set, so this client is registered: --update changes it, --delete removes it"
        raise CannotRegister(f"{text}; to register another one, remove that variable")
    if options.action != "register" and access is None and not options.is_dry_run:
        variables = f"{prefix}{CLIENT_URI} and {prefix}REGISTRATION_ACCESS_TOKEN"
        raise CannotRegister(f"set {variables}, as asgi-oidc register has printed them, or add --env-file")


def _initial_access_token(options: Options, environ: Mapping[str, str]) -> str | None:
    if options.initial_access_token_file is None:
        return environ.get(INITIAL_ACCESS_TOKEN) or None
    with Path(options.initial_access_token_file).open("rb") as file:
        token = file.read(MAX_TOKEN_FILE).decode("ascii", "replace").strip()
    if not token or not token.isprintable() or " " in token:
        raise CannotRegister(f"{options.initial_access_token_file}: expected a token on one line")
    return token


def _failed(errors: TextIO, *problems: str) -> int:
    for problem in problems:
        print(f"asgi-oidc: error: {problem}", file=errors)
    return FAILED
