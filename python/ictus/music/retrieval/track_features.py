"""What a recording sounds like on the whole: one row of numbers for a track or an excerpt.

Mean and covariance of cepstral coefficients of a mel spectrogram, a Gaussian model of the timbre
[Mandel & Ellis, "Song-level features and support vector machines for music classification", ISMIR
2005].
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ictus.music.features import Features, Resolution
from ictus.music.filterbanks import mel_filterbank

Floats = npt.NDArray[np.float32]

WINDOW = 1024
FLOOR = 1e-4  # added to magnitudes (full scale is 1) before the logarithm: -80 dB


@dataclass(frozen=True)
class TrackFeatures:
    """Mean and covariance of mel-frequency cepstral coefficients.

    Parameters
    ----------
    coefficients : int
        Of the cosine transform of the logarithmic mel spectrum, from the 0th on.
    bands : int
        Of the mel spectrum, 50 Hz to 10 kHz.
    sample_rate : int
        To which recordings are resampled, in Hz; at least 20,500.

    Attributes
    ----------
    width : int
        Numbers in a row: the means, and the covariances of each pair, itself included.
    """

    coefficients: int = 20
    bands: int = 40
    sample_rate: int = 22_050

    @property
    def width(self) -> int:
        """Numbers in a row."""
        return self.coefficients * (self.coefficients + 3) // 2

    @property
    def fps(self) -> float:
        """Frames per second: half overlapping windows."""
        return 2 * self.sample_rate / WINDOW

    def frames(self, blocks: Iterable[npt.ArrayLike]) -> Floats:
        """Return the coefficients of each frame, shape (frames, coefficients).

        Parameters
        ----------
        blocks : iterable of array, shape (samples,)
            The signal, mono, full scale 1, in blocks of any size; a whole signal is ``[signal]``.

        Raises
        ------
        ValueError
            Samples that are not finite.
        """
        filterbank = mel_filterbank(WINDOW, self.sample_rate, self.bands, 50.0, 10_000.0)
        features = Features(
            (Resolution(WINDOW, filterbank),),
            sample_rate=self.sample_rate,
            fps=self.fps,
            scale=1.0,
            add=FLOOR,
        )
        transform = _cosines(self.coefficients, filterbank.bands)
        signal = (np.asarray(block, np.float32) for block in blocks)
        return np.concatenate([part @ transform for part in features.blocks(signal)])

    def summarize(self, frames: Floats) -> Floats:
        """Return mean and covariance of frames, shape (width,).

        Raises
        ------
        ValueError
            Fewer than 2 frames.
        """
        if len(frames) < 2:
            raise ValueError(f"a track must have at least 2 frames of 23 ms, got {len(frames)}")
        covariance = np.cov(frames.astype(np.float64), rowvar=False, bias=True)
        upper = covariance[np.triu_indices(self.coefficients)]
        return np.concatenate([frames.mean(axis=0, dtype=np.float64), upper]).astype(np.float32)

    def track(self, path: str | os.PathLike[str]) -> Floats:
        """Return the features of an audio file, shape (width,), decoded block by block.

        Raises
        ------
        AudioFileError, OSError
            As :func:`ictus.io.audio.read_audio`.
        ValueError
            Fewer than 2 frames.
        """
        from ictus.io.audio import audio_blocks

        return self.summarize(self.frames(audio_blocks(path, self.sample_rate)))

    def excerpts(self, frames: Floats, seconds: float, step: float) -> Floats:
        """Return the features of excerpts, shape (excerpts, width).

        Parameters
        ----------
        frames : array, shape (frames, coefficients)
            Of the whole recording.
        seconds, step : float
            Length of an excerpt, and from the beginning of one to that of the next. A recording
            that is shorter is one excerpt.
        """
        length, hop = max(2, round(seconds * self.fps)), max(1, round(step * self.fps))
        starts = range(0, max(len(frames) - length, 0) + 1, hop)
        return np.stack([self.summarize(frames[start : start + length]) for start in starts])


def _cosines(coefficients: int, bands: int) -> Floats:
    """The orthonormal discrete cosine transform (type II), shape (bands, coefficients)."""
    angles = np.pi / bands * np.outer(np.arange(bands) + 0.5, np.arange(coefficients))
    matrix = np.cos(angles) * np.sqrt(2 / bands)
    matrix[:, 0] /= np.sqrt(2)
    result: Floats = matrix.astype(np.float32)
    return result
