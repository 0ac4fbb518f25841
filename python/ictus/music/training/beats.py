"""Training of beat trackers: networks that say at each frame how likely a beat is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from ictus.io.annotations import Events
from ictus.music.training.cache import FeatureCache
from ictus.music.training.folder import Example
from ictus.music.training.recordings import Trained
from ictus.music.training.segments import SegmentTraining, train_segments
from ictus.music.training.targets import beat_targets, downbeat_targets
from ictus.nn import LSTM, Bidirectional, Dense, SequenceNetwork

Array = NDArray[Any]

#: Models that can be trained: offline beats, online beats, and beats with downbeats.
MODELS = ("beats", "online", "downbeats")


@dataclass
class BeatTraining(SegmentTraining):
    """Settings of a training; the defaults are those of the published architecture.

    Parameters
    ----------
    model : {"beats", "online", "downbeats"}
        "beats": bidirectional LSTM, one output (Böck & Schedl 2011); "online": one direction;
        "downbeats": bidirectional, with the classes no beat, beat, downbeat (Böck et al. 2016).
    units : tuple of int
        Units of each layer and direction.
    neighbours : tuple of float
        Target widening; see :func:`ictus.music.training.targets.event_targets`.
    options
        See :class:`ictus.music.training.segments.SegmentTraining`.
    """

    model: str = "beats"
    units: tuple[int, ...] = (25, 25, 25)
    neighbours: tuple[float, ...] = (0.5,)

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise ValueError(f"model must be one of {', '.join(MODELS)}, got {self.model!r}")
        super().__post_init__()

    def network(self, features: int) -> SequenceNetwork:
        """Return the network, not trained yet."""
        layers: list[Any] = []
        for units in self.units:
            layer = LSTM(units, peepholes=True)
            layers.append(layer if self.model == "online" else Bidirectional(layer))
        if self.model == "downbeats":
            return SequenceNetwork(
                features, [*layers, Dense(3)], "softmax_cross_entropy", seed=self.seed
            )
        network = SequenceNetwork(
            features, [*layers, Dense(1)], "binary_cross_entropy", seed=self.seed
        )
        # Beats are rare: begin where the mean output is about their share of the frames.
        network.views(network.parameters)[-1][1][...] = -3.0
        return network

    def targets(self, events: Events, frames: int, rate: float) -> tuple[Array, None]:
        """Return what the network should say for a recording."""
        make = downbeat_targets if self.model == "downbeats" else beat_targets
        return make(events, frames, rate, neighbours=self.neighbours), None


def train_beats(
    examples: Sequence[Example],
    cache: FeatureCache,
    settings: BeatTraining | None = None,
    **options: Any,
) -> Trained:
    """Train a beat tracker on recordings with annotations.

    Parameters
    ----------
    examples : sequence of Example
        See :func:`ictus.music.training.folder.find_examples`.
    cache : FeatureCache
    settings : BeatTraining, optional
    options
        See :func:`ictus.music.training.segments.train_segments`.

    Returns
    -------
    Trained
        The network takes features as they are extracted; their standardisation is in it.

    Raises
    ------
    ValueError
        Too few recordings, or annotations without the numbers that downbeats need.
    """
    return train_segments(examples, cache, settings or BeatTraining(), **options)
