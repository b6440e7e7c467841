"""rasa-sdk's executor, made strict: what it would drop with a line in the log is an error."""

from __future__ import annotations

from typing import Any

from rasa_sdk.executor import ActionExecutor

from bot.errors import ActionError


class Executor(ActionExecutor):
    """Runs registered actions. An action whose events are not events fails, and nothing of them is logged."""

    @staticmethod
    def validate_events(events: Any, action_name: str) -> list[dict[str, Any]]:
        """Raises ActionError unless `events` is a list of events."""
        if not isinstance(events, list | tuple):
            raise ActionError(action_name, f"returned a {type(events).__name__} where a list of events is due")
        for event in events:
            if not isinstance(event, dict) or not isinstance(event.get("event"), str):
                raise ActionError(action_name, "returned something that is not an event; use those of rasa_sdk.events")
        return list(events)
