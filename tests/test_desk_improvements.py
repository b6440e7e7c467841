"""Improvements at the desk: proposed, in their quadrant, with their cases, moved on and verified by supervisors."""

from __future__ import annotations

import re
from datetime import timedelta

from desk_parts import Agent, form, opened

from bot.cases import numbers
from storage import tables
from storage.database import Database

HERE = "/desk/improvements"
NEW = {
    "title": "Warn of <late> parcels",
    "topic": "logistics:delay",
    "measure": "A message at each delay",
    "impact": "5",
    "difficulty": "2",
    "due": "2026-04-01",
}


async def send(agent: Agent, path: str = HERE, **fields: str) -> tuple[int, str]:
    async with await form(agent.session, path, agent.origin, **fields) as answer:
        return answer.status, answer.headers.get("Location", "") or await answer.text()


async def page(agent: Agent, path: str = HERE) -> str:
    async with agent.session.get(path) as answer:
        assert answer.status == 200, path
        return await answer.text()


async def test_what_keeps_coming_back_becomes_an_improvement(sqlite: Database) -> None:
    """Proposed with the cases of its topic; whoever edits what somebody has changed meanwhile is told; done, compared
    with the time before, and dropped only with a reason."""
    async with opened(sqlite) as place:
        for n in range(3):
            await place.say(f"I complain {n}", f"v{n}")
        topic = tables.cases.update().where(tables.cases.c.id < 3).values(topic="logistics:delay")
        await place.database.write(lambda connection: connection.execute(topic))
        ann, eve = await place.agent("Ann"), await place.agent("Eve", "supervisor")
        async with ann.session.get(HERE) as answer:
            assert answer.status == 403
        for wrong in ({"title": ""}, {"topic": "moon"}, {"impact": "6"}, {"owner": "99"}, {"due": "soon"}):
            status, shown = await send(eve, **(NEW | wrong))
            assert (status, "A message at each delay" in shown) == (422, True), wrong
        assert (await send(eve, **NEW, owner=str(ann.id), collect="1"))[1] == f"{HERE}/1?done=saved"
        listed = await page(eve)
        assert "Warn of &lt;late&gt; parcels" in listed
        assert listed.index("Quick wins") < listed.index("Warn of") < listed.index("Major projects")
        shown = await page(eve, f"{HERE}/1")
        assert re.findall(r'href="/desk/cases/(\d+)"', shown) == [numbers.number(2), numbers.number(1)]
        assert (await send(eve, f"{HERE}/1/collect", numbers=f"#{numbers.number(3)}"))[0] == 303
        assert (await send(eve, f"{HERE}/1/collect", numbers="1234"))[0] == 422
        assert (await send(eve, f"{HERE}/1/let_go", number=numbers.number(1)))[0] == 303
        assert len(await place.rows(tables.improvement_cases)) == 2
        assert (await send(eve, f"{HERE}/1/change", **(NEW | {"difficulty": "5"}), version="0"))[0] == 409
        assert (await send(eve, f"{HERE}/1/verify"))[0] == 409
        assert (await send(eve, f"{HERE}/1/move", to="dropped"))[0] == 409
        assert (await send(eve, f"{HERE}/1/move", to="done"))[0] == 303
        place.clock.advance(timedelta(days=31))
        eve = await place.agent("Eva", "admin")
        assert "No clear difference" in await page(eve, f"{HERE}/1")
        assert (await send(eve, f"{HERE}/1/verify", note="wait"))[0] == 303
        assert "Last verified" in await page(eve, f"{HERE}/1")
        async with eve.session.get(f"{HERE}/9") as answer:
            assert answer.status == 404
