"""`asgi-oidc init`: five questions, files that are never overwritten, and what to register."""

import io
import os
import re
import signal
import subprocess
import sys

import pytest

from asgi_oidc.cli.init.new_files import NewFile, is_ignored, write_all
from asgi_oidc.cli.main import main
from tests.real.processes import wait_until

QUICK = ["init", "--yes", "--framework", "asgi"]
WITH_KEYCLOAK = ["--provider", "keycloak", "--address", "https://id.example.com/realms/shop"]


def answer(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """Type these lines."""
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


def test_five_answers_make_a_project(folder, monkeypatch, capsys):
    """By name or by number; an answer that cannot be right is asked for again."""
    answer(
        monkeypatch, "2", "auth0", "https://", "acme.eu.auth0.com", "https://shop.example.com/", "redis://cache:6379"
    )

    status = main(["init"])

    said = capsys.readouterr().out
    env = (folder / ".env").read_text()
    assert (status, len(re.findall(r"^(?:.*: )?[1-5]\. [A-Z]", said, re.MULTILINE)) >= 2) == (0, True)
    assert "from starlette.applications import Starlette" in (folder / "app.py").read_text()
    assert "OIDC_ISSUER=https://acme.eu.auth0.com/\n" in env
    assert "OIDC_BASE_URL=https://shop.example.com\nOIDC_SECRET=" in env
    assert "OIDC_STORE=redis://cache:6379\n" in env
    assert "redirect URI              https://shop.example.com/auth/callback\n" in said
    assert "pip install 'asgi-oidc[cli,redis]' starlette 'uvicorn[standard]'" in said


def test_each_project_has_a_secret_of_its_own_that_only_its_owner_reads(folder):
    """The file has a secret, whatever the umask."""
    before = os.umask(0)
    try:
        main([*QUICK])
        main([*QUICK])
    finally:
        os.umask(before)

    first, second = ((folder / name).read_text() for name in (".env", ".env.oidc"))
    assert first.partition("OIDC_SECRET=")[2] != second.partition("OIDC_SECRET=")[2]
    assert [(folder / name).stat().st_mode & 0o777 for name in (".env", ".env.oidc")] == [0o600, 0o600]


def test_a_file_that_exists_is_left_as_it_is(folder, capsys):
    """The new one is beside it, and the next steps name it."""
    for name in ("app.py", ".env", "asgi_oidc_app.py", ".env.oidc", "oidc.env"):
        (folder / name).write_text("mine")

    main([*QUICK])

    said = capsys.readouterr().out
    assert {(folder / name).read_text() for name in ("app.py", ".env", "asgi_oidc_app.py", ".env.oidc")} == {"mine"}
    assert "Wrote asgi_oidc_app_2.py (app.py exists, and was left as it is)" in said
    assert "uvicorn --env-file oidc_2.env --port 8000 asgi_oidc_app_2:app" in said


def test_a_link_is_not_followed(folder, tmp_path_factory):
    """It might lead out of the project."""
    target = tmp_path_factory.mktemp("elsewhere") / "target"
    (folder / ".env").symlink_to(target)

    main([*QUICK])

    assert (target.exists(), (folder / ".env.oidc").exists()) == (False, True)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, ".env\n"),
        ("build", "build\n.env\n"),
        ("build\n", "build\n.env\n"),
        (".env*\n", ".env*\n"),
        ("*.env\n", "*.env\n"),
    ],
)
def test_git_ignores_the_settings(before, after, folder):
    """A secret in a repository is no secret."""
    (folder / ".git").mkdir()
    if before is not None:
        (folder / ".gitignore").write_text(before)

    main([*QUICK])

    assert (folder / ".gitignore").read_text() == after


def test_a_gitignore_in_another_encoding_keeps_every_byte(folder):
    """It is older than the project's tools."""
    (folder / ".git").mkdir()
    (folder / ".gitignore").write_bytes(b"caf\xe9")

    status = main([*QUICK])

    assert (status, (folder / ".gitignore").read_bytes()) == (0, b"caf\xe9\n.env\n")


def test_without_a_repository_there_is_no_gitignore(folder):
    """Other tools would be surprised."""
    main([*QUICK])

    assert sorted(path.name for path in folder.iterdir()) == [".env", "app.py"]


