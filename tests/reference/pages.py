"""The pages of examples/reference that are made from the code, as Markdown."""

import ast
import logging
from collections import defaultdict

from asgi_oidc import audit, errors, events
from asgi_oidc.errors.codes import Code
from asgi_oidc.settings.help_text import read_documentation
from tests.reference.api import api_page
from tests.reference.codes import CODES
from tests.reference.source import PACKAGE, attributes_of, logged_events, raised_codes, texts_below
from tests.reference.statuses import statuses

MADE = "<!-- Made from the code by `uv run python -m tests.reference`: edit the source instead. -->\n"

SETTINGS = """# Settings

Every setting is a keyword of `OIDCMiddleware`, and most are environment variables for `OIDCMiddleware.from_env(app)`.
Keywords take precedence over variables, but every variable that is set must be valid, even one that a keyword replaces.
`help(OIDCMiddleware)` shows the same list.

In the environment:

- Write a list with commas (`OIDC_PUBLIC="/,/static/*"`), but `scope` with spaces (`OIDC_SCOPE="openid email"`). Write a
  mapping and `rules` as JSON, and a switch as `true` or `false`.
- `OIDC_..._FILE` names a file that contains the value, such as a mounted secret:
  `OIDC_CLIENT_SECRET_FILE=/run/secrets/client`. The files of `secret`, `client_secret`, `store` and `logout_store`
  are read again when they change: [secrets that change](../deployment/README.md#change-a-secret-while-the-app-runs).
- With [`OIDC_PROVIDERS`](#providers), each setting of a provider has a variable with the name in capitals, and
  `_` instead of `-`: `OIDC_PROVIDERS=google,work-de` needs `OIDC_GOOGLE_ISSUER`, `OIDC_WORK_DE_ISSUER`, and so on.
  `OIDC_GOOGLE_TITLE` is the name that users see. The variables of a single provider, such as `OIDC_ISSUER`, are not
  allowed beside them.
- An empty variable counts as not set.

Unknown, contradictory and insecure settings raise one `SettingsError` at start-up that lists all of them.
"""

EVENTS = """# Log events

Every line of the logger `asgi_oidc` starts with the name of its event; fields follow as `key=value`. The name is also
the attribute `event` of the log record, and the fields are its attribute `oidc`, a dict, for
[logs in JSON](../logging/README.md#write-json). Unknown fields are left out. No field contains a secret, a token or a
cookie; values from outside are truncated and cleaned.

Every line with a `reference` that a page or a JSON response shows is at WARNING or above, which Python prints without
any configuration. [Codes](codes.md) explains the field `code`.
"""

AUDIT = """# Audit events

The function of the setting [`on_event`](settings.md#on_event) gets one of these for everything that an audit trail
should tell. They are frozen `msgspec` structs in the module `asgi_oidc.audit`, below `AuditEvent`:
`msgspec.json.encode(event)` makes JSON of one, with its `name`, and `msgspec.to_builtins(event)` a dict.

Unlike the [log](events.md), an audit trail has personal data: who did something, and from which address. No event
contains a token, a secret, a code or a cookie, and nothing unverified appears as a fact: a forged token or callback has
no `sub`.

**Delivery.** Events wait in a queue, and are delivered one at a time, in order, after the response; a slow function, or
one that raises, affects no request. It has 5 seconds for each event. At most 1,000 events wait. Those that clients can
cause as often as they like have queues of their own, of 250 each: one for events with a verified user, one for events
without. So a flood of forged callbacks costs no sign-in its place, and hides no user who was refused; while it fills
its queue, all other events are delivered first. What does not fit is dropped; `events_dropped`, in the trail and in the
log, counts it. At shutdown, up to 5 seconds are spent on what still waits. If the process is killed, it is lost.

A middleware inside another one has an `on_event` of its own; without it, its events go to that of the outer one.
"""

SESSIONS = "## Sign-ins, sign-outs and the trail itself"
REPEATABLE = """## Refusals and outages

Clients, or an outage, can cause these as often as they like: they are dropped first."""

FIELDS = """## Fields

| field | what it is |
|---|---|
| `code` | what went wrong, as in [codes](codes.md); for `websocket_closed`, the close code |
| `detail` | what was expected, and what was received |
| `reference` | what the user sees on the error page, or a program in the JSON response |
| `fallback` | what was used instead, so that the request could continue |
| `what`, `fix` | what is wrong with the deployment, and what to change |
| `why`, `hint` | which part of a rule is not met, and what may help |
| `raised`, `at` | class of the app's exception, and the lines of code that led to it (its text is not logged) |
"""

CODES_TEXT = """# Error codes

A code is in the log line (`code=...`), in `error` of a JSON response, and in the attribute `code` of the exception.
"Status" is what the browser gets if the error ends a login or a request; `-` means that it never reaches a browser by
itself. Exceptions without a module are in `asgi_oidc.errors`; those that an app may catch can be imported from
`asgi_oidc`.

A back-channel logout request that is refused gets 400 with the code as `error_description`, and 503 if the store or
the provider cannot be reached.
"""


