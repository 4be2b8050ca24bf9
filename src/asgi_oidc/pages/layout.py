"""What all pages share: the HTML around their content, and a response that no other site can frame, script or keep."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from html import escape
from typing import Any

from asgi_oidc.pages.languages import ACCEPT_LANGUAGE, VARY, Translations
from asgi_oidc.pages.page import Action, Form, HiddenField, Page, SafeHTML
from asgi_oidc.pages.rendering import PageRenderer
from asgi_oidc.pages.theme import PLAIN, Theme, csp_hash
from asgi_oidc.pages.translation import Texts
from asgi_oidc.pages.untrusted import shorten
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import REFERRER_POLICY, Response, problem, response_with_body

HTML = b"text/html; charset=utf-8"
NO_FRAMES = "frame-ancestors 'none'"
_OF_OWN_ORIGIN = "'self'"


def link(action: Action) -> str:
    """Write a link that looks like a button."""
    named = f"id={action.id} " if action.id else ""
    first = "class=first " if action.is_primary else ""
    return f'<a {named}{first}target=_top href="{escape(action.href)}">{escape(action.label)}</a>'


def links(actions: tuple[Action, ...]) -> str:
    """Put links below a text."""
    return f"<div class=actions>{''.join(map(link, actions))}</div>"


def form_html(form: Form, further: str = "", *, attributes: str = "") -> str:
    """Write a form of a single button.

    Args:
        further: HTML behind the button.
        attributes: further ones of the form.
    """
    button = form.button
    named = f"name={button.name} value={button.value} " if button.name else ""
    first = "class=first" if button.is_primary else ""
    written = f"<button {named}{first}".rstrip() + f">{escape(button.label)}</button>"
    top = "target=_top " if form.in_top_window else ""
    named_form = f"id={form.id} " if form.id else ""
    fields = "".join(hidden_field(field) for field in form.fields)
    start = f'<form {named_form}{attributes}method={form.method} {top}action="{escape(form.action)}">'
    return f"{start}{fields}{written}{further}</form>"


def reference_html(texts: Texts, reference: str) -> str:
    """Show the reference under which the log tells more."""
    return f"<p class=reference>{texts.html('reference', reference=f'<code>{escape(reference)}</code>')}</p>"


def hidden_field(field: HiddenField) -> str:
    """Write a field of a form that nobody sees."""
    return f'<input type=hidden name="{escape(field.name)}" value="{escape(field.value)}">'


@dataclass(frozen=True, slots=True)
class Layout:
    """Puts content into a page, in the language of the user and under the name of the app.

    Attributes:
        logo: path of the app's logo on its origin.
        renderer: calls the app's own function for pages.
        embedded_in: origins of the sites that show the app in a frame.
    """

    translations: Translations
    app_name: str | None = None
    logo: str | None = None
    theme: Theme = PLAIN
    renderer: PageRenderer | None = None
    embedded_in: tuple[str, ...] = ()

    def texts_for(self, request: Request) -> Texts:
        """Return the texts in the language of the user."""
        return self.translations.choose(request.values(ACCEPT_LANGUAGE))

    def text(self, text_id: str, scope: Mapping[str, Any]) -> str:
        """Return a text in the language of the user of a scope."""
        values = [value for name, value in scope.get("headers", ()) if name == ACCEPT_LANGUAGE]
        return self.translations.choose(values).plain(text_id)

    @property
    def csp(self) -> str:
        """The content security policy that all pages share.

        The app's own pages may also use styles, fonts and images of its origin: these cannot run anything.
        """
        if self.renderer is not None:
            own = _OF_OWN_ORIGIN
            loaded = f"style-src {own} {self.theme.source}; img-src {own}; font-src {own}"
        else:
            images = "" if self.logo is None else f"; img-src {_OF_OWN_ORIGIN}"
            loaded = f"style-src {self.theme.source}{images}"
        return f"default-src 'none'; {loaded}; base-uri 'none'; {NO_FRAMES}"

    def respond(
        self,
        request: Request,
        page: Page,
        content: str,
        *,
        script: str = "",
        further_csp: str = "",
        referrer_policy: bytes = REFERRER_POLICY,
        in_parts: bool = False,
        leaves_frame: bool = False,
    ) -> Response:
        """Respond with a page.

        Args:
            page: without what all pages share, which is added here.
            content: the HTML of our own page, without the heading.
            script: the script of the page; the policy then allows it, and no other.
            further_csp: directives.
            in_parts: whether it may also be shown in a frame of this site, and as a part of a page (htmx, Turbo).
            leaves_frame: whether its links leave the frame of another site.
        """
        texts = self.texts_for(request)
        is_embedded = bool(self.embedded_in) and request.is_framed
        if (
            is_embedded and not leaves_frame
        ):  # the text of such an attribute cannot come from others: its `"` is escaped
            content = content.replace(' target=_top href="', ' href="')
        is_part = in_parts and (request.is_htmx or request.has(b"turbo-frame"))
        body = self._part(request, texts, page, content) if is_part else self.html(texts, page.title, content, script)
        csp = f"{self.csp}; script-src {csp_hash(script)}" if script else self.csp
        ancestors = self._ancestors(request, in_parts=in_parts)
        policy = f"{csp}; {further_csp}" if further_csp else csp
        response = _html_response(body, page.status, csp=policy, ancestors=ancestors, referrer_policy=referrer_policy)
        if self.translations.others:
            response = response.with_headers(VARY)
        if self.renderer is None:
            return response
        target = "_self" if is_embedded and not leaves_frame else "_top"
        page = replace(page, target=target)
        shown = self._completed(request, texts, page, content, script, is_part=is_part)
        return replace(response, write_body=partial(self.renderer.render, shown, body))

    def problem(self, request: Request, status: int, error: str, title: str, **members: object) -> Response:
        """Respond to a program.

        Args:
            title: id of a text.
        """
        response = problem(status, error, self.texts_for(request).plain(title), **members)
        return response.with_headers(VARY) if self.translations.others else response

    def framed(self, request: Request, title: str, text: str, *, ancestors: str) -> Response:
        """Respond with a page that another site shows in a frame that nobody sees.

        Args:
            title, text: ids of texts.
            ancestors: the origins of that site.
        """
        texts = self.texts_for(request)
        body = self.html(texts, texts.plain(title), f"<p>{texts.html(text)}</p>")
        return _html_response(body, 200, csp=self.csp, ancestors=ancestors)

    def html(self, texts: Texts, title: str, content: str, script: str = "") -> bytes:
        """Write a whole page.

        Args:
            title: plain text.
            content: HTML.
        """
        app = self.app_name
        full = title if app is None or app in title else f"{title} \u2013 {app}"
        return (
            f'<!doctype html><html {texts.attributes}><head><meta charset="utf-8">'
            '<meta name="robots" content="noindex">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(full)}</title><style>{self.theme.style}</style></head>"
            f"<body><main>{self._brand(title)}<h1>{escape(title)}</h1>{content}</main>"
            f"{script and f'<script>{script}</script>'}</body></html>"
        ).encode()

    def _ancestors(self, request: Request, *, in_parts: bool) -> str:
        """Return which pages may show this one in a frame."""
        if self.embedded_in and request.is_framed:
            return " ".join((_OF_OWN_ORIGIN, *self.embedded_in))
        return request.frame_ancestors if in_parts else "'none'"

    def _brand(self, title: str) -> str:
        """Show whose page this is: by the logo, or by the name if the heading does not contain it."""
        if self.logo is not None:
            return f'<img class=brand src="{escape(self.logo)}" alt="{escape(self.app_name or "")}">'
        return "" if self.app_name is None or self.app_name in title else f"<p class=app>{escape(self.app_name)}</p>"

    def _part(self, request: Request, texts: Texts, page: Page, content: str) -> bytes:
        """Write what the app inserts into a page of its own: no style, no script, no logo.

        Turbo looks for an element of its own, by the id that its header names.
        """
        app = self.app_name
        named = "" if app is None or app in page.title else f"<p class=app>{escape(app)}</p>"
        part = f"{named}<h1>{escape(page.title)}</h1>{content}"
        if self.translations.others or (texts.language, texts.direction) != ("en", "ltr"):
            part = f"<div {texts.attributes}>{part}</div>"  # the app's own page may be in another language
        if (frame_id := _frame_id(request)) is not None:
            part = f'<turbo-frame id="{escape(frame_id)}">{part}</turbo-frame>'
        return part.encode()

    def _completed(
        self, request: Request, texts: Texts, page: Page, content: str, script: str, *, is_part: bool
    ) -> Page:
        """Add to a page what all pages share."""
        reference = page.reference
        return replace(
            page,
            reference_text="" if reference is None else texts.plain("reference", reference=reference),
            language=texts.language,
            direction=texts.direction,
            app_name=self.app_name,
            app_logo=self.logo,
            path=request.path.external,
            is_fragment=is_part,
            frame_id=_frame_id(request) if is_part else None,
            content=SafeHTML(content),
            style=SafeHTML(self.theme.style),
            script=SafeHTML("" if is_part else script),
        )


def _frame_id(request: Request) -> str | None:
    """Return the id of the element that Turbo looks for; htmx looks for none."""
    frame_id = None if request.is_htmx else request.header(b"turbo-frame")
    return None if frame_id is None else shorten(frame_id)


def _html_response(
    body: bytes, status: int, *, csp: str, ancestors: str, referrer_policy: bytes = REFERRER_POLICY
) -> Response:
    policy = csp.replace(NO_FRAMES, f"frame-ancestors {ancestors}").encode("ascii")
    headers = [(b"content-type", HTML), (b"content-security-policy", policy)]
    if ancestors == "'none'":
        headers.append((b"x-frame-options", b"DENY"))
    return response_with_body(status, body, *headers, referrer_policy=referrer_policy)
