"""Counting the statements that the product sends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event

from storage.prepared import Prepared


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every statement that is sent meanwhile, one for a whole set of rows."""
    said: list[str] = []
    with heard(monkeypatch, said.append):
        yield said


@contextmanager
def heard(monkeypatch: pytest.MonkeyPatch, note: Callable[[str], None]) -> Iterator[None]:
    """`note` is told every statement, those that go straight to the driver too, from the thread that sends it."""

    def through_sqlalchemy(conn: Any, cursor: Any, statement: str, *_: Any) -> None:
        note(statement)

    def told(method: Any) -> Any:
        def straight(self: Prepared, *given: Any) -> Any:
            note(self.sql)
            return method(self, *given)

        return straight

    with monkeypatch.context() as patch:
        for name in ("run", "told", "count", "all"):
            patch.setattr(Prepared, name, told(getattr(Prepared, name)))
        event.listen(Engine, "before_cursor_execute", through_sqlalchemy)
        try:
            yield
        finally:
            event.remove(Engine, "before_cursor_execute", through_sqlalchemy)
