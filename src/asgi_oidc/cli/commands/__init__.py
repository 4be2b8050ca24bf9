"""The subcommands of `asgi-oidc`, one file each."""
