"""The report: for people at 80 columns, for programs as JSON; it shows no secret and survives its own mistakes."""

import io
import json
import math
import sys
from typing import Any

import pytest

from asgi_oidc.cli.doctor import examination
from asgi_oidc.cli.doctor.calls import _skew
from asgi_oidc.cli.doctor.catalogue import KINDS, SUBJECTS
from asgi_oidc.cli.doctor.finding import Finding
from asgi_oidc.cli.doctor.report import TITLES, Section, json_report, text_report, worst_status
from asgi_oidc.cli.doctor.run import Options, diagnose
from asgi_oidc.cli.main import main
from asgi_oidc.stores.postgres import PostgresStore
from asgi_oidc.stores.redis import RedisStore
from asgi_oidc.testing import Client, FakeProvider
from tests.cli.doctor.examined import CLIENT_SECRET, ISSUER, ORIGIN, SECRET, guarded, make_provider, settings, site
from tests.cli.doctor.test_broken_set_ups import APPS, PROVIDERS
from tests.scripted_store import ScriptedStore

PASSWORD = "p4ssw0rd-of-redis"
ERROR = Finding("issuer_mismatch", "issuer is https://a, but the metadata has https://b", "set it", "google")
WARNING = Finding("docs_open", "anybody can read /docs", "remove it", "/docs")
INFORMATION = Finding("register_redirect_uri", f"{ORIGIN}/auth/callback", where="google")


@pytest.mark.parametrize(
    ("findings", "status", "word"),
    [([], 0, "ok"), ([INFORMATION], 0, "ok"), ([WARNING, INFORMATION], 2, "warning"), ([WARNING, ERROR], 1, "error")],
)
def test_the_exit_status_is_that_of_the_worst_finding(findings, status, word):
    """0 nothing, 1 an error, 2 warnings only; the JSON says the same."""
    section = Section(ORIGIN, [], findings)

    assert (worst_status([section]), json.loads(json_report([section]))["status"]) == (status, word)


def test_the_json_has_the_shape_of_the_guide():
    """Programs depend on it, so it has a version."""
    report = json.loads(json_report([Section(ORIGIN, ["keys"], [ERROR], {"clock": ["google"]})]))

    assert (report["version"], sorted(report)) == (1, ["apps", "asgi_oidc", "status", "version"])
    assert report["apps"] == [
        {
            "base_url": ORIGIN,
            "checked": ["keys"],
            "unchecked": {"clock": ["google"]},
            "findings": [
                {
                    "name": "issuer_mismatch",
                    "severity": "error",
                    "subject": "discovery",
                    "where": "google",
                    "problem": ERROR.problem,
                    "fix": "set it",
                }
            ],
        }
    ]


def test_the_table_fits_80_columns_and_groups_by_subject():
    """A terminal is often no wider; a URL is not broken, so that it can be copied."""
    long_url = f"{ORIGIN}/{'x' * 90}"
    text = text_report(
        [Section(ORIGIN, ["keys"], [WARNING, Finding("keys_missing", f"none at {long_url} " * 3), ERROR])]
    )

    lines = text.splitlines()
    assert [line for line in lines if len(line) > 80 and long_url not in line] == []
    titles = [line for line in lines if line in TITLES.values()]
    assert titles == [TITLES["discovery"], TITLES["keys"], TITLES["access"]]


