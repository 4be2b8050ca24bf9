"""Checks whether several processes share what they have to share."""

from collections.abc import Iterator, Mapping

from asgi_oidc.asgi.start_up_notices import NOTICES
from asgi_oidc.asgi.worker_processes import suggests_several_workers
from asgi_oidc.cli.doctor.examined_app import ExaminedApp, name_setting
from asgi_oidc.cli.doctor.finding import Finding


def runs_several(workers: int | None, environ: Mapping[str, str]) -> bool:
    """Whether several processes run the app: as the option says, else as the environment does."""
    return suggests_several_workers([], environ, "") if workers is None else workers > 1


def check_processes(site: ExaminedApp) -> Iterator[Finding]:
    """Look for sessions and sign-outs that stay in one of several processes."""
    settings = site.settings
    if not site.is_one_of_several or settings.is_shared:
        return
    _, (_, what, fix) = NOTICES["logout" if settings.store is None else "sessions"]
    name = "logout_not_shared" if settings.store is None else "sessions_not_shared"
    yield Finding(name, what, fix, where=name_setting("store"))
