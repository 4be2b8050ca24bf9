"""Puts a new secret in front of those in a file, or removes all but the first.

python3 rotate_secret.py secrets/oidc_secret             # the file then contains NEW,OLD
python3 rotate_secret.py --finish secrets/oidc_secret    # the file then contains NEW
"""

import argparse
import secrets
from pathlib import Path

MAX_SECRETS = 8  # asgi-oidc accepts no more


def rotated(text: str, *, finish: bool) -> str:
    """Return the new content of the file."""
    listed = [item for part in text.split(",") if (item := part.strip())]
    if finish:
        return listed[0]
    return ",".join([secrets.token_urlsafe(32), *listed][:MAX_SECRETS])


def main() -> None:
    """Change the file."""
    parser = argparse.ArgumentParser(description="Rotate OIDC_SECRET in a file.")
    parser.add_argument("path", type=Path)
    parser.add_argument("--finish", action="store_true", help="remove the old secrets; after session_lifetime")
    arguments = parser.parse_args()
    text = rotated(arguments.path.read_text("ascii"), finish=arguments.finish)
    # Written in place, not replaced by another file: Docker Compose mounts this very file into the containers.
    arguments.path.write_text(text + "\n", "ascii")


if __name__ == "__main__":
    main()
