"""The command line: reads the arguments, runs the subcommand, returns the exit status."""

import argparse
from collections.abc import Sequence
from types import ModuleType

from asgi_oidc import __version__
from asgi_oidc.cli.commands import demo, doctor, init, postgres_tables, provider, register, rules, serve

# Each is a module with HELP, DESCRIPTION, add_arguments(parser) and run(options), which returns the exit status.
# It imports what it needs only when it runs.
COMMANDS: Sequence[ModuleType] = (demo, doctor, init, postgres_tables, provider, register, rules, serve)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: without the program's name; by default those of the shell.

    Returns:
        The exit status: 0 on success, 1 on failure; 2 if the arguments are wrong, or `doctor` has found only warnings.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.exit(2, parser.format_help())
    status: int = options.run(options)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="asgi-oidc", description="Sign-in with OpenID Connect for any ASGI app.")
    parser.add_argument("--version", action="version", version=f"asgi-oidc {__version__}")
    subparsers = parser.add_subparsers(title="commands", dest="command", metavar="command")
    for command in COMMANDS:
        name = command.__name__.rpartition(".")[2].replace("_", "-")
        subparser = subparsers.add_parser(name, help=command.HELP, description=command.DESCRIPTION)
        command.add_arguments(subparser)
        subparser.set_defaults(run=command.run)
    return parser