def test_colours_are_for_terminals(monkeypatch):
    """A log of CI would show the codes; NO_COLOR leaves them out everywhere."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    def report(output: io.StringIO, **environ: str) -> str:
        diagnose(Options(is_offline=True), environ=environ, output=output)
        return output.getvalue()

    assert "\x1b[31m" in report(Terminal())
    assert "\x1b" not in report(Terminal(), NO_COLOR="1")
    assert "\x1b" not in report(io.StringIO())


def test_what_was_not_checked_is_said(doctor):
    """No news must not look like good news."""
    app = guarded(make_provider(f"{ISSUER}/realms/shop"), issuer=f"{ISSUER}/realms/ship")

    _, text = doctor.say(app)

    assert "Provider: keys and algorithms: not checked for https://id.example.com" in text
    assert "Provider: client authentication: ok" not in text


class Echo(FakeProvider):
    """Repeats the secret in its error, as some providers do."""

    def refuse_client(self, call: Any) -> Any:
        answer = super().refuse_client(call)
        body = json.dumps({"error": "invalid_client", "error_description": f"{CLIENT_SECRET} is wrong"}).encode()
        return answer.having() if not body else type(answer)(401, body, {"content-type": "application/json"})


def leaking_set_ups() -> dict[str, Any]:
    """Return set-ups in which a secret comes close to a text."""
    echo = Echo(ISSUER, clients=[], alg="ES256")
    return {
        **{name: make for name, (make, _) in {**PROVIDERS, **APPS}.items()},
        "echo": lambda: guarded(echo),
        "store": lambda: guarded(store=RedisStore(f"redis://user:{PASSWORD}@127.0.0.1:1")),
        "database": lambda: guarded(store=PostgresStore(f"postgresql://user:{PASSWORD}@127.0.0.1:1/app")),
        "own store": lambda: guarded(store=broken_store()),
        "client secret as text of a store": lambda: guarded(store=RedisStore(f"redis://:{CLIENT_SECRET}@127.0.0.1:1")),
    }


def broken_store() -> ScriptedStore:
    class Leaking(ScriptedStore):
        def __repr__(self) -> str:
            return PASSWORD

        async def get(self, key: str) -> bytes | None:
            raise RuntimeError(PASSWORD)

    return Leaking()


@pytest.mark.parametrize("name", sorted(leaking_set_ups()))
def test_no_report_shows_a_secret(name, doctor):
    """Reports are pasted into issues, and kept in logs of CI."""
    app = leaking_set_ups()[name]()
    shown = [doctor.say(app)[1], doctor.say(app, "--json")[1]]

    assert [secret for secret in (SECRET, CLIENT_SECRET, PASSWORD) for text in shown if secret in text] == []


@pytest.mark.parametrize("setting", ["secret", "client_secret", "client_id", "issuer", "base_url", "store"])
def test_an_invalid_setting_is_not_quoted(setting, doctor):
    """A secret is easily put into the wrong variable."""
    variables = {f"OIDC_{name.upper()}": value for name, value in settings(http_client=...).items()}
    variables[f"OIDC_{setting.upper()}"] = f"{PASSWORD}\n {PASSWORD}"

    assert PASSWORD not in doctor.say(None, "--offline", **variables)[1]


def test_a_secret_that_comes_from_outside_is_removed():
    """The last line of defence."""
    section = Section(ORIGIN, [], [Finding("store_failed", f"it says {SECRET}")])

    assert SECRET not in text_report([section], [SECRET])
    assert SECRET not in json_report([section], [SECRET, "abc"])


def test_a_secret_of_several_words_is_removed_as_well():
    """Lines are broken between words; a secret must be gone by then."""
    secret = "several words of a passphrase " * 4
    section = Section(ORIGIN, [], [Finding("store_failed", f"it says {secret}")])

    assert "passphrase" not in text_report([section], [secret]) + json_report([section], [secret])


def test_a_secret_that_is_a_word_of_the_report_leaves_its_shape_alone():
    """Programs read the JSON, whatever somebody has chosen as a secret for development."""
    report = json.loads(json_report([Section(ORIGIN, ["keys"], [ERROR])], ["name", "error", "findings"]))

    assert (report["status"], report["apps"][0]["findings"][0]["name"]) == ("error", "issuer_mismatch")


# What moves the cursor, sets the title of a window, or swaps the order of letters; the second is one character (C1).
TERMINAL_CODES = "\x1b[2J\x9b31m\x1b]0;title\x07\r\x08\u202e\x7f"


def test_what_a_provider_says_cannot_write_to_the_terminal():
    """A hostile server could hide findings, or write others."""
    findings = [Finding("store_failed", f"a{TERMINAL_CODES}b", f"c{TERMINAL_CODES}d", f"e{TERMINAL_CODES}f")]
    section = Section(f"{ORIGIN}{TERMINAL_CODES}", [], findings, {"keys": [f"g{TERMINAL_CODES}h"]})
    shown = text_report([section]).splitlines() + json_report([section]).splitlines()

    assert [line for line in shown if not line.isprintable()] == []
    assert [character for character in "\x1b\x9b\u202e" if json.dumps(character)[1:-1] in "".join(shown)] == []


class Redirecting(FakeProvider):
    """Sends whoever wants to sign in to an address that is no address."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if not str(scope.get("path", "")).endswith("/authorize"):
            await super().__call__(scope, receive, send)
            return
        location = "https://evil.example/\x9b2J\u202e".encode() + b"x" * 5_000  # httpx refuses other codes
        await send({"type": "http.response.start", "status": 302, "headers": [(b"location", location)]})
        await send({"type": "http.response.body", "body": b""})


