"""A registration is shown, changed and removed with what the command printed when it was made (RFC 7592)."""

import pytest

from asgi_oidc.cli.register.saved_values import CLIENT_URI
from tests.cli.register.registering_app import ORIGIN


@pytest.fixture
def saved(register, tmp_path):
    """Register, and return the variables that were printed."""
    return register().values(tmp_path)


def test_a_registration_is_shown_without_its_secrets(register, saved):
    """A terminal is no place for them."""
    said = register("--show", variables=saved)

    assert (said.status, said.members["client_id"]) == (0, saved["OIDC_CLIENT_ID"])
    assert (said.members["client_secret"], said.members["registration_access_token"]) == ("***", "***")


def test_an_update_registers_what_the_settings_say_now(register, saved, tmp_path):
    """Such as another URL; id and secret stay."""
    other = "https://other.example.com"
    said = register("--update", base_url=other, variables=saved)

    assert (said.err, said.status, said.values(tmp_path)) == ("", 0, saved)
    assert register.provider.clients[saved["OIDC_CLIENT_ID"]].redirect_uris == [f"{other}/auth/callback"]


def test_a_removed_client_is_gone(register, saved):
    """At the provider."""
    said = register("--delete", variables=saved)

    assert (said.status, saved["OIDC_CLIENT_ID"] in register.provider.clients) == (0, False)
    assert register("--show", variables=saved).status == 1


def test_saved_values_come_from_a_file_too(register, tmp_path):
    """That which `--output` wrote, and the app reads."""
    path = tmp_path / "registered.env"
    register("--output", str(path))

    assert register("--show", "--env-file", str(path)).status == 0


@pytest.mark.parametrize("action", ["--show", "--update"])
def test_a_rotated_token_is_printed(register, saved, tmp_path, action):
    """The old one works no more."""
    register.provider.rotates_registration_tokens = True

    said = register(action, variables=saved)

    rotated = (said if action == "--update" else said._replace(out=said.out)).values(tmp_path)
    assert (said.status, rotated["OIDC_CLIENT_ID"]) == (0, saved["OIDC_CLIENT_ID"])
    assert rotated["REGISTRATION_ACCESS_TOKEN"] != saved["REGISTRATION_ACCESS_TOKEN"]
    assert register("--show", variables=rotated).status == 0


def test_a_rotated_token_is_not_lost_with_a_refused_update(register, saved, tmp_path):
    """The reading before the update has rotated it already."""
    register.provider.rotates_registration_tokens = True

    said = register("--update", "--jwks", "inline", client_auth="tls_client_auth", variables=saved)

    rotated = said.values(tmp_path)
    assert (said.status, "invalid_client_metadata" in said.err) == (1, True)
    assert rotated["REGISTRATION_ACCESS_TOKEN"] != saved["REGISTRATION_ACCESS_TOKEN"]


def test_a_client_is_not_registered_twice_by_mistake(register, saved):
    """The first one would stay at the provider, with nobody who has its token."""
    said = register(variables=saved)

    assert (said.status, "--update" in said.err) == (1, True)


@pytest.mark.parametrize("action", ["--show", "--update", "--delete"])
def test_nothing_is_managed_without_what_was_kept(register, action):
    """The message names the variables."""
    said = register(action)

    assert (said.status, "REGISTRATION_CLIENT_URI" in said.err) == (1, True)


@pytest.mark.parametrize("uri", ["https://collector.example.org/register", "http://id.example.com/register", "x"])
def test_the_token_is_sent_to_the_provider_only(register, saved, uri):
    """A file of variables may have been changed, or come from somebody else."""
    said = register("--show", variables={**saved, "REGISTRATION_CLIENT_URI": uri})

    assert (said.status, "registration_client_uri" in said.err) == (1, True)
    assert register.provider.count("/register") == 1


def test_a_deleted_registration_is_reported(register, saved):
    """An administrator of the provider may have deleted it; an initial access token would not help."""
    with register.provider.fault("registration_removed"):
        said = register("--show", variables=saved)

    assert (said.status, "invalid_token" in said.err) == (1, True)
    assert "REGISTRATION_ACCESS_TOKEN may be an old one" in said.err
    assert "initial" not in said.err.lower()
    assert ORIGIN not in said.out


def test_a_provider_without_registration_gets_the_token_at_its_own_origin_only(register, saved):
    """No endpoint in the metadata is no reason to trust whatever host the file names."""
    uri = saved["REGISTRATION_CLIENT_URI"].replace("id.example.com", "collector.example.org")

    with register.provider.fault("registration_no_endpoint"):
        own = register("--show", variables=saved)
        foreign = register("--show", variables={**saved, CLIENT_URI: uri})

    assert (own.status, foreign.status) == (0, 1)
    assert "collector.example.org, not at https://id.example.com" in foreign.err
