"""Asks, writes the files, and prints what to register and what to do next."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from asgi_oidc.cli.init.answers import COOKIES, POSTGRES, Answers, Given, read_answers
from asgi_oidc.cli.init.frameworks import FRAMEWORKS, app_source
from asgi_oidc.cli.init.new_files import PRIVATE, NewFile, free_path, is_ignored, repository_of, write_all

HEADER = """\
# The settings of asgi-oidc. Keep this file out of version control: it has secrets.
# All of them: https://github.com/asgi-oidc/asgi-oidc/blob/main/examples/reference/settings.md
"""


def set_up(given: Given, folder: Path, *, prompt: Callable[[str], str], say: Callable[[str], None]) -> None:
    """Ask the questions that are not answered yet, write the files, and say what comes next.

    Raises:
        NoAnswer: a question was not answered; nothing was written.
        OSError: a file cannot be written; nothing was written.
    """
    answers = read_answers(given, prompt=prompt, say=say)
    app = NewFile(free_path(folder, "app.py", "asgi_oidc_app.py"), app_source(answers.framework))
    variables = answers.environment()
    env = NewFile(free_path(folder, ".env", ".env.oidc", "oidc.env"), _env_text(variables), PRIVATE)
    ignores = repository_of(folder) is not None and not is_ignored(env.path)
    write_all([app, env], ignored=env.path if ignores else None)
    for line in (
        *_written_lines(app, env, has_gitignore=ignores),
        "",
        *_register_lines(answers),
        "",
        *_next_lines(answers, app, env, variables),
    ):
        say(line)


def _env_text(variables: Mapping[str, str]) -> str:
    return HEADER + "".join(f"{name}={value}\n" for name, value in variables.items())


def _written_lines(app: NewFile, env: NewFile, *, has_gitignore: bool) -> Iterator[str]:
    yield f"Wrote {app.path.name}{_instead('app.py', app)}"
    yield f"Wrote {env.path.name}, which only you can read{_instead('.env', env)}"
    if has_gitignore:
        yield f"Added {env.path.name} to .gitignore"


def _instead(name: str, file: NewFile) -> str:
    return "" if file.path.name == name else f" ({name} exists, and was left as it is)"


def _register_lines(answers: Answers) -> Iterator[str]:
    known, base_url = answers.known, answers.base_url
    if not known.guide:
        yield "There is nothing to register: the fake provider accepts any address."
        return
    end = f"/{known.name}" if known.name else ""
    yield f"Register at {known.title} ({known.guide}):"
    yield f"  redirect URI              {base_url}/auth/callback{end}"
    if known.has_logout:
        yield f"  post-logout redirect URI  {base_url}"
    if known.has_backchannel and not answers.is_local:
        yield f"  back-channel logout URI   {base_url}/auth/backchannel-logout{end}"


def _make_tables(store: str) -> str:
    """Say how to make the tables, in the database of a URL and for its user; without the password."""
    split = urlsplit(store)
    options = parse_qs(split.query)
    named = {"--role": split.username, "--tables": options.get("tables", [None])[0]}
    chosen = "".join(f" {option} {value}" for option, value in named.items() if value)
    database = f"postgresql://OWNER@{split.netloc.rpartition('@')[2]}{split.path}"
    return f"asgi-oidc postgres-tables{chosen} | psql -1 -f - {database}, once, as the role that owns the database"


def _next_lines(answers: Answers, app: NewFile, env: NewFile, variables: Mapping[str, str]) -> Iterator[str]:
    steps = [f"pip install {_packages(answers)}"]
    missing = [name for name, value in variables.items() if not value]
    if missing:
        steps.append(f"set {' and '.join(missing)} in {env.path.name}")
    if answers.provider == "local":
        steps.append("asgi-oidc provider, in another terminal")
    if answers.store.startswith(POSTGRES):
        steps.append(_make_tables(answers.store))
    steps.append(f"asgi-oidc doctor --env-file {env.path.name} {app.path.stem}:app")
    steps.append(f"uvicorn --env-file {env.path.name} --port {answers.port} {app.path.stem}:app")
    yield "Then:"
    yield from (f"  {number}. {step}" for number, step in enumerate(steps, 1))
    if not answers.is_local and answers.store == COOKIES:
        yield ""
        yield "A proxy in front has to accept our cookies; at nginx: proxy_buffer_size 16k; proxy_buffers 8 16k;"


def _packages(answers: Answers) -> str:
    extras = ["cli"]
    if answers.store != COOKIES:
        extras.append("postgres" if answers.store.startswith(POSTGRES) else "redis")
    package = FRAMEWORKS[answers.framework].package
    return " ".join([f"'asgi-oidc[{','.join(extras)}]'", *([package] if package else []), "'uvicorn[standard]'"])
