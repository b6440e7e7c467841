"""`earful nlu`: what is understood, and how well."""

from __future__ import annotations

import asyncio
import sys
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import orjson

from bot.clock import SystemClock
from bot.commands import clear, settings_of
from nlu.understanding import Language
from storage.database import open_database
from storage.schema import upgrade

_FAST = click.option("--fast", is_flag=True, help="The fast heads alone, without the encoders that are installed.")


@click.group()
def nlu() -> None:
    """Understanding."""


AT_ONCE = 64
"""Lines that `nlu parse --jsonl` holds before it answers them: what it needs does not grow with what it is given."""


@nlu.command("parse")
@click.argument("text", required=False)
@click.option("--jsonl", is_flag=True, help='Read {"text": …} a line, write what was understood, in the same order.')
@_FAST
@click.pass_context
def nlu_parse(context: click.Context, text: str | None, jsonl: bool, fast: bool) -> None:
    """What is understood of TEXT, or of every line of standard input, by everything that is installed."""
    model = _parser(context, fast)
    if not jsonl:
        if text is None:
            raise click.UsageError("give a TEXT, or --jsonl and lines on standard input")
        click.echo(orjson.dumps(model.parse(text).as_json(), option=orjson.OPT_INDENT_2).decode())
        return
    batch: list[str] = []
    for number, line in enumerate(sys.stdin.buffer, start=1):
        if not line.strip():
            continue
        try:
            batch.append(str(orjson.loads(line)["text"]))
        except (ValueError, KeyError, TypeError):
            _write(model, batch)
            raise click.ClickException(f'line {number} is not an object with "text": write {{"text": "…"}}') from None
        if len(batch) == AT_ONCE:
            _write(model, batch)
            batch = []
    _write(model, batch)


def _write(model: Any, batch: list[str]) -> None:
    for understood in model.parse_many(batch):
        sys.stdout.buffer.write(orjson.dumps(understood.as_json()) + b"\n")
    sys.stdout.buffer.flush()


@nlu.command("train")
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Rasa NLU files to train on, instead of those of the assistant.",
)
@click.pass_context
def nlu_train(context: click.Context, data: Path | None) -> None:
    """Train on the assistant's examples and on what agents put right at the desk. A service that runs takes up what was
    trained within seconds; models of before are kept. Examples as Earful ships them are trained already; with encoders
    installed, others take some 20 ms a sentence and two minutes."""
    from bot.knowledge.corrections import corrected  # noqa: PLC0415

    settings = settings_of(context)

    async def read() -> Any:
        database = open_database(settings.database)
        try:
            await upgrade(database)
            return await database.read(corrected)
        finally:
            await database.close()

    with clear():
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        _train(settings, asyncio.run(read()), data)


@nlu.command("rollback")
@click.pass_context
def nlu_rollback(context: click.Context) -> None:
    """Go back to the corrections of the training before; once more goes forward again. A service that runs takes it up
    within seconds. (To go back to other examples, restore their files: their models are kept.)"""
    from nlu.corrections import go_back  # noqa: PLC0415

    settings = settings_of(context)
    with clear():
        before = go_back(settings.data_dir / "models")
        if before is None:
            raise click.ClickException("there is no training with other corrections to go back to")
        _train(settings, before)


def _train(settings: Any, said: Any, files: Path | None = None) -> None:
    """Train with these corrections, the fast heads first: they serve while the encoders' heads are made."""
    from nlu import corrections, model, stages  # noqa: PLC0415
    from nlu.rasa_data import read  # noqa: PLC0415

    started = time.perf_counter()
    models = settings.data_dir / "models"
    data = replace(read(files or settings.assistant_dir / "data" / "nlu"), corrections=tuple(said))
    trained = model.load_or_train(data, models)
    corrections.keep(models, data.corrections)
    counted = f", with {len(data.corrections)} corrections" if data.corrections else ""
    click.echo(f"The fast heads are ready after {time.perf_counter() - started:.1f} s{counted}.")
    with _Bar() as bar:
        closer = stages.load(trained, data, models) or stages.train(trained, data, models, progress=bar.told)
    corrections.keep(models, data.corrections)  # a service that runs looks again
    stage = "" if closer is None else f", with {len(closer.stages)} encoders behind it"
    click.echo(f"The model is ready after {time.perf_counter() - started:.1f} s{stage}.")


class _Bar:
    """How far the encoders have read."""

    def __enter__(self) -> _Bar:
        self._bar: Any = None
        return self

    def told(self, done: int, of: int) -> None:
        if self._bar is None:
            self._bar = click.progressbar(length=of, label="Reading sentences", file=sys.stderr)
        self._bar.update(done - self._bar.pos)

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.render_finish()


