"""The few pages that a person sees from us: fixed words, hardly a script, light and dark."""

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from html import escape

STYLE = """\
:root{color-scheme:light dark;--bg:#f6f7f9;--card:#fff;--ink:#1b1f24;--soft:#5a6370;--line:#e2e6eb;--accent:#1d4ed8}
@media(prefers-color-scheme:dark){
:root{--bg:#0f1216;--card:#171b21;--ink:#e8ebef;--soft:#9aa4b1;--line:#2a3038;--accent:#8ab4ff}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--bg);color:var(--ink);
font:16px/1.6 system-ui,sans-serif}
main{width:100%;max-width:32rem;padding:clamp(1.5rem,6vw,2.5rem);background:var(--card);
border:1px solid var(--line);border-radius:14px}
h1{margin:0 0 .625rem;font-size:1.5rem;line-height:1.25;letter-spacing:-.015em;text-wrap:balance}
p{margin:0 0 1.5rem;text-wrap:pretty}
h1,p{overflow-wrap:anywhere}
.app{margin:0 0 .5rem;color:var(--soft);font-size:.875rem;font-weight:600}
.actions{display:flex;flex-wrap:wrap;gap:.75rem;align-items:center}
.actions a,.actions button{font:inherit;font-weight:600;padding:.55rem 1.1rem;border-radius:9px;cursor:pointer;
border:1px solid color-mix(in srgb,var(--ink) 35%,transparent);background:none;color:var(--ink);text-decoration:none}
.actions form{display:flex}
@media(max-width:30rem){.actions>*,.actions form>*{flex:1 1 100%;text-align:center}}
.actions .first{background:var(--accent);border-color:var(--accent);color:var(--card)}
.actions :hover{border-color:var(--soft)}
.actions .first:hover{border-color:var(--accent);filter:brightness(1.1)}
:focus-visible{outline:2px solid var(--accent);outline-offset:3px}
.fields{margin:0 0 1.5rem;padding:.25rem 1rem;max-height:20rem;overflow:auto;
border:1px solid var(--line);border-radius:9px}
.fields dt{margin-top:.75rem;color:var(--soft);font-size:.875rem}
.fields dd{margin:0 0 .75rem;white-space:pre-wrap;overflow-wrap:anywhere}
.reference{margin:1.5rem 0 0;padding-top:1rem;border-top:1px solid var(--line);color:var(--soft);font-size:.875rem}
"""
HERE_ONLY = "You may still be signed in to the sign-in service. If you share this computer, sign out there too."
SCRIPT = """\
const link=document.getElementById("login");location.replace(link.href+encodeURIComponent(location.hash))"""
GO_BACK = """\
document.getElementById("back").addEventListener("click",event=>{event.preventDefault();history.back()})"""
SUBMIT = "document.forms[0].submit()"
MAX_NAME_LENGTH = 80  # characters of a name that a page shows
MAX_VALUE_LENGTH = 200  # the same of a field of a form
_HIDDEN = re.compile(  # names of fields that nobody should be able to read over somebody's shoulder
    r"passw|passphrase|pwd|secret|token|csrf|xsrf|nonce|(?<![a-z])(pass|pin|otp|totp|cvv|cvc)(?![a-z])", re.IGNORECASE
)


def _hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


PAGE_CSP = f"default-src 'none'; style-src {_hash(STYLE)}; base-uri 'none'; frame-ancestors 'none'"
FRAGMENT_CSP = f"{PAGE_CSP}; script-src {_hash(SCRIPT)}"
FORM_CSP = f"{PAGE_CSP}; script-src {_hash(GO_BACK)}"


def leaving_csp(provider: str, back: str) -> str:
    """Return the content security policy of `leaving_page`.

    Chromium also checks the redirects after a form against `form-action`, and a provider may redirect through other
    hosts before it comes back: any https host is allowed.

    Args:
        provider: the origin that the form goes to.
        back: URL that the browser comes back to.
    """
    is_plain = any(url.startswith("http:") for url in (provider, back))  # on loopback
    schemes = "https: http:" if is_plain else "https:"
    return f"{PAGE_CSP}; script-src {_hash(SUBMIT)}; form-action {provider} {schemes}"


def error_page(
    *, title: str, text: str, reference: str, actions: Sequence[tuple[str, str]], app: str | None = None
) -> bytes:
    """Say what went wrong and how to go on.

    Args:
        reference: stands in the log too.
        actions: labels and absolute URLs of ours; the first is the one to take.
    """
    links = "".join(
        f'<a{" class=first" if index == 0 else ""} target=_top href="{escape(href)}">{escape(label)}</a>'
        for index, (label, href) in enumerate(actions)
    )
    return _page(
        title,
        f"<p>{escape(text)}</p><div class=actions>{links}</div>"
        f"<p class=reference>Reference: <code>{escape(reference)}</code></p>",
        app=app,
    )


