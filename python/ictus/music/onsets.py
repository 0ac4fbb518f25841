"""Onsets of recordings: where notes and strokes begin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ictus.music.features import (
    online_onset_features,
    onset_features,
    recurrent_onset_features,
)
from ictus.music.peaks import merge_events, pick_peaks

if TYPE_CHECKING:
    from ictus.nn import Network

Floats = npt.NDArray[np.float64]
Samples = npt.NDArray[np.float32]

#: Frames of a patch, and spectra side by side in its features [Schlüter & Böck, ICASSP 2014].
PATCH, SPECTRA = 15, 3
#: Onsets nearer than this are one, in seconds.
COMBINE = 0.03


@dataclass(frozen=True)
class OnsetModel:
    """How a network's outputs are made, and become onsets.

    Attributes
    ----------
    features : callable
        Makes the features.
    surroundings : (int, int)
        Frames of a patch before and after the one it is about; (0, 0) of recurrent networks.
    smooth : int
        Frames over which the activation is averaged (Hamming window); 0: none.
    threshold : float
        Of the models that ictus brings: chosen on synthetic recordings that trained nothing.
    """

    features: Any
    surroundings: tuple[int, int]
    smooth: int
    threshold: float


#: The kinds of model by name.
ONSET_MODELS = {
    "onsets": OnsetModel(onset_features, (7, 7), 5, 0.3),
    "onsets_online": OnsetModel(online_onset_features, (14, 0), 0, 0.42),
    "onsets_rnn": OnsetModel(recurrent_onset_features, (0, 0), 5, 0.16),
}


def decode_onsets(
    activations: npt.ArrayLike,
    model: str = "onsets",
    *,
    threshold: float | None = None,
    combine: float = COMBINE,
    fps: float = 100.0,
) -> Floats:
    """Return the onsets that an activation tells of, in seconds.

    Its peaks over a threshold; of those nearer than `combine` the first. For "onsets_online" each
    is decided with one frame after it.

    Parameters
    ----------
    activations : array, shape (frames,) or (frames, 1)
    model : {"onsets", "onsets_online", "onsets_rnn"}
    threshold : float, optional
        That of the model, if not given.
    combine : float
        Seconds.
    fps : float
        Frames per second.
    """
    kind = ONSET_MODELS[model]
    a = np.asarray(activations)
    peaks = pick_peaks(
        a[:, 0] if a.ndim == 2 else a,
        kind.threshold if threshold is None else threshold,
        smooth=kind.smooth,
    )
    return merge_events(peaks / fps, combine)


def slide_patches(
    network: Network, features: Samples, surroundings: tuple[int, int], channels: int
) -> Samples:
    """Return a patch network's output at each frame; the first and last frame are repeated.

    Parameters
    ----------
    network : Network
        Of patches (frames, bands, channels).
    features : array, shape (frames, channels * bands)
    surroundings : (int, int)
        Frames of a patch before and after the one it is about.
    channels : int
        Spectra side by side in the features.

    Returns
    -------
    array, shape (frames, outputs)
    """
    if not len(features):
        return np.empty((0, network.output_size), np.float32)
    padded = np.pad(features, (surroundings, (0, 0)), mode="edge")
    spectra = padded.reshape(len(padded), channels, -1).transpose(0, 2, 1)
    return network.slide(np.ascontiguousarray(spectra))
