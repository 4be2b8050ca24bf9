"""Silent logins (`prompt=none`): the provider shows no page, and the app learns from the URL that one has failed.

Source: OIDC Core §3.1.2.1 (prompt), §3.1.2.6 (errors).
"""

from asgi_oidc.errors import OIDCError, ProviderRefused, ProviderUnavailable

RESULT_PARAMETER = "login_error"
# Errors that mean that the user would have had to interact (OIDC Core §3.1.2.6).
NOT_SILENT = ("login_required", "interaction_required", "consent_required", "account_selection_required")
OUTAGES = ("temporarily_unavailable", "server_error")  # RFC 6749 §4.1.2.1
CHOICE_REQUIRED = "account_selection_required"  # of the provider, which only the user can choose

_PREFIX = f"{RESULT_PARAMETER}="


def silent_result(error: OIDCError) -> str | None:
    """Return the error code for the app of a silent login that failed; None if an error page has to explain it."""
    match error:
        case ProviderRefused() if error.error in (*NOT_SILENT, *OUTAGES):
            return error.error
        case ProviderUnavailable():
            return OUTAGES[0]
        case _:
            return None


def with_result(url: str, result: str) -> str:
    """Add the result to the query of a URL or path."""
    before, hash_mark, fragment = without_result(url).partition("#")
    return f"{before}{'&' if '?' in before else '?'}{_PREFIX}{result}{hash_mark}{fragment}"


def without_result(url: str) -> str:
    """Remove the result of an earlier login, so that it is not mistaken for that of the next one."""
    if _PREFIX not in url:
        return url
    before, hash_mark, fragment = url.partition("#")
    path, _, query = before.partition("?")
    kept = "&".join(pair for pair in query.split("&") if not pair.startswith(_PREFIX))
    return f"{path}{'?' if kept else ''}{kept}{hash_mark}{fragment}"
