"""A conversation linked to a case that there is; lists of cases kept under a name; words that nobody would read."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from desk_parts import Agent, form, opened
from test_desk_cases import ONE, TWO, do, look

from bot.cases import numbers, views
from bot.cases.filters import Wanted
from storage import tables
from storage.database import Database


async def link(agent: Agent, talk: int, number: str = ONE, **more: Any) -> tuple[int, dict[str, Any]]:
    return await agent.post(f"conversations/{talk}/cases/link", {"number": number, "words": "still nothing"} | more)


async def test_a_conversation_is_linked_to_a_case_by_hand(database: Database) -> None:
    """Another customer's only if it is meant; once; counted and shown on both sides; the customer is sent nothing, and
    an answer given here answers the case. A link made by mistake becomes a case of its own."""
    async with opened(database) as place:
        await place.say("I complain", name="Carla")
        talk = await place.say("a person please", "v2", name="Dora")
        ann, bob = await place.agent("Ann"), await place.agent("Bob")
        said = len(await place.rows(tables.outbox))
        status, body = await link(ann, talk)
        assert (status, body["error"], "Carla" in body["message"]) == (409, "other_customer", True)
        for wrong in ("1234", TWO, "²"):
            assert (await link(ann, talk, wrong, sure=True))[0] == 404, wrong
        assert (await ann.talk(talk))["customer"]["cases"] == []
        assert await link(ann, talk, sure=True) == (200, {"number": ONE})
        assert (await link(ann, talk, sure=True))[1]["error"] == "is_linked"
        assert len(await place.rows(tables.outbox)) == said
        found = await ann.talk(talk)
        assert [(each["number"], each["here"]) for each in found["customer"]["cases"]] == [(ONE, True)]
        assert {"text": "linked", "to": ONE, "name": "Ann"}.items() <= found["messages"][-1].items()
        (case,) = await place.rows(tables.cases)
        assert (case["reports"], case["responded_at"]) == (2, None)
        page = (await look(ann))[1]
        assert page.count("still nothing") >= 2
        assert "Conversation linked" in page

        await ann.do("claim", talk)
        assert (await link(bob, talk, sure=True))[1]["error"] == "with_colleague"
        await ann.reply(talk, "It is on its way")
        assert (await place.rows(tables.cases))[0]["responded_at"] is not None
        (report,) = await place.rows(tables.case_reports)
        assert (await do(ann, "split", part=f"report:{report['id']}", reason="another matter"))[0] == 303
        assert (await ann.talk(talk))["customer"]["cases"][0]["number"] == numbers.number(2)


async def test_a_settled_case_takes_no_more(sqlite: Database) -> None:
    """Whoever comes back after it is closed has it opened again, or a case of their own."""
    async with opened(sqlite) as place:
        talk = await place.say("I complain")
        await place.say("I complain of another thing", "v2")
        ann = await place.agent("Ann")
        assert (await do(ann, "merge", number=TWO, into=ONE, reason="same"))[0] == 303
        assert (await link(ann, talk, TWO, sure=True))[1]["error"] == "settled"


async def test_a_list_of_cases_is_kept_under_a_name(sqlite: Database) -> None:
    """By supervisors, for everybody; made here or through the API it is the same; what it holds is narrowed by the
    other filters."""
    async with opened(sqlite) as place:
        for n in range(3):
            await place.say(f"I complain {n}", f"v{n}")
        ann, eve = await place.agent("Ann"), await place.agent("Eve", "supervisor")
        await do(eve, "take", number=TWO)

        async def keep(agent: Agent, query: str = "", **fields: str) -> int:
            async with await form(agent.session, f"/desk/cases/views?{query}", agent.origin, **fields) as answer:
                return answer.status

        async def shown(query: str) -> list[str]:
            return re.findall(r'href="/desk/cases/(\d+)"><span', (await look(ann, f"/desk/cases?{query}"))[1])

        assert await keep(ann, name="mine") == 403
        assert await keep(eve, name=" ") == 422
        assert await keep(eve, "whose=mine&order=due", name="Eve & co") == 303
        await views.save(place.database, "orphans", Wanted(owned=False), "api:crm", place.clock.now())
        page = (await look(ann, "/desk/cases?view=orphans"))[1]
        assert 'aria-current="true" dir="auto">orphans' in page
        assert "Eve &amp; co" in page
        assert 'id="act-keep"' not in page
        assert await shown("view=Eve+%26+co") == [TWO]
        assert len(await shown("view=orphans")) == 2
        assert await shown("view=orphans&urgent=1") == []
        assert len(await shown("view=gone")) == 3
        assert await keep(eve, name="orphans", remove="1") == 303
        assert [each.name for each in await views.all_views(place.database)] == ["Eve & co"]
        assert "view_removed" in json.dumps([row["action"] for row in await place.rows(tables.audit)])


@pytest.mark.parametrize("way", ["api:hotline:77", "form:abc"])
async def test_nobody_is_answered_where_nobody_reads(sqlite: Database, way: str) -> None:
    """What was typed in for a customer takes no reply, whatever a page that is old still offers; what came by the
    feedback form does: its customer reads on the page of the case."""
    async with opened(sqlite) as place:
        talk = await place.say("a person please", way)
        ann = await place.agent("Ann")
        await ann.do("claim", talk)
        body = {"text": "We are on it", "client_key": "k1"}
        status, answer = await ann.post(f"conversations/{talk}/messages", body)
        if way.startswith("form:"):
            assert status == 200
            return
        assert (status, answer["error"]) == (409, "entered")
        assert "does not read here" in answer["message"]
        assert not [row for row in await place.rows(tables.messages) if row["author"] == "agent"]
