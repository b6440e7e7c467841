"""What is measured. An encoder, another server or another search is measured by handing in another Engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nlu import model, rasa_data
from nlu.evaluate import Parser, Searcher
from nlu.retrieval import Entry, Retriever

ASSISTANT = Path(__file__).parent.parent.parent / "bot" / "assistant" / "data" / "nlu"


@dataclass(frozen=True)
class Engine:
    """`quick` is what a reply waits for, `full` the whole cascade; `searcher` makes a search of entries."""

    quick: Parser
    full: Parser
    searcher: Callable[[Sequence[Entry]], Searcher] = Retriever


def load(models: Path) -> Engine:
    """Earful as shipped, with its trained model kept in `models`: trained there if it is not there yet."""
    ours = model.load_or_train(rasa_data.read(ASSISTANT), models)
    return Engine(quick=ours, full=ours)
