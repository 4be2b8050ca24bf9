"""The values to keep are read back as the provider has made them, and are no commands to a shell."""

import shutil
import subprocess

import pytest

from asgi_oidc.cli.env_file import read_env_file
from asgi_oidc.cli.register.saved_values import env_lines

SECRETS = [
    "plain-Secret_0.9~",
    "https://id.example.com/register?client=web&tenant=1",
    "x&echo harm >&2",
    "it's",
    "it's $(echo harm >&2)",
    "it's `echo harm >&2`",
    "'; echo harm >&2; '",
    "'\"; echo harm >&2; \"'",
    "~root:~root",
    "a'\\''b\\",
    '"quoted" #no comment',
    " ",
]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_value_is_read_back_as_it_was(secret, tmp_path):
    """A provider may put any character into a secret (RFC 6749 appendix A.2)."""
    path = tmp_path / "client.env"
    path.write_text(env_lines({"OIDC_CLIENT_SECRET": secret, "LAST": "1"}))

    assert read_env_file(path) == {"OIDC_CLIENT_SECRET": secret, "LAST": "1"}


@pytest.mark.parametrize("secret", SECRETS)
def test_a_shell_that_reads_the_file_runs_nothing_of_it(secret, tmp_path):
    """Many read such a file with `. client.env`; a provider must not run commands there."""
    path, shell = tmp_path / "client.env", shutil.which("sh") or "sh"
    path.write_text(env_lines({"OIDC_CLIENT_SECRET": secret}))

    script = '. "$1" && printf %s "$OIDC_CLIENT_SECRET"'
    ran = subprocess.run([shell, "-c", script, shell, path], capture_output=True, text=True, timeout=60, check=True)

    assert (ran.stdout, ran.stderr) == (secret, "")
