"""The demo app's pages and their stylesheet."""

import json
from collections.abc import Mapping
from datetime import datetime
from html import escape
from typing import Any

MAX_LIST_LENGTH = 8  # values; a claim with more is shown collapsed
INSTANTS = ("auth_time", "exp", "iat", "nbf", "updated_at")  # claims in seconds since the epoch

MARK = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" width="32" height="32" fill="none" stroke="#4a7df0" \
stroke-width="3" stroke-linecap="round"><path d="M11 4a13 13 0 0 0 0 24M21 4a13 13 0 0 1 0 24"/>\
<circle cx="16" cy="16" r="4.5" fill="#4a7df0" stroke="none"/></svg>
"""

STYLESHEET = """\
:root {
  color-scheme: light dark;
  --paper: #f6f7f9; --card: #fff; --ink: #1b1f24; --soft: #5a6370; --line: #e2e6eb; --accent: #1d4ed8; --on: #fff;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #0f1216; --card: #171b21; --ink: #e8ebef; --soft: #9aa4b1; --line: #2a3038; --accent: #8ab4ff;
    --on: #0f1216;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 0 1.5rem; max-width: 46rem; min-height: 100vh; display: flex; flex-direction: column;
  background: var(--paper); color: var(--ink); font: 1.0625rem/1.65 system-ui, sans-serif;
}
header { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1.5rem; padding: 1.5rem 0; }
header form { margin-left: auto; }
.brand { display: flex; align-items: center; gap: .625rem; color: inherit; font-weight: 600; text-decoration: none; }
.brand svg { width: 1.75rem; height: 1.75rem; color: var(--accent); }
main { flex: 1; padding: clamp(2rem, 9vh, 5.5rem) 0 3rem; }
footer { padding: 1.5rem 0 2rem; border-top: 1px solid var(--line); color: var(--soft); font-size: .875rem; }
footer span { white-space: nowrap; }
h1 {
  margin: 0 0 1rem; font-size: clamp(2rem, 7vw, 3.125rem); line-height: 1.1; letter-spacing: -.025em;
  text-wrap: balance; overflow-wrap: anywhere;
}
h2 { margin: 3rem 0 .75rem; font-size: 1.125rem; letter-spacing: -.01em; }
p { margin: 0 0 1rem; max-width: 36rem; overflow-wrap: anywhere; text-wrap: pretty; }
.lead { color: var(--soft); font-size: 1.1875rem; }
.actions { display: flex; flex-wrap: wrap; align-items: center; gap: .75rem 1.25rem; margin: 2rem 0 0; }
a { color: var(--accent); text-underline-offset: .2em; }
.button {
  display: inline-block; padding: .6rem 1.25rem; border: 1px solid var(--line); border-radius: .625rem;
  background: var(--card); color: var(--ink); font: inherit; font-weight: 600; line-height: 1.5;
  text-decoration: none; cursor: pointer;
}
.button:hover { border-color: var(--soft); }
.button.first { border-color: var(--accent); background: var(--accent); color: var(--on); }
.button.first:hover { filter: brightness(1.1); }
.button.small { padding: .3rem .875rem; font-size: .9375rem; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 3px; }
.card { overflow: hidden; border: 1px solid var(--line); border-radius: .875rem; background: var(--card); }
.trials { display: grid; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); gap: 1rem; }
.trials .card { display: flex; flex-direction: column; justify-content: space-between; padding: 1.25rem 1.375rem; }
.trials .button { align-self: start; }
label { display: block; margin: 2rem 0 .375rem; font-weight: 600; }
textarea {
  width: 100%; padding: .75rem 1rem; border: 1px solid var(--line); border-radius: .625rem; background: var(--card);
  color: var(--ink); font: inherit; resize: vertical; margin: 0 0 1rem;
}
code, pre { font-family: ui-monospace, "Cascadia Code", Menlo, Consolas, monospace; font-size: .875em; }
pre code { font-size: 1em; }
pre { margin: 0; padding: 1.125rem 1.375rem; overflow-x: auto; line-height: 1.7; }
pre i { color: var(--soft); font-style: normal; }
table { width: 100%; border-collapse: collapse; font-size: .9375rem; }
th, td { padding: .7rem 1.375rem; text-align: left; vertical-align: baseline; }
tr + tr > * { border-top: 1px solid var(--line); }
th { width: 14rem; font-weight: 500; color: var(--soft); }
td { overflow-wrap: anywhere; }
td small { display: block; color: var(--soft); font-size: .8125rem; }
summary { cursor: pointer; }
ul { display: flex; flex-wrap: wrap; gap: .5rem; margin: 0; padding: 0; list-style: none; }
li { padding: .15rem .75rem; border: 1px solid var(--line); border-radius: 2rem; background: var(--card); }
li code { font-size: .8125rem; }
@media (max-width: 34rem) {
  body { padding: 0 1.25rem; }
  pre { padding: 1rem 1.125rem; font-size: .75rem; }
  th, td { display: block; width: auto; padding: .7rem 1.125rem; }
  th { padding-bottom: 0; }
  tr > td { padding-top: .1rem; border-top: 0 !important; }
}
"""

CODE = """\
app = OIDCMiddleware(
    app,
    base_url=<i>"https://app.example.com"</i>,
    secret=<i>"..."</i>,
    public=[<i>"/"</i>, <i>"/static/*"</i>],
    providers={
        <i>"google"</i>: Provider.google(client_id=<i>"..."</i>, client_secret=<i>"..."</i>),
        <i>"work"</i>: Provider(issuer=<i>"https://id.example.com"</i>, client_id=<i>"..."</i>, ...),
        <i>"github"</i>: OAuth2Provider.github(client_id=<i>"..."</i>, client_secret=<i>"..."</i>),
    },
    rules=[Rule(<i>"/staff"</i>, providers=[<i>"work"</i>])],
)"""
TRIALS = (  # path, label of the button, what it shows
    (
        "/staff",
        "Open the staff page",
        "A page for users of Work only. Others get a page that leads to the sign-in at Work and back.",
    ),
    (
        "/billing",
        "Open the billing page",
        "A page that asks for a stronger login (step-up). Code Hub cannot confirm one, so its users get 403.",
    ),
    (
        "/admin",
        "Open the admin page",
        "A page for administrators: Alice at Example ID, and Dana at Work. Others get 403.",
    ),
    ("/note", "Write a note", "A form: sign out in another tab before you send it. Nothing is lost."),
)


def home_page(scope: Mapping[str, Any]) -> str:
    """Return the home page: an introduction, or a greeting if the user is signed in."""
    if scope["user"].is_authenticated:
        return _page(scope, "Home", _welcome(scope))
    return _page(
        scope,
        "Home",
        "<h1>Sign-in for any ASGI app.</h1>"
        '<p class="lead">This small app has pages that only signed-in users see. '
        "Three fake providers on your machine let you sign in as anyone: two speak OpenID Connect, "
        "and Code Hub speaks plain OAuth 2.0, as GitHub does.</p>"
        f'<p class="actions"><a class="button first" href="{_login_url(scope)}">Sign in</a>'
        '<a href="/me">or just open the protected page</a></p>'
        "<h2>All it takes</h2>"
        f'<div class="card"><pre tabindex="0"><code>{CODE}</code></pre></div>',
    )


def me_page(scope: Mapping[str, Any]) -> str:
    """Return the page that shows signed-in users what the app knows about them."""
    user, ends_at = scope["user"], scope["oidc"].expires_at
    scopes = "".join(f"<li><code>{escape(name)}</code></li>" for name in scope["auth"].scopes)
    rows = "".join(_row(name, value) for name, value in user.claims.items())
    return _page(
        scope,
        "You",
        f'<h1>{escape(user.display_name)}</h1><p class="lead">Only you see this page.</p>'
        '<p class="actions"><a class="button first" href="/">Try rules, a step-up and a form</a></p>'
        f"<h2>Your session</h2><p>You signed in at the provider <code>{escape(user.provider)}</code>. "
        f"The session ends at {_time(ends_at)} unless you use it.</p>"
        f"<h2>Granted scopes</h2><ul>{scopes}</ul>"
        f'<h2>Your claims</h2><div class="card"><table>{rows}</table></div>',
    )


def staff_page(scope: Mapping[str, Any]) -> str:
    """Return the page that only the users of one provider may open."""
    return _reached(scope, "Staff only", "You signed in at Work, so the rule lets you in.")


def billing_page(scope: Mapping[str, Any]) -> str:
    """Return the page that asks for a stronger login."""
    acr = escape(str(scope["user"].claims.get("acr")))
    return _reached(scope, "Billing", f"Your login is strong enough: its <code>acr</code> is <code>{acr}</code>.")


def admin_page(scope: Mapping[str, Any]) -> str:
    """Return the page for administrators."""
    return _reached(scope, "Administration", "You have the role <code>admin</code>.")


def note_page(scope: Mapping[str, Any]) -> str:
    """Return a form whose submission a sign-out can interrupt."""
    action = escape(scope["oidc"].logout_url())
    return _page(
        scope,
        "Write a note",
        '<h1>Write a note.</h1><p class="lead">What if your session ends while you write? '
        "Sign out in another tab, then write something here and send it.</p>"
        f'<form method="post" action="{action}" target="_blank"><button class="button">Sign out in another tab</button>'
        '</form><form method="post" action="/note"><label for="note">Your note</label>'
        '<textarea id="note" name="note" rows="5" maxlength="2000" required></textarea>'
        '<button class="button first">Send the note</button></form>',
    )


def sent_note_page(scope: Mapping[str, Any], note: str) -> str:
    """Return the page that shows what has arrived."""
    return _page(
        scope,
        "Your note has arrived",
        f"<h1>Your note has arrived.</h1><p>It was sent by {escape(scope['user'].display_name)}:</p>"
        f'<div class="card"><pre tabindex="0">{escape(note)}</pre></div>'
        '<p class="actions"><a class="button first" href="/">Go home</a></p>',
    )


def missing_page(scope: Mapping[str, Any]) -> str:
    """Return the 404 page."""
    return _page(
        scope,
        "Not found",
        '<h1>Nothing here.</h1><p class="lead">There is no page at this address.</p>'
        '<p class="actions"><a class="button first" href="/">Go home</a></p>',
    )


def _welcome(scope: Mapping[str, Any]) -> str:
    return (
        f"<h1>Hello, {escape(scope['user'].display_name)}.</h1>"
        '<p class="lead">You are signed in. The app found you in <code>scope["user"]</code>.</p>'
        '<p class="actions"><a class="button first" href="/me">See your claims</a>'
        '<a href="/auth/session">The same as JSON</a></p>'
        f'<h2>Try it</h2><div class="trials">{"".join(_trial(*trial) for trial in TRIALS)}</div>'
    )


def _trial(path: str, label: str, text: str) -> str:
    return f'<div class="card"><p>{escape(text)}</p><a class="button" href="{path}">{escape(label)}</a></div>'


def _reached(scope: Mapping[str, Any], title: str, why: str) -> str:
    return _page(
        scope,
        title,
        f'<h1>{title}</h1><p class="lead">{why}</p><p class="actions"><a class="button first" href="/">Go home</a></p>',
    )


def _login_url(scope: Mapping[str, Any]) -> str:
    return escape(scope["oidc"].login_url("/me"))


def _row(name: str, value: Any) -> str:
    return f'<tr><th scope="row"><code>{escape(name)}</code></th><td>{_value(name, value)}</td></tr>'


def _value(name: str, value: Any) -> str:
    if name in INSTANTS and isinstance(value, int):
        return f"{value}<small>{_time(value)}</small>"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if isinstance(value, list | dict) and len(value) > MAX_LIST_LENGTH:
        return f"<details><summary>{len(value)} values</summary>{escape(text)}</details>"
    return escape(text)


def _time(instant: int) -> str:
    """Return a time as HTML, in this machine's time zone, which server and browser share."""
    local = datetime.fromtimestamp(instant).astimezone()
    return f'<time datetime="{local.isoformat()}">{local:%H:%M:%S} on {local.day} {local:%B %Y}</time>'


def _sign_out(scope: Mapping[str, Any]) -> str:
    if not scope["user"].is_authenticated:
        return ""
    action = escape(scope["oidc"].logout_url())
    return f'<form method="post" action="{action}"><button class="button small">Sign out</button></form>'


def _page(scope: Mapping[str, Any], title: str, content: str) -> str:
    logo = MARK.replace("#4a7df0", "currentColor").replace("<svg ", '<svg aria-hidden="true" ').strip()
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} · asgi-oidc demo</title>"
        '<link rel="stylesheet" href="/static/demo.css"><link rel="icon" href="/static/mark.svg"></head>'
        f'<body><header><a class="brand" href="/">{logo}asgi-oidc demo</a>{_sign_out(scope)}</header>'
        f"<main>{content}</main>"
        "<footer>App and providers all run on your machine. <span>Ctrl-C</span> in the terminal ends them.</footer>"
        "</body></html>"
    )
