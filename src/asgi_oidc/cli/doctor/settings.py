"""Checks the settings: what they refuse, and secrets that were typed or copied from an example."""

import re
from collections.abc import Iterator, Sequence

from asgi_oidc.cli.doctor.credentials import check_credentials
from asgi_oidc.cli.doctor.examined_app import ExaminedApp, name_setting
from asgi_oidc.cli.doctor.finding import Finding
from asgi_oidc.cli.doctor.made_secrets import check_made_secrets
from asgi_oidc.errors import SettingsError
from asgi_oidc.settings.value_checks import HOW_TO_MAKE_ONE

# By what a problem of the settings says. The first that matches counts.
PROBLEMS = (
    ("setting_unknown", re.compile(r"^\S+: unknown setting|is not a setting|did you mean")),
    ("setting_missing", re.compile(r": missing")),
    ("secret_weak", re.compile(r"bytes of entropy")),
    ("base_url_http", re.compile(r"^(base_url|OIDC_BASE_URL)\b.*must use https")),
    ("base_url_is_endpoint", re.compile(r"must be the URL of the app, not of")),
    ("issuer_is_metadata_url", re.compile(r"must be the issuer, not the address of its metadata")),
    ("public_everything", re.compile(r"'/\*' would open every path")),
    ("public_has_mount_path", re.compile(r"relative to base_url|base_url.*already|mount path")),
    ("callback_path_conflict", re.compile(r"^\S*callback_path|^OIDC_\w*CALLBACK_PATH")),
)
# Words of examples and of secrets that people type. A random secret contains one of them once in a million times.
EXAMPLE_WORDS = re.compile(
    r"change.?(me|this|it)|replace|example|secret|password|passwd|insecure|placeholder|default|testing|"
    r"qwert|abcdefg|1234567|dummy|keyboard|letmein|foobar|lorem|random.?string|"
    r"(.)\1{7}",
    re.IGNORECASE,
)
PLACEHOLDERS = re.compile(
    r"\.{3,}|x{3,}|<.*>|\$?\{.*\}|your[-_ ].*|change.?me|client[-_ ]?(id|secret)|(app|my)[-_ ]?(id|secret)|secret|todo|"
    r"replace[-_ ].*",
    re.IGNORECASE,
)


def settings_findings(error: SettingsError) -> list[Finding]:
    """Turn each problem of invalid settings into a finding."""
    return [_finding_of(problem) for problem in error.problems]


def _finding_of(problem: str) -> Finding:
    name = next((name for name, pattern in PROBLEMS if pattern.search(problem)), "settings_invalid")
    setting, _, text = problem.partition(": ")
    what, separator, fix = text.partition("; ")
    if not separator:
        what, separator, fix = text.rpartition(": ")
        if not fix[:1].isalpha():  # inside an example, such as [{"type": "x"}]
            what, separator, fix = text, "", ""
    return Finding(name, what or text, fix if separator else "", where=setting)


def check_values(site: ExaminedApp) -> Iterator[Finding]:
    """Check the values of valid settings: secrets, keys, certificates."""
    yield from check_secrets(site)
    yield from check_credentials(site)


def check_secrets(site: ExaminedApp) -> Iterator[Finding]:
    """Look for secrets that somebody typed, and for placeholders; the text of none is shown."""
    settings = site.settings
    yield from check_made_secrets(site)
    if any(EXAMPLE_WORDS.search(secret.decode("utf-8", "replace")) for secret in settings.secret):
        problem = "the secret has a word in it: it was typed, or copied from an example, so others may know it"
        yield Finding("secret_example", problem, HOW_TO_MAKE_ONE, where=name_setting("secret"))
    for name, provider in settings.fixed_providers.items():
        client = provider.client
        for setting, value in (("client_id", client.client_id), ("client_secret", client.secret)):
            if value is not None and PLACEHOLDERS.fullmatch(value):
                fix = f"set it to the value that the provider shows for your app{_public_hint(setting)}"
                yield Finding("placeholder_value", "it is a placeholder", fix, where=name_setting(setting, name))
        if client.secret is not None and client.secret.encode() in settings.secret:
            problem = "the same value is also the client_secret, which the provider knows"
            yield Finding("secret_reused", problem, HOW_TO_MAKE_ONE, where=name_setting("secret"))


def _public_hint(setting: str) -> str:
    return ", or leave it out for a public client" if setting == "client_secret" else ""


def secrets_of(site: ExaminedApp) -> Sequence[str]:
    """Return all secrets of the settings, so that no report shows one."""
    settings = site.settings
    clients = [provider.client.secret for provider in settings.fixed_providers.values()]
    return [
        *(secret.decode("utf-8", "replace") for secret in settings.secret),
        *(secret for secret in clients if secret),
    ]
