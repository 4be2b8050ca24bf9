"""`asgi-oidc postgres-tables`: the SQL that makes the tables of `PostgresStore`."""

import argparse

from asgi_oidc.cli.arguments import fail
from asgi_oidc.stores.postgres_tables import DEFAULT_TABLES, migration

HELP = "print the SQL that makes the tables of PostgresStore"
DESCRIPTION = (
    "Print the SQL that makes the tables of PostgresStore. It connects to nothing: give the SQL to psql once, or put "
    "it into a migration of your app. Example, which makes all of it or nothing: "
    "asgi-oidc postgres-tables --role app | psql -1 -f - postgresql://owner@host/db"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of this subcommand."""
    parser.add_argument(
        "--tables",
        default=DEFAULT_TABLES,
        metavar="NAME",
        help="the beginning of their names, perhaps with a schema, such as auth.asgi_oidc (default %(default)s)",
    )
    parser.add_argument("--role", metavar="NAME", help="the app's database role, which gets the rights that it needs")
    parser.add_argument(
        "--unlogged",
        action="store_true",
        help="leave them out of the write-ahead log: faster, but a crash of the server signs all users out",
    )


def run(options: argparse.Namespace) -> int:
    """Print the SQL; the status is 1 if a name is invalid."""
    try:
        print(migration(tables=options.tables, unlogged=options.unlogged, role=options.role), end="")
    except ValueError as error:
        return fail(str(error))
    return 0
