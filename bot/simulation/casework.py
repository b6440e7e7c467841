"""What an agent does to a case in a scenario: `agent: {name: amy, do: resolve_case, case: 1, result: "…"}`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from bot.cases import tasks
from bot.cases.remedies import hundredths
from bot.loop.casework import Worker
from bot.loop.splitting import Part
from bot.service import Service
from bot.takeover.rules import Agent

_Given = Mapping[str, Any]
_Act = Callable[[Service, int, Worker, _Given], Awaitable[Any]]

_ACTS: Mapping[str, _Act] = {
    "assign_case": lambda work, case, by, given: work.casework.assign(
        case, by, department=given.get("department"), required=str(given.get("required", ""))
    ),
    "return_case": lambda work, case, by, given: work.casework.give_back(case, by, str(given["reason"])),
    "plan_case": lambda work, case, by, given: work.casework.plan(case, by, str(given["plan"])),
    "start_case": lambda work, case, by, given: work.casework.begin(case, by),
    "ask_about_case": lambda work, case, by, given: work.casework.ask(case, by, str(given["question"])),
    "resolve_case": lambda work, case, by, given: work.casework.resolve(case, by, str(given["result"])),
    "propose_remedy": lambda work, case, by, given: work.remedying.propose(
        case,
        by,
        given["kind"],
        None if given.get("amount") is None else hundredths(Decimal(str(given["amount"]))),
        str(given.get("note", "")),
        approve=True,
    ),
    "move_remedy": lambda work, case, by, given: work.remedying.move(
        int(given["remedy"]), given["to"], by, str(given.get("reason", "")), approver=True
    ),
    "split_case": lambda work, case, by, given: work.splitting.split(
        case, by, Part(report=given.get("report"), title=given.get("title")), str(given["reason"])
    ),
    "answer_for_case": lambda work, case, by, given: work.casework.answered(case, by, float(given["score"])),
}
TASKS: Mapping[str, tasks.State] = {
    "acknowledge_task": "acknowledged",
    "finish_task": "done",
    "return_task": "returned",
}
CALL = "tell_outcome"
ACTS = (*_ACTS, *TASKS, CALL)


async def act(service: Service, agent: Agent, given: _Given) -> None:
    """Do it, as `agent`. `case` and `task` are ids: the first is 1. Raises what is refused."""
    by, action = Worker(f"staff:{agent.id}", agent.id), str(given["do"])
    if action == CALL:
        again = datetime.fromisoformat(str(given["at"])) if "at" in given else None
        score = float(given["score"]) if "score" in given else None
        note, task = str(given.get("note", "")), int(given.get("task", 1))
        await service.calling.outcome(task, by, given["result"], note=note, again_at=again, score=score)
    elif action in TASKS:
        outcome = str(given.get("outcome", ""))
        await service.casework.task(int(given["task"]), TASKS[action], by, outcome)
    else:
        await _ACTS[action](service, int(given.get("case", 1)), by, given)
