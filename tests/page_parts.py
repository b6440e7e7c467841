"""Parts for tests of the pages behind links: somebody who reads them without JavaScript."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

from web_parts import Guest, Site

from storage import tables

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'"


class Reader:
    """Somebody with a link and no JavaScript."""

    def __init__(self, place: Site, link: str, language: str = "en") -> None:
        self.place = place
        self.address = place.path(link)
        self.language = {"Accept-Language": language}
        self.status = 0
        self.body = ""

    async def look(self, query: str = "") -> str:
        async with self.place.session.get(self.address + query, headers=self.language) as answer:
            self.status, self.body = answer.status, await answer.text()
        return self.text

    async def send(self, **fields: str) -> str:
        """Post the form that is shown, with these fields filled in; the page that follows."""
        given = {"nonce": self.hidden("nonce"), "question": self.hidden("question")} | fields
        data = {name: value for name, value in given.items() if value}
        if "/r/" in self.address:
            self.place.clock.advance(timedelta(seconds=2))  # as long as a person reads
        async with self.place.session.post(self.address, data=data, headers=self.language) as answer:
            self.status, self.body = answer.status, await answer.text()
        return self.text

    def hidden(self, name: str) -> str:
        found = re.search(rf'name="{name}" value="([^"]*)"', self.body)
        return html.unescape(found[1]) if found else ""

    @property
    def text(self) -> str:
        """What is read on the page."""
        main = self.body[self.body.index("<main") :]
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", main)).split())

    @property
    def options(self) -> list[str]:
        return re.findall(r'name="answer" value="([^"]*)"', self.body)


async def surveyed(place: Site, key: str = "post_service", **about: Any) -> tuple[Guest, int, Reader]:
    """A guest who was asked, their survey, and somebody who opens its link."""
    guest = await place.guest()
    await guest.say("hello")
    survey = await place.ask(guest.lane, key, **about)
    return guest, survey, Reader(place, place.service.links.survey(survey))


async def case_of(place: Site, say: str = "I complain") -> tuple[Guest, dict[str, Any], Reader]:
    """A guest who complained, their case, and somebody who opens its link."""
    guest = await place.guest()
    await guest.say(say)
    case = (await place.rows(tables.cases))[-1]
    return guest, case, Reader(place, place.service.links.case(case["id"]))
