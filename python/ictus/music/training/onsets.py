"""Training of onset detectors: convolutional networks on patches, recurrent ones on segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ictus.io.annotations import Events
from ictus.music.onsets import ONSET_MODELS, PATCH, SPECTRA
from ictus.music.training.cache import FeatureCache
from ictus.music.training.folder import Example
from ictus.music.training.patches import PatchTraining, train_patches
from ictus.music.training.recordings import Trained
from ictus.music.training.segments import SegmentTraining, train_segments
from ictus.music.training.targets import onset_targets
from ictus.nn import (
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    MaxPool,
    Network,
    Recurrent,
    SequenceNetwork,
    Standardize,
)

Array = NDArray[Any]

#: Models that can be trained: the convolutional network, the same for live input, a recurrent one.
MODELS = tuple(ONSET_MODELS)


@dataclass
class OnsetTraining(PatchTraining):
    """Settings of the convolutional network; the defaults are the published ones.

    Schlüter & Böck, "Improved musical onset detection with convolutional neural networks", ICASSP
    2014: patches of 15 frames of three mel spectrograms of 80 bands; 10 filters of 7 frames x 3
    bands, maxima of 3 bands, 20 filters of 3 x 3, maxima of 3 bands, 256 sigmoid units, one output.

    Parameters
    ----------
    model : {"onsets", "onsets_online"}
        "onsets": a patch has seven frames before and after the onset; "onsets_online": fourteen
        before it, of features that see 30 ms ahead.
    activation : str
        Of the convolutions: "relu" (section 4.4) or "tanh".
    dropout : float
        Of the inputs of both dense layers (section 4.2).
    neighbour_weight : float, optional
        Of the frames beside an onset, which are positive too (section 4.3); None: they are negative
        as any other.
    shift : float
        Seconds added to annotated times: below 0 where onsets are found late on average.
    options
        See :class:`ictus.music.training.patches.PatchTraining`.
    """

    model: str = "onsets"
    filters: tuple[int, int] = (10, 20)
    units: int = 256
    activation: str = "relu"
    dropout: float = 0.5
    neighbour_weight: float | None = 0.25
    shift: float = 0.0

    def __post_init__(self) -> None:
        if self.model not in MODELS[:2]:
            raise ValueError(f"model must be one of {', '.join(MODELS[:2])}, got {self.model!r}")
        super().__post_init__()

    @property
    def surroundings(self) -> tuple[int, int]:
        return ONSET_MODELS[self.model].surroundings

    @property
    def channels(self) -> int:
        return SPECTRA

    def network(self, features: int) -> Network:
        bands = features // SPECTRA
        network = Network(
            (PATCH, bands, SPECTRA),
            [
                Standardize(),
                Conv2D(self.filters[0], (7, 3), self.activation),
                MaxPool((1, 3)),
                Conv2D(self.filters[1], (3, 3), self.activation),
                MaxPool((1, 3)),
                Flatten(),
                Dropout(self.dropout),
                Dense(self.units, "sigmoid", dropout=self.dropout),
                Dense(1),
            ],
            "binary_cross_entropy",
            seed=self.seed,
        )
        # Onsets are rare: begin where the mean output is about their share of the frames.
        network.views(network.parameters)[-1][1][...] = -2.0
        return network

    def targets(self, events: Events, frames: int, rate: float) -> tuple[Array, Array]:
        times = events.times + self.shift
        return onset_targets(times, frames, rate, neighbour_weight=self.neighbour_weight)


@dataclass
class RecurrentOnsetTraining(SegmentTraining):
    """Settings of the recurrent network [Böck, Arzt, Krebs & Schedl, DAFx 2012].

    Three bidirectional layers of 25 tanh units on the 266 features.

    Parameters
    ----------
    units : tuple of int
        Of each layer and direction.
    options
        See :class:`ictus.music.training.segments.SegmentTraining`.
    """

    model: str = "onsets_rnn"
    units: tuple[int, ...] = (25, 25, 25)
    segment: int = 400

    def network(self, features: int) -> SequenceNetwork:
        layers: list[Any] = [Recurrent(units, "tanh", directions=2) for units in self.units]
        network = SequenceNetwork(
            features, [*layers, Dense(1)], "binary_cross_entropy", seed=self.seed
        )
        network.views(network.parameters)[-1][1][...] = -2.0
        return network

    def targets(self, events: Events, frames: int, rate: float) -> tuple[Array, None]:
        return onset_targets(events.times, frames, rate, neighbour_weight=None)[0], None


def train_onsets(
    examples: Sequence[Example],
    cache: FeatureCache,
    settings: OnsetTraining | RecurrentOnsetTraining | None = None,
    **options: Any,
) -> Trained:
    """Train an onset detector on recordings with annotations.

    Parameters
    ----------
    examples : sequence of Example
        ``find_examples(folder, "onsets")``.
    cache : FeatureCache
        ``feature_cache(folder, settings.model)``.
    settings : OnsetTraining or RecurrentOnsetTraining, optional
    options
        See :func:`ictus.music.training.patches.train_patches`.

    Returns
    -------
    Trained
        Its network takes features as they are extracted; their standardisation is in it.

    Raises
    ------
    ValueError
        Too few recordings.
    """
    settings = settings or OnsetTraining()
    if isinstance(settings, RecurrentOnsetTraining):
        return train_segments(examples, cache, settings, **options)
    return train_patches(examples, cache, settings, **options)
