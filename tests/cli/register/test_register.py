"""`asgi-oidc register` registers a client from its settings, and prints what to keep."""

import stat
from typing import Any

import anyio
import pytest

from asgi_oidc import OAuth2Provider, OIDCMiddleware, Provider
from asgi_oidc.testing import Browser, ClientKey
from tests.cli.register.registering_app import ISSUER, ORIGIN, SECRET, Command, make_app
from tests.protected_site import App, who_am_i

KEY = ClientKey()
SAVED = ["OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "REGISTRATION_ACCESS_TOKEN", "REGISTRATION_CLIENT_URI"]


def user_of(register: Command, **settings: Any) -> str | None:
    """Sign alice in at the app with these settings, and return who is signed in."""
    browser = Browser(make_app(register.provider, **settings), ORIGIN, {ISSUER: register.provider})

    async def sign_in() -> str | None:
        await browser.sign_in("alice", "/page")
        return await who_am_i(browser)

    return anyio.run(sign_in)


def test_a_registered_client_signs_users_in(register, tmp_path):
    """With nothing but what the command has printed."""
    said = register()

    values = said.values(tmp_path)
    assert (said.err, said.status, list(values)) == ("", 0, SAVED)
    found = user_of(register, client_id=values["OIDC_CLIENT_ID"], client_secret=values["OIDC_CLIENT_SECRET"])
    assert found == "alice"


def test_a_client_with_a_key_gets_no_secret(register, tmp_path):
    """The provider knows its public key instead."""
    said = register("--jwks", "inline", client_key=KEY.pem)

    values = said.values(tmp_path)
    assert (said.err, said.status, list(values)) == ("", 0, [name for name in SAVED if name != "OIDC_CLIENT_SECRET"])
    assert user_of(register, client_id=values["OIDC_CLIENT_ID"], client_key=KEY.pem) == "alice"


def test_the_environment_needs_no_client_id(register):
    """Variables are how most apps get their settings."""
    settings = {"OIDC_ISSUER": ISSUER, "OIDC_BASE_URL": ORIGIN, "OIDC_SECRET": SECRET}
    variables = {**settings, "OIDC_CLIENT_AUTH": "client_secret_basic", "OIDC_METADATA": "{}"}

    said = register.run(None, "--dry-run", variables=variables)

    assert "connect_" in said.err  # it got as far as the provider, which is nowhere
    assert (said.status, "client_id" in said.err) == (1, False)


def test_problems_of_the_settings_are_listed(register):
    """As at the start of the app."""
    said = register.run(None, variables={"OIDC_ISSUER": ISSUER})

    assert said.status == 1
    assert "base_url (OIDC_BASE_URL): missing" in said.err


def test_a_file_with_the_values_is_private(register, tmp_path):
    """It has secrets, and they stand nowhere else."""
    path = tmp_path / "registered.env"
    said = register("--output", str(path))

    assert (said.status, stat.S_IMODE(path.stat().st_mode)) == (0, 0o600)
    assert all(
        value not in said.out + said.err for value in said._replace(out=path.read_text()).values(tmp_path).values()
    )


def test_a_file_is_not_overwritten_unasked(register, tmp_path):
    """Its secrets may be those of another client; so nothing is registered at all."""
    path = tmp_path / "registered.env"
    path.write_text("OIDC_CLIENT_ID=other\n")
    refused = register("--output", str(path))

    assert (refused.status, register.provider.count("/register"), path.read_text()) == (1, 0, "OIDC_CLIENT_ID=other\n")
    assert (register("--output", str(path), "--overwrite").status, "other" in path.read_text()) == (0, False)


@pytest.mark.parametrize("place", ["nowhere/file", "."])
def test_a_place_that_cannot_be_written_is_found_before_registering(register, tmp_path, place):
    """A client whose secret is lost helps nobody."""
    said = register("--output", str(tmp_path / place))

    assert (said.status, register.provider.count("/register")) == (1, 0)


def test_a_dry_run_registers_nothing(register):
    """It prints what would be sent."""
    said = register("--dry-run")

    assert (said.status, register.provider.count("/register")) == (0, 0)
    assert said.members["redirect_uris"] == [f"{ORIGIN}/auth/callback"]


def test_an_initial_access_token_comes_from_a_file_or_a_variable(register, tmp_path):
    """Not from an argument, which other users of the machine could see."""
    register.provider.initial_access_token = "token-from-the-administrator"
    path = tmp_path / "token"
    path.write_text("token-from-the-administrator\n")

    refused = register()
    assert (refused.status, "--initial-access-token-file" in refused.err) == (1, True)
    assert register("--initial-access-token-file", str(path)).status == 0
    assert register(variables={"INITIAL_ACCESS_TOKEN": "token-from-the-administrator"}).status == 0


def test_a_token_file_that_has_none_is_refused(register, tmp_path):
    """Such as an empty one."""
    path = tmp_path / "token"
    path.write_text("\n")

    said = register("--initial-access-token-file", str(path))

    assert (said.status, "expected a token" in said.err) == (1, True)
    assert register("--initial-access-token-file", str(tmp_path / "none")).status == 1


def test_one_of_several_providers_is_named(register, tmp_path):
    """Each client is registered at one of them."""
    provider = Provider(issuer=ISSUER, client_id="not-known-yet", http_client=register.provider.http_client())
    github = OAuth2Provider.github(client_id="x", client_secret="y")
    app = OIDCMiddleware(App(), base_url=ORIGIN, secret=SECRET, providers={"work": provider, "github": github})

    assert "--provider with one of work, github" in register.run(app).err
    assert "there is no provider home" in register.run(app, "--provider", "home").err
    assert "without OpenID Connect" in register.run(app, "--provider", "github").err
    values = register.run(app, "--provider", "work").values(tmp_path)
    assert list(values) == [
        "OIDC_WORK_CLIENT_ID",
        "OIDC_WORK_CLIENT_SECRET",
        "WORK_REGISTRATION_ACCESS_TOKEN",
        "WORK_REGISTRATION_CLIENT_URI",
    ]


# What the provider answers: exit status, and what is told.
ANSWERS = {
    "registration_no_client_id": (1, "client_id is missing"),
    "registration_client_id_number": (1, "client_id: expected text"),
    "registration_client_id_empty": (1, "client_id: expected text"),
    "registration_no_secret": (1, "client_secret: missing"),
    "registration_secret_number": (1, "client_secret: expected text"),
    "registration_no_secret_expiry": (2, "client_secret_expires_at: missing"),
    "registration_secret_expiry_text": (1, "client_secret_expires_at: expected seconds"),
    "registration_secret_expired": (1, "has expired already"),
    "registration_secret_expires": (2, "the secret expires on 20"),
    "registration_other_redirect_uris": (1, "redirect_uris: asked for"),
    "registration_no_redirect_uris": (2, "but the answer does not confirm it"),
    "registration_other_auth_method": (1, "token_endpoint_auth_method: asked for"),
    "registration_other_alg": (1, "id_token_signed_response_alg: the provider has registered"),
    "registration_no_access_token": (2, "registration_access_token: missing"),
    "registration_no_client_uri": (2, "registration_client_uri: missing"),
    "registration_client_uri_elsewhere": (1, "do not send the token there"),
    "registration_client_uri_plain_http": (1, "do not send the token there"),
    "registration_invalid_redirect_uri": (1, "invalid_redirect_uri"),
    "registration_invalid_client_metadata": (1, "invalid_client_metadata"),
    "registration_invalid_token": (1, "--initial-access-token-file"),
    "registration_forbidden": (1, "access_denied"),
    "registration_too_many": (1, "registration_unavailable"),
    "registration_status_200": (2, "status 200, not 201"),
    "registration_500": (1, "registration_unavailable"),
    "registration_html": (1, "registration_not_json"),
    "registration_not_json": (1, "registration_not_json"),
    "registration_json_array": (1, "registration_not_json"),
    "registration_huge": (1, "registration_too_large"),
    "registration_gzip_bomb": (1, "registration_compressed"),
    "registration_redirect": (1, "registration_redirect"),
    "registration_no_endpoint": (1, "no registration_endpoint"),
    "registration_endpoint_plain_http": (1, "must use https"),
    "registration_endpoint_number": (1, "must be a URL"),
}


@pytest.mark.parametrize("fault", ANSWERS)
def test_differences_from_the_settings_are_reported(register, fault):
    """A registration is never silently weaker than the settings."""
    with register.provider.fault(fault):
        said = register()

    status, text = ANSWERS[fault]
    assert (said.status, text in said.err) == (status, True), said.err
    assert "PHISHING" not in said.out + said.err or status == 1


def test_keys_that_were_not_registered_are_reported(register):
    """The client could not authenticate."""
    with register.provider.fault("registration_no_jwks"):
        said = register("--jwks", "inline", client_key=KEY.pem)

    assert (said.status, "does not confirm it" in said.err) == (2, True)


def test_secrets_are_printed_only_among_the_values(register, tmp_path):
    """Messages may end in the log of a build."""
    with register.provider.fault("registration_other_redirect_uris"):
        said = register()

    secrets = said.values(tmp_path)
    assert not [name for name in SAVED[1:3] if secrets[name] in said.err]
