"""`python -m asgi_oidc` is the command `asgi-oidc`."""

import sys

from asgi_oidc.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
