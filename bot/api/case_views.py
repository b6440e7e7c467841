"""Saved views of cases, and cases as a file to take away."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from bot.api.cases import CaseChoice, CaseNamed, wanted_of
from bot.api.operation import Call, File, Nothing, Operations
from bot.api.problems import CONFLICT, INVALID, NOT_FOUND, Problem
from bot.api.values import Given, Line60
from bot.cases import export, views

operations = Operations("cases")

MOST = 10_000
"""Cases in a file that a call waits for; the command line writes more."""


class ViewIn(Given):
    name: Line60
    filter: CaseChoice = Field(description="As the parameters of GET /cases.")


class ViewName(Given):
    name: Line60


class ViewView(BaseModel):
    """A saved view: cases under filters. `GET /cases?view=<name>` lists them."""

    name: str
    filter: CaseChoice
    made_by: str
    updated_at: datetime


class ViewList(BaseModel):
    """Every saved view, by name."""

    items: list[ViewView]


class ViewRemoved(BaseModel):
    """It is gone."""

    name: str


@operations.get("/case-views", scope="cases:read", answer=ViewList)
async def list_views(call: Call[Nothing, Nothing]) -> ViewList:
    """List saved views."""
    return ViewList(items=[_shown(each) for each in await views.all_views(call.service.database)])


@operations.post("/case-views", scope="cases:write", body=ViewIn, answer=ViewView, problems=(409,))
async def save_view(call: Call[ViewIn, Nothing]) -> ViewView:
    """Save a view for everybody; one of the same name is replaced."""
    body = call.body
    view = views.View(body.name, body.filter.wanted(), call.caller.actor, call.now)
    try:
        await views.save(call.service.database, view.name, view.wanted, view.made_by, view.updated_at)
    except views.TooManyViews:
        raise Problem(CONFLICT, f"There are {views.MOST} views: remove one that is not used.", code="many") from None
    return _shown(view)


@operations.post("/case-views/remove", scope="cases:write", body=ViewName, answer=ViewRemoved, problems=(404,))
async def remove_view(call: Call[ViewName, Nothing]) -> ViewRemoved:
    """Remove a view."""
    if not await views.remove(call.service.database, call.body.name):
        raise Problem(NOT_FOUND, "There is no view of this name.")
    return ViewRemoved(name=call.body.name)


@operations.get(
    "/cases.csv", scope="cases:read", query=CaseNamed, answer=File, problems=(404, 422), media="text/csv; charset=utf-8"
)
async def export_csv(call: Call[Nothing, CaseNamed]) -> File:
    """Cases as CSV, the oldest first: those that GET /cases lists under the same filters, at most 10,000.

    Personal data in texts is masked. The first row is in the language of Accept-Language."""
    table, found = await _chosen(call)
    return File(content=await asyncio.to_thread(export.as_csv, table, found))


@operations.get(
    "/cases.xlsx",
    scope="cases:read",
    query=CaseNamed,
    answer=File,
    problems=(404, 422),
    media="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
)
async def export_xlsx(call: Call[Nothing, CaseNamed]) -> File:
    """Cases as XLSX, as GET /cases.csv."""
    table, found = await _chosen(call)
    return File(content=await asyncio.to_thread(export.as_xlsx, table, found))


async def _chosen(call: Call[Nothing, CaseNamed]) -> tuple[export.Table, list[Any]]:
    wanted = await wanted_of(call, call.query)
    try:
        found = await export.pages(call.service.database, wanted, MOST)
    except export.TooMany:
        said = f"More than {MOST} cases: choose fewer, by opened_from and opened_before, or use `earful export`."
        raise Problem(INVALID, said) from None
    return export.Table(call.service.settings.zone, call.language), found


def _shown(view: views.View) -> ViewView:
    return ViewView(name=view.name, filter=CaseChoice.of(view.wanted), made_by=view.made_by, updated_at=view.updated_at)
