"""Letters for sections: those that sound alike get the same one.

Two sections are alike in their sound (mean and spread of a mel spectrogram) and in their harmony
(chroma followed along the diagonal of the cross-similarity matrix, from the best beginning), as in
structure analysis since Cooper & Foote 2003. Sections are joined by mean similarity until no two
groups are alike enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: Mean similarity, from 0 to 1, from which on groups of sections are one; and the share that sound
#: has in it beside harmony. Both were chosen on synthetic validation songs.
THRESHOLD, SOUND_SHARE = 0.8, 0.75
# Frames on both sides of the diagonal among which sequences of chords may begin.
OFFSETS = 60
FEWEST = 7  # frames that two sequences must share


def section_similarity(first: Array, second: Array) -> float:
    """Return how well two sequences of unit vectors agree along the best diagonal.

    Parameters
    ----------
    first, second : arrays, shape (frames, size)
        Chroma; see :func:`ictus.music.pitch_classes.chroma`.

    Returns
    -------
    float
        The largest mean cosine over a diagonal that has at least half of the shorter one's frames.
    """
    if len(first) > len(second):
        first, second = second, first
    if len(first) == 0:
        return 0.0
    cosines = np.asarray(first, np.float64) @ np.asarray(second, np.float64).T
    best = -1.0
    fewest = max(min(FEWEST, len(first)), len(first) // 2)
    reach = min(OFFSETS, len(first) - fewest)
    for offset in range(-reach, len(second) - fewest + 1):
        diagonal = np.diagonal(cosines, offset)
        if len(diagonal) >= fewest:
            best = max(best, float(diagonal.mean()))
    return max(best, 0.0)


def similarity_matrix(
    bounds: Sequence[int], spectrum: Array, harmony: Array, sound_share: float = SOUND_SHARE
) -> Array:
    """Return the similarity of each pair of sections, shape (sections, sections).

    Parameters
    ----------
    bounds : sequence of int
        First frame of each section, and the end.
    spectrum : array, shape (frames, bands)
        Of which each band has mean 0 and deviation 1 over the recording.
    harmony : array, shape (frames, 12)
    sound_share : float in [0, 1]
    """
    pairs = list(pairwise(bounds))
    sounds = np.array([_sound(spectrum[a:b]) for a, b in pairs])
    count = len(pairs)
    similarity = np.eye(count)
    for i in range(count):
        for j in range(i):
            distance = float(np.square(sounds[i] - sounds[j]).mean())
            sound = float(np.exp(-2.0 * distance))
            (a, b), (c, d) = pairs[i], pairs[j]
            chords = section_similarity(harmony[a:b], harmony[c:d])
            value = sound_share * sound + (1.0 - sound_share) * chords
            similarity[i, j] = similarity[j, i] = value
    return similarity


def _sound(frames: Array) -> Array:
    """Mean and spread of each band, without the ends, which belong to transitions."""
    inner = len(frames) // 10
    frames = frames[inner : len(frames) - inner]
    if len(frames) == 0:
        return np.zeros(2 * frames.shape[1])
    return np.concatenate([frames.mean(axis=0), frames.std(axis=0)])


def group_sections(similarity: Array, threshold: float = THRESHOLD) -> list[int]:
    """Return the group of each section; groups are numbered as they appear.

    The two groups with the highest mean similarity are joined, until it is below the threshold.
    """
    groups = [[i] for i in range(len(similarity))]
    while len(groups) > 1:
        means = np.array(
            [
                [similarity[np.ix_(p, q)].mean() if p is not q else -1.0 for q in groups]
                for p in groups
            ]
        )
        i, j = np.unravel_index(int(means.argmax()), means.shape)
        if means[i, j] < threshold:
            break
        low, high = sorted((int(i), int(j)))
        groups[low] += groups.pop(high)
    groups.sort(key=min)
    result = [0] * len(similarity)
    for number, members in enumerate(groups):
        for member in members:
            result[member] = number
    return result


def letters(groups: Sequence[int]) -> list[str]:
    """Return A, B, ... Z, AA, AB, ... for groups 0, 1, ..."""
    names = []
    for group in groups:
        name, rest = "", group
        while rest >= 0:
            name = chr(ord("A") + rest % 26) + name
            rest = rest // 26 - 1
        names.append(name)
    return names
