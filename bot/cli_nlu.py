"""`earful nlu`: what is understood, and how well."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click
import orjson

from bot.commands import clear, settings_of


@click.group()
def nlu() -> None:
    """Understanding."""


@nlu.command("parse")
@click.argument("text", required=False)
@click.option("--jsonl", is_flag=True, help='Read {"text": …} a line, write what was understood, in the same order.')
@click.pass_context
def nlu_parse(context: click.Context, text: str | None, jsonl: bool) -> None:
    """What is understood of TEXT, or of every line of standard input."""
    model = _model(context)
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
            raise click.ClickException(f'line {number} is not an object with "text": write {{"text": "…"}}') from None
        if len(batch) == 64:
            _write(model, batch)
            batch = []
    _write(model, batch)


def _write(model: Any, batch: list[str]) -> None:
    for understood in model.parse_many(batch):
        sys.stdout.buffer.write(orjson.dumps(understood.as_json()) + b"\n")
    sys.stdout.buffer.flush()


@nlu.command("train")
@click.pass_context
def nlu_train(context: click.Context) -> None:
    """Train on the assistant's examples, and keep the model for the next start."""
    started = time.perf_counter()
    _model(context)
    click.echo(f"The model is ready after {time.perf_counter() - started:.1f} s.")


@nlu.command("evaluate")
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.pass_context
def nlu_evaluate(context: click.Context, file: Path) -> None:
    """Measure understanding on labelled lines of FILE."""
    from nlu.evaluate import evaluate  # noqa: PLC0415

    with clear():
        click.echo(str(evaluate(_model(context), file)))


def _model(context: click.Context) -> Any:
    from nlu import model  # noqa: PLC0415
    from nlu.rasa_data import read  # noqa: PLC0415

    settings = settings_of(context)
    with clear():
        return model.load_or_train(read(settings.assistant_dir / "data" / "nlu"), settings.data_dir / "models")
