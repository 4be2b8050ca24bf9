"""The names of environment variables."""

PREFIX = "OIDC_"  # begins all of them


def variable_of(name: str) -> str:
    """Return the environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"


def variable_prefix(name: str) -> str:
    """Return how the variables of a provider begin, after `OIDC_`."""
    return f"{name.upper().replace('-', '_')}_"