def test_where_a_provider_redirects_to_is_shown_in_short_and_without_control_characters(doctor):
    """It may be longer than the whole report."""
    client = Client(client_secret=CLIENT_SECRET, redirect_uris=[f"{ORIGIN}/auth/callback"])
    examined = guarded(Redirecting(ISSUER, clients=[client], alg="ES256"))

    texts = [doctor.say(examined)[1], doctor.say(examined, "--json")[1]]

    assert ["https://evil.example/" in text for text in texts] == [True, True]
    assert [text for text in texts if "\x9b" in text or "\u202e" in text or "x" * 2_000 in text] == []


@pytest.mark.parametrize("date", [f"Mon, 1 Jan {'9' * 30} 00:00:00 GMT", f"Mon, {'9' * 5_000}", "x" * 5_000])
def test_a_date_that_is_none_stops_no_check(date):
    """Any server may send it."""
    assert math.isnan(_skew(date, "", 0))


def test_a_check_that_crashes_becomes_a_finding(doctor, monkeypatch):
    """The others still run; the text of the exception is not shown."""

    def crash(_site: Any) -> Any:
        raise RuntimeError(SECRET)

    async def crash_later(_provider: Any) -> Any:
        raise RuntimeError(SECRET)

    monkeypatch.setitem(examination.LOCAL_CHECKS, "access", crash)
    monkeypatch.setitem(examination.PROVIDER_CHECKS, "keys", crash_later)
    monkeypatch.setattr(examination, "check_stores", crash_later)

    report = doctor.examine(guarded(client_secret="wrong-client-secret"))

    assert (report.status, report.names, "RuntimeError" in report.text) == (
        1,
        {"check_failed", "client_rejected"},
        True,
    )


def test_a_run_is_bounded_in_time(doctor, monkeypatch):
    """A provider that never answers must not hold up CI."""
    monkeypatch.setattr(examination, "DEADLINE", 0.05)
    provider = make_provider()
    provider.slow_by = 3600
    provider.faults.add("discovery_slow")

    report = doctor.examine(guarded(provider))

    assert (report.status, report.names) == (2, {"not_finished"})


def test_a_run_is_bounded_in_calls(doctor, monkeypatch):
    """However many providers and hosts there are."""
    monkeypatch.setattr("asgi_oidc.cli.doctor.run.CallBudget", lambda: examination_budget(3))
    provider = make_provider()

    report = doctor.examine(guarded(provider))

    assert (report.names, len(provider.calls)) == ({"not_finished"}, 3)


def examination_budget(limit: int) -> Any:
    from asgi_oidc.cli.doctor.calls import CallBudget

    return CallBudget(limit)


