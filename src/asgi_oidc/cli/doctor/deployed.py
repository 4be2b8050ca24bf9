"""Calls the app at `base_url`, through whatever is in front of it: is it there, and do its cookies arrive unchanged?"""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from asgi_oidc.cli.doctor.calls import RecordingClient
from asgi_oidc.cli.doctor.examined_app import ExaminedApp
from asgi_oidc.cli.doctor.finding import Finding
from asgi_oidc.errors import AnswerRejected, ProofRejected, ProviderError
from asgi_oidc.protocol.client_jwks import client_jwks
from asgi_oidc.protocol.json_objects import InvalidJSON, read_object
from asgi_oidc.protocol.jwk_thumbprint import public_key_thumbprint
from asgi_oidc.protocol.messages import Answer, Call
from asgi_oidc.provider.http import Http, HttpClient
from asgi_oidc.settings.settings import Settings
from asgi_oidc.web.cookies import COOKIE_PREFIX

# What browsers send when somebody opens a page.
NAVIGATION = {
    "accept": "text/html",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
    "sec-fetch-site": "none",
}
JSON = {"accept": "application/json"}
TOO_LARGE = (400, 413, 414, 431, 494, 502)  # what proxies answer if headers are too large for them
MAX_LISTED = 10  # keys, in a text
MAX_QUOTED = 64  # characters of a name that comes from outside
COOKIE_SIZE = 3900  # bytes of each cookie that is sent to try the limit


async def check_deployed(site: ExaminedApp, own: HttpClient) -> list[Finding]:
    """Call the app at the URL of each host."""
    findings = []
    for host in site.settings.for_each_host():
        findings += await _check_host(site, host, own)
    return findings


async def _check_host(site: ExaminedApp, host: Settings, own: HttpClient) -> list[Finding]:
    client = RecordingClient(own, site.budget, site.clock)
    http = Http(client)
    try:
        answer = await http.send(Call("GET", host.url_of("session"), JSON), endpoint="app")
    except AnswerRejected as rejected:
        return [_rejected(host, rejected, client.last.location)]
    except ProviderError as error:
        problem, _, fix = error.detail.rpartition(": ")
        if error.code == "connect_refused":
            fix = "start the app, or correct base_url (OIDC_BASE_URL)"
        return [_found("app_unreachable", host, problem or error.detail, fix or "start the app")]
    if not _is_ours(answer):
        problem = (
            f"{host.url_of('session')} is not answered by asgi-oidc (status {answer.status}): another app is there, "
        )
        problem += "or the proxy takes off the path"
        return [_found("app_not_there", host, problem, "correct base_url (OIDC_BASE_URL), or the routes of the proxy")]
    findings = [*await _compare_keys(http, host), *await _try_login(http, client, host)]
    return findings if site.settings.store is not None else [*findings, *await _try_size(http, client, host)]


def _is_ours(answer: Answer) -> bool:
    try:
        members = read_object(answer.body)
    except InvalidJSON:
        return False
    return "login_url" in members or "sub" in members


def _rejected(host: Settings, rejected: AnswerRejected, location: str) -> Finding:
    if not location:
        return _found("app_not_there", host, rejected.detail, "correct base_url (OIDC_BASE_URL)")
    target = location.partition("?")[0]
    problem = f"{host.url_of('session')} redirects to {target}"
    fix = "set base_url to the address to which users are redirected: scheme, host and path"
    return _found("app_redirects", host, problem, fix)


async def _compare_keys(http: Http, host: Settings) -> list[Finding]:
    """Fetch the public keys as a provider does: without them, it accepts no signature and cannot encrypt."""
    expected = client_jwks(provider.client for provider in host.fixed_providers.values())
    if not expected["keys"]:
        return []
    url = host.url_of("jwks")
    try:
        answer = await http.send(Call("GET", url, JSON), endpoint="app")
        published = _thumbprints(read_object(answer.body)) if answer.status == HTTPStatus.OK else None
    except (ProviderError, InvalidJSON):
        published = None
    if published is None:
        fix = "let the proxy forward that path as it is, without a login of its own: the provider fetches it"
        return [_found("keys_not_published", host, f"{url} does not answer with a set of keys", fix)]
    if published == _thumbprints(expected):
        return []
    kids = ", ".join(sorted(kid for kid, _ in _thumbprints(expected) or ()))
    problem = f"{url} has other keys than those of the settings: expected {kids}, got {_quoted_kids(published)}"
    fix = "let the app run with the settings that you examine, restart it, and let no proxy keep an older answer"
    return [_found("keys_differ", host, problem, fix)]


def _thumbprints(document: Mapping[str, object]) -> set[tuple[str, str]] | None:
    """Return the name and the thumbprint of each key; None if the document is no set of keys."""
    keys = document.get("keys")
    if not isinstance(keys, list):
        return None
    try:
        return {(str(key["kid"]), public_key_thumbprint(key)) for key in keys}
    except (KeyError, TypeError, ProofRejected):
        return None


