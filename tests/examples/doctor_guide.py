"""The guide to `doctor`: `uv run python -m tests.examples.doctor_guide` writes it, and a test compares it."""

import contextlib
import io
import re
import tempfile
from pathlib import Path

from fastapi import FastAPI

from asgi_oidc.cli.doctor.catalogue import KINDS, SUBJECTS
from asgi_oidc.cli.doctor.report import TITLES
from asgi_oidc.cli.doctor.run import Options, diagnose
from asgi_oidc.cli.main import main as main_of_command
from asgi_oidc.middleware import OIDCMiddleware
from tests.cli.doctor.examined import CLIENT_SECRET, ISSUER, ORIGIN, SECRET, make_provider
from tests.examples.guides import EXAMPLES

GUIDE = EXAMPLES / "doctor" / "README.md"
INIT = "## Start a project with init"
HEADING = "## All findings"
INTRODUCTION = (
    "An **error** prevents logins or endangers them; a **warning** may be meant; **info** is to be read or registered."
)


def findings_section() -> str:
    """Return the list of all findings, by subject."""
    lines = [HEADING, "", INTRODUCTION, ""]
    for subject in SUBJECTS:
        kinds = {name: kind for name, kind in KINDS.items() if kind.subject == subject}
        if kinds:
            lines += [f"### {TITLES[subject]}", "", "| finding | | what is wrong |", "|---|---|---|"]
            lines += [f"| `{name}` | {kind.severity} | {kind.meaning} |" for name, kind in kinds.items()]
            lines.append("")
    return "\n".join(lines)


api = FastAPI(openapi_url=None)


@api.get("/healthz")
def healthz() -> None:
    """Answer probes."""


def app_with_three_mistakes() -> OIDCMiddleware:
    """Return the app whose report the guide shows."""
    provider = make_provider(redirect_uris=["http://app.example.com/auth/callback"])
    return OIDCMiddleware(
        api,
        issuer=ISSUER,
        client_id="web",
        client_secret=f"not-{CLIENT_SECRET}",
        base_url=ORIGIN,
        secret=SECRET,
        http_client=provider.http_client(),
    )


def report(*, is_json: bool = False) -> str:
    """Return what `doctor` prints about it."""
    import tests.cli.doctor.examined as module

    module.app, output = app_with_three_mistakes(), io.StringIO()
    diagnose(Options(app="tests.cli.doctor.examined:app", is_json=is_json), environ={}, output=output)
    return output.getvalue().rstrip("\n")


def init_session() -> str:
    """Return a command that needs no answer, and what it prints."""
    answers = (
        "--framework fastapi --provider keycloak --address https://id.example.com/realms/shop",
        "--base-url https://app.example.com --yes",
    )
    output = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(output):
        main_of_command(["init", folder, *" ".join(answers).split()])
    return f"$ asgi-oidc init {answers[0]} \\\n    {answers[1]}\n{output.getvalue().rstrip()}"


def shortened_json() -> str:
    """Return the JSON with its first finding only."""
    text = report(is_json=True)
    first, *_ = re.split(r"(?<=\}),\n {8}\{", text)
    return first + ",\n        ...\n      ]\n    }\n  ]\n}"


def with_block(text: str, language: str, content: str) -> str:
    """Replace the first block in a language."""
    return re.sub(rf"```{language}\n.*?```", lambda _: f"```{language}\n{content}\n```", text, count=1, flags=re.DOTALL)


def written(text: str) -> str:
    """Return the guide with everything that is made from the code."""
    text = with_block(with_block(text, "text", report()), "json", shortened_json())
    before, heading, after = text.partition(INIT)
    text = before + heading + with_block(after, "console", init_session())
    before, _, after = text.partition(HEADING)
    further = re.search(r"^## .*", after, re.MULTILINE | re.DOTALL)
    return before + findings_section() + (further[0] if further else "")


def main() -> None:
    """Write the guide."""
    path = Path(GUIDE)
    path.write_text(written(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
