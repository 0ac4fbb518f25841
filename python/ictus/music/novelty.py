"""Novelty: how much the music after a moment differs from the music before it.

[Foote, "Automatic audio segmentation using a measure of audio novelty", ICME 2000]: a checkerboard
that slides along the diagonal of the self-similarity matrix. The classical way to boundaries, to
compare with.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def checkerboard_novelty(
    features: npt.ArrayLike, half: int, taper: float = 0.4
) -> npt.NDArray[np.float64]:
    """Return the novelty at each frame, shape (frames,), between 0 and 1.

    The similarity of frames x and y is their cosine. The kernel is the outer product of a vector k
    with itself, negative before and positive after the middle, with a Gaussian taper. So

    ``sum_ij k_i k_j <x(t+i), x(t+j)> = |sum_i k_i x(t+i)|^2``,

    and no matrix is needed: time and memory grow with the number of frames, not with its square.

    Parameters
    ----------
    features : array, shape (frames, size)
    half : int
        Frames before, and frames after the middle; the first and last frames go on beyond the ends.
    taper : float
        Standard deviation of the Gaussian, in units of `half`.

    Raises
    ------
    ValueError
        Features of another shape or not finite, or a size or taper that is not positive.
    """
    x = np.asarray(features, np.float64)
    if x.ndim != 2 or not np.isfinite(x).all():
        raise ValueError(f"features must be finite and of shape (frames, size), got {x.shape}")
    if half < 1 or not taper > 0:
        raise ValueError(f"half and taper must be positive, got {half!r} and {taper!r}")
    if len(x) == 0:
        return np.zeros(0)
    length = np.sqrt(np.square(x).sum(axis=1, keepdims=True))
    x = np.divide(x, length, out=np.zeros_like(x), where=length > 0)
    place = np.arange(-half, half) + 0.5
    kernel = np.sign(place) * np.exp(-0.5 * np.square(place / (taper * half)))
    kernel /= np.abs(kernel).sum()
    padded = np.pad(x, ((half, half - 1), (0, 0)), mode="edge")
    filtered = np.empty_like(x)
    for column in range(x.shape[1]):
        filtered[:, column] = np.convolve(padded[:, column], kernel[::-1], mode="valid")
    return np.asarray(np.square(filtered).sum(axis=1))
