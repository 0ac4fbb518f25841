"""Where recordings have speech and where music: two questions that are answered apart.

A network sees a second of a mel spectrogram around each frame, and says how likely it is that
somebody speaks there, and that music plays; both can be on, or neither (after Schlüter &
Sonnleitner, "Unsupervised feature learning for speech and music detection in radio broadcasts",
DAFx 2012).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter1d

from ictus.io.annotations import Events
from ictus.music.features import Features, Resolution
from ictus.music.filterbanks import mel_filterbank
from ictus.music.networks import model_path

if TYPE_CHECKING:
    from ictus.nn import Network

Floats = npt.NDArray[np.floating]
Samples = npt.NDArray[np.float32]

#: What is detected, in the order of a model's outputs.
CLASSES = ("speech", "music")
BANDS, EXCERPT = 40, 24  # mel bands; frames that the network sees at once
FLOOR = 1e-3  # added to magnitudes: white noise at about -86 decibels of full scale
ROWS_AT_ONCE = 4096

# Chosen on validation material; see docs/results/speech_music.md.
SMOOTHING = 1.0  # seconds
SHORTEST = 0.6  # seconds: shorter segments and gaps are no segments and gaps


@lru_cache(maxsize=1)
def speech_music_features() -> Features:
    """One mel spectrogram of 40 bands, 60 Hz to 7.6 kHz: 64 ms windows at 25 frames per second."""
    bank = mel_filterbank(1024, 16_000, BANDS, 60.0, 7_600.0)
    resolution = Resolution(1024, bank)
    return Features((resolution,), sample_rate=16_000, fps=25.0, scale=1.0, add=FLOOR)


def excerpts(features: Floats, length: int = EXCERPT) -> Floats:
    """Return what is around each frame, shape (frames, length * width); silence beyond the ends.

    Frame t sees the frames from ``t - length // 2`` on.
    """
    before = length // 2
    ends = [np.full((n, features.shape[1]), np.log(FLOOR), features.dtype)
            for n in (before, length - before - 1)]  # fmt: skip
    return _windows(np.concatenate([ends[0], features, ends[1]]), length)


def smooth(activations: Floats, frames: int) -> Floats:
    """Return the mean of `frames` frames around each, of those there are; shape unchanged."""
    if frames <= 1 or not len(activations):
        return activations
    values = np.asarray(activations, np.float64)
    sums, counts = (
        uniform_filter1d(x, frames, axis=0, mode="constant")
        for x in (values, np.ones((len(values), 1)))
    )
    return np.asarray(np.clip(sums / counts, 0.0, 1.0))


def active_segments(active: npt.NDArray[np.bool_], shortest: int) -> npt.NDArray[np.int64]:
    """Return first frame and end of each run of true ones, shape (segments, 2).

    Gaps shorter than `shortest` frames are closed first; then runs shorter than that are dropped.
    """
    edges = np.diff(np.concatenate([[0], np.asarray(active, np.int8), [0]]))
    begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    wide = begins[1:] - ends[:-1] >= shortest
    runs = np.column_stack([begins[np.r_[True, wide]], ends[np.r_[wide, True]]]) if len(
        begins) else np.empty((0, 2), np.int64)  # fmt: skip
    return runs[runs[:, 1] - runs[:, 0] >= shortest]


@dataclass(eq=False)
class SpeechMusic:
    """Speech and music of a recording.

    Attributes
    ----------
    speech, music : array, shape (segments, 2)
        Begin and end in seconds; segments of the two may overlap.
    activations : array, shape (frames, 2)
        Probabilities of speech and music, not smoothed.
    fps : float
        Frames of the activations per second.
    duration : float
        Of the recording, in seconds.
    """

    speech: npt.NDArray[np.float64]
    music: npt.NDArray[np.float64]
    activations: Floats
    fps: float
    duration: float

    def events(self) -> Events:
        """The segments of both, labelled, by their beginnings: for :mod:`ictus.io.annotations`."""
        rows = [
            (begin, end, name)
            for name, segments in zip(CLASSES, (self.speech, self.music), strict=True)
            for begin, end in segments.tolist()
        ]
        rows.sort(key=lambda row: (row[0], -row[1]))
        return Events(
            np.array([row[0] for row in rows]),
            [row[2] for row in rows],
            np.array([row[1] for row in rows]),
        )

    def shares(self) -> dict[str, float]:
        """Share of the recording's time with each; 0 of an empty one."""
        return {
            name: float(np.diff(segments, axis=1).sum() / self.duration) if self.duration else 0.0
            for name, segments in zip(CLASSES, (self.speech, self.music), strict=True)
        }


