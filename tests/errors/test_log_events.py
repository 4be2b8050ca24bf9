"""A line of the log is one line, names its event, and holds no secret."""

import logging

import pytest

from asgi_oidc import events
from asgi_oidc.errors import LoginRefused, OIDCError, ProviderRefused, SettingsError
from tests.protected_site import CLIENT_SECRET, SECRET


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "plain"),
        (7, "7"),
        ("two words", "'two words'"),
        ("a\nb", "'a\\nb'"),
        ("\x1b[31m", "'\\x1b[31m'"),
        ("\u202e", "'\\u202e'"),
        ("x" * 300, "x" * 200 + "..."),
        ("", ""),
    ],
)
def test_an_untrusted_value_is_logged_as_one_clean_word(value, written):
    """Nobody forges a line of the log, or paints a terminal."""
    assert events.clean(value) == written


def test_the_fields_are_on_the_record_as_values(caplog):
    """Systems that search by field get numbers as numbers, and texts without quotes."""
    caplog.set_level(logging.INFO, "asgi_oidc")

    events.log(events.LOGOUT_REFUSED, status=400, sessions=True, size=10**30, detail="a\nb \u202e é", why=None)

    (record,) = caplog.records
    fields = {"status": 400, "sessions": True, "size": str(10**30), "detail": "a\\nb \\u202e é"}
    assert (record.__dict__["event"], record.__dict__["oidc"]) == ("logout_refused", fields)


def test_a_long_field_is_cut_on_the_record_too(caplog):
    """Nobody fills the log."""
    events.log(events.LOGOUT_REFUSED, why="x" * 300, detail="y" * 600)

    fields = caplog.records[0].__dict__["oidc"]
    assert fields == {"why": "x" * 200 + "...", "detail": "y" * 500 + "..."}


async def test_a_login_is_logged_by_its_events(site, caplog):
    """Each with its name for programs."""
    caplog.set_level(logging.DEBUG, "asgi_oidc")

    browser = await site.signed_in()
    await browser.fetch("/auth/logout", method="POST")

    named = [record.__dict__["event"] for record in caplog.records if record.name == "asgi_oidc"]
    assert named == ["metadata_fetched", "login_started", "keys_fetched", "login_succeeded", "logged_out"]


async def test_a_disabled_log_level_writes_nothing(site, caplog):
    """A warning level keeps a good login quiet."""
    caplog.set_level(logging.WARNING, "asgi_oidc")

    await site.signed_in()

    assert [record for record in caplog.records if record.name == "asgi_oidc"] == []


async def test_no_secret_stands_in_a_log_of_a_login(site, caplog):
    """At the finest level."""
    caplog.set_level(logging.DEBUG, "asgi_oidc")

    browser = await site.signed_in()
    secrets = [
        SECRET,
        CLIENT_SECRET,
        site.app.scope["oidc"].id_token,
        await site.app.scope["oidc"].access_token(),
        *(cookie.value for cookie in browser.jar),
    ]

    lines = [record.getMessage() for record in caplog.records if record.name == "asgi_oidc"]
    assert not any(secret in line for secret in secrets for line in lines)


def test_errors_carry_a_code_and_a_detail():
    """For logs and programs."""
    assert (OIDCError().code, str(OIDCError("x", "why"))) == ("error", "x: why")
    assert (LoginRefused("why").code, LoginRefused("why").detail) == ("login_refused", "why")
    assert (ProviderRefused("invalid_grant").error, str(ProviderRefused("invalid_grant"))) == (
        "invalid_grant",
        "provider_refused: invalid_grant",
    )
    assert SettingsError(["a", "b"]).problems == ("a", "b")
