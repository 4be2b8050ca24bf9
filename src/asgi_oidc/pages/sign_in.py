"""The pages that lead to a login, where a redirect to the provider would not work."""

from dataclasses import dataclass

from asgi_oidc.pages.layout import Layout, links
from asgi_oidc.pages.page import Action, Page
from asgi_oidc.web.request import Request
from asgi_oidc.web.response import Response

ADD_FRAGMENT = """\
const link=document.getElementById("login");location.replace(link.href+encodeURIComponent(location.hash))"""

# Only a window that this frame has opened, with a page of our own origin, can make it go on, and only to our origin.
OPEN_WINDOW = """\
let opened;const link=document.getElementById("login");
link.addEventListener("click",event=>{
if(opened=window.open(link.href,"","popup,width=560,height=680"))event.preventDefault()});
addEventListener("message",event=>{const sent=event.data;
if(!opened||event.source!==opened||event.origin!==location.origin||!sent||typeof sent.callback!=="string")return;
opened.close();const url=new URL(sent.callback,location.origin);
if(url.origin===location.origin)location.replace(url)})"""
HAND_OVER = """\
if(window.opener)window.opener.postMessage({callback:location.pathname+location.search},location.origin)"""


@dataclass(frozen=True, slots=True)
class SignInPages:
    """The pages that lead to a login."""

    layout: Layout

    def required(self, request: Request, *, login: str, is_step_up: bool) -> Response:
        """Ask to sign in: in a frame, or in a part of a page.

        Args:
            login: absolute URL of ours that starts a login.
        """
        texts, app = self.layout.texts_for(request), self.layout.app_name
        title = texts.plain("sign_in.title") if app is None else texts.plain("sign_in.title_with_app", app=app)
        why = "sign_in.text_step_up" if is_step_up else "sign_in.text"
        actions = (Action(texts.plain("action.sign_in"), login, is_primary=True),)
        page = Page(kind="sign_in", status=401, title=title, text=texts.plain(why), actions=actions)
        return self.layout.respond(request, page, f"<p>{texts.html(why)}</p>{links(actions)}", in_parts=True)

    def keeping_fragment(self, request: Request, *, login: str) -> Response:
        """Take the fragment of the address along to the login; without scripts, go on without it.

        Args:
            login: absolute URL of ours that starts a login and ends with the return path.
        """
        texts = self.layout.texts_for(request)
        actions = (Action(texts.plain("action.sign_in"), login, is_primary=True, id="login"),)
        page = Page(
            kind="signing_in",
            status=401,
            title=texts.plain("signing_in.title"),
            text=texts.plain("signing_in.text"),
            actions=actions,
        )
        content = f"<p>{texts.html('signing_in.text')}</p>{links(actions)}"
        return self.layout.respond(request, page, content, script=ADD_FRAGMENT)

    def in_window(self, request: Request, url: str) -> Response:
        """Ask to sign in, in a frame of another site: a window opens the provider, and hands its response over.

        Args:
            url: of the provider.
        """
        texts, app = self.layout.texts_for(request), self.layout.app_name
        title = texts.plain("sign_in.title") if app is None else texts.plain("sign_in.title_with_app", app=app)
        text = "sign_in_window.text"
        actions = (Action(texts.plain("action.sign_in"), url, is_primary=True, id="login"),)
        page = Page(kind="sign_in_window", status=401, title=title, text=texts.plain(text), actions=actions)
        content = f"<p>{texts.html(text)}</p>{links(actions)}"
        return self.layout.respond(request, page, content, script=OPEN_WINDOW, leaves_frame=True)

    def window_done(self, request: Request, *, home: str) -> Response:
        """Hand the response of the provider over to the frame that has opened this window; the frame closes it.

        Args:
            home: absolute URL of the start page.
        """
        texts = self.layout.texts_for(request)
        actions = (Action(texts.plain("action.home"), home),)
        page = Page(
            kind="sign_in_window_done",
            status=200,
            title=texts.plain("sign_in_window_done.title"),
            text=texts.plain("sign_in_window_done.text"),
            actions=actions,
        )
        content = f"<p>{texts.html('sign_in_window_done.text')}</p>{links(actions)}"
        return self.layout.respond(request, page, content, script=HAND_OVER)
