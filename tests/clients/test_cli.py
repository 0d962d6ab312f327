"""The commands, as an operator types them."""

import asyncio
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click.testing
import pytest

from townsquare.analytics.duckdb import DuckAnalytics
from townsquare.cli.commands import townsquare
from townsquare.kit.clock import SystemClock
from townsquare.model.facts import Fact
from townsquare.store.port import Put
from townsquare.store.sqlite import SqliteStore
from townsquare.store.tables import SETTINGS, TABLES, SettingRow

PASSWORD = "correct horse battery"


class Shell:
    """Types commands on one data folder."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def type(self, *words: str, typed: str = "") -> click.testing.Result:
        done = click.testing.CliRunner().invoke(townsquare, ["--data", str(self.data), *words], input=typed)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done

    def json(self, *words: str) -> Any:
        """What a command that does its work prints as its last line."""
        done = self.type(*words, "--json")
        assert done.exit_code == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def refused(self, *words: str, code: int = 1) -> str:
        """The sentence of a command that is refused."""
        done = self.type(*words)
        assert done.exit_code == code, done.output
        assert "Traceback" not in done.output
        assert not done.stdout
        return done.stderr.splitlines()[-1].removeprefix("Error: ")

    def make(self, name: str, *words: str) -> Any:
        """Make an account."""
        email = f"{name}@example.org"
        return self.json("accounts", "create", name, "--email", email, "--password", PASSWORD, "--confirmed", *words)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "data")


def test_accounts_create_prints_id_and_token_last(shell: Shell) -> None:
    scopes = "read write follow push admin:read admin:write"
    made = shell.make("ada", "--role", "owner", "--scopes", scopes)
    assert set(made) == {"id", "username", "token"}
    assert made["id"].isdecimal()
    assert made["username"] == "ada"
    (row,) = shell.json("accounts", "list")
    assert (row["id"], row["role"], row["state"], row["email"]) == (made["id"], "owner", "active", "ada@example.org")


def test_accounts_create_makes_a_password_where_none_is_given(shell: Shell) -> None:
    made = shell.json("accounts", "create", "ada", "--email", "ada@example.org", "--confirmed")
    assert len(made["password"]) >= 12


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("ada", "--email", "nothing", "--password", PASSWORD), "E-mail address is invalid"),
        (("ada", "--email", "a@example.org", "--password", "x"), "Password is too short"),
        (("a da!", "--email", "a@example.org", "--password", PASSWORD), "Username"),
        (("ada", "--email", "a@example.org", "--password", PASSWORD, "--scopes", "read cake"), "Scopes"),
    ],
)
def test_accounts_create_with_wrong_input_makes_nothing(shell: Shell, words: tuple[str, ...], sentence: str) -> None:
    shell.make("bea")
    assert sentence in shell.refused("accounts", "create", *words)
    assert [row["username"] for row in shell.json("accounts", "list")] == ["bea"]


@pytest.mark.slow
def test_accounts_create_refuses_a_taken_name(shell: Shell) -> None:
    shell.make("ada")
    words = ("accounts", "create", "ADA", "--email", "b@example.org", "--password", PASSWORD)
    assert "taken" in shell.refused(*words)


@pytest.mark.slow
def test_accounts_change_and_go(shell: Shell) -> None:
    made = shell.make("ada")
    assert shell.json("accounts", "modify", "ada", "--role", "moderator")["role"] == "moderator"
    assert [row["username"] for row in shell.json("accounts", "list", "--role", "moderator")] == ["ada"]
    moved = shell.json("accounts", "modify", "@Ada", "--email", "new@example.org")
    assert (moved["email"], moved["state"]) == ("new@example.org", "unconfirmed")
    assert shell.json("accounts", "modify", "ada", "--confirm")["state"] == "active"
    assert shell.json("accounts", "modify", "ada", "--disable", "--suspend")["state"] == "suspended, disabled"
    assert shell.json("accounts", "modify", "ada", "--enable", "--unsuspend")["state"] == "active"
    assert shell.json("accounts", "reset-password", "ada")["password"]
    assert shell.json("accounts", "delete", "ada", "--yes") == {"id": made["id"], "deleted": True}
    assert shell.json("accounts", "list") == []
    assert shell.refused("accounts", "modify", "ada", "--role", "user") == "There is no account ada."


def test_accounts_modify_wants_a_change(shell: Shell) -> None:
    shell.make("ada")
    assert "what to change" in shell.refused("accounts", "modify", "ada", code=2)
    assert "password" in shell.refused("accounts", "reset-password", "ada", "--password", "x").lower()


def test_accounts_delete_asks_first(shell: Shell) -> None:
    shell.make("ada")
    assert shell.type("accounts", "delete", "ada", typed="n\n").exit_code == 1
    assert [row["username"] for row in shell.json("accounts", "list")] == ["ada"]


def test_tokens_are_made_for_known_accounts_and_scopes(shell: Shell) -> None:
    shell.make("ada")
    made = shell.json("tokens", "create", "ada", "--scopes", "read write:statuses")
    assert made["scopes"] == "read write:statuses"
    assert len(made["token"]) > 20
    assert "Scopes" in shell.refused("tokens", "create", "ada", "--scopes", "cake")
    assert "scopes" in shell.refused("tokens", "create", "ada", "--scopes", " ", code=2)
    assert shell.refused("tokens", "create", "bea") == "There is no account bea."


@pytest.mark.parametrize(
    "words",
    [("accounts", "list"), ("accounts", "delete", "ada", "--yes"), ("tokens", "create", "ada"), ("backup", "x.tar")],
)
def test_a_mistyped_folder_is_named_and_not_made(shell: Shell, words: tuple[str, ...]) -> None:
    assert "There is no server in the folder" in shell.refused(*words, code=2)
    assert not shell.data.exists()


def test_a_folder_that_cannot_be_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    shell = Shell(tmp_path / "file")
    words = ("accounts", "create", "ada", "--email", "a@example.org", "--password", PASSWORD)
    assert "cannot be used" in shell.refused(*words, code=2)
    assert "cannot be used" in shell.refused("run", "--bind", "127.0.0.1:0", code=2)


def test_settings_are_shown_and_wrong_ones_named(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.make("ada")
    (shell.data / "townsquare.toml").write_text('title = "Our square"\n')
    assert shell.json("settings", "show")["title"] == "Our square"
    assert "Our square" in shell.type("settings", "show").stdout
    assert "bind" in shell.refused("run", "--bind", "3000", code=2)
    monkeypatch.setenv("TOWNSQUARE_WEB_PROCESSES", "many")
    assert "web_processes" in shell.refused("settings", "show", code=2)
    monkeypatch.delenv("TOWNSQUARE_WEB_PROCESSES")
    (shell.data / "townsquare.toml").write_text('titel = "Our square"\n')
    assert "titel" in shell.refused("settings", "show", code=2)
    (shell.data / "townsquare.toml").write_text("title = Our square\n")
    assert "townsquare.toml" in shell.refused("settings", "show", code=2)


def test_memory_engines_are_refused_for_many_processes(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOWNSQUARE_STORE", "memory:")
    assert "store = memory:" in shell.refused("run", "--bind", "127.0.0.1:0", code=2)
    monkeypatch.setenv("TOWNSQUARE_STORE", "oracle:x")
    assert "sqlite:, memory:" in shell.refused("run", "--bind", "127.0.0.1:0", code=2)


COMMANDS = [
    ("accounts", "list"),
    ("run", "--bind", "127.0.0.1:0"),
    ("web", "--bind", "127.0.0.1:0"),
    ("workers",),
    ("seed", "--people", "2"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_a_store_of_another_version_is_refused_by_every_command(shell: Shell, words: tuple[str, ...]) -> None:
    shell.make("ada")

    async def make_newer() -> None:
        clock = SystemClock()
        store = await SqliteStore.open(shell.data / "townsquare.db", TABLES, clock=clock)
        await store.write([Put(SETTINGS, SettingRow(name="schema", value=b"999"))])
        await store.close()

    asyncio.run(make_newer())
    assert "schema version 999" in shell.refused(*words, code=2)
    checks = json.loads(shell.type("doctor", "--json").stdout)["checks"]
    assert [each["about"] for each in checks if "schema version 999" in each["about"]]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_an_engine_that_does_not_answer_is_named(
    shell: Shell, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("hiredis")
    shell.make("ada")
    monkeypatch.setenv("TOWNSQUARE_CACHE", "redis://user:secret@127.0.0.1:1/0")
    sentence = shell.refused(*words, code=2)
    assert "127.0.0.1:1" in sentence
    assert "start what the setting cache names" in sentence
    assert "secret" not in sentence


@pytest.mark.slow
def test_copy_names_what_it_cannot_do(shell: Shell, tmp_path: Path) -> None:
    assert "no server in the folder" in shell.refused("copy", "--to", "sqlite:b.db", code=2)
    shell.make("ada")
    assert "same store" in shell.refused("copy", "--to", f"sqlite:{shell.data / 'townsquare.db'}", code=2)
    assert "or neither" in shell.refused("copy", "--to", "sqlite:b.db", "--media-to", "file:m", code=2)
    assert "must begin with one of" in shell.refused("copy", "--to", "oracle:b", code=2)
    other = Shell(tmp_path / "other")
    other.make("bea")
    full = f"sqlite:{other.data / 'townsquare.db'}"
    assert "Name an empty store" in shell.refused("copy", "--to", full, code=2)
    assert "workers --once" in shell.refused("copy", "--to", "sqlite:b.db", "--final")
    assert "2 tasks are done" in shell.type("workers", "--once").stdout
    done = shell.json("copy", "--to", "sqlite:b.db", "--final")
    assert done["whole"]
    assert done["rows"] == sum(table["rows"] for table in done["tables"])


def test_workers_name_their_lanes(shell: Shell) -> None:
    assert "fan_out" in shell.refused("workers", "--lanes", "fan_out,cake", code=2)


def test_doctor_looks_and_makes_nothing(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    done = shell.type("doctor", "--json")
    checks = {each["check"]: each["ok"] for each in json.loads(done.stdout)["checks"]}
    assert done.exit_code == 2
    assert not checks["engines"]
    assert not shell.data.exists()
    shell.make("ada")
    for tool in ("ffmpeg", "ffprobe"):
        (shell.data / tool).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(shell.data))
    checks = {each["check"]: each for each in shell.json("doctor")["checks"]}
    assert all(each["ok"] for each in checks.values())
    assert checks["store: schema version"]["level"] == "ok"
    assert "analytics: facts" in checks
    monkeypatch.setenv("PATH", "")
    done = shell.type("doctor")
    assert done.exit_code == 1
    assert "LOOK   video: ffmpeg and ffprobe not found" in done.stdout


def test_doctor_names_what_is_not_for_real_people(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.make("ada")
    (shell.data / "townsquare.toml").write_text(
        'url = "https://example.org"\ntest_mode = true\nrelaxed_sync = true\n'
        'store = "cassandra://user:secret@127.0.0.1:1/townsquare"\n'
    )
    shell.data.chmod(0o755)
    (shell.data / "townsquare.toml").chmod(0o644)
    done = shell.type("doctor", "--json")
    assert done.exit_code == 2
    assert "secret" not in done.output
    checks = {each["check"]: each for each in json.loads(done.stdout)["checks"]}
    named = {name for name, each in checks.items() if not each["ok"]} - {"video"}
    assert named == {"url", "test mode", "durability", "mail", "rights", "machines", "store"}
    assert checks["store"]["level"] == "wrong"
    assert "trusted_proxies" in checks["url"]["about"]


@pytest.mark.slow
def test_seed_makes_the_same_people_again_for_the_same_number(tmp_path: Path) -> None:
    words = ("seed", "--people", "12", "--mean-follows", "3", "--pictures", "0", "--seed", "7")
    first, second = Shell(tmp_path / "a"), Shell(tmp_path / "b")
    counts = [shell.json(*words) for shell in (first, second)]
    for each in counts:
        assert each.pop("seconds") < 60
    assert counts[0] == counts[1]
    assert counts[0]["people"] == 12
    assert counts[0]["follows"] > 0
    assert [row["username"] for row in first.json("accounts", "list")] == [
        row["username"] for row in second.json("accounts", "list")
    ]
    assert "here already" in first.refused(*words)


@pytest.mark.slow
def test_seed_reads_a_graph_and_texts(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "graph").write_text("# two friends\n1 2\n2 3\n")
    (tmp_path / "texts").write_text("Only this\n\n")
    words = ("--graph", str(tmp_path / "graph"), "--texts", str(tmp_path / "texts"), "--pictures", "0")
    made = shell.json("seed", *words)
    assert (made["people"], made["follows"]) == (3, 4)


def test_seed_names_the_line_that_cannot_be_read(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "graph").write_text("1 2\n2 cake\n")
    assert "line 2" in shell.refused("seed", "--graph", str(tmp_path / "graph"))
    (tmp_path / "graph.gz").write_text("1 2\n")
    assert "graph.gz" in shell.refused("seed", "--graph", str(tmp_path / "graph.gz"))
    (tmp_path / "empty").write_text("")
    assert "no texts" in shell.refused("seed", "--texts", str(tmp_path / "empty"))
    assert shell.type("seed", "--people", "1").exit_code == 2


@pytest.mark.slow
def test_restore_takes_only_what_backup_wrote(shell: Shell, tmp_path: Path) -> None:
    shell.make("ada")
    saved = tmp_path / "saved.tar"
    shell.json("backup", str(saved))
    assert saved.stat().st_mode & 0o077 == 0
    assert "already" in shell.refused("backup", str(saved))
    assert "no folder" in shell.refused("backup", str(tmp_path / "nowhere" / "saved.tar"))
    assert "holds a server already" in shell.refused("restore", str(saved))
    assert [row["username"] for row in shell.json("accounts", "list")] == ["ada"]
    other = Shell(tmp_path / "other")
    (tmp_path / "cake.tar").write_text("cake")
    assert "archive" in other.refused("restore", str(tmp_path / "cake.tar"))
    with tarfile.open(tmp_path / "strange.tar", "w") as tar:
        tar.add(tmp_path / "cake.tar", "../cake")
    assert "not made by" in other.refused("restore", str(tmp_path / "strange.tar"))
    assert other.json("restore", str(saved))["restored"]
    assert [row["username"] for row in other.json("accounts", "list")] == ["ada"]


@pytest.mark.slow
def test_the_facts_are_in_the_backup(shell: Shell, tmp_path: Path) -> None:
    async def facts_in(data: Path, put: Sequence[Fact] = ()) -> int:
        facts = await DuckAnalytics.open(data / "facts.duckdb")
        await facts.put(put)
        coverage = await facts.coverage()
        await facts.close()
        return coverage.facts

    shell.make("ada")
    told = [Fact(id=n, kind="search", at_ms=1_790_000_000_000 + n) for n in range(1, 9)]
    before = asyncio.run(facts_in(shell.data, told))
    assert before >= len(told)
    shell.json("backup", str(tmp_path / "saved.tar"))
    other = Shell(tmp_path / "other")
    other.json("restore", str(tmp_path / "saved.tar"))
    assert asyncio.run(facts_in(other.data)) == before


def test_restore_writes_nothing_outside_its_folder(tmp_path: Path) -> None:
    source = Shell(tmp_path / "source")
    source.make("ada")
    source.json("backup", str(tmp_path / "saved.tar"))
    with tarfile.open(tmp_path / "saved.tar") as tar, tarfile.open(tmp_path / "evil.tar", "w") as evil:
        for member in tar.getmembers():
            evil.addfile(member, tar.extractfile(member))
        evil.add(tmp_path / "saved.tar", "media/../../evil")
    other = Shell(tmp_path / "other")
    assert "never writes" in other.refused("restore", str(tmp_path / "evil.tar"))
    assert not list(tmp_path.glob("**/evil"))
    assert other.json("restore", str(tmp_path / "saved.tar"))["restored"]
