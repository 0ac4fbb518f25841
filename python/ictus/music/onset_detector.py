"""Onsets of recordings and of live input: features, networks and peaks as one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from ictus.io.annotations import Events
from ictus.music.features import Features
from ictus.music.onsets import COMBINE, ONSET_MODELS, PATCH, SPECTRA, decode_onsets, slide_patches
from ictus.music.parts import CONTEXT, PART, parts_with_context
from ictus.music.peaks import pick_peaks

if TYPE_CHECKING:
    from ictus.nn import Network, SequenceNetwork

Floats = npt.NDArray[np.float64]
Samples = npt.NDArray[np.float32]


@dataclass(eq=False)
class Onsets:
    """The onsets of a recording.

    Attributes
    ----------
    times : array, shape (onsets,)
        Seconds.
    activations : array, shape (frames,)
        What they were picked from: the probability of an onset.
    fps : float
        Frames of the activations per second.
    """

    times: Floats
    activations: npt.NDArray[np.floating]
    fps: float
    kind: ClassVar[str] = "onsets"
    #: As of :class:`ictus.music.Beats`; onsets have no numbers.
    numbers: ClassVar[None] = None
    downbeats: ClassVar[None] = None

    @property
    def events(self) -> Events:
        """The times."""
        return Events(self.times)


class OnsetDetector:
    """Finds the onsets of recordings.

    Parameters
    ----------
    networks : sequence of Network or SequenceNetwork
        Their outputs are averaged; all convolutional or all recurrent
        (:func:`ictus.music.load_networks`).
    model : {"onsets", "onsets_online", "onsets_rnn"}, optional
        What they were trained as; if not given, "onsets" or "onsets_rnn" by their kind.
    threshold : float, optional
        Of the activation; that of the model, if not given.
    combine : float
        Of onsets nearer than this, the first counts; seconds.

    Raises
    ------
    ValueError
        No networks, ones that do not fit each other, or that no features fit.

    Examples
    --------
    >>> detector = OnsetDetector(load_networks([model_path("onsets")], patches=True))
    ... # doctest: +SKIP
    >>> detector.detect("song.flac").times  # doctest: +SKIP
    """

    def __init__(
        self,
        networks: Sequence[Network | SequenceNetwork],
        *,
        model: str | None = None,
        threshold: float | None = None,
        combine: float = COMBINE,
    ) -> None:
        if not networks:
            raise ValueError("OnsetDetector: there must be at least one network")
        patches = [isinstance(getattr(n, "input_shape", None), tuple) and len(n.input_shape) == 3
                   for n in networks]  # fmt: skip
        self.model = model or ("onsets" if patches[0] else "onsets_rnn")
        if self.model not in ONSET_MODELS:
            raise ValueError(f"model must be one of {', '.join(ONSET_MODELS)}, got {model!r}")
        self._kind = ONSET_MODELS[self.model]
        self.features: Features = self._kind.features()
        self._slides = self.model != "onsets_rnn"
        shape = (PATCH, self.features.width // SPECTRA, SPECTRA)
        for network, sliding in zip(networks, patches, strict=True):
            fits = (
                network.input_shape == shape
                if sliding
                else network.input_size == self.features.width
            )
            if sliding != self._slides or not fits or network.output_size != 1:
                wanted = f"patches of {shape}" if self._slides else f"{self.features.width} inputs"
                raise ValueError(
                    f"a network of the model {self.model} has {wanted} and 1 output, got one of "
                    f"{network.input_shape if sliding else network.input_size} and "
                    f"{network.output_size}"
                )
        self.networks = list(networks)
        if threshold is not None and not 0 <= threshold < 1:
            raise ValueError(f"threshold must be in [0, 1), got {threshold!r}")
        if not combine >= 0:
            raise ValueError(f"combine must not be negative, got {combine!r}")
        self.threshold = self._kind.threshold if threshold is None else threshold
        self.combine = combine

    def activations(self, blocks: Iterable[Samples]) -> Samples:
        """Return the activations, shape (frames,), of a mono signal in blocks at 44.1 kHz.

        The memory taken is bounded, except for the activations themselves.
        """
        context = max(self._kind.surroundings) if self._slides else CONTEXT
        cut = parts_with_context(self.features.blocks(blocks), PART, context)
        parts = [self.outputs(x)[first:last] for x, first, last in cut]
        return np.concatenate([*parts, np.empty(0, np.float32)])

    def outputs(self, features: Samples) -> Samples:
        """Return the mean output of the networks at each frame of features, shape (frames,)."""
        total: Any = sum(
            slide_patches(network, features, self._kind.surroundings, SPECTRA)
            if self._slides
            else network.predict([features])[0]
            for network in self.networks
        )
        return np.asarray(total[:, 0] / len(self.networks), np.float32)

    def decode(self, activations: npt.NDArray[np.floating]) -> Onsets:
        """Return the onsets that activations tell of."""
        times = decode_onsets(
            activations,
            self.model,
            threshold=self.threshold,
            combine=self.combine,
            fps=self.features.fps,
        )
        return Onsets(times, activations, self.features.fps)

    def detect(self, path: str | os.PathLike[str]) -> Onsets:
        """Return the onsets of an audio file.

        Raises
        ------
        AudioFileError, OSError
            See :class:`ictus.io.audio.AudioFile`.
        """
        from ictus.io.audio import audio_blocks

        return self.decode(self.activations(audio_blocks(path, self.features.sample_rate)))

    def detect_signal(self, signal: npt.ArrayLike) -> Onsets:
        """Return the onsets of a mono signal at 44.1 kHz, shape (samples,)."""
        return self.decode(self.activations([np.asarray(signal, np.float32)]))


class OnlineOnsetDetector:
    """Finds the onsets of live input: fed samples, it says at once which were onsets.

    Parameters
    ----------
    networks : sequence of Network
        Trained as "onsets_online"; their outputs are averaged.
    threshold, combine
        As of :class:`OnsetDetector`.

    Attributes
    ----------
    latency : float
        Seconds from an onset until it is said: the windows see 30 ms ahead, and a peak is one when
        the frame after it is lower. What the pieces take in which samples come is not in it.
    """

    def __init__(
        self,
        networks: Sequence[Network],
        *,
        threshold: float | None = None,
        combine: float = COMBINE,
    ) -> None:
        self._detector = OnsetDetector(
            networks, model="onsets_online", threshold=threshold, combine=combine
        )
        self.features = self._detector.features
        self.latency = self.features.reach / self.features.sample_rate + 1 / self.features.fps
        self._before = self._detector._kind.surroundings[0]
        self.reset()

    def reset(self) -> None:
        """Forget all that was heard."""
        self._stream = self.features.stream()
        self._seen = np.empty((0, self.features.width), np.float32)  # frames that patches reach
        # The last activations; before the first frame they are 0, as in silence.
        self._recent = np.zeros(3, np.float32)
        self._frame = -3  # the number of the first of them
        self._last = -np.inf

    def push(self, samples: npt.ArrayLike, *, last: bool = False) -> Floats:
        """Take the next samples (mono, 44.1 kHz), any number; return the new onsets in seconds.

        With `last` the stream ends.
        """
        new = self._stream.push(samples, last=last)
        known = len(self._seen)
        frames = np.concatenate([self._seen, new])
        activations = self._detector.outputs(frames)[known:] if len(new) else new[:, 0]
        self._seen = frames[max(len(frames) - self._before, 0) :]
        a = np.concatenate([self._recent, activations])
        # Whether the last frame is a peak, the next one tells.
        decided = len(a) if last else len(a) - 1
        found = []
        for peak in pick_peaks(a, self._detector.threshold):
            time = (self._frame + int(peak)) / self.features.fps
            if 2 <= peak < decided and time >= 0 and time - self._last >= self._detector.combine:
                self._last = time
                found.append(time)
        self._frame += len(a) - 3
        self._recent = a[-3:]
        return np.array(found)
