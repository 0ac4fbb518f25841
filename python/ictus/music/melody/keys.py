"""Key profiles: the tonal hierarchy that listeners have, keys found by it, distances of keys."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.music.melody.score import Key, Melody, ScoreError, SymbolicScore

Array = NDArray[Any]

#: Ratings of the twelve probe tones after a context in C major and in C minor (Krumhansl & Kessler,
#: Psychological Review 89, 1982; the numbers as in Krumhansl 1990, table 2.1).
KRUMHANSL_KESSLER = {
    "major": np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88]),
    "minor": np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17]),
}


def key_profiles(profiles: Any = None) -> Array:
    """Return the profiles of all keys, shape (24, 12): rows by :attr:`Key.number`.

    Parameters
    ----------
    profiles : mapping from "major" and "minor" to arrays, shape (12,), optional
        Of C major and C minor; Krumhansl and Kessler's if not given.
    """
    given = KRUMHANSL_KESSLER if profiles is None else profiles
    modes = ("major", "minor")
    return np.stack([np.roll(given[mode], tonic) for mode in modes for tonic in range(12)])


def correlations(a: Any, b: Any) -> Array:
    """Return Pearson's correlation of each row of a with each row of b; 0 where a row is flat."""
    a, b = (np.atleast_2d(np.asarray(x, np.float64)) for x in (a, b))
    a, b = (x - x.mean(1, keepdims=True) for x in (a, b))
    lengths = np.sqrt((a**2).sum(1))[:, None] * np.sqrt((b**2).sum(1))[None]
    result = np.zeros((len(a), len(b)))
    np.divide(a @ b.T, lengths, out=result, where=lengths > 0)
    return result


def pitch_class_durations(music: Melody | SymbolicScore) -> Array:
    """Return how long each pitch class sounds, shape (12,), in quarter notes.

    Parameters
    ----------
    music : Melody or SymbolicScore
    """
    if isinstance(music, Melody):
        pitches, durations = music.pitches[music.sounding], music.durations[music.sounding]
    else:
        pitches, durations = music.notes["pitch"], music.notes["duration"]
    if not len(pitches):
        raise ScoreError("there are no notes: a key cannot be found")
    return np.asarray(np.bincount(pitches % 12, durations, minlength=12))


def key_scores(durations: Any, profiles: Any = None) -> Array:
    """Return the correlation of durations of pitch classes with the profile of each key, (24,).

    Parameters
    ----------
    durations : array, shape (12,)
        From C upwards.
    profiles : array, shape (2, 12), optional
        Of major and minor, from the tonic upwards; those of Krumhansl & Kessler if not given.
    """
    return np.asarray(correlations(durations, key_profiles(profiles))[0])


def find_key(music: Melody | SymbolicScore | Any, profiles: Any = None) -> Key:
    """Return the key by the algorithm of Krumhansl and Schmuckler (Krumhansl 1990, chapter 4).

    The key whose profile correlates best with how long each pitch class sounds.

    Parameters
    ----------
    music : Melody, SymbolicScore, or array, shape (12,)
        An array has the durations of the pitch classes.
    profiles : mapping, optional
        As of :func:`key_profiles`.

    Raises
    ------
    ScoreError
        There are no notes.
    """
    if isinstance(music, Melody | SymbolicScore):
        music = pitch_class_durations(music)
    durations = np.asarray(music, np.float64)
    if durations.shape != (12,) or not durations.sum() > 0:
        raise ScoreError(f"durations must be 12 numbers, not all 0, got shape {durations.shape}")
    return Key.from_number(int(np.argmax(key_scores(durations, profiles))))


def partitura_key(music: Melody | SymbolicScore) -> Key:
    """Return the key that partitura's ``estimate_key`` finds, which has the same algorithm.

    Parameters
    ----------
    music : Melody or SymbolicScore

    Raises
    ------
    ImportError
        Partitura is not installed.
    """
    from ictus.music.melody.reading import partitura

    score = music.score() if isinstance(music, Melody) else music
    fields = [("onset_beat", "f4"), ("duration_beat", "f4"), ("pitch", "i4")]
    notes = np.zeros(len(score.notes), fields)
    notes["onset_beat"], notes["duration_beat"] = score.notes["start"], score.notes["duration"]
    notes["pitch"] = score.notes["pitch"]
    if not len(notes):
        raise ScoreError("there are no notes: a key cannot be found")
    name = str(partitura().musicanalysis.estimate_key(notes))
    tonic = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[name[0]]
    tonic += name.count("#") - name.count("b")
    return Key(tonic % 12, "minor" if name.endswith("m") else "major")


def key_distances(profiles: Any = None) -> Array:
    """Return 1 - correlation of the profiles of each two keys, shape (24, 24).

    The distances of Krumhansl and Kessler's map of keys are those of a scaling of these
    correlations.
    """
    table = key_profiles(profiles)
    return 1.0 - correlations(table, table)


def mirex_score(found: Key, true: Key) -> float:
    """Return the weighted score of the MIREX key task: 1, fifth 0.5, relative 0.3, parallel 0.2.

    Parameters
    ----------
    found, true : Key
    """
    if found == true:
        return 1.0
    step = (found.tonic - true.tonic) % 12
    if found.mode == true.mode:
        return 0.5 if step in (5, 7) else 0.0
    if step == (9 if true.mode == "major" else 3):
        return 0.3
    return 0.2 if step == 0 else 0.0
