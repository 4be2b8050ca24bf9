"""The field `user` in the form of a first login at Apple: the user's name, which is not signed.

It has an e-mail address too, which is only compared: the address of the user is that of the ID Token.

Sources: Apple, "Request an authorization to the Sign in with Apple server" (`user`); that it comes once,
https://github.com/nicokaiser/passport-apple/issues/4.
"""

from asgi_oidc.protocol.json_objects import InvalidJSON, read_object

MAX_LENGTH = 4096  # characters of the field; those of real users have about a hundred
MAX_NAME_LENGTH = 100  # characters of the first name, and of the last
JOINERS = "\u200c\u200d"  # not printable by themselves, but part of names in several scripts


def read_user_field(field: str, *, email: object) -> tuple[dict[str, str], str]:
    """Read the claims `name`, `given_name` and `family_name`.

    Args:
        email: claim of the ID Token.

    Returns:
        The claims, none if the field cannot be used; and why not, or an empty text.
    """
    if len(field) > MAX_LENGTH:
        return {}, f"it has more than {MAX_LENGTH} characters"
    try:
        user = read_object(field.encode("utf-8", "replace"))
    except InvalidJSON as exc:
        return {}, str(exc)
    address = user.get("email")
    if isinstance(address, str) and isinstance(email, str) and address.casefold() != email.casefold():
        return {}, "its e-mail address is not that of the ID Token"
    name = user.get("name", {})
    if not isinstance(name, dict):
        return {}, "name is not an object"
    first, last = _name(name.get("firstName")), _name(name.get("lastName"))
    claims = {"name": " ".join(part for part in (first, last) if part), "given_name": first, "family_name": last}
    return {claim: value for claim, value in claims.items() if value}, ""


def _name(value: object) -> str:
    """Return a name without what cannot be seen; empty if it is no text, or too long."""
    if not isinstance(value, str) or len(value) > MAX_NAME_LENGTH:
        return ""
    return "".join(char for char in value if char.isprintable() or char in JOINERS).strip()