class SpeechMusicDetector:
    """Finds speech and music in recordings.

    Parameters
    ----------
    networks : sequence of Network, optional
        With two outputs, of excerpts as :func:`excerpts` makes them; their outputs are averaged.
        The one that ictus brings, if not given.
    smoothing : float
        Seconds over which probabilities are averaged before the decision; 0: not at all.
    threshold : float or (float, float)
        Of the smoothed probability; one for each of speech and music, or for both.
    shortest : float
        Seconds; shorter gaps are closed and shorter segments dropped.

    Raises
    ------
    ValueError
        Networks of other sizes, or a setting out of its range.

    Examples
    --------
    >>> detector = SpeechMusicDetector()  # doctest: +SKIP
    >>> detector.detect("broadcast.flac").speech  # doctest: +SKIP
    """

    def __init__(
        self,
        networks: Sequence[Network] | None = None,
        *,
        smoothing: float = SMOOTHING,
        threshold: float | tuple[float, float] = 0.5,
        shortest: float = SHORTEST,
    ) -> None:
        self.features = speech_music_features()
        self.networks = list(load_detector_networks() if networks is None else networks)
        sizes = {(n.input_size, n.output_size) for n in self.networks}
        if len(sizes) != 1:
            raise ValueError(f"the networks must have one size of input and output, got {sizes}")
        inputs, outputs = sizes.pop()
        if inputs % BANDS or outputs != len(CLASSES):
            raise ValueError(
                f"a speech/music model has a multiple of {BANDS} inputs and {len(CLASSES)} "
                f"outputs, got {inputs} and {outputs}"
            )
        self.excerpt = inputs // BANDS
        for name, value in (("smoothing", smoothing), ("shortest", shortest)):
            if not 0 <= value < np.inf:
                raise ValueError(f"{name} must be seconds, not negative, got {value!r}")
        self.smoothing, self.shortest = float(smoothing), float(shortest)
        self.thresholds = np.broadcast_to(np.asarray(threshold, float), (len(CLASSES),))
        if not ((self.thresholds > 0) & (self.thresholds < 1)).all():
            raise ValueError(f"threshold must be in (0, 1), got {threshold!r}")

    def activations(self, blocks: Iterable[Samples]) -> Samples:
        """Return the probabilities of speech and music of a mono signal at 16 kHz, in blocks.

        Memory is bounded, except for the probabilities themselves.

        Returns
        -------
        array, shape (frames, 2)
        """
        parts = [self._outputs(part) for part in self._excerpts(self.features.blocks(blocks))]
        return np.concatenate([*parts, np.empty((0, len(CLASSES)), np.float32)])

    def _outputs(self, rows: Floats) -> Samples:
        total = sum(network.predict(rows) for network in self.networks)
        return np.asarray(total / len(self.networks), np.float32)

    def _excerpts(self, blocks: Iterable[Samples]) -> Iterator[Floats]:
        """Excerpts of all frames, some thousand at a time."""
        before = self.excerpt // 2
        after = self.excerpt - before - 1
        silent = np.full((before, BANDS), np.log(FLOOR), np.float32)
        waiting, held = [silent], before
        for block in blocks:
            waiting.append(block)
            held += len(block)
            if held >= ROWS_AT_ONCE + before + after:
                joined = np.concatenate(waiting)
                yield _windows(joined, self.excerpt)
                waiting = [joined[len(joined) - before - after :].copy()]
                held = before + after
        joined = np.concatenate([*waiting, np.full((after, BANDS), np.log(FLOOR), np.float32)])
        if len(joined) >= self.excerpt:
            yield _windows(joined, self.excerpt)

    def decide(self, activations: Floats) -> npt.NDArray[np.bool_]:
        """Return whether there is speech and music in each frame, shape (frames, 2)."""
        fps = self.features.fps
        active = smooth(activations, round(self.smoothing * fps)) >= self.thresholds
        shortest = round(self.shortest * fps)
        decided = np.zeros(active.shape, bool)
        for i in range(len(CLASSES)):
            for begin, end in active_segments(active[:, i], shortest):
                decided[begin:end, i] = True
        return decided

    def decode(self, activations: Floats, duration: float | None = None) -> SpeechMusic:
        """Return the segments that probabilities tell of."""
        fps = self.features.fps
        if duration is None:
            duration = len(activations) / fps
        decided = self.decide(activations)
        # A frame stands for the time around it; the last one ends with the recording.
        found = [
            np.clip((active_segments(decided[:, i], 1) - 0.5) / fps, 0.0, duration)
            for i in range(len(CLASSES))
        ]
        for segments in found:
            segments[segments > duration - 0.75 / fps] = duration
        return SpeechMusic(found[0], found[1], activations, fps, duration)

    def detect(self, path: str | os.PathLike[str]) -> SpeechMusic:
        """Return speech and music of an audio file.

        Raises
        ------
        AudioFileError, OSError
            See :class:`ictus.io.audio.AudioFile`.
        """
        from ictus.io.audio import audio_blocks

        return self._detect(audio_blocks(path, self.features.sample_rate))

    def detect_signal(self, signal: npt.ArrayLike) -> SpeechMusic:
        """Return speech and music of a mono signal at 16 kHz, shape (samples,), full scale 1.

        Raises
        ------
        ValueError
            Not one-dimensional, or with samples that are not finite.
        """
        return self._detect([np.asarray(signal, np.float32)])

    def _detect(self, blocks: Iterable[Samples]) -> SpeechMusic:
        samples = 0

        def counted() -> Iterator[Samples]:
            nonlocal samples
            for block in blocks:
                samples += len(block)
                yield block

        activations = self.activations(counted())
        return self.decode(activations, samples / self.features.sample_rate)


def _windows(features: Floats, length: int) -> Floats:
    windows = np.lib.stride_tricks.sliding_window_view(features, length, axis=0)
    return windows.transpose(0, 2, 1).reshape(len(windows), -1)


def load_detector_networks(paths: Sequence[str | os.PathLike[str]] = ()) -> list[Network]:
    """Return the networks in model files; the one that ictus brings if there are none.

    Raises
    ------
    ValueError
        A file holds something else.
    OSError
        A file cannot be read.
    """
    from ictus.io.model_file import load
    from ictus.nn import Network

    networks: list[Any] = []
    for path in paths or [model_path("speech_music")]:
        model = load(path)
        if type(model) is not Network or model.output_size != len(CLASSES):
            raise ValueError(f"{os.fspath(path)} holds a {type(model).__name__}, no speech/music "
                             "model")  # fmt: skip
        networks.append(model)
    return networks