def settings_page() -> str:
    """Describe every setting."""
    found = read_documentation()
    rows = [
        f"| [`{each.name}`](#{each.name}) | {each.summary} | {_code(each.variable)} | {_default(each.default)} "
        f"| {each.since} |"
        for each in found
    ]
    head = "| setting | what it is | variable | default | since |\n|---|---|---|---|---|\n"
    parts = [MADE, SETTINGS, head + "\n".join(rows) + "\n"]
    for each in found:
        default = _default(each.default) + (f", {each.meaning}" if each.meaning else "")
        facts = (
            f"- Type: `{each.type}`\n- Variable: {_code(each.variable) or 'none, keyword only'}\n"
            f"- Default: {default}\n- Since: {each.since}\n"
        )
        parts.append("\n\n".join(part for part in (f"## {each.name}", each.summary, each.details, facts) if part))
    return "\n".join(parts)


def _default(default: str | None) -> str:
    return "required" if default is None else f"`{default}`"


def _code(text: str | None) -> str:
    return f"`{text}`" if text else ""


def events_page() -> str:
    """Describe every log event, the most severe first."""
    described = texts_below(ast.parse((PACKAGE / "events" / "__init__.py").read_text("utf-8")))
    fields = logged_events()
    by_level: dict[int, list[str]] = defaultdict(list)
    for constant, text in described.items():
        event = getattr(events, constant)
        when, _, fix = (" ".join(part.split()) for part in text.partition("\n\nFix: "))
        listed = ", ".join(f"`{field}`" for field in fields[constant])
        by_level[event.level].append(f"| `{event.name}` | {listed} | {when} | {fix} |")
    parts = [MADE, EVENTS, FIELDS]
    for level in sorted(by_level, reverse=True):
        head = "| event | fields | when | what to do |\n|---|---|---|---|\n"
        parts.append(f"## {logging.getLevelName(level)}\n\n{head}" + "\n".join(by_level[level]) + "\n")
    return "\n".join(parts)


async def codes_page() -> str:
    """Describe every code, with the class of the exception and the status that a browser gets."""
    raised = raised_codes()
    found = await statuses(raised)
    parts = [MADE, CODES_TEXT]
    for subject, codes in CODES.items():
        head = "| code | exception | status | cause | fix |\n|---|---|---|---|---|\n"
        parts.append(f"## {subject}\n\n{head}" + "\n".join(_row(code, found) for code in codes) + "\n")
    parts.append("## Classes\n\n```\n" + _tree() + "\n```\n")
    return "\n".join(parts)


def _row(code: Code, found: dict[str, dict[str, str]]) -> str:
    names = code.names.split()
    kinds: dict[str, str] = {}
    for name in names:
        kinds |= found.get(name, {})
    by_kind = (
        " ".join(f"`{kind}`" if kind[0].isupper() and " " not in kind else kind for kind in kinds) or "only in the log"
    )
    by_status = ", ".join(dict.fromkeys(kinds.values())) or "-"
    return f"| {' '.join(f'`{name}`' for name in names)} | {by_kind} | {by_status} | {code.cause} | {code.fix} |"


def _tree() -> str:
    text = (errors.__doc__ or "").partition("\n\n")[2].partition("\n\nEach has")[0]
    return "\n".join(line.removeprefix("    ") for line in text.splitlines())


def audit_page() -> str:
    """Describe every audit event."""
    described = [getattr(audit, name) for name in audit.__all__ if name != "AuditEvent"]
    common = "\n".join(f"| `{name}` | {text.rstrip('.')} |" for name, text in attributes_of(audit.AuditEvent).items())
    parts = [MADE, AUDIT, f"## Fields of all events\n\n| field | what it is |\n|---|---|\n{common}\n"]
    for is_repeatable, title in ((False, SESSIONS), (True, REPEATABLE)):
        parts.append(f"{title}\n")
        parts += [_audit_event(event) for event in described if event.is_repeatable is is_repeatable]
    return "\n".join(parts)


def _audit_event(event: type[audit.AuditEvent]) -> str:
    text = (event.__doc__ or "").partition("\n\n    Attributes:")[0]
    when = "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))
    rows = "".join(f"| `{name}` | {meaning.rstrip('.')} |\n" for name, meaning in attributes_of(event).items())
    table = f"\n| field | what it is |\n|---|---|\n{rows}" if rows else ""
    return f"### {event.__struct_config__.tag}\n\n`asgi_oidc.audit.{event.__name__}`: {when}\n{table}"


async def pages() -> dict[str, str]:
    """Make all pages, by their file names."""
    made = {
        "audit": audit_page(),
        "settings": settings_page(),
        "events": events_page(),
        "codes": await codes_page(),
        "api": MADE + "\n" + api_page(),
    }
    return {f"{name}.md": text.rstrip("\n") + "\n" for name, text in made.items()}