def forbidden_page(
    *, name: str, email: str | None, switch: str, home: str, reference: str, app: str | None = None
) -> bytes:
    """Tell a signed-in user that this account may not, and offer another one.

    Args:
        switch: absolute URL of ours that starts a login with another account, and comes back here.
    """
    who = _short(name) if email in (None, name) else f"{_short(name)} ({_short(email or '')})"
    return _page(
        "You may not open this page",
        f"<p>You are signed in as <strong><bdi>{escape(who)}</bdi></strong>, but this account does not have access to "
        "this page. Use another account, or ask the people who run this site for access.</p>"
        f'<div class=actions><a class=first target=_top href="{escape(switch)}">Use another account</a>'
        f'<a target=_top href="{escape(home)}">Go to the start page</a></div>'
        f"<p class=reference>Reference: <code>{escape(reference)}</code></p>",
        app=app,
    )


def sign_in_page(*, login: str, is_step_up: bool, app: str | None = None) -> bytes:
    """Ask to sign in where a redirect to the provider would not work: in a frame, or in a part of a page.

    Args:
        login: absolute URL of ours that starts a login.
    """
    why = "To see this, you need to sign in again." if is_step_up else "You need to sign in to see this."
    return _page(
        "Sign in to continue" if app is None else f"Sign in to {app}",
        f'<p>{why}</p><div class=actions><a class=first target=_top href="{escape(login)}">Sign in</a></div>',
        app=app,
    )


def form_stopped_page(
    *, again: str, sealed: str | None, back: str | None, is_step_up: bool, app: str | None = None
) -> bytes:
    """Say that a form was not sent, before the user signs in again; send it with `FORM_CSP`.

    Args:
        again: absolute URL of ours that goes on, with a login.
        sealed: the form, to be sent along there.
        back: absolute URL of the page with the form, None if it is not known. With scripts the browser goes one step
            back in its history instead, where it still has what was entered.
    """
    link = "" if back is None else f'<a id=back target=_top href="{escape(back)}">Back</a>'
    script = "" if back is None else f"<script>{GO_BACK}</script>"
    why = "This needs a fresh or stronger sign-in" if is_step_up else "You are no longer signed in"
    if sealed is None:
        return _page(
            "Your form was not sent",
            f"<p>{why}, so nothing you entered has been saved. Your browser may still have it: go back and copy it, "
            "then sign in and send the form again.</p>"
            f'<div class=actions><a class=first target=_top href="{escape(again)}">Sign in</a>{link}</div>',
            app=app,
            script=script,
        )
    return _page(
        "Your form was not sent yet",
        f"<p>{why}. What you entered is kept in this browser for ten minutes. Sign in, and you will be asked whether "
        "to send it.</p>"
        f'<form class=actions method=post target=_top action="{escape(again)}">'
        f'<input type=hidden name=form value="{escape(sealed)}"><button class=first>Sign in</button>{link}</form>',
        app=app,
        script=script,
    )


def form_lost_page(*, back: str, app: str | None = None) -> bytes:
    """Say after the login that a form was not sent.

    Args:
        back: absolute URL of the page with the form, or of the start page.
    """
    return _page(
        "Your form was not sent",
        "<p>You are signed in now. The form you sent earlier could not be kept, so nothing you entered has been saved. "
        "Please go back and send it again.</p>"
        f'<div class=actions><a class=first href="{escape(back)}">Go back</a></div>',
        app=app,
    )


def form_gone_page(*, back: str, app: str | None = None) -> bytes:
    """Say that no form is kept, which may be because it was sent."""
    return _page(
        "No form is waiting here",
        "<p>You are signed in. The form that was kept for you has already been sent or discarded, or it has "
        "expired.</p>"
        f'<div class=actions><a class=first href="{escape(back)}">Go to the start page</a></div>',
        app=app,
    )


def form_of_another_page(*, name: str, back: str, app: str | None = None) -> bytes:
    """Say that the form of one user is not sent by another.

    Args:
        name: of the user who is signed in now.
        back: absolute URL of the start page.
    """
    return _page(
        "Your form was not sent",
        f"<p>You are signed in as <strong><bdi>{escape(_short(name))}</bdi></strong>, but the form was filled in by "
        "somebody else, so it was not sent.</p>"
        f'<div class=actions><a class=first href="{escape(back)}">Go to the start page</a></div>',
        app=app,
    )


