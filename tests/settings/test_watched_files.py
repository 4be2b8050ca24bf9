"""Which files are watched, when a change counts, and what happens to a value that cannot be used."""

import os
from pathlib import Path

import pytest

from asgi_oidc import OIDCMiddleware
from asgi_oidc.settings.watched_files import Change, WatchedFiles
from asgi_oidc.web.asgi_types import Receive, Scope, Send
from tests.settings.required_settings import OTHER_SECRET, SECRET

ENVIRON = {
    "OIDC_ISSUER": "https://id.example.com",
    "OIDC_CLIENT_ID": "web",
    "OIDC_BASE_URL": "https://app.example.com",
}


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Nobody calls it."""


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """The file of the secret."""
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    return path


@pytest.fixture
def files(secret: Path) -> WatchedFiles:
    """Only the secret is in a file."""
    return WatchedFiles({**ENVIRON, "OIDC_SECRET_FILE": str(secret)}, {})


def found(files: WatchedFiles) -> Change:
    """Look until a change counts: it has to be found twice."""
    assert files.look() == []
    (change,) = files.look()
    return change


def test_a_change_counts_when_it_is_found_twice(files, secret):
    """The first look may have come in the middle of a write."""
    secret.write_text(OTHER_SECRET)

    change = found(files)

    assert change.settings is not None
    assert change.settings.secret == (OTHER_SECRET.encode(),)
    assert [files.look() for _ in range(3)] == [[], [], []]


def test_after_a_pause_a_file_at_rest_counts_at_once(files, secret):
    """Nobody has looked for hours, and the next request may bring a cookie of the old secret."""
    secret.write_text(OTHER_SECRET)
    just_now = files.look(is_first=True)
    secret.write_text(f"{OTHER_SECRET},{SECRET}")
    os.utime(secret, (0, 0))

    (change,) = files.look(is_first=True)

    assert (just_now, change.settings is not None) == ([], True)


def test_a_file_that_is_being_written_does_not_count(files, secret):
    """Half of a list would be one valid secret, and sign everybody out who has the other one."""
    secret.write_text(SECRET)
    files.look()
    secret.write_text(f"{OTHER_SECRET}")
    assert files.look() == []
    secret.write_text(f"{OTHER_SECRET},{SECRET}")

    change = found(files)

    assert change.settings is not None
    assert len(change.settings.secret) == 2


def test_the_symbolic_link_of_kubernetes_is_followed(tmp_path):
    """Kubelet writes a new folder, and replaces the link `..data` to it; the new file may be the older one."""
    for name, text in (("..1", SECRET), ("..2", OTHER_SECRET)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "secret").write_text(text)
    os.utime(tmp_path / "..2" / "secret", (0, 0))
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "secret").symlink_to("..data/secret")
    files = WatchedFiles({**ENVIRON, "OIDC_SECRET_FILE": str(tmp_path / "secret")}, {})
    assert files.look() == []

    (tmp_path / "..data_tmp").symlink_to("..2")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")

    settings = found(files).settings
    assert settings is not None
    assert settings.secret == (OTHER_SECRET.encode(),)


def test_a_file_that_replaces_another_is_noticed(files, secret):
    """Editors and Docker write a new one, and rename it."""
    new = secret.with_suffix(".new")
    new.write_text(OTHER_SECRET)
    new.rename(secret)

    assert found(files).settings is not None


def test_a_change_that_is_undone_is_a_change(files, secret):
    """What counts is the value in use, not the one of the start."""
    secret.write_text(OTHER_SECRET)
    found(files)
    secret.write_text(SECRET)

    settings = found(files).settings
    assert settings is not None
    assert settings.secret == (SECRET.encode(),)


def test_the_same_size_and_time_do_not_hide_a_change(files, secret):
    """Secrets have the same length, and some tools keep the time."""
    before = secret.stat()
    secret.write_text(SECRET.swapcase() + "\n")
    os.utime(secret, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert found(files).settings is not None


def test_the_same_value_is_no_change(files, secret):
    """A line break at the end does not matter."""
    secret.write_text(SECRET)

    assert [files.look() for _ in range(3)] == [[], [], []]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "the file must not be empty or larger than 65536 bytes"),
        (b"  \n", "the file must not be empty or larger than 65536 bytes"),
        (b"x" * 70_000, "the file must not be empty or larger than 65536 bytes"),
        (b"\xff\xfe", "the file cannot be read (UnicodeDecodeError); check that"),
        (b"short", "OIDC_SECRET: has less than 32 bytes of entropy; "),
    ],
)
def test_a_mistake_is_reported_once_and_then_recovers(files, secret, data, problem):
    """The old value stays in use meanwhile."""
    secret.write_bytes(data)

    change = found(files)
    assert (change.settings, change.problem.startswith(problem)) == (None, True)
    assert files.look() == []
    secret.write_text(OTHER_SECRET)
    assert found(files).settings is not None


def test_a_file_that_is_gone_is_reported_and_may_come_back_as_it_was(files, secret):
    """Nothing has changed then."""
    secret.unlink()
    assert found(files).problem.startswith("the file cannot be read (FileNotFoundError); ")
    secret.write_text(SECRET)

    assert [files.look() for _ in range(3)] == [[], [], []]


def test_a_file_that_may_not_be_read_is_reported(files, secret):
    """A folder stands for it: root may read all files."""
    secret.unlink()
    secret.mkdir()

    assert found(files).problem.startswith("the file cannot be read (IsADirectoryError); ")


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="needs /dev/fd")
def test_a_pipe_is_read_once_and_not_watched():
    """Shells give a program the output of another one so: `OIDC_SECRET_FILE=<(...)`."""
    read, write = os.pipe()
    os.write(write, SECRET.encode())
    os.close(write)
    try:
        environ = {**ENVIRON, "OIDC_SECRET_FILE": f"/dev/fd/{read}"}
        middleware = OIDCMiddleware.from_env(app, environ=environ, client_secret="s3cret-of-the-client")
    finally:
        os.close(read)

    assert middleware.base_url == ENVIRON["OIDC_BASE_URL"]


def test_a_mistake_in_one_file_does_not_stop_the_others(tmp_path, secret):
    """Each is checked with the values of the others that are in use."""
    client_secret = tmp_path / "client-secret"
    client_secret.write_text("first")
    files = WatchedFiles(
        {**ENVIRON, "OIDC_SECRET_FILE": str(secret), "OIDC_CLIENT_SECRET_FILE": str(client_secret)}, {}
    )
    secret.write_text("short")
    client_secret.write_text("second")
    files.look()

    changes = {change.file.setting: change for change in files.look()}

    assert changes["secret"].settings is None
    settings = changes["client_secret"].settings
    assert settings is not None
    assert (settings.client_secret, settings.secret) == ("second", (SECRET.encode(),))


def test_settings_that_do_not_fit_together_are_a_mistake(tmp_path, secret):
    """As at start-up: the secret must be long enough to verify signatures with it."""
    client_secret = tmp_path / "client-secret"
    client_secret.write_text("a-client-secret-of-exactly-32-b.")
    environ = {**ENVIRON, "OIDC_SECRET_FILE": str(secret), "OIDC_ALLOW_HS256": "true"}
    files = WatchedFiles({**environ, "OIDC_CLIENT_SECRET_FILE": str(client_secret)}, {})
    client_secret.write_text("short")

    assert "client_secret" in found(files).problem.lower()


def test_only_files_whose_settings_are_in_use_are_watched(tmp_path):
    """A keyword replaces the variable; other settings take effect at the next start."""
    environ = {
        **ENVIRON,
        "OIDC_SECRET_FILE": "a",
        "OIDC_CLIENT_SECRET_FILE": "b",
        "OIDC_STORE_FILE": "c",
        "OIDC_LOGOUT_STORE_FILE": "d",
        "OIDC_RULES_FILE": "e",
        "OIDC_CLIENT_SECRET": "not a file",
    }

    files = WatchedFiles(environ, {"secret": SECRET})

    assert [file.setting for file in files.files] == ["client_secret", "store", "logout_store"]


def test_the_secret_of_each_provider_is_watched(tmp_path):
    """Unless a keyword replaces all providers."""
    environ = {"OIDC_PROVIDERS": "google,work", "OIDC_WORK_CLIENT_SECRET_FILE": "a", "OIDC_BASE_URL": "https://x"}

    replaced: list[dict[str, object]] = [{}, {"providers": {}}]
    watched = [WatchedFiles(environ, keywords).files for keywords in replaced]

    assert [[(file.provider, file.setting) for file in files] for files in watched] == [[("work", "client_secret")], []]


def test_it_prints_no_secret(files, secret):
    """Error reporters record what objects print."""
    secret.write_text(OTHER_SECRET)

    printed = repr(files) + repr(found(files))

    assert [text for text in (SECRET, OTHER_SECRET) if text in printed] == []
