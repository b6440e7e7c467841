"""What an agent does to a case in a scenario: `agent: {name: amy, do: resolve_case, case: 1, result: "…"}`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from bot.cases import tasks
from bot.loop.casework import Casework, Worker
from bot.service import Service
from bot.takeover.rules import Agent

_Given = Mapping[str, Any]
_Act = Callable[[Casework, int, Worker, _Given], Awaitable[Any]]

_ACTS: Mapping[str, _Act] = {
    "assign_case": lambda work, case, by, given: work.assign(
        case, by, department=given.get("department"), required=str(given.get("required", ""))
    ),
    "return_case": lambda work, case, by, given: work.give_back(case, by, str(given["reason"])),
    "plan_case": lambda work, case, by, given: work.plan(case, by, str(given["plan"])),
    "start_case": lambda work, case, by, given: work.begin(case, by),
    "ask_about_case": lambda work, case, by, given: work.ask(case, by, str(given["question"])),
    "resolve_case": lambda work, case, by, given: work.resolve(case, by, str(given["result"])),
    "answer_for_case": lambda work, case, by, given: work.answered(case, by, float(given["score"])),
}
TASKS: Mapping[str, tasks.State] = {
    "acknowledge_task": "acknowledged",
    "finish_task": "done",
    "return_task": "returned",
}
ACTS = (*_ACTS, *TASKS)


async def act(service: Service, agent: Agent, given: _Given) -> None:
    """Do it, as `agent`. `case` and `task` are ids: the first is 1. Raises what Casework raises."""
    by, action = Worker(f"staff:{agent.id}", agent.id), str(given["do"])
    if action in TASKS:
        outcome = str(given.get("outcome", ""))
        await service.casework.task(int(given["task"]), TASKS[action], by, outcome)
    else:
        await _ACTS[action](service.casework, int(given.get("case", 1)), by, given)
