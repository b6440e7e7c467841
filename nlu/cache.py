"""A trained model on disk: one file of arrays and JSON, without code in it, named after what it was trained from."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt


def key(*parts: bytes) -> str:
    """A name for what these bytes make: 24 hexadecimal digits of their SHA-256, the parts kept apart."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()[:24]


def tree(directory: Path, patterns: Sequence[str]) -> bytes:
    """The names and contents of all files like one of `patterns` under `directory`, in a fixed order."""
    paths = sorted({path for pattern in patterns for path in directory.glob(pattern) if path.is_file()})
    return b"".join(path.relative_to(directory).as_posix().encode() + b"\0" + path.read_bytes() for path in paths)


def save(path: Path, arrays: Mapping[str, npt.NDArray[Any]], facts: Mapping[str, Any], *, packed: bool = False) -> None:
    """Write the file at once or not at all; `packed` makes it small. Raises OSError where the folder cannot be
    written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = np.frombuffer(json.dumps(facts, ensure_ascii=True).encode(), np.uint8)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            (np.savez_compressed if packed else np.savez)(file, allow_pickle=False, facts=text, **arrays)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def prune(directory: Path, pattern: str, keep: int) -> None:
    """Remove all but the newest `keep` files like `pattern`. Raises OSError where the folder cannot be written."""
    found = sorted(
        (path for path in directory.glob(pattern) if path.is_file()), key=lambda path: path.stat().st_mtime_ns
    )
    for path in found[:-keep]:
        path.unlink(missing_ok=True)


def load(path: Path) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]] | None:
    """What `save` wrote, or None where there is nothing, or nothing whole."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return arrays, json.loads(arrays.pop("facts").tobytes())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, RecursionError):
        return None
