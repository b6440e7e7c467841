"""The payload of a button: `/intent` or `/intent{"entity": "value"}`, as in Rasa.

Only payloads of buttons that we stored come here. Text from people never does.
"""

from __future__ import annotations

import json
import re
from typing import Any

_FORM = re.compile(r"/(?P<intent>[A-Za-z][A-Za-z0-9_-]*)(?P<entities>\{.*\})?", re.DOTALL)


def parse(payload: str) -> tuple[str, list[dict[str, Any]]]:
    """The intent and the entities of `payload`. A list of values is one entity each. Raises ValueError."""
    found = _FORM.fullmatch(payload)
    if found is None:
        raise ValueError("a payload is `/intent` or `/intent{...}`")
    if found["entities"] is None:
        return found["intent"], []
    try:
        values = json.loads(found["entities"])
    except (ValueError, RecursionError):
        raise ValueError("what follows the intent is not a JSON object") from None
    entities: list[dict[str, Any]] = []
    for name, value in values.items():
        for each in value if isinstance(value, list) else [value]:
            if not isinstance(each, str | int | float | bool):
                raise ValueError(f"the entity {name} is neither a text nor a number")
            entities.append({"entity": name, "value": each})
    return found["intent"], entities
