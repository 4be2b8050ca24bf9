"""Finds the middlewares to examine, in an app or in the environment, and prints the report."""

import os
from collections.abc import Collection, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from asgi_oidc.cli.doctor.calls import CallBudget
from asgi_oidc.cli.doctor.catalogue import SUBJECTS
from asgi_oidc.cli.doctor.examination import examine
from asgi_oidc.cli.doctor.examined_app import ExaminedApp
from asgi_oidc.cli.doctor.finding import Finding
from asgi_oidc.cli.doctor.processes import runs_several
from asgi_oidc.cli.doctor.report import Section, json_report, text_report, worst_status
from asgi_oidc.cli.doctor.settings import secrets_of, settings_findings
from asgi_oidc.cli.env_file import UNREAD, add_variables, is_unread
from asgi_oidc.cli.find_app import ImportFailed, NoMiddleware, NoSuchApp, import_app, no_app
from asgi_oidc.cli.quiet_log import without_log
from asgi_oidc.errors import SettingsError
from asgi_oidc.middleware import OIDCMiddleware


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says.

    Attributes:
        app: as in `find_middlewares`; None for the settings of the environment.
        calls_app: whether to call the app at `base_url` as well.
        env_file: a file whose variables are added to those of the environment.
        workers: how many processes run the app; None to look at the environment.
        ignored: names of findings to leave out.
    """

    app: str | None = None
    is_factory: bool = False
    is_json: bool = False
    is_offline: bool = False
    calls_app: bool = False
    env_file: str | None = None
    workers: int | None = None
    ignored: Collection[str] = ()


def diagnose(options: Options, *, environ: MutableMapping[str, str], output: TextIO) -> int:
    """Examine an app or the settings of the environment, print the report, and return the exit status."""
    with without_log():
        findings, sites = _find(options, environ)
        subjects = {finding.subject for finding in findings}
        sections = [Section("", sorted(subjects, key=SUBJECTS.index), findings)] if findings else []
        sections += [
            Section(
                examination.base_url,
                sorted(examination.checked, key=SUBJECTS.index),
                examination.findings,
                examination.unchecked,
            )
            for examination in examine(sites, is_offline=options.is_offline, calls_app=options.calls_app)
        ]
    kept = [
        replace(section, findings=[each for each in section.findings if each.name not in options.ignored])
        for section in sections
    ]
    secrets = [secret for site in sites for secret in secrets_of(site)]
    report = (
        json_report(kept, secrets)
        if options.is_json
        else text_report(kept, secrets, has_colours=_has_colours(output, environ), is_offline=options.is_offline)
    )
    print(report, file=output)
    return worst_status(kept)


def _find(options: Options, environ: MutableMapping[str, str]) -> tuple[list[Finding], list[ExaminedApp]]:
    """Return the middlewares to examine, or the findings that say why there are none."""
    try:
        if options.env_file is not None:
            add_variables(Path(options.env_file), environ)
        middlewares, whole = _middlewares(options, environ)
    except SettingsError as error:
        return [*settings_findings(error), *_unread_env_file(error, options)], []
    except NoMiddleware as error:
        fix = "put OIDCMiddleware around the app, or name the object that it is in: package.module:guarded_app"
        return [Finding("middleware_not_found", str(error), fix)], []
    except NoSuchApp as error:
        return [Finding("app_not_found", str(error), "name the app as servers do: package.module:app")], []
    except ImportFailed as error:
        fix = "start the app with python -c 'import ...' to see the whole traceback"
        return [Finding("app_import_failed", f"importing {options.app} raised {error}", fix)], []
    except OSError as error:
        problem = f"the file cannot be read: {os.strerror(error.errno) if error.errno else type(error).__name__}"
        return [Finding("env_file_unreadable", problem, "correct --env-file", where=options.env_file or "")], []
    except ValueError as error:
        return [Finding("env_file_unreadable", str(error), "write NAME=VALUE", where=options.env_file or "")], []
    return [], _sites(middlewares, whole, options, environ)


def _unread_env_file(error: SettingsError, options: Options) -> Iterator[Finding]:
    if is_unread(options.env_file, error):
        problem = "it has OIDC_ variables, and was not read"
        yield Finding("env_file_not_read", problem, f"add --env-file {UNREAD}, here and for the server", where=UNREAD)


def _middlewares(options: Options, environ: Mapping[str, str]) -> tuple[Sequence[OIDCMiddleware], object | None]:
    if options.app is None:
        return [OIDCMiddleware.from_env(no_app, environ=environ)], None
    found = import_app(options.app, is_factory=options.is_factory)
    return found.middlewares, found.app


def _sites(
    middlewares: Sequence[OIDCMiddleware], whole: object | None, options: Options, environ: Mapping[str, str]
) -> list[ExaminedApp]:
    budget = CallBudget()
    sites = [
        ExaminedApp(
            middleware,
            whole,
            (options.app or "").partition(":")[0],
            environ=environ,
            is_one_of_several=runs_several(options.workers, environ),
            budget=budget,
        )
        for middleware in middlewares
    ]
    return [replace(site, others=[other for other in sites if other is not site]) for site in sites]


def _has_colours(output: TextIO, environ: Mapping[str, str]) -> bool:
    return output.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