def form_again_page(
    *, name: str, origin: str, target: str, pairs: Sequence[tuple[str, str]], discard: str, app: str | None = None
) -> bytes:
    """Ask after the login whether to send a form; show where it goes and its fields, except values that look secret.

    Args:
        name: of the user who is signed in now, and whose the form may not be.
        origin: our own.
        target: path and query on our own site that it goes to.
        pairs: names and values of its fields.
        discard: absolute URL of ours that forgets it.
    """
    fields = "".join(f'<input type=hidden name="{escape(name)}" value="{escape(value)}">' for name, value in pairs)
    shown = "".join(f"<dt>{_shown(name)}</dt><dd>{_shown_value(name, value)}</dd>" for name, value in pairs)
    return _page(
        "Send your form now?",
        f"<p>You are signed in as <strong><bdi>{escape(_short(name))}</bdi></strong>. This form was filled in before "
        "you signed in and has not been sent yet. Send it if it is yours.</p>"
        f"<dl class=fields tabindex=0><dt>To be sent to</dt><dd>{_shown(target)}</dd>{shown}</dl><div class=actions>"
        f'<form method=post action="{escape(origin + target)}" accept-charset=utf-8>{fields}'
        "<button class=first>Send it</button></form>"
        f'<form method=post action="{escape(discard)}"><button name=discard value=yes>Discard it</button></form></div>',
        app=app,
    )


def fragment_page(*, login: str, app: str | None = None) -> bytes:
    """Take the fragment of the address along to the login; without scripts, go on without it.

    Args:
        login: absolute URL of ours that starts a login and ends with the return path.
    """
    return _page(
        "Signing in",
        "<p>If nothing happens, press the button to continue.</p>"
        f'<div class=actions><a id=login class=first href="{escape(login)}">Sign in</a></div>'
        f"<script>{SCRIPT}</script>",
        app=app,
    )


def confirm_logout_page(*, action: str, home: str, app: str | None = None) -> bytes:
    """Ask before signing out: the request came from another site, or from nowhere that we can see."""
    return _page(
        "Sign out?",
        f"<p>You are about to sign out of {escape(app or 'this site')}.</p>"
        f'<form class=actions method=post action="{escape(action)}"><button class=first>Sign out</button>'
        f'<a href="{escape(home)}">Stay signed in</a></form>',
        app=app,
    )


def leaving_page(*, action: str, fields: Mapping[str, str], app: str | None = None) -> bytes:
    """Send the browser to the provider with a form that submits itself; without scripts the user presses the button.

    Args:
        action: absolute URL of the provider.
        fields: what it is sent.
    """
    inputs = "".join(
        f'<input type=hidden name="{escape(name)}" value="{escape(value)}">' for name, value in fields.items()
    )
    return _page(
        "Signing out",
        "<p>You have been signed out of this site. If nothing happens, press the button to sign out of the sign-in "
        f'service too.</p><form class=actions method=post action="{escape(action)}">{inputs}'
        f"<button class=first>Sign out</button></form><script>{SUBMIT}</script>",
        app=app,
    )


def signed_out_page(*, again: str, is_everywhere: bool, app: str | None = None) -> bytes:
    """Say that it worked, where the page that the browser came back to would only ask to sign in again.

    Args:
        again: absolute URL of ours that starts a login.
        is_everywhere: whether the provider was told.
    """
    text = "You can close this page now." if is_everywhere else HERE_ONLY
    action = f'<div class=actions><a href="{escape(again)}">Sign in again</a></div>'
    return _page("You are signed out", f"<p>{text}</p>{action}", app=app)


def frame_page() -> bytes:
    """Say nothing: a provider shows this in a frame that nobody sees, whatever came of it."""
    return _page("Sign-out", "<p>This site has been notified.</p>")


def page_content(page: bytes) -> bytes:
    """Return the content of a page alone, without its style, for insertion into a page of the app."""
    return page.partition(b"<main>")[2].partition(b"</main>")[0]


def turbo_frame(page: bytes, frame_id: str) -> bytes:
    """Wrap the content of a page in the element that Turbo looks for.

    Args:
        frame_id: as the header `Turbo-Frame` has it.
    """
    return f'<turbo-frame id="{escape(_short(frame_id))}">'.encode() + page_content(page) + b"</turbo-frame>"


def _short(text: str) -> str:
    text = "".join(letter for letter in text if letter.isprintable())
    return text if len(text) <= MAX_NAME_LENGTH else text[:MAX_NAME_LENGTH] + "\u2026"


def _shown(text: str) -> str:
    cut = text if len(text) <= MAX_VALUE_LENGTH else text[:MAX_VALUE_LENGTH] + "\u2026"
    lines = cut.replace("\r\n", "\n").replace("\t", " ").split("\n")
    readable = "\n".join("".join(letter for letter in line if letter.isprintable()) for line in lines)
    return f"<bdi>{escape(readable)}</bdi>"


def _shown_value(name: str, value: str) -> str:
    if not value:
        return "(empty)"
    return "(hidden)" if _HIDDEN.search(name) else _shown(value)


def _page(title: str, body: str, *, app: str | None = None, script: str = "") -> bytes:
    is_named = app is not None and app not in title
    named = f"<p class=app>{escape(app or '')}</p>" if is_named else ""
    full = f"{title} \u2013 {app}" if is_named else title
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="robots" content="noindex">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(full)}</title><style>{STYLE}</style></head>"
        f"<body><main>{named}<h1>{escape(title)}</h1>{body}</main>{script}</body></html>"
    ).encode()
