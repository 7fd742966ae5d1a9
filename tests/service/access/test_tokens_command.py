"""`atypia tokens`."""

from __future__ import annotations

from click.testing import CliRunner

from atypia.cli.main import commands
from atypia.service.access import tokens as of_tokens


def run(*words: str):
    return CliRunner().invoke(commands, ["tokens", *words], prog_name="atypia")


def test_a_token_is_made_listed_and_revoked(home, store, audited):
    data = ("--data", str(home.path))
    assert "everyone may do everything" in run("list", *data).stdout
    made = run("add", "alice", "--role", "admin", "--days", "30", *data)
    assert made.exit_code == 0, made.output
    secret = made.stdout.strip()
    assert of_tokens.is_token(secret)
    assert "shown this once" in made.stderr
    with store.session() as session:
        assert of_tokens.find(session, secret).role == "admin"
    listed = run("list", *data)
    assert "alice: admin, valid" in listed.stdout
    assert secret not in listed.output
    assert run("revoke", "alice", *data).stdout == "alice is revoked.\n"
    assert "alice: admin, revoked" in run("list", *data).stdout
    with store.session() as session:
        assert of_tokens.find(session, secret) is None
    assert [(row.who, row.action) for row in audited()] == [
        ("command line", "token.create"),
        ("command line", "token.revoke"),
    ]


def test_a_folder_that_is_not_there_is_made(tmp_path):
    made = run("add", "alice", "--data", str(tmp_path / "new"))
    assert made.exit_code == 0, made.output
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700


def test_what_cannot_be(home):
    data = ("--data", str(home.path))
    for words in (
        ("add", "=1+1"),
        ("add", "a", "--days", "0"),
        ("revoke", "nobody"),
        ("list", "--database", "mysql://a/b"),
    ):
        answer = run(*words, *data)
        assert answer.exit_code == 2, words
        assert answer.stderr.startswith("atypia: ")
