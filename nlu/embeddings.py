"""The rows of an encoder for texts that come again, kept on disk by content: a training encodes only what is new."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from nlu import cache
from nlu.encoders import Encoder, prepared
from nlu.ridge import Floats

Progress = Callable[[int, int], None]
"""Called with how many texts are encoded, of how many."""


def embedded(
    encoder: Encoder, texts: Sequence[str], directory: Path | None, progress: Progress | None = None
) -> Floats:
    """The rows of `texts`, rounded to float16, from `directory` where they were made before; new ones are added there
    every few hundred texts, so that what was broken off goes on. A folder that cannot be written costs the encoding at
    each call."""
    path = directory / f"embeddings-{encoder.name}.npz" if directory else None
    keys = [_key(text) for text in texts]
    known = _load(path, encoder.width)
    missing = list({key: text for key, text in zip(keys, texts, strict=True) if key not in known}.items())
    for start in range(0, len(missing), _SAVE):
        part = missing[start : start + _SAVE]
        for first in range(0, len(part), _BATCH):
            batch = part[first : first + _BATCH]
            rows = encoder.encode([text for _, text in batch]).astype(np.float16)
            known.update(zip([key for key, _ in batch], rows, strict=True))
            if progress:
                progress(start + first + len(batch), len(missing))
        if path:
            with suppress(OSError):
                _save(path, known)
    if not keys:
        return np.zeros((0, encoder.width), np.float32)
    return np.stack([known[key] for key in keys]).astype(np.float32)


def _key(text: str) -> bytes:
    return hashlib.blake2b(prepared(text).encode(), digest_size=16).digest()


def _load(path: Path | None, width: int) -> dict[bytes, Floats]:
    kept = cache.load(path) if path else None
    if kept is None:
        return {}
    arrays, _ = kept
    keys, rows = arrays.get("keys"), arrays.get("rows")
    if keys is None or rows is None or rows.shape != (len(keys), width) or keys.shape[1:] != (16,):
        return {}
    return {bytes(key): row for key, row in zip(keys, rows, strict=True)}


def _save(path: Path, known: dict[bytes, Floats]) -> None:
    keys = np.frombuffer(b"".join(known), np.uint8).reshape(-1, 16)
    cache.save(path, {"keys": keys, "rows": np.stack(list(known.values()))}, {})


_BATCH = 16
_SAVE = 512
