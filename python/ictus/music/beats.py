"""Beats of recordings: features, networks and decoding as one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from ictus.io.annotations import Events
from ictus.music.decoding import check_tempo, decode_beats, decode_downbeats
from ictus.music.features import (
    Features,
    beat_features,
    downbeat_features,
    live_beat_features,
    online_beat_features,
)
from ictus.music.online import OnlineBeatDecoder
from ictus.music.parts import CONTEXT, PART, parts_with_context
from ictus.music.tempo import estimate_tempo

if TYPE_CHECKING:
    from ictus.nn import SequenceNetwork

Floats = npt.NDArray[np.float64]
Samples = npt.NDArray[np.float32]

#: The models that ictus brings: offline beats, beats with downbeats, beats of live input.
MODELS = ("beats", "downbeats", "online")

# A network knows its features by their number.
FEATURES = {
    266: beat_features,
    314: downbeat_features,
    300: live_beat_features,
    162: online_beat_features,
}

THRESHOLD = 0.05
#: Factors of the probability of bars by their number of beats; see
#: :func:`ictus.music.decode_downbeats`. Chosen on synthetic pieces that trained nothing.
BAR_WEIGHTS = {2: 0.5}


def bar_weights(beats_per_bar: tuple[int, ...]) -> tuple[float, ...]:
    """Return the weights of bars with so many beats."""
    return tuple(BAR_WEIGHTS.get(beats, 1.0) for beats in beats_per_bar)


@dataclass(eq=False)
class Beats:
    """The beats of a recording.

    Attributes
    ----------
    times : array, shape (beats,)
        Seconds.
    numbers : array of int, shape (beats,), or None
        The place in the bar, 1 is a downbeat; None from models without downbeats.
    activations : array, shape (frames,) or (frames, 2)
        What they were decoded from: probability of a beat; or of a beat that is no downbeat, and
        of a downbeat.
    fps : float
        Frames of the activations per second.
    """

    times: Floats
    numbers: npt.NDArray[np.int64] | None
    activations: npt.NDArray[np.floating]
    fps: float

    kind: ClassVar[str] = "beats"

    @property
    def events(self) -> Events:
        """Times, with the numbers as labels."""
        numbers = self.numbers
        return Events(self.times, None if numbers is None else [str(n) for n in numbers])

    @property
    def downbeats(self) -> Floats | None:
        """Times of the beats that begin a bar."""
        return None if self.numbers is None else self.times[self.numbers == 1]

    def tempi(self, tempo: tuple[float, float] = (40.0, 250.0)) -> Floats:
        """Tempi (BPM) and their strengths; see :func:`ictus.music.estimate_tempo`."""
        a = self.activations
        return estimate_tempo(a if a.ndim == 1 else a.max(axis=1), tempo=tempo, fps=self.fps)


class BeatTracker:
    """Finds the beats of recordings.

    Parameters
    ----------
    networks : sequence of SequenceNetwork
        Their outputs are averaged. With one output they give the probability of a beat, with three
        those of no beat, beat and downbeat (:func:`ictus.music.load_networks`).
    tempo : (float, float)
        Slowest and fastest tempo in BPM.
    beats_per_bar : tuple of int
        The meters to try, where networks know downbeats; bars have the weights
        :data:`BAR_WEIGHTS`.
    threshold : float
        Before the first activation as high as this, and after the last, there are no beats: silence
        has none.

    Raises
    ------
    ValueError
        No networks, ones that do not fit each other, or that no features fit.

    Examples
    --------
    >>> tracker = BeatTracker(load_networks([model_path("beats")]))  # doctest: +SKIP
    >>> tracker.track("song.flac").times  # doctest: +SKIP
    """

    def __init__(
        self,
        networks: Sequence[SequenceNetwork],
        *,
        tempo: tuple[float, float] = (55.0, 215.0),
        beats_per_bar: tuple[int, ...] = (2, 3, 4),
        threshold: float = THRESHOLD,
    ) -> None:
        sizes = {(n.input_size, n.output_size) for n in networks}
        if len(sizes) != 1:
            raise ValueError(f"the networks must have one size of input and output, got {sizes}")
        inputs, outputs = sizes.pop()
        if inputs not in FEATURES or outputs not in (1, 3):
            raise ValueError(
                f"a beat model has {', '.join(map(str, FEATURES))} inputs and 1 or 3 outputs, got "
                f"{inputs} and {outputs}"
            )
        self.networks = list(networks)
        self.features: Features = FEATURES[inputs]()
        check_tempo("BeatTracker", tempo, self.features.fps)
        self.tempo, self.beats_per_bar, self.threshold = tempo, beats_per_bar, threshold
        self.downbeats = outputs == 3

    def activations(self, blocks: Iterable[Samples]) -> npt.NDArray[np.floating]:
        """Return the activations of a mono signal that comes in blocks, at 44.1 kHz.

        The memory taken is bounded, except for the activations themselves.

        Returns
        -------
        array, shape (frames,) or (frames, 2)
        """
        cut = parts_with_context(self.features.blocks(blocks), PART, CONTEXT)
        parts = [self._outputs(*part) for part in cut]
        columns = self.networks[0].output_size
        mean = np.concatenate([*parts, np.empty((0, columns), np.float32)])
        return mean[:, 1:] if self.downbeats else mean[:, 0]

    def _outputs(self, features: Samples, first: int, last: int) -> npt.NDArray[np.floating]:
        """The mean output of the networks for frames first .. last of the features."""
        total = sum(network.predict([features])[0][first:last] for network in self.networks)
        return np.asarray(total / len(self.networks), np.float32)

    def decode(self, activations: npt.NDArray[np.floating]) -> Beats:
        """Return the beats that activations tell of."""
        fps = self.features.fps
        if self.downbeats:
            found = decode_downbeats(
                activations,
                tempo=self.tempo,
                fps=fps,
                beats_per_bar=self.beats_per_bar,
                bar_weights=bar_weights(self.beats_per_bar),
                threshold=self.threshold,
            )
            return Beats(found[:, 0], found[:, 1].astype(np.int64), activations, fps)
        times = decode_beats(activations, tempo=self.tempo, fps=fps, threshold=self.threshold)
        return Beats(times, None, activations, fps)

    def track(self, path: str | os.PathLike[str]) -> Beats:
        """Return the beats of an audio file.

        Raises
        ------
        AudioFileError, OSError
            See :class:`ictus.io.audio.AudioFile`.
        """
        from ictus.io.audio import audio_blocks

        return self.decode(self.activations(audio_blocks(path, self.features.sample_rate)))

    def track_signal(self, signal: npt.ArrayLike) -> Beats:
        """Return the beats of a mono signal at 44.1 kHz, shape (samples,)."""
        return self.decode(self.activations([np.asarray(signal, np.float32)]))


class OnlineBeatTracker:
    """Finds the beats of live input: fed samples, it says at once which were beats.

    Parameters
    ----------
    networks : sequence of SequenceNetwork
        Of one direction, on causal features; their outputs are averaged.
    tempo : (float, float)
        Slowest and fastest tempo in BPM.
    threshold : float
        There are no beats where no activation of the last two slowest beats was as high as this.

    Attributes
    ----------
    latency : float
        Seconds from a beat until the samples are there that tell of it; to be had beside what the
        pieces take in which the samples come. Times of beats are when they were.

    Raises
    ------
    ValueError
        Networks of two directions, or that no features fit.
    """

    def __init__(
        self,
        networks: Sequence[SequenceNetwork],
        *,
        tempo: tuple[float, float] = (55.0, 215.0),
        threshold: float = THRESHOLD,
    ) -> None:
        self._tracker = BeatTracker(networks)
        self.features = self._tracker.features
        self.latency = self.features.reach / self.features.sample_rate
        self._decoder = OnlineBeatDecoder(tempo=tempo, fps=self.features.fps, threshold=threshold)
        self._start()

    def _start(self) -> None:
        self._stream = self.features.stream()
        self._networks: list[Any] = [network.stream() for network in self._tracker.networks]

    def reset(self) -> None:
        """Forget all that was heard."""
        self._decoder.reset()
        self._start()

    @property
    def bpm(self) -> float:
        """60 over the last interval between beats; NaN before the second beat."""
        return self._decoder.tempo

    def push(self, samples: npt.ArrayLike, *, last: bool = False) -> Floats:
        """Take the next samples (mono, 44.1 kHz), any number; return the new beats in seconds.

        With `last` the stream ends.
        """
        features = self._stream.push(samples, last=last)
        if len(features) == 0:
            return np.empty(0)
        total = sum(np.array(network(features)) for network in self._networks)
        mean = np.asarray(total) / len(self._networks)
        a = mean[:, 1:].max(axis=1) if self._tracker.downbeats else mean[:, 0]
        return self._decoder.push(np.clip(a, 0, 1))
