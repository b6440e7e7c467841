"""What is measured. An encoder, another server or another search is measured by handing in another Engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nlu import model, rasa_data, stages
from nlu.encoders import available
from nlu.evaluate import Parser, Searcher
from nlu.hybrid import Hybrid
from nlu.retrieval import Entry, Retriever

ASSISTANT = Path(__file__).parent.parent.parent / "bot" / "assistant" / "data" / "nlu"


@dataclass(frozen=True)
class Engine:
    """`quick` is what a reply waits for, `full` the whole cascade; `searcher` makes a search of entries."""

    quick: Parser
    full: Parser
    searcher: Callable[[Sequence[Entry]], Searcher] = Retriever


def load(models: Path) -> Engine:
    """Earful as shipped, with the encoders that are installed; what is not shipped is trained and kept in `models`."""
    data = rasa_data.read(ASSISTANT)
    ours = model.load_or_train(data, models)
    closer = stages.load(ours, data, models) or stages.train(ours, data, models)
    return Engine(ours, closer or ours, lambda entries: Hybrid(entries, available(), models))