@nlu.command("evaluate")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--fail-under", multiple=True, metavar="[TASK=]SHARE", help="Fail if an accuracy is below: .9, intent=.92."
)
@_FAST
@click.option(
    "--against", metavar="URL", help="Measure a Rasa server's intents on the same lines: http://localhost:5005."
)
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write a readable HTML page here.")
@click.option("--language", type=click.Choice(["zh", "en"]), default="en", show_default=True, help="Of that page.")
@click.pass_context
def nlu_evaluate(
    context: click.Context,
    file: Path,
    fail_under: tuple[str, ...],
    fast: bool,
    against: str | None,
    report: Path | None,
    language: Language,
) -> None:
    """Measure understanding on labelled lines of FILE."""
    from bot.against import NoAnswer, RasaParser, compared, intents  # noqa: PLC0415
    from nlu.evaluate import evaluate  # noqa: PLC0415
    from nlu.report import page  # noqa: PLC0415

    bounds = [_bound(written) for written in fail_under]
    if against is not None and not against.startswith(("http://", "https://")):
        raise click.UsageError(f"--against {against}: write an address such as http://localhost:5005")
    with clear():
        found = evaluate(_parser(context, fast), file)
        click.echo(str(found))
        if report is not None:
            _put(report, page(found, language))
        if against is not None:
            token = settings_of(context).rasa_token
            rasa = RasaParser(against.rstrip("/"), token.get_secret_value() if token else None)
            try:
                intents(found)
                click.echo(compared(found, evaluate(rasa, file)))
            except (NoAnswer, LookupError) as problem:
                raise click.ClickException(str(problem)) from None
    known = {task.name: task.accuracy for task in found.tasks}
    if unknown := [name for name, _ in bounds if name and name not in known]:
        raise click.UsageError(f"{file} does not measure {unknown[0]}: it measures {', '.join(known)}")
    low = [
        f"{name} {accuracy:.3f} is below {least:g}"
        for wanted, least in bounds
        for name, accuracy in known.items()
        if wanted in {"", name} and accuracy < least
    ]
    if low:
        raise click.ClickException("; ".join(low))


@nlu.command("unanswered")
@click.option("--days", type=click.IntRange(1, 366), default=30, show_default=True, help="How far to look back.")
@click.option("--most", type=click.IntRange(1, 1000), default=20, show_default=True, help="Groups to show.")
@click.pass_context
def nlu_unanswered(context: click.Context, days: int, most: int) -> None:
    """Questions that the knowledge base could not answer, alike ones together: what to write an entry about next."""
    from bot.knowledge.unanswered import asked, grouped, phrasings  # noqa: PLC0415

    settings = settings_of(context)
    since = SystemClock().now() - timedelta(days=days)

    async def read() -> list[Any]:
        database = open_database(settings.database)
        try:
            await upgrade(database)
            return await database.read(lambda connection: asked(connection, since))
        finally:
            await database.close()

    with clear():
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        groups = grouped(asyncio.run(read()))
    if not groups:
        click.echo(f"No question of the last {days} days was left without an answer.")
    for group in groups[:most]:
        click.echo(f"{len(group.questions):>5} ×  {' | '.join(' '.join(each.split()) for each in phrasings(group))}")
    if len(groups) > most:
        click.echo(f"… and {len(groups) - most} more: --most {len(groups)} shows all.")


def _put(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise click.ClickException(f"the report cannot be written to {path}: {problem.strerror}") from None


def _bound(written: str) -> tuple[str, float]:
    """The task ("" for all) and the least accuracy that `--fail-under` names."""
    name, _, share = written.rpartition("=")
    try:
        least = float(share)
    except ValueError:
        least = -1.0
    if not 0 <= least <= 1:
        raise click.UsageError(f"--fail-under {written}: write a share from 0 to 1, such as .9 or intent=.92")
    return name, least


def _parser(context: click.Context, fast: bool) -> Any:
    """The whole cascade, where encoders are installed and trained; else, or if `fast`, the fast heads."""
    from nlu import model, stages  # noqa: PLC0415
    from nlu.rasa_data import read  # noqa: PLC0415

    settings = settings_of(context)
    trained = _model(context)
    if fast:
        return trained
    with clear():
        models = settings.data_dir / "models"
        data = model.learned(read(settings.assistant_dir / "data" / "nlu"), models)
        return stages.load(trained, data, models) or trained


def _model(context: click.Context) -> Any:
    from nlu import model  # noqa: PLC0415
    from nlu.rasa_data import read  # noqa: PLC0415

    settings = settings_of(context)
    with clear():
        models = settings.data_dir / "models"
        return model.load_or_train(model.learned(read(settings.assistant_dir / "data" / "nlu"), models), models)
