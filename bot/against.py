"""A Rasa server measured on the same lines as we are: `earful nlu evaluate FILE --against http://localhost:5005`."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass
from typing import Any

from bot.loop.remote.understanding import defused
from nlu.evaluate import Report
from nlu.scores import Task
from nlu.understanding import Intent, Sentiment, Understanding

TIMEOUT = 30.0
"""Seconds for one text: a server that has just started is slow with its first."""
ANSWER_LIMIT = 1_000_000


class NoAnswer(Exception):
    """The server gave no intent. The message says what to do."""


@dataclass(frozen=True, slots=True)
class RasaParser:
    """A `Parser` over `POST /model/parse`. Rasa names intents only; of the rest it is not asked. `address` has no
    slash at its end; `token` is Rasa's `--auth-token`."""

    address: str
    token: str | None = None

    def parse(self, text: str) -> Understanding:
        """What Rasa takes `text` for. Raises NoAnswer."""
        body = json.dumps({"text": defused(text)}).encode()
        query = f"?token={self.token}" if self.token else ""
        asked = urllib.request.Request(  # noqa: S310 - the address is the operator's, and http(s) by its option
            f"{self.address}/model/parse{query}", body, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(asked, timeout=TIMEOUT) as answer:  # noqa: S310
                named: Any = json.loads(answer.read(ANSWER_LIMIT))["intent"]
            intent = Intent(str(named["name"] or "nlu_fallback"), float(named["confidence"]))
        except urllib.error.HTTPError as error:
            raise NoAnswer(f"{self.address} answers {error.code}: is a model loaded, and the token right?") from error
        except OSError as error:
            raise NoAnswer(
                f"{self.address} does not answer: start it with `rasa run --enable-api` in a trained project"
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise NoAnswer(f"{self.address} gives no intent: is it Rasa's HTTP API (`--enable-api`)?") from error
        return Understanding(text=text, language="en", intent=intent, sentiment=Sentiment("neutral", 0.0))


def compared(ours: Report, theirs: Report) -> str:
    """Who was right where, and how long each took. Both reports are of one file with intents."""
    mine, other = intents(ours), intents(theirs)
    pairs = Counter(
        (one.given in one.labels, two.given in two.labels) for one, two in zip(mine.answers, other.answers, strict=True)
    )
    low, high = other.interval
    return "\n".join(
        (
            f"against Rasa, n = {other.n}:",
            f"  intent: {other.accuracy:.3f} ({low:.3f} to {high:.3f} with 95 %), macro-F1 {other.macro_f1:.3f}; "
            f"here {mine.accuracy:.3f}, macro-F1 {mine.macro_f1:.3f}",
            f"  right: both {pairs[True, True]}, only here {pairs[True, False]}, only Rasa {pairs[False, True]}, "
            f"neither {pairs[False, False]}",
            f"  time: {theirs.milliseconds:.2f} ms a text, here {ours.milliseconds:.2f} ms: "
            f"{theirs.milliseconds / max(ours.milliseconds, 1e-6):.1f} times as long",
        )
    )


def intents(report: Report) -> Task:
    """What a report says of intents. Raises LookupError where the file has none."""
    for task in report.tasks:
        if task.name == "intent":
            return task
    raise LookupError(f"{report.path} labels no intents, and Rasa names nothing else")
