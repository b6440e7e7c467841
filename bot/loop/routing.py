"""Hands every wake-up to the process that works its lane: this one at once, another through the stream.

A hint may be lost at any moment. `follow` and the sweeps find in the database what nobody was told of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from bot.loop.shares import Shares, lane_of_place, part_of

if TYPE_CHECKING:
    from storage.stream import Hint, Stream

Place = tuple[str, str, str]
_LANE, _PLACE = "lane", "place"


class Router:
    """`wake`, `hint` and `tell` are this process's own: its lanes, its delivery, its open sockets."""

    def __init__(
        self,
        shares: Shares,
        wake: Callable[[Iterable[str]], None],
        hint: Callable[[Iterable[Place]], None],
        tell: Callable[[Iterable[str]], None],
    ) -> None:
        self._shares = shares
        self._wake = wake
        self._hint = hint
        self._tell = tell
        self.stream: Stream | None = None

    def wake(self, lanes: Iterable[str]) -> None:
        """Something waits in these lanes."""
        if self._shares.all:
            self._wake(lanes)
            return
        for lane in lanes:
            if self._shares.mine(lane):
                self._wake((lane,))
            elif self.stream:
                self.stream.wake(part_of(lane), (_LANE, lane))

    def hint(self, places: Iterable[Place]) -> None:
        """Something may wait to be sent to these places."""
        if self._shares.all:
            self._hint(places)
            return
        for place in places:
            lane = lane_of_place(place)
            if self._shares.mine(lane):
                self._hint((place,))
            elif self.stream:
                self.stream.wake(part_of(lane), (_PLACE, *place))

    def changed(self, lanes: Iterable[str]) -> None:
        """Whoever watches these lanes, here or elsewhere, should look."""
        if self.stream is None:
            self._tell(lanes)
            return
        lanes = list(lanes)
        if lanes:
            self._tell(lanes)
            self.stream.tell(lanes)

    def woken(self, hints: Iterable[Hint]) -> None:
        """Another process had hints for this one."""
        for kind, *what in hints:
            match kind, what:
                case "lane", [lane]:
                    self._wake((lane,))
                case "place", [channel, account, address]:
                    self._hint(((channel, account, address),))
                case _:  # of another version: the sweep finds what it meant
                    pass
