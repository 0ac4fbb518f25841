"""Sections of recordings: boundaries by networks, or by novelty, and letters for what returns."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ictus.io.annotations import Events
from ictus.music.boundaries import (
    FIRST,
    FPS,
    SHAPES,
    boundary_activations,
    is_silent,
    network_input,
    pick_boundaries,
    pooled_spectrogram,
)
from ictus.music.features import SAMPLE_RATE
from ictus.music.networks import load_networks, model_path
from ictus.music.novelty import checkerboard_novelty
from ictus.music.pitch_classes import chroma, semitone_features
from ictus.music.section_labels import (
    THRESHOLD,
    group_sections,
    letters,
    similarity_matrix,
)

if TYPE_CHECKING:
    from ictus.nn import Network

Floats = npt.NDArray[np.float64]
Samples = npt.NDArray[np.float32]

#: The models that ictus brings; their outputs are averaged.
MODELS = ("boundaries_1", "boundaries_2")
#: Of networks that say nothing else, and of novelty; chosen on synthetic validation songs.
BOUNDARY_THRESHOLD, NOVELTY_THRESHOLD = 0.4, 0.03
NOVELTY_SECONDS = 8.0  # on each side of the checkerboard
SHORTEST = 1.0  # second: nearer to the beginning or the end there is no boundary


@dataclass(eq=False)
class Segments:
    """The sections of a recording, from its beginning to its end.

    Attributes
    ----------
    times, ends : array, shape (sections,)
        Seconds.
    labels : list of str
        A letter for each; the same for sections that sound alike.
    activations : array, shape (frames,)
        What the boundaries were picked from: the probability of one, or the novelty.
    fps : float
        Frames of the activations per second.
    first : float
        Time of the first frame, in seconds.
    """

    times: Floats
    ends: Floats
    labels: list[str]
    activations: npt.NDArray[np.floating]
    fps: float = FPS
    first: float = FIRST
    kind = "segments"
    # What beats have and sections have not.
    numbers = None
    downbeats = None

    @property
    def boundaries(self) -> Floats:
        """Times between sections, in seconds."""
        return self.times[1:]

    @property
    def events(self) -> Events:
        """Begin, end and label of each section, to be written to files."""
        return Events(self.times, self.labels, self.ends)


@dataclass(eq=False)
class Description:
    """What of a recording its sections are found from.

    Attributes
    ----------
    spectrogram : array, shape (frames, 80)
    harmony : array, shape (frames, 12)
    duration : float
        Seconds.
    """

    spectrogram: Samples
    harmony: Samples
    duration: float


def load_segmenter(
    paths: Sequence[str | os.PathLike[str]] = (),
    *,
    threshold: float | None = None,
    similarity: float = THRESHOLD,
) -> Segmenter:
    """Return a segmenter with the networks of model files, or those that ictus brings.

    Parameters
    ----------
    paths : sequence of paths
    threshold : float, optional
        The mean of those in the model cards, if not given.
    similarity : float
        See :class:`Segmenter`.

    Raises
    ------
    FileNotFoundError
        This installation has no models.
    ValueError
        A file holds something else.
    OSError
        A file cannot be read.
    """
    from ictus.io.model_file import read_card

    files = list(paths) or [model_path(name) for name in MODELS]
    networks = load_networks(files, "segments", patches=True)
    if threshold is None:
        known = [read_card(path)["card"].get("metrics", {}).get("threshold") for path in files]
        values = [float(value) for value in known if isinstance(value, int | float)]
        threshold = float(np.mean(values)) if values else None
    return Segmenter(networks, threshold=threshold, similarity=similarity)


def describe(blocks: Iterable[Samples]) -> Description:
    """Return the description of a mono signal of 44.1 kHz that comes in blocks."""
    semitones = semitone_features(FPS).stream()
    harmony: list[Samples] = []
    samples = 0

    def listened() -> Iterator[Samples]:
        nonlocal samples
        for block in blocks:
            samples += len(block)
            harmony.append(semitones.push(block))
            yield block

    spectrogram = pooled_spectrogram(listened())
    harmony.append(semitones.finish())
    return Description(spectrogram, chroma(np.concatenate(harmony)), samples / SAMPLE_RATE)


class Segmenter:
    """Finds the sections of recordings.

    Parameters
    ----------
    networks : sequence of Network
        Their outputs are averaged (:func:`load_segmenter`). None: novelty by a checkerboard
        kernel finds the boundaries, without anything that was learned.
    threshold : float, optional
        Of :func:`ictus.music.boundaries.pick_boundaries`: higher, fewer boundaries.
    similarity : float
        From 0 to 1: sections as alike as this get the same letter.

    Raises
    ------
    ValueError
        Networks whose input or output is another one.

    Examples
    --------
    >>> segmenter = load_segmenter()  # doctest: +SKIP
    >>> found = segmenter.segment("song.flac")  # doctest: +SKIP
    >>> list(zip(found.times, found.ends, found.labels))  # doctest: +SKIP
    """

    def __init__(
        self,
        networks: Sequence[Network] = (),
        *,
        threshold: float | None = None,
        similarity: float = THRESHOLD,
    ) -> None:
        for network in networks:
            if network.input_shape not in SHAPES or network.output_size != 1:
                raise ValueError(
                    f"a boundary model takes patches of shape {SHAPES[0]} or {SHAPES[1]} and has 1 "
                    f"output, got {network.input_shape} and {network.output_size}"
                )
        self.networks = list(networks)
        usual = BOUNDARY_THRESHOLD if self.networks else NOVELTY_THRESHOLD
        self.threshold = usual if threshold is None else float(threshold)
        self.similarity = float(similarity)

    def activations(self, spectrogram: Samples) -> Samples:
        """Return what boundaries are picked from, shape (frames,)."""
        if self.networks:
            return boundary_activations(self.networks, spectrogram)
        if is_silent(spectrogram):
            return np.zeros(len(spectrogram), np.float32)
        x = network_input(spectrogram)[:, :, 0]
        before = (len(x) - len(spectrogram)) // 2
        x = x[before : before + len(spectrogram)]
        novelty = checkerboard_novelty(x, round(NOVELTY_SECONDS * FPS))
        return np.asarray(novelty, np.float32)

    def decode(self, description: Description) -> Segments:
        """Return the sections of a recording by its description."""
        spectrogram, duration = description.spectrogram, description.duration
        a = self.activations(spectrogram)
        found = pick_boundaries(a, self.threshold) if len(a) else np.zeros(0)
        found = found[(found >= SHORTEST) & (found <= duration - SHORTEST)]
        times = np.concatenate([[0.0], found])
        if duration == 0:
            return Segments(np.zeros(0), np.zeros(0), [], a)
        ends = np.append(found, duration)
        return Segments(times, ends, self._labels(description, times), a)

    def _labels(self, description: Description, times: Floats) -> list[str]:
        if len(times) == 1:
            return ["A"]
        count = len(description.spectrogram)
        bounds = [*(round(t * FPS) for t in times), count]
        x = network_input(description.spectrogram)[:, :, 0]
        before = (len(x) - count) // 2
        x = x[before : before + count]
        harmony = description.harmony[:count]
        similarity = similarity_matrix(bounds, x, harmony)
        return letters(group_sections(similarity, self.similarity))

    def segment(self, path: str | os.PathLike[str]) -> Segments:
        """Return the sections of an audio file.

        Raises
        ------
        AudioFileError, OSError
            See :class:`ictus.io.audio.AudioFile`.
        """
        from ictus.io.audio import audio_blocks

        return self.decode(describe(audio_blocks(path, SAMPLE_RATE)))

    def segment_signal(self, signal: npt.ArrayLike) -> Segments:
        """Return the sections of a mono signal at 44.1 kHz, shape (samples,)."""
        return self.decode(describe([np.asarray(signal, np.float32)]))
