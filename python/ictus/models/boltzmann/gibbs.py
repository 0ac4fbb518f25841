"""What Gibbs chains are good for: samples, completion of partly known states, noise removed.

Each works on the chains of a machine's batch of rows; a conditional machine gives biases a row.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ictus.kernels._device import empty, to_host, zeros
from ictus.kernels.rbm import RbmModel, hidden_layer, visible_layer

Array = NDArray[Any]


#: What noise is taken to be where nothing is said: the probability that a state was replaced, or
#: the standard deviation of what was added to Gaussian units.
DEFAULT_NOISE = {"bernoulli": 0.1, "softmax": 0.1, "labelled": 0.1, "gaussian": 0.5}


class Sampled(Protocol):
    """What the chains need of a machine; RBM has it."""

    visible_units: int
    hidden_units: int
    visible_type: str
    group_size: int
    dtype: np.dtype[Any]
    seed: int

    @property
    def native(self) -> RbmModel: ...
    @property
    def variance(self) -> Array | None: ...
    @property
    def visible_bias(self) -> Array: ...
    def next_streams(self, count: int) -> int: ...


class Moving(Protocol):
    """What completion and denoising need of chains."""

    visible: Array
    visible_mean: Array
    visible_bias: Array | None

    def step(self) -> None: ...


class Chains:
    """Gibbs chains of a machine, a row each, moved on together.

    Parameters
    ----------
    machine : RBM
    visible : array, shape (rows, visible_units), optional
        Where they start; it is copied. If not given, ``rows`` draws with the hidden units off.
    visible_bias, hidden_bias : array, shape (rows, visible_units), (rows, hidden_units), optional
        Biases of each row, in the place of the machine's.

    Attributes
    ----------
    visible, hidden : array
        The states now.
    visible_mean : array
        Mean of the visible units given ``hidden``.
    """

    def __init__(
        self,
        machine: Sampled,
        visible: Array | None = None,
        *,
        rows: int = 0,
        visible_bias: Array | None = None,
        hidden_bias: Array | None = None,
    ) -> None:
        rows = rows if visible is None else len(visible)
        self.machine = machine
        self.visible_bias, self.hidden_bias = visible_bias, hidden_bias
        like = machine.visible_bias
        self.hidden: Array = zeros(like, (rows, machine.hidden_units))
        self.visible: Array = empty(like, (rows, machine.visible_units))
        self.visible_mean = np.empty_like(self.visible)
        if visible is None:
            self.draw_visible()
        else:
            self.visible[...] = visible

    def draw_visible(self) -> None:
        """Draw the visible states given the hidden ones."""
        visible_layer(
            self.machine.native,
            self.hidden,
            mean=self.visible_mean,
            sample=self.visible,
            row_bias=self.visible_bias,
            seed=self.machine.seed,
            stream=self.machine.next_streams(1),
        )

    def step(self) -> None:
        """Draw the hidden states given the visible ones, then the visible ones."""
        hidden_layer(
            self.machine.native,
            self.visible,
            sample=self.hidden,
            row_bias=self.hidden_bias,
            seed=self.machine.seed,
            stream=self.machine.next_streams(1),
        )
        self.draw_visible()

    def run(self, steps: int) -> None:
        """Take `steps` steps."""
        for _ in range(steps):
            self.step()


def check_steps(steps: Any, name: str = "steps", least: int = 1) -> int:
    """Return a number of steps as an int; ValueError if it is none or below `least`."""
    if isinstance(steps, bool) or int(steps) != steps or steps < least:
        kind = "a positive integer" if least == 1 else f"an integer of at least {least}"
        raise ValueError(f"{name} must be {kind}, got {steps!r}")
    return int(steps)


def check_noise(noise: float | None, visible_type: str) -> float:
    """Return the amount of noise for :func:`denoise`; ValueError where it is out of range."""
    noise = DEFAULT_NOISE[visible_type] if noise is None else float(noise)
    highest = np.inf if visible_type == "gaussian" else 1.0
    if not 0 < noise < highest:
        raise ValueError(f"noise must be in (0, {highest:g}), got {noise!r}")
    return noise


def complete(chains: Moving, visible: Array, known: Array, steps: int) -> Array:
    """Return the states with what is not known replaced by its mean under the machine.

    The chains are clamped to what is known; the mean of the visible units given the hidden ones
    is averaged over the second half of the steps.

    Parameters
    ----------
    chains : Chains, or what moves like them
    visible : array, shape (rows, visible_units)
        Where `known` is false the numbers play no part.
    known : array of bool, of the same shape
    """
    np.copyto(chains.visible, visible, where=known)
    total = zeros(visible, visible.shape, np.float64)
    first = steps // 2
    for step in range(steps):
        chains.step()
        np.copyto(chains.visible, visible, where=known)
        if step >= first:
            total += chains.visible_mean
    out: Array = (total / (steps - first)).astype(chains.visible.dtype)
    np.copyto(out, visible, where=known)
    return out


def check_known(visible: Any, known: Any, machine: Sampled) -> tuple[Array, Array]:
    """Return states without NaN and the mask of what is known of them, both checked."""
    visible = np.asarray(to_host(visible))
    if visible.ndim != 2 or visible.shape[1] != machine.visible_units:
        raise ValueError(f"v must have shape (rows, {machine.visible_units}), got {visible.shape}")
    known = ~np.isnan(visible) if known is None else np.asarray(to_host(known))
    if known.dtype != np.bool_ or known.shape not in (visible.shape, visible.shape[1:]):
        raise ValueError(
            f"known must be a mask of bool of shape {visible.shape}, got dtype {known.dtype}, "
            f"shape {known.shape}"
        )
    known = np.broadcast_to(known, visible.shape)
    visible = np.where(known, visible, 0).astype(machine.dtype)
    if not np.isfinite(visible).all():
        raise ValueError("v must be finite where it is known")
    first = machine.visible_units - machine.group_size if machine.visible_type == "labelled" else 0
    groups = known[:, first:].reshape(len(known), -1, machine.group_size)
    if not (groups.all(axis=2) | ~groups.any(axis=2)).all():
        raise ValueError("known must hold for all units of a softmax group or for none")
    return visible, known


def denoise(machine: Sampled, chains: Moving, noisy: Array, noise: float, steps: int) -> Array:
    """Return the posterior mean of clean states given noisy ones, with the machine as prior.

    Sampled by Gibbs chains from p(v | noisy) ~ p(v) p(noisy | v), averaged over the second half
    of the steps. Bernoulli units: each was flipped with probability `noise`, so its bias grows by
    ``+- log((1 - noise) / noise)``. Softmax groups: with probability `noise` the state was drawn
    anew, uniformly; labels likewise. Gaussian units: noise of standard deviation `noise` was
    added; the product of two normal densities is normal.
    """
    if machine.visible_type == "gaussian":
        return _denoise_gaussian(machine, chains, noisy, noise, steps)
    flipped = np.log((1 - noise) / noise)
    anew = noise / machine.group_size
    drawn = np.log((1 - noise + anew) / anew)
    if machine.visible_type == "bernoulli":
        evidence = (2 * noisy - 1) * flipped
    elif machine.visible_type == "labelled":
        label = noisy[:, -machine.group_size :] * drawn
        rest = noisy[:, : -machine.group_size]
        evidence = np.concatenate([(2 * rest - 1) * flipped, label], axis=1)
    else:
        evidence = noisy * drawn
    bias = machine.visible_bias if chains.visible_bias is None else chains.visible_bias
    chains.visible_bias = (bias + evidence).astype(machine.dtype)
    total: Array = zeros(noisy, noisy.shape, np.float64)
    first = steps // 2
    for step in range(steps):
        chains.step()
        if step >= first:
            total += chains.visible_mean
    return (total / (steps - first)).astype(machine.dtype)


def _denoise_gaussian(
    machine: Sampled, chains: Moving, noisy: Array, noise: float, steps: int
) -> Array:
    variance = np.float64(1) if machine.variance is None else machine.variance.astype(np.float64)
    precision = 1 / variance + 1 / noise**2
    total: Array = zeros(noisy, noisy.shape, np.float64)
    first = steps // 2
    for step in range(steps):
        chains.step()
        mean = (chains.visible_mean / variance + noisy / noise**2) / precision
        # The step drew visible_mean + sqrt(variance) * z: the same z serves the posterior.
        z = (chains.visible - chains.visible_mean) / np.sqrt(variance)
        chains.visible[...] = mean + z / np.sqrt(precision)
        if step >= first:
            total += mean
    return (total / (steps - first)).astype(machine.dtype)
