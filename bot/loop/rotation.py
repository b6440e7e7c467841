"""A queue in which groups take turns: whoever brings much waits behind their own, not before everybody else."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Hashable)


class Rotation(Generic[K, V]):
    """Items by group, each once. A group's items leave in the order in which they came, the groups in rotation."""

    def __init__(self) -> None:
        self._groups: dict[K, dict[V, None]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[V]:
        return (item for group in self._groups.values() for item in group)

    def add(self, key: K, item: V) -> None:
        """To the end of its group, unless it is there already."""
        group = self._groups.setdefault(key, {})
        self._count += item not in group
        group[item] = None

    def discard(self, key: K, item: V) -> None:
        group = self._groups.get(key, {})
        if item in group:
            del group[item]
            self._count -= 1
            if not group:
                del self._groups[key]

    def holds(self, key: K, item: V) -> bool:
        return item in self._groups.get(key, ())

    def groups(self) -> list[K]:
        return list(self._groups)

    def take(self, limit: int, most: Callable[[K], int] | None = None) -> list[V]:
        """Up to `limit` items, of each group at most `most`. With one group it is a plain queue."""
        taken: list[V] = []
        left = {key: most(key) for key in self._groups} if most else {}
        keys = list(self._groups)
        while keys and len(taken) < limit:
            share = max(1, (limit - len(taken)) // len(keys))
            for key in list(keys):
                group = self._groups[key]
                count = min(share, limit - len(taken), len(group), left.get(key, limit))
                for item in [item for item, _ in zip(group, range(count), strict=False)]:
                    del group[item]
                    taken.append(item)
                if most:
                    left[key] -= count
                self._count -= count
                if not group or (most and left[key] <= 0) or not count:
                    keys.remove(key)
                if group:
                    self._groups[key] = self._groups.pop(key)  # to the end: the others are first next time
                else:
                    del self._groups[key]
                if len(taken) == limit:
                    break
        return taken
