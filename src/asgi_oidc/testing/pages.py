"""The fake provider's pages: sign in, signed out, error, logout frames, and the form that submits itself."""

from collections.abc import Iterable, Sequence
from html import escape

from .accounts import Persona

FRAMES_LOAD_IN = 2  # seconds until the page continues, which aborts frames that are still loading

STYLE = """
:root { color-scheme: light dark; --paper: #f4f3f8; --card: #fff; --ink: #1d1b26; --soft: #6a6678;
  --line: #e2dfeb; --accent: #5b4bd6; }
@media (prefers-color-scheme: dark) { :root { --paper: #131218; --card: #1d1b26; --ink: #eeecf6;
  --soft: #a29eb3; --line: #322f3f; --accent: #a99dff; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem;
  background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 24rem; padding: 2rem; background: var(--card);
  border: 1px solid var(--line); border-radius: 1rem; box-shadow: 0 12px 40px rgb(20 10 60 / 8%); }
h1 { margin: 0; font-size: 1.375rem; letter-spacing: -.01em; }
p { margin: .25rem 0 1.25rem; color: var(--soft); overflow-wrap: anywhere; }
form { display: grid; gap: .625rem; margin: 0; }
button { font: inherit; color: inherit; text-align: left; padding: .625rem .875rem; cursor: pointer;
  background: none; border: 1px solid var(--line); border-radius: .625rem; }
button:hover, button:focus-visible { border-color: var(--accent); outline: 2px solid var(--accent);
  outline-offset: -1px; }
button small { display: block; color: var(--soft); overflow-wrap: anywhere; }
button.quiet { border-color: transparent; text-align: center; color: var(--soft); }
footer { margin-top: 1.25rem; font-size: .8125rem; color: var(--soft); text-align: center; }
"""


def login_page(personas: Iterable[Persona], *, issuer: str, action: str, client_id: str, login_hint: str = "") -> str:
    """Return a page with one button per persona; the one that `login_hint` names is first."""
    ordered = sorted(personas, key=lambda persona: login_hint not in (persona.sub, persona.email))
    buttons = "".join(_persona_button(persona, focused=not n) for n, persona in enumerate(ordered))
    return _page(
        "Sign in",
        f"<p>to continue to <b>{escape(client_id)}</b></p>"
        f'<form method="post" action="{escape(action)}">{buttons}'
        '<button class="quiet" name="cancel" value="cancel">Cancel</button></form>'
        f"<footer>A fake provider, {escape(issuer)}: you can sign in as anyone.</footer>",
    )


def _persona_button(persona: Persona, *, focused: bool) -> str:
    focus = " autofocus" if focused else ""
    return (
        f'<button name="sub" value="{escape(persona.sub)}"{focus}>{escape(persona.name)}'
        f"<small>{escape(persona.hint)}</small></button>"
    )


def form_post_page(action: str, params: Sequence[tuple[str, str]]) -> str:
    """Return a page that posts the response to the client at once (OAuth 2.0 Form Post Response Mode)."""
    fields = "".join(f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in params)
    return _page(
        "Signing you in",
        f'<form method="post" action="{escape(action)}">{fields}'
        "<noscript><button>Continue</button></noscript></form>"
        "<script>document.forms[0].submit()</script>",
    )


def frames_page(title: str, message: str, frames: Iterable[str], return_url: str | None) -> str:
    """Return a page with a message that loads the frames, then continues to `return_url` (Front-Channel Logout §3)."""
    loading = "".join(f'<iframe hidden src="{escape(url)}"></iframe>' for url in frames)
    content = f"<p>{escape(message)}</p>{loading}"
    if return_url is None:
        return _page(title, content)
    refresh = f'<meta http-equiv="refresh" content="{FRAMES_LOAD_IN}; url={escape(return_url)}">'
    return _page(title, f'{content}<footer><a href="{escape(return_url)}">Go on</a></footer>', refresh)


def message_page(title: str, message: str) -> str:
    """Return a page with a message."""
    return _page(title, f"<p>{escape(message)}</p>")


def _page(title: str, content: str, head: str = "") -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style>{head}</head>"
        f"<body><main><h1>{escape(title)}</h1>{content}</main></body></html>"
    )
