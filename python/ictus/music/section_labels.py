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
THRESHOLD, SOUND_SHARE = 0.75, 0.5
FEWEST = 7  # frames that two sequences must share


def harmony_similarity(sequences: Sequence[Array]) -> Array:
    """Return how well sequences of unit vectors agree along the best diagonal, each with each.

    Parameters
    ----------
    sequences : sequence of arrays (frames, size)
        Chroma of the sections; see :func:`ictus.music.pitch_classes.chroma`.

    Returns
    -------
    array, shape (sections, sections)
        For each pair the largest mean cosine over a diagonal of its matrix of cosines that has at
        least half of the shorter one's frames, and at least seven where there are so many; not
        below 0.
    """
    from scipy.fft import irfft, next_fast_len, rfft

    count, lengths = len(sequences), np.array([len(one) for one in sequences])
    result = np.eye(count)
    if count < 2 or not lengths.all():
        return result
    # The sum over a diagonal is a value of the cross-correlation.
    size = next_fast_len(2 * int(lengths.max()), True)
    spectra = [rfft(np.asarray(one, np.float32), size, axis=0) for one in sequences]
    lag = np.arange(size)
    for i in range(count):
        for j in range(i):
            cross = (spectra[i].conj() * spectra[j]).sum(axis=1)
            sums = irfft(cross, size)
            # Lags from 0 on, then the negative ones; frames that both have at each.
            forward = np.minimum(lengths[i], lengths[j] - lag)
            backward = np.minimum(lengths[j], lengths[i] - (size - lag))
            shared = np.maximum(forward, backward)
            shorter = int(min(lengths[i], lengths[j]))
            enough = shared >= max(min(FEWEST, shorter), shorter // 2)
            best = float((sums[enough] / shared[enough]).max())
            result[i, j] = result[j, i] = max(best, 0.0)
    return result


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
    distance = np.square(sounds[:, None] - sounds[None, :]).mean(axis=2)
    chords = harmony_similarity([harmony[a:b] for a, b in pairs])
    similarity = sound_share * np.exp(-2.0 * distance) + (1.0 - sound_share) * chords
    np.fill_diagonal(similarity, 1.0)
    return np.asarray(similarity)


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
    means = np.array(similarity, np.float64)
    np.fill_diagonal(means, -np.inf)
    while len(groups) > 1:
        i, j = np.unravel_index(int(means.argmax()), means.shape)
        if means[i, j] < threshold:
            break
        low, high = sorted((int(i), int(j)))
        sizes = len(groups[low]), len(groups[high])
        joined = (sizes[0] * means[low] + sizes[1] * means[high]) / sum(sizes)
        means[low], means[:, low] = joined, joined
        means[low, low] = -np.inf
        means = np.delete(np.delete(means, high, axis=0), high, axis=1)
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
