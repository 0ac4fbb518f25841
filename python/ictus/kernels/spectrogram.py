"""Filtered short-time spectra of a signal, many frames side by side."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from ictus.kernels._arrays import FloatArray
from ictus.kernels._device import CPU, Device, device_of, empty, native_module
from ictus.kernels._foreign import takes_arrays

PER_TEN = 1 / np.log(10)  # makes natural logarithms decimal


@dataclass(frozen=True, eq=False)
class Filterbank:
    """Bands that are weighted sums of neighbouring bins of a spectrum.

    Parameters
    ----------
    first : array of int32, shape (bands,)
        The first bin of each band.
    offsets : array of int32, shape (bands + 1,)
        Band b has the weights from ``offsets[b]`` to before ``offsets[b + 1]``.
    weights : array
        One after the other.
    """

    first: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int32]
    weights: FloatArray

    @property
    def bands(self) -> int:
        """The number of bands."""
        return len(self.first)

    def matrix(self, bins: int) -> npt.NDArray[Any]:
        """The weights as a matrix, shape (bins, bands)."""
        full = np.zeros((bins, self.bands), self.weights.dtype)
        for band, first in enumerate(self.first):
            weights = self.weights[self.offsets[band] : self.offsets[band + 1]]
            full[first : first + len(weights), band] = weights
        return full


@lru_cache(maxsize=32)
def fourier_tables(size: int, dtype: str) -> tuple[npt.NDArray[Any], npt.NDArray[np.int32]]:
    """The unit roots, shape (size, 2), and where the transform of half the size leaves its bins.

    Raises
    ------
    ValueError
        `size` is not a power of two between 4 and 16,384.
    """
    if size < 4 or size > 16384 or size & (size - 1):
        raise ValueError(f"spectrogram: size must be a power of two in [4, 16384], got {size}")
    angle = 2 * np.pi * np.arange(size) / size
    twiddles = np.stack([np.cos(angle), -np.sin(angle)], axis=1).astype(dtype)
    positions = np.zeros(1, np.int32)
    length = 1 if (size // 2).bit_length() % 2 else 2
    if length == 2:
        positions = np.arange(2, dtype=np.int32)
    while length < size // 2:  # bin 4 r + q lies in quarter q, where bin r of a quarter lies
        quarters = np.arange(4, dtype=np.int32) * length
        positions = (positions[:, np.newaxis] + quarters).ravel()
        length *= 4
    return twiddles, np.ascontiguousarray(positions, np.int32)


@lru_cache(maxsize=32)
def _tables_on(device: Device, size: int, dtype: str) -> tuple[Any, Any]:
    twiddles, positions = fourier_tables(size, dtype)
    return device.arrays.asarray(twiddles), device.arrays.asarray(positions)


@takes_arrays
def spectrogram(
    signal: FloatArray,
    starts: npt.NDArray[np.int64],
    window: FloatArray,
    filterbank: Filterbank,
    *,
    size: int | None = None,
    power: bool = False,
    scale: float = PER_TEN,
    mul: float = 1.0,
    add: float = 1.0,
    out: FloatArray | None = None,
) -> FloatArray:
    """Return ``scale * log(mul * filtered + add)`` of the spectrum of each frame.

    Parameters
    ----------
    signal : array, shape (samples,)
        float32 or float64; zero before and after.
    starts : array of int64, shape (frames,)
        The first sample of each frame; negative ones and those beyond the end are allowed.
    window : array, shape (window_size,)
        Multiplies the samples of a frame.
    filterbank : Filterbank
        Of the bins 0 .. size / 2, in the dtype of the signal.
    size : int, optional
        Of the transform, a power of two between 4 and 16,384; the window's size by default. Shorter
        frames are filled up with zeros.
    power : bool
        Filter squared magnitudes.
    scale : float
        0: return what is filtered, without a logarithm. 1/log(10) by default.
    out : array, shape (frames, bands), optional
        With contiguous rows.

    Returns
    -------
    array, shape (frames, bands)
        A frame's numbers do not depend on the other frames of the call.

    Raises
    ------
    TypeError, ValueError
        An array of the wrong dtype or shape, or filters beyond the bins.
    """
    size = len(window) if size is None else size
    device = device_of(signal)
    find = fourier_tables if device is CPU else partial(_tables_on, device)
    twiddles, positions = find(size, np.dtype(window.dtype).name)
    if out is None:
        out = empty(window, (len(starts), filterbank.bands))
    native_module(signal).spectrogram(
        signal,
        starts,
        window,
        size,
        twiddles,
        positions,
        filterbank.first,
        filterbank.offsets,
        filterbank.weights,
        power,
        scale,
        mul,
        add,
        out,
    )
    return out
