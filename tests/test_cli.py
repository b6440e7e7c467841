"""The command line: what it does, and that what an operator can put right is said in a sentence."""

from __future__ import annotations

import io
import json
import re
import shutil
import socket
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bot import cli_nlu
from bot.api.tokens import SCOPES
from bot.cli import main
from bot.settings import ASSISTANT
from nlu import model, stages
from nlu.rasa_data import read
from nlu.understanding import Intent, Sentiment, Understanding

SCENARIO = Path(__file__).parent / "scenarios" / "volunteered_rating.yml"


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def earful(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    """A command line whose data directory already has a trained model."""
    monkeypatch.chdir(tmp_path)
    if (models / "models").exists():
        shutil.copytree(models / "models", tmp_path / "data" / "models")
    return CliRunner()


def refused(result: Result) -> str:
    assert result.exit_code != 0
    assert "Traceback" not in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.output


def test_nlu_parse_writes_every_line_in_order_with_everything_it_knows(earful: CliRunner) -> None:
    """The contract of `nlu parse --jsonl`."""
    texts = ["快递三天没到", "hello", "给你们打9分", "\ud83d".encode("utf-8", "replace").decode(), ""] * 30
    given = "\n".join(json.dumps({"text": text}) for text in texts)
    result = earful.invoke(main, ["nlu", "parse", "--jsonl"], input=given)
    assert result.exit_code == 0, result.output
    found = [json.loads(line) for line in result.output.splitlines()]
    assert [each["text"] for each in found] == texts
    keys = {"text", "language", "intent", "sentiment", "emotions", "nature", "aspect", "view", "urgency", "rating"}
    assert set(found[0]) == keys | {"entities", "evidence"}
    assert found[2]["rating"] == 90.0


def test_nlu_parse_asks_the_encoders_too_unless_it_is_to_be_fast(earful: CliRunner, tmp_path: Path) -> None:
    """What the fast heads are unsure of is judged by the whole cascade."""
    texts = [
        "等了俩小时没人管，我也是服了",
        "the room smelled of smoke",
        "your driver drove off with my bag",
        "东西跟图上两码事",
    ]
    lines = "\n".join(json.dumps({"text": text}) for text in texts)
    data = read(ASSISTANT / "data" / "nlu")
    trained = model.load_or_train(data, tmp_path)
    cascade = stages.load(trained, data)
    assert cascade is not None
    told = []
    for more, expected in (((), cascade), (("--fast",), trained)):
        written = earful.invoke(main, ["nlu", "parse", "--jsonl", *more], input=lines).stdout
        told.append([json.loads(line) for line in written.splitlines()])
        assert told[-1] == [json.loads(json.dumps(each.as_json())) for each in expected.parse_many(texts)]
    assert told[0] != told[1]


def test_nlu_parse_names_the_line_that_is_wrong(earful: CliRunner) -> None:
    """What came before it is written."""
    result = earful.invoke(main, ["nlu", "parse", "--jsonl"], input='{"text": "a"}\n{"txt": "b"}\n')
    assert "line 2 is not an object" in refused(result)
    assert json.loads(result.stdout)["text"] == "a"


def test_nlu_parse_holds_no_more_lines_than_it_answers_at_once(
    earful: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the input is, every line is answered before many more are read."""

    class Lines(io.RawIOBase):
        """20,000 lines, made as they are read."""

        given = answered = 0

        def readable(self) -> bool:
            return True

        def readinto(self, into: Any) -> int:
            if self.given == 20_000:
                return 0
            line = b'{"text": "hello"}\n'
            into[: len(line)] = line
            self.given += 1
            return len(line)

    class Parser:
        def parse_many(self, texts: list[str]) -> list[Understanding]:
            assert lines.given - lines.answered <= cli_nlu.AT_ONCE
            lines.answered += len(texts)
            return [answer] * len(texts)

    lines, answer = (
        Lines(),
        Understanding(text="hello", language="en", intent=Intent("greet", 1.0), sentiment=Sentiment("neutral", 0.0)),
    )
    monkeypatch.setattr(cli_nlu, "_parser", lambda context, fast: Parser())
    result = earful.invoke(main, ["nlu", "parse", "--jsonl"], input=io.BufferedReader(lines))
    assert result.exit_code == 0, result.output
    assert lines.answered == 20_000


def test_simulate_plays_writes_and_judges(earful: CliRunner, tmp_path: Path) -> None:
    """With --json everything that came of it; a scenario that does not come out is an error."""
    result = earful.invoke(main, ["simulate", str(SCENARIO), "--json"])
    assert result.exit_code == 0, result.output
    written = json.loads(result.stdout)
    assert {"transcript", "conversations", "cases", "ratings", "surveys", "timers", "outbox"} <= set(written)
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(SCENARIO.read_text().replace("90.0", "10.0"))
    output = refused(earful.invoke(main, ["simulate", str(tmp_path)]))  # a folder stands for what is in it
    assert "should be 10.0, but is [90.0]" in output
    assert "1 of 1 scenarios did not come out" in output


def test_the_terminal_leaves_links_whole(earful: CliRunner) -> None:
    """Whatever the width of the window: a link that is folded cannot be followed."""
    result = earful.invoke(main, ["chat"], input="快递三天没到，客服也不理我\n", env={"COLUMNS": "40"})
    assert result.exit_code == 0, result.output
    assert re.search(r"http://localhost:8080/c/[\w-]{20,}\s*$", result.output, re.MULTILINE)


def test_people_and_tokens_are_added(earful: CliRunner) -> None:
    """A weak password, a name that is taken and an unknown scope are refused in words."""
    add = ["user", "add", "amy", "--role", "supervisor", "--password"]
    assert "amy may sign in" in earful.invoke(main, [*add, "four quiet grey horses"]).output
    refused(earful.invoke(main, [*add, "four quiet grey horses"]))
    refused(earful.invoke(main, ["user", "add", "bob", "--password", "123"]))
    assert "amy is set" in earful.invoke(main, ["user", "password", "amy", "--password", "five loud red hens"]).output
    assert earful.invoke(main, ["token", "add", "crm", "--scope", "episodes:write"]).output.startswith("earful_")
    for wrong in (["--scope", "everything"], []):
        said = refused(earful.invoke(main, ["token", "add", "x", *wrong]))
        assert "choose from" in said
        assert all(scope in said for scope in SCOPES)
    listed = earful.invoke(main, ["token", "add", "--help"]).output
    assert all(f"{scope} " in listed for scope in SCOPES)
    assert "amy is now shown as Amy Lin" in earful.invoke(main, ["user", "name", "amy", "Amy Lin"]).output
    assert "customers see it" in refused(earful.invoke(main, ["user", "name", "amy", " "]))


def test_check_and_upgrade_say_how_things_stand(earful: CliRunner) -> None:
    """And there is no demo content unless somebody asked for it."""
    assert "Upgraded to" in earful.invoke(main, ["db", "upgrade"]).output
    assert "Nothing to do" in earful.invoke(main, ["db", "upgrade"]).output
    result = earful.invoke(main, ["check"])
    assert result.exit_code == 0, result.output
    assert "web/default at http://localhost:8080/chat" in result.output
    assert "no demo content" in earful.invoke(main, ["demo", "remove"]).output


def test_check_changes_nothing(earful: CliRunner, tmp_path: Path) -> None:
    """It is asked before an upgrade, with content that is still a draft, beside the service at work."""
    output = earful.invoke(main, ["check"]).output
    assert "earful.db, made by the first start" in output
    assert not list(tmp_path.glob("data/earful.db*"))
    earful.invoke(main, ["db", "upgrade"])
    copy = tmp_path / "assistant"
    shutil.copytree(ASSISTANT, copy)
    question = next((copy / "knowledge").glob("*.yml"))
    question.write_text(question.read_text().replace("zh:", "zh: ", 1))
    with sqlite3.connect(tmp_path / "data" / "earful.db") as database:
        database.execute("update alembic_version set version_num = '0001'")
    output = earful.invoke(main, ["check"], env={"EARFUL_ASSISTANT_DIR": str(copy)}).output
    assert "of an older version: the next start brings it to this one" in output
    with sqlite3.connect(tmp_path / "data" / "earful.db") as database:
        assert database.execute("select version_num from alembic_version").fetchone() == ("0001",)
        for table in ("knowledge", "survey_versions"):
            assert database.execute(f"select count(*) from {table}").fetchone() == (0,)


def test_check_tells_everything_that_is_wrong_at_once(earful: CliRunner, tmp_path: Path) -> None:
    """Content, data directory, database, every account: each with its remedy, and no secret."""
    (tmp_path / "file").write_text("")
    (tmp_path / "earful.toml").write_text(
        "data_dir = 'file/data'\ndatabase_url = 'postgresql://u:hush@127.0.0.1:1/db'\nredis_url = 'redis://127.0.0.1:1/0'\n"
        "[channels.telegrm.main]\ntoken = '1'\n[channels.telegram.main]\ntokn = '1'\n"
        "[channels.telegram.other]\ntoken = 'hush'\n"
        "[channels.twilio.main]\naccount_sid = 'AC1'\napi_base = 'twilio'\n"
    )
    copy = tmp_path / "assistant"
    shutil.copytree(ASSISTANT, copy)
    (copy / "notices.yml").write_text("failure: {zh: 只有中文}\n")
    output = refused(earful.invoke(main, ["check"], env={"EARFUL_ASSISTANT_DIR": str(copy)}))
    for said in (
        f"{tmp_path / 'file'} is no folder that this user may write to",
        "notices.yml:1",
        "postgresql://u:***@127.0.0.1:1/db: nothing answers there",
        "redis      note   does not answer",
        "[channels.telegrm.…]: there is no channel 'telegrm'; there are meta, telegram, twilio, web",
        "[channels.telegram.main]: token is missing: @BotFather gives one like",
        "[channels.telegram.main]: there is no 'tokn'. There are token, secret_token, mode",
        "[channels.telegram.other]: token is not a bot token",
        "[channels.twilio.main]: account_sid is not what it should be: AC and 32 hexadecimal digits",
        "[channels.twilio.main]: api_base is not an address such as https://",
    ):
        assert said in output
    assert "hush" not in output


def test_check_says_which_platforms_cannot_reach_it(earful: CliRunner, tmp_path: Path) -> None:
    """A webhook needs an address that the platform can call; an account that is polled needs none."""
    account = "[channels.telegram.main]\ntoken = '1:a'\n"
    hook = account + "secret_token = 'long-enough-for-a-secret'\n"
    for file, said in (
        (account + "mode = 'polling'\n", "telegram/main is asked for news"),
        (hook, "cannot call http://localhost:8080/hooks/telegram/main: set EARFUL_PUBLIC_URL"),
        ("public_url = 'https://ear.example'\n" + hook, "ok     telegram/main, which calls https://ear.example/hooks/"),
    ):
        (tmp_path / "earful.toml").write_text(file)
        result = earful.invoke(main, ["check"])
        assert result.exit_code == 0
        assert said in result.output


@pytest.mark.parametrize(
    "command", [["serve", "--port", "0"], ["db", "upgrade"], ["user", "add", "a", "--password", "x"]]
)
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"EARFUL_DATABASE_URL": "postgresql://u:hush@127.0.0.1:1/db"}, "u:***@127.0.0.1:1/db: nothing answers there"),
        ({"EARFUL_DATABASE_URL": "postgresql://u:hush@127.0.0.1:port/db"}, "EARFUL_DATABASE_URL is no address"),
        ({"EARFUL_DATABASE_URL": "hush"}, "EARFUL_DATABASE_URL is no address"),
        ({"EARFUL_DATABASE_URL": "sqlite:///text.db"}, "file is not a database. Check the path"),
        ({"EARFUL_DATA_DIR": "text.db/data"}, "cannot be made (Not a directory). Make it, or set EARFUL_DATA_DIR"),
    ],
)
def test_a_database_that_cannot_be_opened_is_said_in_a_sentence(
    earful: CliRunner, tmp_path: Path, command: list[str], settings: dict[str, str], said: str
) -> None:
    """With its remedy, and without its password."""
    (tmp_path / "text.db").write_text("no database, but words of some length\n" * 200)
    output = refused(earful.invoke(main, command, env=settings))
    assert said in output
    assert "hush" not in output


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("company = [", "earful.toml"),
        ("colour = 'green'", "there is no such setting"),
        ("time_zone = 'Mars/Olympus'", "is not a time zone"),
        ("language = 'fr'", "'fr' is not a language of the assistant: use zh or en"),
        ("port = 99999", "port (EARFUL_PORT, or in earful.toml): '99999' is too large. Write 65535 or less"),
        ("port = 'http'", "'http' is not a whole number. Write digits alone"),
        ("body_limit = 1", "'1' is too small. Write 1000 or more"),
        ("log_level = 'loud'", "Write one of: debug, info, warning, error"),
        ("company = 5", "'5' is not a text. Put it in quotes"),
        ("frame_origins = 'https://a.example'", "is not a list. Write ["),
        ("channels = 'telegram'", "this is not a table. Write [channels.telegram.main]"),
        ("admin_password = 12345678901", "admin_password (EARFUL_ADMIN_PASSWORD, or in earful.toml): the value is not"),
        ("database_url = 'mysql://x'", "use sqlite"),
        ("secret = 'short'", "32 random characters or more: openssl rand -hex 32 makes one"),
        ("frame_origins = ['*; script-src *']", "is not an origin"),
        ("[channels.telegrm.main]\ntoken = 'x'", "there is no channel 'telegrm'"),
        ("[channels.telegram.main]\ntoken = 'x'", "[channels.telegram.main]"),
        ("[channels.telegram.main]\ntoken_file = 'nowhere'", "nowhere cannot be read"),
        ("assistant_dir = 'nowhere'", "there is no folder "),
        ("assistant_dir = '.'", "has no domain.yml. Copy the whole of "),
    ],
)
def test_a_wrong_setting_stops_the_start_with_its_remedy(
    earful: CliRunner, tmp_path: Path, file: str, said: str
) -> None:
    """The service does not start half-configured. What is wrong and what to write is said in our words, without a
    secret in them."""
    (tmp_path / "earful.toml").write_text(file)
    output = refused(earful.invoke(main, ["check"]))
    assert said in output
    assert "12345678901" not in output
    for theirs in ("Input should be", "validation error", "pydantic"):
        assert theirs not in output


def test_a_variable_that_is_no_list_is_said_so(earful: CliRunner) -> None:
    """Lists and tables in the environment are JSON."""
    output = refused(earful.invoke(main, ["check"], env={"EARFUL_FRAME_ORIGINS": "https://a.example"}))
    assert "EARFUL_FRAME_ORIGINS: this is not JSON. Write a list" in output


def test_an_unknown_variable_is_named(earful: CliRunner) -> None:
    """A misspelt variable would otherwise be silently without effect."""
    assert "EARFUL_COMPNAY" in refused(earful.invoke(main, ["check"], env={"EARFUL_COMPNAY": "x"}))


def test_a_content_file_with_an_error_names_file_line_and_remedy(earful: CliRunner, tmp_path: Path) -> None:
    """All of them at once, from every file."""
    copy = tmp_path / "assistant"
    shutil.copytree(ASSISTANT, copy)
    (copy / "deadlines.yml").write_text(
        (copy / "deadlines.yml").read_text().replace("counted: clock", "counted: sometimes")
    )
    (copy / "notices.yml").write_text("failure: {zh: 只有中文}\n")
    output = refused(earful.invoke(main, ["check"], env={"EARFUL_ASSISTANT_DIR": str(copy)}))
    assert f"the content in {copy} cannot be used" in output
    assert "deadlines.yml:" in output
    assert "notices.yml:1" in output


def test_two_services_do_not_work_on_one_sqlite_file(earful: CliRunner, tmp_path: Path) -> None:
    """The second says so instead of sending everything twice."""
    import fcntl

    (tmp_path / "data").mkdir(exist_ok=True)
    with (tmp_path / "data" / "earful.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for environment in ({}, {"EARFUL_DATA_DIR": "other", "EARFUL_DATABASE_URL": "sqlite:///data/earful.db"}):
            said = refused(earful.invoke(main, ["serve", "--port", "0"], env=environment))
            assert "another Earful is running" in said
        assert earful.invoke(main, ["check"]).exit_code == 0  # looking harms nobody


def test_a_dead_letter_is_listed_without_its_words_and_tried_again(earful: CliRunner, tmp_path: Path) -> None:
    """By its number; a number that is none is said."""
    assert "no dead letters" in earful.invoke(main, ["dead-letters", "list"]).output
    with sqlite3.connect(tmp_path / "data" / "earful.db") as database:
        database.execute(
            "insert into inbox (channel, account, dedupe_key, lane, event, state, attempts, reason, received_at)"
            " values ('web', 'a', 'k', 'chat:web:a:t', 'secret words', 'dead', 3, 'failed 3 times', 0)"
        )
    listed = earful.invoke(main, ["dead-letters", "list"]).output
    assert "failed 3 times" in listed
    assert "secret words" not in listed
    shown = earful.invoke(main, ["dead-letters", "show", "1"]).output
    assert all(words in shown for words in ("secret words", "chat:web:a:t", "failed 3 times"))
    assert "no dead letter" in refused(earful.invoke(main, ["dead-letters", "show", "2"]))
    assert "1 tried again" in earful.invoke(main, ["dead-letters", "replay", "1"]).output
    assert "0 of 1 are dead letters" in refused(earful.invoke(main, ["dead-letters", "replay", "1"]))


def test_a_port_that_is_taken_is_said_and_costs_no_password(earful: CliRunner, tmp_path: Path) -> None:
    """The one-time password is made only for a service that came up."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert "EARFUL_PORT" in refused(earful.invoke(main, ["serve", "--port", port]))
    with sqlite3.connect(tmp_path / "data" / "earful.db") as database:
        assert database.execute("select count(*) from staff").fetchone() == (0,)
