"""Augmentation: training examples changed at random, on a thread beside the training.

Distortions of images follow Simard, Steinkraus & Platt 2003 ("Best practices for convolutional
neural networks applied to visual document analysis"), masks of spectrograms Park et al. 2019
("SpecAugment"). What a minibatch becomes follows from the seed, the epoch and its number alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.train.batches import BatchOrder

Array = NDArray[Any]
#: ``augmentation(x, generator)`` returns examples of the shape of x, a minibatch.
Augmentation = Callable[[Array, np.random.Generator], Array]

# Keeps the draws apart from those that order the examples by the same seed.
_STREAM = 0xA06


def _bound(name: str, value: float, owner: str) -> float:
    if not (isinstance(value, int | float) and 0 <= value < math.inf):
        raise ValueError(f"{owner}: {name} must be a non-negative number, got {value!r}")
    return float(value)


class Distortion:
    """Moves, turns, stretches and bends images; what comes from beyond the edge is ``fill``.

    All are made in one bilinear interpolation. Each bound is that of a uniform draw for each image.

    Parameters
    ----------
    shift : float
        Largest shift down and across, in pixels.
    rotation : float
        Largest angle, in degrees.
    scale : float
        Largest relative change of height and width, each by itself: 0.1 is up to 10 %.
    shear : float
        Largest slant, in pixels across for a pixel down.
    elastic : float
        Strength of elastic distortions (alpha of Simard et al. 2003, who use 34): each pixel is
        displaced by uniform draws in [-1, 1], smoothed by a Gaussian, times this factor.
    smoothness : float
        Standard deviation of that Gaussian, in pixels.
    fill : float
        Value outside the image.

    Raises
    ------
    ValueError
        A negative bound, or a smoothness that is not positive.
    """

    def __init__(
        self,
        *,
        shift: float = 0.0,
        rotation: float = 0.0,
        scale: float = 0.0,
        shear: float = 0.0,
        elastic: float = 0.0,
        smoothness: float = 4.0,
        fill: float = 0.0,
    ) -> None:
        self.shift = _bound("shift", shift, "Distortion")
        self.rotation = _bound("rotation", rotation, "Distortion")
        self.scale = _bound("scale", scale, "Distortion")
        self.shear = _bound("shear", shear, "Distortion")
        self.elastic = _bound("elastic", elastic, "Distortion")
        self.smoothness = _bound("smoothness", smoothness, "Distortion")
        if self.smoothness == 0:
            raise ValueError("Distortion: smoothness must be positive, got 0")
        if self.scale >= 1:
            raise ValueError(f"Distortion: scale must be below 1, got {scale!r}")
        self.fill = float(fill)

    def __call__(self, x: Array, generator: np.random.Generator) -> Array:
        """Return distorted images, shape (rows, height, width, channels) like x."""
        if x.ndim != 4:
            raise ValueError(
                f"Distortion: x must have shape (rows, height, width, channels), got {x.shape}"
            )
        return _interpolated(x, *self._places(x.shape, generator), self.fill)

    def _places(
        self, shape: tuple[int, ...], generator: np.random.Generator
    ) -> tuple[Array, Array]:
        """From where each pixel comes: down and across, each (rows, height, width)."""
        rows, height, width = shape[:3]
        draw = generator.uniform(-1, 1, (6, rows, 1, 1)).astype(np.float32)
        down = np.arange(height, dtype=np.float32)[:, None] - (height - 1) / 2
        across = np.arange(width, dtype=np.float32) - (width - 1) / 2
        angle = np.deg2rad(self.rotation) * draw[0]
        turned_down = np.cos(angle) * down + np.sin(angle) * across
        turned_across = np.cos(angle) * across - np.sin(angle) * down
        turned_across = turned_across + self.shear * draw[1] * turned_down
        down = turned_down / (1 + self.scale * draw[2]) + self.shift * draw[3]
        across = turned_across / (1 + self.scale * draw[4]) + self.shift * draw[5]
        if self.elastic:
            from scipy.ndimage import gaussian_filter

            fields = generator.uniform(-1, 1, (2, rows, height, width)).astype(np.float32)
            sigma = (0, 0, self.smoothness, self.smoothness)
            fields = gaussian_filter(fields, sigma, mode="constant", truncate=3.0)
            down, across = down + self.elastic * fields[0], across + self.elastic * fields[1]
        return down + (height - 1) / 2, across + (width - 1) / 2


def _interpolated(x: Array, down: Array, across: Array, fill: float) -> Array:
    """Bilinear interpolation of each image at places (rows, height, width)."""
    rows, height, width, channels = x.shape
    framed = np.full((rows, height + 2, width + 2, channels), fill, x.dtype)
    framed[:, 1:-1, 1:-1] = x
    flat = framed.reshape(-1, channels)
    down = np.clip(down + 1, 0, height + 1)
    across = np.clip(across + 1, 0, width + 1)
    top = np.minimum(down.astype(np.intp), height)
    left = np.minimum(across.astype(np.intp), width)
    below = (down - top).astype(x.dtype)[..., None]
    right = (across - left).astype(x.dtype)[..., None]
    first = np.arange(rows)[:, None, None] * (height + 2)
    corner = (first + top) * (width + 2) + left
    upper = flat[corner] * (1 - right) + flat[corner + 1] * right
    lower = flat[corner + width + 2] * (1 - right) + flat[corner + width + 3] * right
    result: Array = upper * (1 - below) + lower * below
    return result


class SpectrogramMask:
    """Sets runs of frames and of bands to ``fill``, at random places (Park et al. 2019).

    Parameters
    ----------
    frames, bands : int
        Largest width of a mask over time (the first axis of a spectrogram), and over frequency.
    frame_masks, band_masks : int
        How many of each.
    fill : float
        What takes the place: 0 is the mean of standardised features.

    Raises
    ------
    ValueError
        Negative numbers.
    """

    def __init__(
        self,
        *,
        frames: int = 0,
        bands: int = 0,
        frame_masks: int = 1,
        band_masks: int = 1,
        fill: float = 0.0,
    ) -> None:
        self.frames = int(_bound("frames", frames, "SpectrogramMask"))
        self.bands = int(_bound("bands", bands, "SpectrogramMask"))
        self.frame_masks = int(_bound("frame_masks", frame_masks, "SpectrogramMask"))
        self.band_masks = int(_bound("band_masks", band_masks, "SpectrogramMask"))
        self.fill = float(fill)

    def __call__(self, x: Array, generator: np.random.Generator) -> Array:
        """Return masked spectrograms, shape (rows, frames, bands, ...) like x."""
        if x.ndim < 3:
            raise ValueError(
                f"SpectrogramMask: x must have shape (rows, frames, bands, ...), got {x.shape}"
            )
        masked = x.copy()
        for axis, count, widest in (
            (1, self.frame_masks, self.frames),
            (2, self.band_masks, self.bands),
        ):
            for _ in range(count if widest else 0):
                hidden = _runs(len(x), x.shape[axis], widest, generator)
                shape = (len(x), -1, *(1,) * (x.ndim - 2)) if axis == 1 else (len(x), 1, -1)
                hidden = hidden.reshape(*shape, *(1,) * (x.ndim - len(shape)))
                masked[np.broadcast_to(hidden, x.shape)] = self.fill
        return masked


def _runs(rows: int, length: int, widest: int, generator: np.random.Generator) -> Array:
    """One run for each row, of uniform width up to `widest`: True inside, shape (rows, length)."""
    width = generator.integers(0, min(widest, length) + 1, (rows, 1))
    first = generator.integers(0, length - width + 1)
    place = np.arange(length)
    run: Array = (place >= first) & (place < first + width)
    return run


class AugmentedBatches(BatchOrder):
    """Minibatches of others, augmented: while one is trained on, a thread makes the next.

    Parameters
    ----------
    batches : BatchOrder
        Its minibatches begin with the examples.
    augmentation : callable, or sequence of them
        Called one after the other as ``augmentation(x, generator)``.
    """

    def __init__(
        self, batches: BatchOrder, augmentation: Augmentation | Sequence[Augmentation]
    ) -> None:
        super().__init__(
            batches.size, batch_size=batches.batch_size, shuffle=batches.shuffle, seed=batches.seed
        )
        self._batches = batches
        self._steps = [augmentation] if callable(augmentation) else list(augmentation)
        if not all(callable(step) for step in self._steps):
            raise ValueError(f"augmentation must be callable, or a sequence, got {augmentation!r}")

    def epoch(self, number: int, first: int = 0) -> Iterator[Any]:
        source = enumerate(self._batches.epoch(number, first), first)

        def prepare() -> Any:
            index, batch = next(source, (0, None))
            return None if batch is None else (self._augmented(batch[0], number, index), *batch[1:])

        with ThreadPoolExecutor(1, thread_name_prefix="ictus-augmentation") as thread:
            waiting = thread.submit(prepare)
            while (batch := waiting.result()) is not None:
                waiting = thread.submit(prepare)
                yield batch

    def _augmented(self, x: Array, epoch: int, index: int) -> Array:
        generator = np.random.Generator(np.random.PCG64([self.seed, epoch, index, _STREAM]))
        changed = x
        for step in self._steps:
            changed = np.asarray(step(changed, generator))
            if changed.shape != x.shape:
                raise ValueError(
                    f"augmentation must keep the shape {x.shape} of a minibatch, got "
                    f"{changed.shape} from {step!r}"
                )
        # The source may write the next minibatch into the room of this one.
        return np.array(changed, x.dtype, order="C", copy=changed is x or None)
