"""The most probable path through bar pointer models, and the beats that lie on it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ictus.kernels.viterbi import BarPointer, viterbi_advance, viterbi_trace
from ictus.music.bar_pointer import beat_log_densities

Floats = npt.NDArray[np.float64]
Activations = npt.NDArray[np.floating]

# Where no way has a probability above 0, activations are kept this far from 0 and 1.
CAUTION = 1e-7
# After so many blocks it is tried to settle some.
SETTLE = 10


def best_path(
    model: BarPointer, log_densities: Floats, *, block: int = 3000
) -> tuple[npt.NDArray[np.int32], float]:
    """Return the most probable states, shape (frames,), and their log probability.

    All states are equally probable before the first frame. Empty, with -inf, where no path is
    possible.

    Parameters
    ----------
    block : int
        In frames. Now and then the blocks on which the ways to all states agree are settled, and
        their back-pointers are dropped: where activations say anything, the memory that these take
        does not grow with the recording. The path is the same.
    """
    scores = np.full(model.states, np.log(1.0 / model.states))
    settled: list[npt.NDArray[np.int32]] = []
    waiting: list[npt.NDArray[np.uint16]] = []
    full = SETTLE
    for start in range(0, len(log_densities), block):
        part = np.ascontiguousarray(log_densities[start : start + block])
        waiting.append(viterbi_advance(model, part, scores))
        if len(waiting) >= full:
            _settle(model, scores, waiting, settled)
            full = max(SETTLE, 2 * len(waiting))  # tried rarely where it fails
    best = np.array([np.argmax(scores)], np.int32)
    score = float(scores[best[0]])
    if not np.isfinite(score):
        return np.empty(0, np.int32), -np.inf
    return np.concatenate([*settled, *_trace(model, waiting, best)]), score


def _trace(
    model: BarPointer, blocks: list[npt.NDArray[np.uint16]], state: npt.NDArray[np.int32]
) -> list[npt.NDArray[np.int32]]:
    """The path to a state through the blocks before it, one array a block."""
    paths = []
    for origins in reversed(blocks):
        paths.append(np.empty(len(origins), np.int32))
        viterbi_trace(model, origins, state, paths[-1])
    return paths[::-1]


def _settle(
    model: BarPointer,
    scores: Floats,
    waiting: list[npt.NDArray[np.uint16]],
    settled: list[npt.NDArray[np.int32]],
) -> None:
    """Move the blocks from which a single state leads to all possible ones to the settled path."""
    states = np.flatnonzero(scores > -np.inf).astype(np.int32)
    for number in range(len(waiting) - 1, 0, -1):
        states = np.unique(viterbi_trace(model, waiting[number], states))
        if len(states) == 1:
            settled += _trace(model, waiting[:number], states)
            del waiting[:number]
            return


def most_probable(
    models: list[BarPointer],
    activations: Activations,
    observation_lambda: float,
    weights: Sequence[float] | None = None,
) -> tuple[int, npt.NDArray[np.int32]]:
    """The model with the most probable path, and this path.

    Activations of exactly 0 and 1 can contradict each other; then all are taken with caution. The
    path of a model with a weight counts as so much more probable in each of its bars.
    """
    factors = np.log(np.ones(len(models)) if weights is None else np.asarray(weights, np.float64))
    for caution in (0.0, CAUTION):
        a = np.clip(activations, caution, 1.0 - 2.0 * caution) if caution else activations
        log_densities = beat_log_densities(a, observation_lambda)
        results = [best_path(model, log_densities) for model in models]
        scores = [
            score + factor * _bars(model, path) if factor else score
            for model, (path, score), factor in zip(models, results, factors, strict=True)
        ]
        best = int(np.argmax(scores))
        if len(results[best][0]):
            return best, results[best][0]
    raise AssertionError("activations strictly between 0 and 1 always have a path")


def _bars(model: BarPointer, path: npt.NDArray[np.int32]) -> int:
    """How many bars a path has, the first and the last one included."""
    beat = path // (model.states // model.shape[0])
    return int(np.count_nonzero(np.diff(beat) < 0)) + 1


def above_threshold(activations: Activations, threshold: float) -> tuple[int, Activations]:
    """The first frame at or above the threshold, and the activations from there to the last."""
    if threshold <= 0:
        return 0, activations
    frames = np.nonzero(activations >= threshold)[0]
    if len(frames) == 0:
        return 0, activations[:0]
    return int(frames[0]), activations[frames[0] : frames[-1] + 1]


def beat_zones(model: BarPointer) -> npt.NDArray[np.bool_]:
    """Whether each state observes a beat, shape (states,)."""
    beats, _ = model.shape
    positions = np.concatenate([np.arange(length) for length in model.lengths])
    return np.concatenate(
        [positions < np.repeat(model.beat_states[beat], model.lengths) for beat in range(beats)]
    )


def strongest_frames(
    in_zone: npt.NDArray[np.bool_], strength: npt.NDArray[np.floating]
) -> npt.NDArray[np.intp]:
    """The strongest frame, the first of equals, of each run of frames in the zone of a beat."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], in_zone, [False]])))
    runs = edges.reshape(-1, 2)
    return np.array([a + int(np.argmax(strength[a:b])) for a, b in runs], np.intp)


def first_frames(
    positions: npt.NDArray[np.int64], in_zone: npt.NDArray[np.bool_]
) -> npt.NDArray[np.intp]:
    """Frames where the position falls: a beat begins. The ends count as neighbours."""
    minimum = (positions < np.roll(positions, 1)) & (positions < np.roll(positions, -1))
    return np.flatnonzero(minimum & in_zone)
