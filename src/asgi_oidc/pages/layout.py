"""What all pages share: the HTML around their content, and a response that no other site can frame, script or keep."""

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from html import escape

from asgi_oidc.pages.styles import STYLE
from asgi_oidc.pages.translation import IN_ENGLISH, Texts
from asgi_oidc.pages.untrusted import shorten
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import REFERRER_POLICY, Response, response_with_body

HTML = b"text/html; charset=utf-8"
NO_FRAMES = "frame-ancestors 'none'"


def csp_hash(text: str) -> str:
    """Write the source of a content security policy that allows this very script or style (CSP 3 §2.3.1)."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


PAGE_CSP = f"default-src 'none'; style-src {csp_hash(STYLE)}; base-uri 'none'; {NO_FRAMES}"


def link(label: str, href: str, *, is_first: bool = False, element_id: str = "") -> str:
    """Write a link that looks like a button.

    Args:
        is_first: whether it is the one to take.
    """
    named = f"id={element_id} " if element_id else ""
    first = "class=first " if is_first else ""
    return f'<a {named}{first}target=_top href="{escape(href)}">{escape(label)}</a>'


def links(*written: str) -> str:
    """Put links below a text."""
    return f"<div class=actions>{''.join(written)}</div>"


def reference_html(texts: Texts, reference: str) -> str:
    """Show the reference under which the log tells more."""
    return f"<p class=reference>{texts.html('reference', reference=f'<code>{escape(reference)}</code>')}</p>"


def hidden_field(name: str, value: str) -> str:
    """Write a field of a form that nobody sees."""
    return f'<input type=hidden name="{escape(name)}" value="{escape(value)}">'


@dataclass(frozen=True, slots=True)
class Layout:
    """Puts content into a page, in the language of the texts and under the name of the app."""

    texts: Texts
    app_name: str | None

    def page(
        self,
        title: str,
        content: str,
        *,
        status: int,
        csp: str = PAGE_CSP,
        script: str = "",
        referrer_policy: bytes = REFERRER_POLICY,
    ) -> Response:
        """Respond with a page that cannot be framed.

        Args:
            title: plain text.
            content: HTML.
            script: allowed by `csp`.
        """
        return _page(self.html(title, content, script=script), status=status, csp=csp, referrer_policy=referrer_policy)

    def page_for(
        self, request: Request, title: str, content: str, *, status: int, csp: str = PAGE_CSP, script: str = ""
    ) -> Response:
        """Respond with a page in the form that the requester can show.

        That is a whole page, also in a frame, or only its content, for a page that htmx or Turbo inserts it into.
        """
        body = self.html(title, content, script=script)
        if request.is_htmx:
            body = self._content(body)
        elif (frame_id := request.header(b"turbo-frame")) is not None:
            body = self._turbo_frame(body, frame_id)
        ancestors = request.frame_ancestors
        if ancestors == "'none'":
            return _page(body, status=status, csp=csp)
        return framed(body, status=status, ancestors=ancestors, csp=csp)

    def html(self, title: str, content: str, *, script: str = "") -> bytes:
        """Write a whole page.

        Args:
            title: plain text.
            content: HTML.
        """
        app = self.app_name
        is_named = app is not None and app not in title
        named = f"<p class=app>{escape(app or '')}</p>" if is_named else ""
        full = f"{title} \u2013 {app}" if is_named else title
        return (
            f'<!doctype html><html {self.texts.language}><head><meta charset="utf-8">'
            '<meta name="robots" content="noindex">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(full)}</title><style>{STYLE}</style></head>"
            f"<body><main>{named}<h1>{escape(title)}</h1>{content}</main>{script and f'<script>{script}</script>'}"
            "</body></html>"
        ).encode()

    def _content(self, page: bytes) -> bytes:
        """Take out what an app may insert into a page of its own: no style, no script."""
        content = page.partition(b"<main>")[2].partition(b"</main>")[0]
        # The app's own page may be in another language.
        return content if self.texts == IN_ENGLISH else f"<div {self.texts.language}>".encode() + content + b"</div>"

    def _turbo_frame(self, page: bytes, frame_id: str) -> bytes:
        """Wrap the content in the element that Turbo looks for.

        Args:
            frame_id: as the header `Turbo-Frame` has it.
        """
        return f'<turbo-frame id="{escape(shorten(frame_id))}">'.encode() + self._content(page) + b"</turbo-frame>"


def framed(body: bytes, *, ancestors: str, status: int = 200, csp: str = PAGE_CSP) -> Response:
    """Respond with a page that pages of these origins may show in a frame."""
    policy = csp.replace(NO_FRAMES, f"frame-ancestors {ancestors}")
    headers = ((b"content-type", HTML), (b"content-security-policy", policy.encode("ascii")))
    return response_with_body(status, body, *headers)


def _page(body: bytes, *, status: int, csp: str, referrer_policy: bytes = REFERRER_POLICY) -> Response:
    headers = (
        (b"content-type", HTML),
        (b"content-security-policy", csp.encode("ascii")),
        (b"x-frame-options", b"DENY"),
    )
    return response_with_body(status, body, *headers, referrer_policy=referrer_policy)
