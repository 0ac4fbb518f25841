"""What a model has learned about keys: expectation profiles, keys found, the map of keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ictus.music.melody.keys import (
    KRUMHANSL_KESSLER,
    correlations,
    find_key,
    key_distances,
    key_profiles,
)
from ictus.music.melody.score import Key, Melody

if TYPE_CHECKING:
    from ictus.music.melody.melody_rbm import MelodyRBM

Array = NDArray[Any]
#: Numbers of a melody that keys are told apart by.
Features = Callable[[Melody], Array]

#: Contexts after which listeners rated probe tones (Krumhansl & Kessler 1982): semitones from the
#: tonic. Scales up and down, and the chords I, IV-V-I, II-V-I, VI-V-I one note after another.
CONTEXTS: dict[str, tuple[tuple[int, ...], ...]] = {
    "major": (
        (0, 2, 4, 5, 7, 9, 11, 12),
        (12, 11, 9, 7, 5, 4, 2, 0),
        (0, 4, 7),
        (5, 9, 12, 7, 11, 2, 0, 4, 7),
        (2, 5, 9, 7, 11, 2, 0, 4, 7),
        (9, 12, 4, 7, 11, 2, 0, 4, 7),
    ),
    "minor": (
        (0, 2, 3, 5, 7, 8, 11, 12),
        (12, 11, 8, 7, 5, 3, 2, 0),
        (0, 3, 7),
        (5, 8, 12, 7, 11, 2, 0, 3, 7),
        (2, 5, 8, 7, 11, 2, 0, 3, 7),
        (8, 12, 3, 7, 11, 2, 0, 3, 7),
    ),
}


# --- expectation ---------------------------------------------------------------------------------


def expectation_profiles(model: MelodyRBM, melodies: Iterable[Melody]) -> dict[str, Array]:
    """Return what the model expects on average, by pitch class above the tonic.

    Parameters
    ----------
    model : MelodyRBM
    melodies : iterable of Melody
        Those whose key is not known are left out.

    Returns
    -------
    dict from "major" and "minor" to array, shape (12,)
        Means over all notes; a mode that no melody has is not there.
    """
    found: dict[str, list[Array]] = {}
    for melody in melodies:
        if melody.key is not None:
            rows = np.roll(model.expectation(melody), -melody.key.tonic, axis=1)
            found.setdefault(melody.key.mode, []).append(rows)
    return {mode: np.concatenate(rows).mean(0) for mode, rows in found.items()}


def probe_tone_profiles(
    model: MelodyRBM, duration: float = 1.0, centre: int = 67
) -> dict[str, Array]:
    """Return the model's expectation after contexts that establish a key, as a listener's ratings.

    Parameters
    ----------
    model : MelodyRBM
    duration : float
        Of each note of a context, in quarter notes.
    centre : int
        Each context is given in twelve keys whose tonics lie around this pitch.

    Returns
    -------
    dict from "major" and "minor" to array, shape (12,)
        Mean probability of each pitch class above the tonic, over keys and contexts.
    """
    result = {}
    for mode, contexts in CONTEXTS.items():
        rows = []
        for context in contexts:
            for tonic in range(centre - 6, centre + 6):
                pitches = np.array(context) + tonic
                melody = Melody(pitches, np.full(len(pitches), duration))
                if model.encoding_.fits(melody):
                    rows.append(np.roll(model.expectation(melody)[-1], -tonic % 12))
        result[mode] = np.mean(rows, axis=0)
    return result


def profile_correlations(profiles: dict[str, Array]) -> dict[str, float]:
    """Return the correlation of each profile with that of Krumhansl & Kessler.

    Parameters
    ----------
    profiles : dict of arrays, shape (12,)
        By name: how well each degree fits, from the tonic upwards.
    """
    return {
        mode: float(correlations(profile, KRUMHANSL_KESSLER[mode])[0, 0])
        for mode, profile in profiles.items()
    }


# --- keys ----------------------------------------------------------------------------------------


def find_key_by_expectation(
    model: MelodyRBM, melody: Melody, profiles: dict[str, Array] | None = None
) -> Key:
    """Return the key whose profile correlates best with the model's mean expectation.

    Parameters
    ----------
    model : MelodyRBM
    melody : Melody
    profiles : dict, optional
        Of C major and C minor; Krumhansl and Kessler's if not given.
    """
    return find_key(model.expectation(melody).mean(0), profiles)


class CentroidKeyFinder:
    """Finds keys by the nearest of 24 centroids of features of melodies whose keys are known.

    Distances are those of linear discriminant analysis: by the covariance within keys, shrunk
    (Ledoit & Wolf 2004), so that what differs among melodies of one key, as register, counts
    little.

    Parameters
    ----------
    features : callable
        From a melody to a vector, as the mean activity of hidden units, or shares of pitch classes.
    semitones : iterable of int
        Each melody counts in these transpositions.

    Attributes
    ----------
    centroids : array, shape (24, features)
        Rows by :attr:`Key.number`; NaN for a key without melodies.
    precision : array, shape (features, features)
        Inverse of the covariance.
    """

    def __init__(self, features: Features, semitones: Iterable[int] = range(-5, 7)) -> None:
        self.features, self.semitones = features, tuple(semitones)

    def fit(self, melodies: Sequence[Melody]) -> CentroidKeyFinder:
        """Take the mean features of each key, melodies weighted alike; return self.

        Raises
        ------
        ValueError
            No melody with a key.
        """
        from sklearn.covariance import ledoit_wolf

        moved = [m.transposed(step) for m in melodies for step in self.semitones]
        keyed = [(m, m.key.number) for m in moved if m.key is not None]
        if not keyed:
            raise ValueError("melodies must hold at least one melody with a key, got none")
        rows = np.stack([self.features(melody) for melody, _ in keyed])
        numbers = np.array([number for _, number in keyed])
        self.centroids = np.full((24, rows.shape[1]), np.nan)
        for number in np.unique(numbers):
            self.centroids[number] = rows[numbers == number].mean(0)
        covariance, _ = ledoit_wolf(rows - self.centroids[numbers], assume_centered=True)
        self.precision = np.linalg.pinv(covariance)
        return self

    def find(self, melody: Melody) -> Key:
        """Return the key of the nearest centroid."""
        away = self.features(melody) - self.centroids
        distances = ((away @ self.precision) * away).sum(1)
        return Key.from_number(int(np.nanargmin(distances)))


def hidden_features(model: MelodyRBM) -> Features:
    """Return the features "mean activity of the hidden units over the windows of a melody".

    Parameters
    ----------
    model : MelodyRBM
        Fitted.
    """
    return lambda melody: model.transform([melody])[0].mean(0).astype(np.float64)


# --- the map of keys -----------------------------------------------------------------------------


@dataclass
class KeyMap:
    """Keys as points of a space.

    Attributes
    ----------
    points : array, shape (24, 2)
        On the two principal components of the centroids of the major keys.
    variance : float
        The share of the variance of the major keys that lies in this plane.
    radius_variation : float
        Standard deviation of the distances of the major keys from their middle, over their mean,
        in the plane.
    fifths : int
        Of 12 neighbours on the circle of major keys, how many are a fifth apart.
    correlation : float
        Pearson's, of the distances of the centroids with :func:`key_distances`, over all pairs of
        keys that are there.
    major_correlation : float
        The same over the pairs of major keys.
    """

    points: Array
    variance: float
    radius_variation: float
    fifths: int
    correlation: float
    major_correlation: float


def key_map(centroids: Array) -> KeyMap:
    """Return how the centroids of keys lie to each other.

    Parameters
    ----------
    centroids : array, shape (24, features)
        Rows by :attr:`Key.number`; rows of NaN are left out.
    """
    centroids = np.asarray(centroids, np.float64)
    if centroids.ndim != 2 or len(centroids) != 24 or np.isnan(centroids[:12]).any():
        raise ValueError(
            f"centroids must be 24 rows, all major keys among them, got {centroids.shape}"
        )
    middle = centroids[:12].mean(0)
    _, singular, axes = np.linalg.svd(centroids[:12] - middle, full_matrices=False)
    points = (centroids - middle) @ axes[:2].T
    radius = np.hypot(*points[:12].T)
    order = np.argsort(np.arctan2(points[:12, 1], points[:12, 0]))
    steps = np.diff(np.append(order, order[0])) % 12
    there = np.flatnonzero(~np.isnan(centroids).any(1))
    return KeyMap(
        points,
        float((singular[:2] ** 2).sum() / (singular**2).sum()),
        float(radius.std() / radius.mean()),
        int(max((steps == 7).sum(), (steps == 5).sum())),
        _distance_correlation(centroids, there),
        _distance_correlation(centroids, np.arange(12)),
    )


def _distance_correlation(centroids: Array, keys: Array) -> float:
    rows = centroids[keys]
    distances = np.sqrt(((rows[:, None] - rows[None]) ** 2).sum(2))
    first, second = np.triu_indices(len(keys), 1)
    theirs = key_distances()[np.ix_(keys, keys)]
    return float(correlations(distances[first, second], theirs[first, second])[0, 0])


def profile_map() -> KeyMap:
    """Return the map of the profiles of Krumhansl & Kessler themselves."""
    return key_map(key_profiles())
