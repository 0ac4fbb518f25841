"""Audio files as float32 samples: WAV, FLAC, Ogg and MP3 by libsndfile, resampled by soxr.

Needs ``pip install 'ictus[music]'``. A file is decoded block by block, so its length does not
matter; what is damaged gives an :class:`AudioFileError` or, where samples were found and some are
missing, an :class:`AudioWarning`.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ictus.train.files import write_atomically

__all__ = [
    "AudioFile",
    "AudioFileError",
    "AudioWarning",
    "audio_blocks",
    "read_audio",
    "write_audio",
]

Samples = npt.NDArray[np.float32]
Path_ = str | os.PathLike[str]

BLOCK_SECONDS = 10.0
MAX_OGG_PAGE = 27 + 255 + 255 * 255  # bytes
SMALL = 4096  # samples read at once near damage
LOUD = 10.0  # full scale is 1; beyond this a file is probably damaged
SAMPLE_RATES = (1_000, 1_000_000)  # Hz: what is outside is a damaged header


class AudioFileError(ValueError):
    """The file holds no audio that can be decoded."""


class AudioWarning(UserWarning):
    """The file was decoded, but is not whole or not plausible."""


def _soundfile() -> Any:
    try:
        import soundfile
    except (ImportError, OSError) as error:  # OSError: the package without its library
        raise ImportError("audio files need soundfile: pip install 'ictus[music]'") from error
    return soundfile


def _resampler(source: int, target: int) -> Any:
    try:
        import soxr
    except ImportError as error:
        raise ImportError("resampling needs soxr: pip install 'ictus[music]'") from error
    return soxr.ResampleStream(source, target, 1, dtype="float32", quality="HQ")


def _missing_wave_bytes(path: Path_) -> int:
    """How many bytes of samples a RIFF file announces and does not have; 0 for other files."""
    size = os.stat(path).st_size
    with open(path, "rb") as file:
        head = file.read(12)
        if len(head) < 12 or head[:4] != b"RIFF" or head[8:] != b"WAVE":
            return 0
        while len(chunk := file.read(8)) == 8:
            length = int.from_bytes(chunk[4:], "little")
            if chunk[:4] == b"data":
                # A program that writes to a pipe cannot know the length: 0 or all bits set.
                unknown = length in (0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000)
                return 0 if unknown else max(0, file.tell() + length - size)
            file.seek(length + length % 2, os.SEEK_CUR)
    return 0


def _lacks_last_page(path: Path_) -> bool:
    """Whether an Ogg file ends without the page that is marked as the last of its stream."""
    with open(path, "rb") as file:
        if file.read(4) != b"OggS":
            return False
        file.seek(max(0, os.stat(path).st_size - MAX_OGG_PAGE))
        page = file.read()
    page = page[page.rfind(b"OggS") :]
    body = sum(page[27 : 27 + page[26]]) if len(page) > 26 else 0
    return len(page) < 27 + body or not page[5] & 4


class AudioFile:
    """An audio file, open for reading: its properties, and its samples in blocks.

    Parameters
    ----------
    path : str or path

    Attributes
    ----------
    sample_rate, channels : int
    frames : int
        Samples of each channel that the file announces; for some formats an estimate.

    Raises
    ------
    AudioFileError
        Empty, not audio, or damaged so that nothing can be decoded.
    OSError
        The file is missing or cannot be read.
    ImportError
        soundfile is not installed.
    """

    def __init__(self, path: Path_) -> None:
        soundfile = _soundfile()
        self.path = os.fspath(path)
        with open(self.path, "rb") as file:  # OSError says what is wrong with path or rights
            if not file.read(1):
                raise AudioFileError(f"{self.path}: the file is empty")
        self._missing_bytes = _missing_wave_bytes(self.path)
        self._missing_end = _lacks_last_page(self.path)
        try:
            self._file = soundfile.SoundFile(self.path)
        except (soundfile.SoundFileError, TypeError, ValueError, MemoryError) as error:
            reason = getattr(error, "error_string", str(error)).rstrip(". ")
            # The file does exist: one of the decoders says so of whatever it does not know.
            reason = "" if "does not exist" in reason else f" ({reason})"
            raise AudioFileError(
                f"{self.path}: not an audio file that can be decoded{reason}; "
                f"expected WAV, FLAC, Ogg or MP3"
            ) from error
        self._error: type[Exception] = soundfile.SoundFileError
        self.sample_rate = int(self._file.samplerate)
        self.channels = int(self._file.channels)
        self.frames = int(self._file.frames)
        if not SAMPLE_RATES[0] <= self.sample_rate <= SAMPLE_RATES[1]:
            self.close()
            raise AudioFileError(f"{self.path}: the sample rate is {self.sample_rate} Hz")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> AudioFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def blocks(self, seconds: float = BLOCK_SECONDS, *, mono: bool = True) -> Iterator[Samples]:
        """Yield blocks of samples from the beginning to the end, at the file's sample rate.

        Parameters
        ----------
        seconds : float
            Length of a block.
        mono : bool
            The mean of all channels, shape (samples,); else shape (samples, channels).

        Raises
        ------
        AudioFileError
            Samples that are not finite, or an error of the decoder before the first sample.

        Warns
        -----
        AudioWarning
            Samples are missing at the end, or are far above full scale.
        """
        length = max(1, int(seconds * self.sample_rate))
        decoded, peak, failure = 0, 0.0, ""
        while True:
            try:
                block = self._file.read(length, dtype="float32", always_2d=True)
            except (self._error, MemoryError) as error:
                failure = failure or getattr(error, "error_string", str(error)).rstrip(". ")
                if length <= SMALL or not self._seek(decoded):
                    break
                length = SMALL  # what can be decoded before the damage
                continue
            if len(block) == 0:
                break
            top = float(np.max(np.abs(block)))
            if not np.isfinite(top):
                raise AudioFileError(f"{self.path}: samples that are not finite numbers")
            decoded, peak = decoded + len(block), max(peak, top)
            yield block.mean(axis=1, dtype=np.float32) if mono else block
        self._report(decoded, peak, failure)

    def _seek(self, frame: int) -> bool:
        try:
            return bool(self._file.seek(frame) == frame)
        except (self._error, MemoryError):
            return False

    def _report(self, decoded: int, peak: float, failure: str) -> None:
        """Say what was wrong with a file that has been decoded to its end."""
        rate = self.sample_rate
        if failure and not decoded:
            raise AudioFileError(f"{self.path}: nothing can be decoded ({failure})")
        if failure:
            self._warn(f"damaged after {decoded / rate:.2f} s ({failure}); the rest is missing")
        elif self._missing_bytes:
            self._warn(
                f"cut off after {decoded / rate:.2f} s: {self._missing_bytes} bytes are missing"
            )
        elif self._missing_end:
            self._warn(f"cut off after {decoded / rate:.2f} s: the last page is missing")
        elif self.frames < 2**62 and decoded < self.frames - rate // 10:
            self._warn(f"{decoded / rate:.2f} s of {self.frames / rate:.2f} s could be decoded")
        if peak > LOUD:
            self._warn(f"a sample of {peak:.3g} where full scale is 1: the file may be damaged")

    def _warn(self, text: str) -> None:
        warnings.warn(f"{self.path}: {text}", AudioWarning, stacklevel=4)


def audio_blocks(
    path: Path_, sample_rate: int = 44_100, seconds: float = BLOCK_SECONDS
) -> Iterator[Samples]:
    """Yield the mono signal of a file at `sample_rate`, block by block, in bounded memory.

    The blocks' lengths differ; what they are together does not depend on `seconds`, except for
    rounding where the sample rate is converted. Errors and warnings as of :class:`AudioFile`.
    """
    with AudioFile(path) as audio:
        if audio.sample_rate == sample_rate:
            yield from audio.blocks(seconds)
            return
        resampler = _resampler(audio.sample_rate, sample_rate)
        for block in audio.blocks(seconds):
            yield resampler.resample_chunk(block)
        yield resampler.resample_chunk(np.empty(0, np.float32), last=True)


def read_audio(path: Path_, sample_rate: int = 44_100) -> Samples:
    """Return the whole mono signal of a file at `sample_rate`, shape (samples,), full scale 1.

    Errors and warnings as of :class:`AudioFile`.
    """
    blocks = list(audio_blocks(path, sample_rate))
    return np.concatenate([*blocks, np.empty(0, np.float32)])


def write_audio(path: Path_, signal: npt.ArrayLike, sample_rate: int = 44_100) -> None:
    """Write samples as a 16-bit file; the format follows the ending (.wav, .flac, .ogg, .mp3).

    Parameters
    ----------
    path : path
        Its ending names the format.
    signal : array, shape (samples,) or (samples, channels)
        Clipped to [-1, 1].
    sample_rate : int
        Hz.

    Raises
    ------
    ValueError
        A format that libsndfile cannot write, or samples that are not finite.
    """
    soundfile = _soundfile()
    samples = np.asarray(signal, np.float32)
    if not np.isfinite(samples).all():
        raise ValueError("write_audio: signal must be finite")
    kind = Path(path).suffix.lstrip(".").upper()
    if kind not in soundfile.available_formats():
        raise ValueError(f"write_audio: unknown audio format {Path(path).suffix!r} of {path}")

    encoded = io.BytesIO()
    soundfile.write(encoded, np.clip(samples, -1, 1), sample_rate, format=kind)
    write_atomically(path, encoded.getvalue())
