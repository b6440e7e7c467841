"""What the desk keeps in memory beside the service: the door with its throttle, and the board that open desks watch."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from aiohttp import web

from bot.desk.board import Board
from bot.desk.common import CommonLists
from bot.service import SERVICE, Service
from bot.staff.door import Door


@dataclass(slots=True)
class Room:
    service: Service
    door: Door
    board: Board
    lists: CommonLists


def room(request: web.Request) -> Room:
    """The room of this request's application, furnished on its first request."""
    found = _rooms.get(request.app)
    if found is None:
        service = request.app[SERVICE]
        found = Room(
            service,
            Door(service.database, service.clock),
            Board(service.database, service.live, service.clock),
            CommonLists(service.database),
        )
        _rooms[request.app] = found
    return found


# An application is frozen once it runs, and routes are all that it is given of the desk. Its room goes with it.
_rooms: WeakKeyDictionary[web.Application, Room] = WeakKeyDictionary()
