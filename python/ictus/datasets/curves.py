"""CURVES: images of random curves, the synthetic set of deep autoencoders."""

from __future__ import annotations

import numpy as np

from ictus.datasets.rows import Array, Seed, checked_integer

SIZE = 28
# Places of the pen along a curve: less than half a pixel apart on the longest one.
STEPS = 100
# Images drawn at once: bounds the memory.
AT_ONCE = 500


def curves(count: int, seed: Seed = 0, *, pen: float = 1.0) -> Array:
    """Return images of random curves, each through three random points of the plane.

    After the set of Hinton & Salakhutdinov 2006, "Reducing the dimensionality of data with neural
    networks", whose generator was not published: the intrinsic dimension is six. A curve is the
    quadratic Bezier curve that goes through three points, uniform in the image but for a margin of
    3 pixels, with the second one at its middle; the pen leaves a Gaussian mark, and a pixel is as
    dark as the nearest one makes it. What is measured on these images cannot be compared with what
    was published for the others.

    Parameters
    ----------
    count : int
    seed : int or numpy.random.Generator
    pen : float
        Standard deviation of the mark in pixels, positive.

    Returns
    -------
    array of float32, shape (count, 784), in [0, 1]
        Images of 28 x 28 pixels, row by row.
    """
    count = checked_integer("count", count, 1)
    if not pen > 0:
        raise ValueError(f"pen must be positive, got {pen!r}")
    generator = np.random.default_rng(seed)
    points = generator.uniform(3.0, SIZE - 4.0, (count, 3, 2)).astype(np.float32)
    t = np.linspace(0, 1, STEPS, dtype=np.float32)
    # Of the ends and of the middle: its control point is twice the middle less half of both ends.
    bow = 2 * t * (1 - t)
    weights = np.stack([(1 - t) ** 2 - bow / 2, 2 * bow, t**2 - bow / 2])
    pixels = np.arange(SIZE, dtype=np.float32)
    images = np.zeros((count, SIZE, SIZE), np.float32)
    for first in range(0, count, AT_ONCE):
        part = images[first : first + AT_ONCE]
        # Places (images, axis, steps); the mark is a product of one function of each axis.
        places = np.einsum("ipa,pt->iat", points[first : first + AT_ONCE], weights)
        marks = np.exp(-((places[..., None] - pixels) ** 2) / np.float32(2 * pen * pen))
        for step in range(STEPS):
            np.maximum(part, marks[:, 1, step, :, None] * marks[:, 0, step, None, :], out=part)
    return images.reshape(count, -1)
