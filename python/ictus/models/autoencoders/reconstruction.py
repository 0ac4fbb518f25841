"""What an autoencoder's reconstructions are good for: completion, samples, binary codes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.kernels import bernoulli, corrupt, normal
from ictus.models._parameters import is_integer

Array = NDArray[Any]

#: Examples on which the error of reconstruction is measured, at most.
MEASURED_ROWS = 10_000
#: Random streams of samples begin here, beyond those of any training.
FIRST_STREAM = 2**48
#: The middle of the range of a code that can be turned into bits.
MIDDLES = {"sigmoid": 0.5, "tanh": 0.0}


def check_count(name: str, value: Any) -> int:
    """Return a positive integer; ValueError names the argument."""
    if not is_integer(value) or value < 1:
        raise ValueError(f"{name} must be a positive integer, got {value!r}")
    return int(value)


def middle_of_code(activation: str, units: int) -> float:
    """Return where bits are cut; ValueError for a code that has none or no whole bytes."""
    if activation not in MIDDLES:
        raise ValueError(
            f"bits need a code of sigmoid or tanh units, the code_activation is {activation!r}"
        )
    if units % 8:
        raise ValueError(f"bits need a code of a multiple of 8 units, the code has {units}")
    return MIDDLES[activation]


def corrupted(model: Any, x: Array, stream: int) -> Array:
    """Return x as training corrupts it."""
    return corrupt(
        x,
        model.corruption,
        model.corruption_level,
        low=model.low_,
        high=model.high_,
        seed=model.network_.seed,
        stream=stream,
    )


def residual(model: Any, x: Array) -> Array:
    """Return the root mean squared error of each feature, reconstructed from corrupted inputs."""
    x = np.ascontiguousarray(x, model.network_.dtype)
    given = x if model.corruption is None else corrupted(model, x, FIRST_STREAM - 1)
    errors = model.network_.predict(given) - x
    squares: Array = np.square(errors).mean(axis=0, dtype=np.float64)
    return np.sqrt(squares)


def complete(model: Any, x: Array, known: Any, steps: int) -> Array:
    """Return x with what is not known replaced; see :meth:`Autoencoder.complete`."""
    steps = check_count("steps", steps)
    if known is None:
        known = ~np.isnan(x)
    known = np.asarray(known)
    if known.dtype != bool or known.shape not in (x.shape, x.shape[1:]):
        raise ValueError(
            f"known must be bool of shape {x.shape} or {x.shape[1:]}, got {known.dtype} of shape "
            f"{known.shape}"
        )
    known = np.broadcast_to(known, x.shape)
    if not np.isfinite(x[known]).all():
        raise ValueError("X must be finite where it is known, got NaN or infinity")
    dtype = model.network_.dtype
    given = np.where(known, x, 0).astype(dtype)
    start = 0 if model.corruption == "masking" else model.mean_.astype(dtype)
    filled = np.where(known, given, start).astype(dtype)
    for _ in range(steps):
        filled = np.where(known, given, model.network_.predict(filled))
    return filled


def sample(model: Any, n_samples: int, steps: int, start: Array | None, mean: bool) -> Array:
    """Return the ends of chains of corruption and reconstruction; see `Autoencoder.sample`."""
    n_samples, steps = check_count("n_samples", n_samples), check_count("steps", steps)
    if model.corruption is None:
        raise ValueError("sample needs a model that was trained with corruption")
    network = model.network_
    shape = (n_samples, network.input_size)
    if start is not None and start.shape != shape:
        raise ValueError(f"start must have shape {shape}, got {start.shape}")
    binary = network.loss_name == "binary_cross_entropy"

    def draw(means: Array, deviation: Array) -> Array:
        model._streams += 1
        options: dict[str, Any] = {"seed": network.seed, "stream": model._streams}
        if binary:
            return bernoulli(means, **options)
        return means + deviation * normal(shape, dtype=network.dtype, **options)

    residual = model.residual_.astype(network.dtype)
    if start is None:
        means = np.broadcast_to(model.mean_.astype(network.dtype), shape).copy()
        x = draw(means, model.deviation_.astype(network.dtype))
    else:
        x = np.ascontiguousarray(start, network.dtype)
    means = x
    for _ in range(steps):
        model._streams += 1
        means = network.predict(corrupted(model, x, model._streams))
        x = draw(means, residual)
    return means if mean else x