def _quoted_kids(published: set[tuple[str, str]]) -> str:
    kids = sorted("".join(filter(str.isprintable, kid))[:MAX_QUOTED] for kid, _ in published)
    return ", ".join(kids[:MAX_LISTED]) or "none"


async def _try_login(http: Http, client: RecordingClient, host: Settings) -> list[Finding]:
    """Start a login that no browser continues: the app keeps nothing of it."""
    name = next(iter(host.fixed_providers), "")
    url = host.url_of("login") + (f"?provider={name}" if name else "")
    try:
        await http.send(Call("GET", url, NAVIGATION), endpoint="app")
    except AnswerRejected:
        return list(_login_findings(client, host))
    except ProviderError as error:
        return [_found("app_unreachable", host, error.detail, "see the logs of the app and of the proxy")]
    problem = f"{url} does not redirect to the provider (status {client.last.status})"
    return [_found("login_not_started", host, problem, "see the log of the app: it has a line with the cause")]


def _login_findings(client: RecordingClient, host: Settings) -> Iterator[Finding]:
    location, cookies = client.last.location, client.last.cookies
    redirect_uri = parse_qs(urlsplit(location).query).get("redirect_uri", [""])[0]
    is_changed = location.startswith(f"{host.origin}/") or not redirect_uri
    if not is_changed and not redirect_uri.startswith(f"{host.base_url.rstrip('/')}/"):
        problem = f"the app that answers there has another base_url: its logins come back to {redirect_uri}"
        fix = (
            "let it run with the settings that you examine; open it in the browser by the address in its base_url only"
        )
        yield _found("base_url_differs", host, problem, fix)
    elif is_changed:
        problem = (
            f"the redirect to the provider has become {location.partition('?')[0]}, for {redirect_uri or 'no app'}"
        )
        fix = "let the proxy leave Location as it is (proxy_redirect off at nginx), and forward to the right app"
        yield _found("login_redirect_changed", host, problem, fix)
    ours = [cookie for cookie in cookies if cookie.partition("=")[0].removeprefix("__Host-").startswith(COOKIE_PREFIX)]
    if not ours:
        problem = "the response that starts a login has no cookie of asgi-oidc"
        fix = "let the proxy forward Set-Cookie and cache nothing (proxy_hide_header, proxy_ignore_headers at nginx)"
        yield _found("cookies_removed", host, problem, fix)
    elif changes := sorted(
        {change for cookie in ours for change in _changes(cookie, secure=host.origin[:6] == "https:")}
    ):
        problem = f"the cookies of asgi-oidc have been changed on the way: {', '.join(changes)}"
        fix = "let the proxy leave Set-Cookie as it is (proxy_cookie_path, proxy_cookie_flags, proxy_cookie_domain)"
        yield _found("cookies_changed", host, problem, fix)


def _changes(cookie: str, *, secure: bool) -> Iterator[str]:
    """Yield what differs from what we set: browsers drop a `__Host-` cookie for each of these (RFC 6265bis §4.1.3)."""
    name, *attributes = (part.strip().lower() for part in cookie.split(";"))
    if "path=/" not in attributes:
        yield "the path is not /"
    if any(attribute.startswith("domain=") for attribute in attributes):
        yield "there is a domain"
    if "httponly" not in attributes:
        yield "HttpOnly is missing"
    if secure and "secure" not in attributes:
        yield "Secure is missing"
    if secure and not name.startswith("__host-"):
        yield "the prefix __Host- is missing"


async def _try_size(http: Http, client: RecordingClient, host: Settings) -> list[Finding]:
    """Send as many bytes of cookies as ours may have, under a name that means nothing to anybody."""
    most = host.max_cookie_header
    names = [f"doctor{number}" for number in range(most // COOKIE_SIZE)]
    cookie = "; ".join(f"{name}={'x' * COOKIE_SIZE}" for name in names)
    cookie += f"; doctor={'x' * (most - len(cookie) - len('; doctor='))}"
    client.cookie = cookie
    try:
        answer = await http.send(Call("GET", host.url_of("session"), JSON), endpoint="app")
    except ProviderError:  # the connection was closed, or an answer that cannot be read
        status = "no answer"
    else:
        if answer.status not in TOO_LARGE:
            return []
        status = f"status {answer.status}"
    problem = f"a request with {most} bytes of cookies is refused ({status}); ours may need as many"
    fix = (
        "raise the limit of the proxy or server (large_client_header_buffers 4 16k at nginx), lower max_cookie_header, "
        "or set store"
    )
    return [_found("large_cookies_refused", host, problem, fix)]


def _found(name: str, host: Settings, problem: str, fix: str) -> Finding:
    return Finding(name, problem, fix, where=host.base_url)