def test_an_app_that_cannot_be_imported_is_a_finding(capsys):
    """With the class and the line; a text may contain a password."""
    status = main(["doctor", "tests.cli.lacks_a_module:app", "--json"])

    said = capsys.readouterr().out
    (finding,) = json.loads(said)["apps"][0]["findings"]
    assert (status, finding["name"]) == (1, "app_import_failed")
    assert "ModuleNotFoundError (not_installed_at_all)" in finding["problem"]


def test_what_an_app_prints_is_not_in_the_report(capsys, monkeypatch):
    """The JSON has to be JSON."""
    monkeypatch.delitem(sys.modules, "tests.cli.prints_when_imported", raising=False)

    main(["doctor", "tests.cli.prints_when_imported:app", "--json"])

    said = capsys.readouterr()
    assert (json.loads(said.out)["status"], said.err) == ("error", "hello\n")


def test_a_finding_can_be_ignored(doctor):
    """For what is meant as it is."""
    app = guarded(inner=site("/metrics"), public=["/metrics"])

    assert doctor.examine(app, "--ignore", "metrics_open").status == 0


def test_a_name_that_does_not_exist_cannot_be_ignored(capsys):
    """A typing error would otherwise be found in production."""
    with pytest.raises(SystemExit) as end:
        main(["doctor", "--ignore", "metric_open"])

    assert (end.value.code, "did you mean metrics_open?" in capsys.readouterr().err) == (2, True)


def test_variables_may_come_from_a_file(doctor, tmp_path, monkeypatch):
    """As with `uvicorn --env-file`; the environment takes precedence."""
    for name in ("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_SECRET"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    file = tmp_path / ".env"
    file.write_text(f"# ours\n\nOIDC_ISSUER='{ISSUER}'\nexport OIDC_CLIENT_ID=web # public\nOIDC_SECRET=\"{SECRET}\"\n")

    report = doctor.examine(None, "--offline", "--env-file", str(file), OIDC_BASE_URL=ORIGIN)

    assert report.status == 0


def test_a_file_that_was_not_named_is_a_finding(doctor, tmp_path, monkeypatch):
    """`asgi-oidc init` writes it; without it, all settings seem to be missing."""
    monkeypatch.chdir(tmp_path)
    without = doctor.examine(None, "--offline").names
    (tmp_path / ".env").write_text(f"OIDC_ISSUER={ISSUER}\n")

    assert (without, doctor.examine(None, "--offline").names - without) == ({"setting_missing"}, {"env_file_not_read"})


def test_settings_are_not_called_invalid_if_there_is_no_app(doctor):
    """Somebody would look for the mistake there."""
    _, text = doctor.say("any", name="nothing")

    assert ("there is no app to examine" in text, "ettings" in text) == (True, False)


@pytest.mark.parametrize("content", [None, "no variable", b"\xff", "A=" + "x" * 300_000])
def test_a_file_that_cannot_be_read_is_a_finding(content, doctor, tmp_path):
    """Without it, the settings would be those of another place."""
    file = tmp_path / ".env"
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())

    report = doctor.examine(None, "--offline", "--env-file", str(file))

    assert (report.status, report.names) == (1, {"env_file_unreadable"})


@pytest.mark.parametrize(
    ("proxy", "name"), [("ftp://127.0.0.1:1", "connect_environment"), ("http://127.0.0.1:1", "connect_proxy")]
)
def test_a_proxy_variable_that_is_wrong_is_found_by_name(proxy, name, doctor):
    """No client can be made with the first one; nothing listens at the second one."""
    report = doctor.examine(guarded(http_client=...), HTTPS_PROXY=proxy)

    assert report.names == {name}


def test_every_kind_has_a_subject_with_a_title():
    """The table has a place for each."""
    assert {kind.subject for kind in KINDS.values()} <= set(SUBJECTS) == set(TITLES)