def test_a_line_further_up_in_the_repository_counts(folder):
    """One `.gitignore` often serves the whole repository."""
    (folder / ".git").mkdir()
    (folder / ".gitignore").write_text(".env\n")
    project = folder / "project"
    project.mkdir()

    main([*QUICK, str(project)])

    assert (is_ignored(project / ".env"), (project / ".gitignore").exists()) == (True, False)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--framework", "flask"], "Framework: must be one of fastapi, starlette"),
        (["--provider", "yahoo"], "Provider: must be one of local, google"),
        (["--provider", "okta"], "Domain of the organization"),
        (["--provider", "entra", "--address", "acme.onmicrosoft.com"], "must be the tenant ID"),
        (["--provider", "entra", "--address", "common"], "must be the tenant ID"),
        (["--provider", "cognito", "--address", "pool"], "must be the ID of a user pool"),
        (["--provider", "other", "--address", "id.example.com"], "must start with https://"),
        (["--base-url", "http://app.example.com"], "must use https"),
        (["--store", "memcached://cache"], "must be a URL such as redis://"),
        (["--store", "postgresql://u:p@host/app\nOIDC_PUBLIC=/*"], "OIDC_STORE: must be on one line"),
        (["--client-id", "web\rOIDC_PUBLIC=/*"], "OIDC_CLIENT_ID: must be on one line"),
        (["--api", "https://api\n"], "OIDC_BEARER_AUDIENCE: must be on one line"),
        (["nowhere"], "nowhere is not a folder"),
    ],
)
def test_an_option_that_cannot_be_right_writes_nothing(options, problem, folder, capsys):
    """The fix is in the message."""
    status = main(["init", "--yes", *options])

    assert (status, problem in capsys.readouterr().err, list(folder.iterdir())) == (1, True, [])


@pytest.mark.parametrize(
    "lines", [(), ("1",), ("1", "google"), ("1", "okta", "acme.okta.com", "http://127.0.0.1:8000")]
)
def test_the_end_of_the_input_writes_nothing(lines, folder, monkeypatch, capsys):
    """Half a project is worse than none."""
    answer(monkeypatch, *lines)

    status = main(["init"])

    assert (status, "nothing was written" in capsys.readouterr().err, list(folder.iterdir())) == (1, True, [])


def test_the_questions_that_are_asked_are_numbered(folder, monkeypatch, capsys):
    """An option answers one, and the provider on this machine has no address: no number is missing."""
    answer(monkeypatch, "local", "", "")

    main(["init", "--framework", "fastapi"])

    said = capsys.readouterr().out
    assert [said.count(text) for text in ("1. Provider:", "2. Public URL", "3. Sessions")] == [1, 1, 1]


def test_it_gives_up_after_some_answers_that_cannot_be_right(folder, monkeypatch, capsys):
    """A program that feeds it nonsense must end."""
    answer(monkeypatch, *["nonsense"] * 20)

    assert (main(["init"]), "no usable answer" in capsys.readouterr().err) == (1, True)


def test_ctrl_c_at_a_question_writes_nothing(folder):
    """With the exit status of shells, and without a traceback."""
    with (
        (folder / "said").open("w") as output,
        subprocess.Popen(
            [sys.executable, "-m", "asgi_oidc", "init"],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        ) as process,
    ):
        wait_until(lambda: "Name or number" in (folder / "said").read_text(), "the first question is there")
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)

    assert (process.returncode, errors) == (130, "asgi-oidc: interrupted; nothing was written\n")
    assert [path.name for path in folder.iterdir()] == ["said"]


def test_a_file_that_cannot_be_written_takes_the_others_along(folder, capsys, monkeypatch):
    """All of them, or none."""
    first, second = folder / "first", folder / "missing" / "second"

    with pytest.raises(OSError, match="second"):
        write_all([NewFile(first, "1"), NewFile(second, "2")])

    assert list(folder.iterdir()) == []


def test_a_gitignore_that_cannot_be_replaced_takes_the_files_along(folder, capsys):
    """The settings must not be left where git would take them."""
    (folder / ".git").mkdir()
    (folder / ".gitignore").mkdir()

    status = main([*QUICK])

    assert (status, "nothing was written" in capsys.readouterr().err) == (1, True)
    assert sorted(path.name for path in folder.iterdir()) == [".git", ".gitignore"]


def test_a_thread_can_write_as_well(folder):
    """Only the main thread may change what signals do."""
    import threading

    thread = threading.Thread(target=lambda: write_all([NewFile(folder / "file", "1")]))
    thread.start()
    thread.join()

    assert (folder / "file").read_text() == "1"


def test_the_uris_of_a_named_provider_end_with_its_name(folder, capsys):
    """GitHub has no OpenID Connect, so it is one of several providers even if it is the only one."""
    main([*QUICK, "--provider", "github", "--client-id", "abc", "--base-url", "https://app.example.com"])

    said = capsys.readouterr().out
    assert "redirect URI              https://app.example.com/auth/callback/github\n" in said
    assert ("post-logout" in said, "OIDC_GITHUB_CLIENT_ID=abc\n" in (folder / ".env").read_text()) == (False, True)


def test_an_api_and_a_database_are_options(folder, capsys):
    """The next steps say what else they need."""
    main(
        [
            *QUICK,
            *WITH_KEYCLOAK,
            "--api",
            "https://api.example.com",
            "--store",
            "postgresql://shop:p4ssw0rd@db/app?tables=auth.oidc&sslmode=require",
        ]
    )

    said = capsys.readouterr().out
    assert "OIDC_BEARER_AUDIENCE=https://api.example.com\n" in (folder / ".env").read_text()
    make = "asgi-oidc postgres-tables --role shop --tables auth.oidc | psql -1 -f - postgresql://OWNER@db/app, once"
    assert make in said
    assert ("asgi-oidc[cli,postgres]" in said, "p4ssw0rd" in said) == (True, False)
