"""Workload identity: another system signs the assertion and renews the file, and each call sends what is there."""

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from asgi_oidc.errors import ProviderUnavailable
from asgi_oidc.provider.assertion_file import AssertionFile
from asgi_oidc.testing import AssertionIssuer, Client, ClientKey, FakeProvider
from tests.protected_site import NOW, Site

CLUSTER = ClientKey("RS256", clock=lambda: NOW)
SUBJECT = "system:serviceaccount:default:app"


def token(**claims: Any) -> str:
    made = {"iss": "https://cluster.example.com", "sub": SUBJECT, "aud": ["https://id.example.com"], "exp": NOW + 600}
    return CLUSTER.sign({**made, **claims})


async def read(path: Path, now: float = NOW) -> str:
    return await AssertionFile(str(path), lambda: now).read()


async def problem_of(path: Path, now: float = NOW) -> str:
    with pytest.raises(ProviderUnavailable) as caught:
        await read(path, now)
    assert caught.value.code == "client_assertion_file"
    assert caught.value.detail.startswith(f"{path}: ")
    return caught.value.detail


async def test_a_login_sends_what_the_file_has(tmp_path):
    """The provider trusts the cluster, so the app has no secret at all."""
    path = tmp_path / "token"
    issuer = AssertionIssuer("https://cluster.example.com", SUBJECT, [CLUSTER.public_jwk])
    provider = FakeProvider(alg="ES256", clients=[Client("web", client_secret=None, assertion_issuers=[issuer])])
    path.write_text(token(aud=provider.issuer) + "\n")
    site = Site(provider=provider, client_secret=..., client_assertion_file=str(path))

    await site.signed_in()

    sent = [call.form["client_assertion"] for call in provider.calls if "client_assertion" in call.form]
    assert sent == [path.read_text().strip()]


async def test_without_the_file_the_log_says_why(tmp_path, caplog):
    """A volume that is not mounted; the login can be tried again."""
    site = Site(client_secret=..., client_assertion_file=str(tmp_path / "token"))
    site.provider.metadata["token_endpoint_auth_methods_supported"] = ["private_key_jwt"]

    response = await site.failed_login()

    assert (response.status_code, response.json()["error"]) == (503, "client_assertion_file")
    assert "there is no such file: check the path, and that its volume is mounted" in caplog.text


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "it is empty"),
        (b"not a token", "got text of 11 characters that is none"),
        (b"a.b.c", "that is none"),
        (token().rpartition(".")[0].encode(), "that is none"),
        (b"\xff\xfe", "characters that a JWT cannot have"),
        (b"x" * 20_000, "more than 16384 characters"),
        (token(exp=NOW).encode(), "it expired 0 s ago"),
        (token(exp=NOW - 4000).encode(), "it expired 4000 s ago: check what renews the file"),
    ],
    ids=lambda value: ascii(value)[:20],
)
async def test_what_no_provider_would_accept_is_not_sent(tmp_path, content, found):
    """The error names the path and the likely reason, and never what the file has."""
    path = tmp_path / "token"
    path.write_bytes(content)

    detail = await problem_of(path)

    assert found in detail
    assert len(content) < 30 or content[:30].decode() not in detail


async def test_a_folder_is_no_file(tmp_path):
    """The class of the error tells enough."""
    detail = await problem_of(tmp_path)

    assert "it cannot be read (IsADirectoryError)" in detail


async def test_a_half_written_file_is_read_once_more(tmp_path):
    """A writer that does not replace the file at once is almost done."""
    path, reads = tmp_path / "token", []
    path.write_text(token()[:50])

    def clock() -> float:
        reads.append(path.read_text())
        if len(reads) == 2:
            path.write_text(token())
        return NOW

    found = await AssertionFile(str(path), clock).read()

    assert (found, len(reads)) == (token(), 2)


async def test_the_file_is_read_again_after_a_second(tmp_path):
    """Many calls at once read it once; after a rotation, the old one is soon gone."""
    path, now = tmp_path / "token", [float(NOW)]
    file = AssertionFile(str(path), lambda: now[0])
    path.write_text(token(jti="first"))
    first = await file.read()
    path.write_text(token(jti="second"))

    again = await file.read()
    now[0] += 1
    later = await file.read()

    assert (again, later) == (first, token(jti="second"))


async def test_a_file_system_that_hangs_occupies_one_thread(tmp_path):
    """Every call ends in time, and none waits for the others."""
    path = tmp_path / "pipe"
    os.mkfifo(path)  # to open it waits for a writer
    file = AssertionFile(str(path), lambda: NOW, max_wait=0.05)
    before = threading.active_count()

    details = []
    for _ in range(3):
        with pytest.raises(ProviderUnavailable) as caught:
            await file.read()
        details.append(caught.value.detail)

    waiting = threading.active_count() - before
    path.write_bytes(b"")  # lets that thread end
    assert details == [f"{path}: the file system does not answer"] * 3
    assert waiting <= 1
