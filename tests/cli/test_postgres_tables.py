"""`asgi-oidc postgres-tables` prints SQL, and nothing else."""

from asgi_oidc import PostgresStore
from asgi_oidc.cli.main import main


def test_the_command_prints_what_the_function_returns(capsys):
    """For psql, or for a file in the app's migrations."""
    status = main(["postgres-tables", "--tables", "auth.oidc", "--role", "app", "--unlogged"])

    assert status == 0
    assert capsys.readouterr().out == PostgresStore.migration(tables="auth.oidc", role="app", unlogged=True)


def test_a_wrong_name_prints_no_sql(capsys):
    """Half of it would be worse than none."""
    status = main(["postgres-tables", "--role", "app; DROP TABLE x"])

    printed = capsys.readouterr()
    assert (status, printed.out) == (1, "")
    assert "lower-case letters" in printed.err
