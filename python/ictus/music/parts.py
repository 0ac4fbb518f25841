"""Recordings of any length in parts that overlap, so that memory is bounded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

# Longer recordings go through networks of two directions in parts (frames), each with what is
# before and after it; there the networks' memory has faded.
PART, CONTEXT = 30_000, 2_000


def parts_with_context(
    blocks: Iterable[Samples], part: int = PART, context: int = CONTEXT
) -> Iterator[tuple[Samples, int, int]]:
    """Cut features into parts: yield (features, first, last), where first .. last is the part.

    Parameters
    ----------
    blocks : iterable of arrays (frames, size)
    part, context : int
        Frames of a part, and those given before and after it, as far as there are any.
    """
    waiting: list[Samples] = []
    frames, before = 0, 0  # waiting in all; of them context before the part
    for block in blocks:
        waiting.append(block)
        frames += len(block)
        while frames >= before + part + context:
            joined = np.concatenate(waiting)
            yield joined[: before + part + context], before, before + part
            kept = joined[before + part - context :].copy()
            waiting, frames, before = [kept], len(kept), context
    joined = np.concatenate([*waiting]) if waiting else np.empty((0, 0), np.float32)
    if len(joined) > before:
        yield joined, before, len(joined)
