"""From activations to beats and downbeats: the best way of a bar pointer through a recording."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ictus.music.bar_pointer import bar_pointer
from ictus.music.best_path import (
    above_threshold,
    beat_zones,
    first_frames,
    most_probable,
    strongest_frames,
)

Floats = npt.NDArray[np.float64]
Activations = npt.NDArray[np.floating]


def check_activations(function: str, activations: npt.ArrayLike, columns: int) -> Activations:
    """The activations as a float array of one column or `columns`.

    Raises
    ------
    ValueError
        Wrong shape, or a value that is not in [0, 1].
    """
    a = np.asarray(activations)
    if a.dtype not in (np.float32, np.float64):
        a = a.astype(np.float64)
    if columns == 1 and a.ndim == 2 and a.shape[1] == 1:
        a = a[:, 0]
    expected = "(frames,)" if columns == 1 else f"(frames, {columns})"
    if a.ndim != (1 if columns == 1 else 2) or (columns > 1 and a.shape[1] != columns):
        raise ValueError(f"{function}: activations must have shape {expected}, got {a.shape}")
    outside = ~((a >= 0) & (a <= 1))
    if outside.any():
        frame = int(np.nonzero(outside)[0][0])
        raise ValueError(
            f"{function}: activations must be probabilities in [0, 1], got "
            f"{a[outside][0]} in frame {frame}"
        )
    return a


def check_tempo(function: str, tempo: tuple[float, float], fps: float) -> tuple[float, float]:
    """The shortest and the longest beat in frames.

    Raises
    ------
    ValueError
        Not two ascending positive tempi, or no whole beat of frames.
    """
    slowest, fastest = tempo
    if not (0 < slowest <= fastest < np.inf):
        raise ValueError(f"{function}: tempo must be (slowest, fastest) in BPM, got {tempo}")
    if not 0 < fps < np.inf:
        raise ValueError(f"{function}: fps must be positive, got {fps}")
    if 60.0 * fps / fastest < 1:
        raise ValueError(
            f"{function}: a beat at {fastest} BPM lasts less than a frame at {fps} fps"
        )
    return 60.0 * fps / fastest, 60.0 * fps / slowest


def decode_beats(
    activations: npt.ArrayLike,
    *,
    tempo: tuple[float, float] = (55.0, 215.0),
    fps: float = 100.0,
    tempi: int | None = None,
    transition_lambda: float = 100.0,
    observation_lambda: float = 16.0,
    threshold: float = 0.0,
    correct: bool = True,
) -> Floats:
    """Find the beats that explain activations best.

    The most probable path (Viterbi) through a bar pointer model [1]_ whose states observe the
    activations [2]_; the same results as the reference implementation for the same settings.

    Parameters
    ----------
    activations : array, shape (frames,)
        Probability of a beat in each frame.
    tempo : (float, float)
        Slowest and fastest tempo in beats per minute.
    fps : float
        Frames per second.
    tempi : int, optional
        Model no more than so many tempi, spaced logarithmically; all beats that last a whole number
        of frames otherwise.
    transition_lambda : float
        How much the tempo resists change.
    observation_lambda : float
        A beat is expected within the first ``1 / observation_lambda`` of its length.
    threshold : float
        Frames before the first activation at least this high, and after the last, have no beats.
    correct : bool
        Put each beat to the highest activation near it, else where the model has it.

    Returns
    -------
    array, shape (beats,)
        Times in seconds, ascending; empty where all activations are 0.

    Raises
    ------
    ValueError
        Activations that are not probabilities, or a tempo range that holds no beat.

    References
    ----------
    .. [1] Krebs, Böck & Widmer, "An efficient state space model for joint tempo and meter
       tracking", ISMIR 2015.
    .. [2] Böck, Krebs & Widmer, "A multi-model approach to beat tracking considering
       heterogeneous music styles", ISMIR 2014.
    """
    a = check_activations("decode_beats", activations, 1)
    shortest, longest = check_tempo("decode_beats", tempo, fps)
    first, a = above_threshold(a, threshold)
    if not a.any():
        return np.empty(0)
    model = bar_pointer(
        shortest,
        longest,
        number=tempi,
        transition_lambda=transition_lambda,
        observation_lambda=observation_lambda,
    )
    _, path = most_probable([model], a, observation_lambda)
    in_zone = beat_zones(model)[path]
    if correct:
        frames = strongest_frames(in_zone, a)
    else:
        positions = np.concatenate([np.arange(n) / n for n in model.lengths])
        frames = first_frames(positions[path], in_zone)
    return (frames + first) / float(fps)


def decode_downbeats(
    activations: npt.ArrayLike,
    *,
    beats_per_bar: tuple[int, ...] = (3, 4),
    bar_weights: tuple[float, ...] | None = None,
    tempo: tuple[float, float] = (55.0, 215.0),
    fps: float = 100.0,
    tempi: int | None = 60,
    transition_lambda: float = 100.0,
    observation_lambda: float = 16.0,
    threshold: float = 0.05,
    correct: bool = True,
) -> Floats:
    """Find the beats and the bars that explain activations best [1]_.

    One model for each number of beats per bar; the most probable path of all decides.

    Parameters
    ----------
    activations : array, shape (frames, 2)
        Probability of a beat that is no downbeat, and of a downbeat, in each frame.
    beats_per_bar : tuple of int
        The meters to try.
    bar_weights : tuple of float, optional
        For each of them a factor of the probability of each bar; by default 1. Short bars fit where
        longer ones do and where a network is not sure which half of a bar is which, so that less
        than 1 becomes bars of two.
    tempo, fps, tempi, transition_lambda, observation_lambda, threshold, correct
        As of :func:`decode_beats`.

    Returns
    -------
    array, shape (beats, 2)
        Time in seconds, and the number of the beat in its bar; 1 is a downbeat.

    Raises
    ------
    ValueError
        Activations that are not probabilities, a tempo range that holds no beat, or no meter.

    References
    ----------
    .. [1] Böck, Krebs & Widmer, "Joint beat and downbeat tracking with recurrent neural networks",
       ISMIR 2016.
    """
    a = check_activations("decode_downbeats", activations, 2)
    shortest, longest = check_tempo("decode_downbeats", tempo, fps)
    if not beats_per_bar or any(int(n) != n or n < 2 for n in beats_per_bar):
        raise ValueError(
            f"decode_downbeats: beats_per_bar must be whole numbers from 2 up, got {beats_per_bar}"
        )
    if bar_weights is not None and (
        len(bar_weights) != len(beats_per_bar) or not all(0 < w < np.inf for w in bar_weights)
    ):
        raise ValueError(
            f"decode_downbeats: bar_weights must be {len(beats_per_bar)} positive numbers, got "
            f"{bar_weights}"
        )
    first, a = above_threshold(a, threshold)
    if not a.any():
        return np.empty((0, 2))
    models = [
        bar_pointer(
            shortest,
            longest,
            number=tempi,
            beats=int(beats),
            transition_lambda=transition_lambda,
            observation_lambda=observation_lambda,
        )
        for beats in beats_per_bar
    ]
    best, path = most_probable(models, a, observation_lambda, bar_weights)
    model = models[best]
    number = path // (model.states // model.shape[0]) + 1
    if correct:
        in_zone = beat_zones(model)[path]
        # Of a beat and a downbeat in one frame the stronger counts.
        frames = strongest_frames(in_zone, a.max(axis=1))
    else:
        frames = np.flatnonzero(np.diff(number)) + 1
    return np.column_stack([(frames + first) / float(fps), number[frames]])
