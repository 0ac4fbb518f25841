"""The restricted Boltzmann machine: parameters in one flat vector, layers, free energy, samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ictus.kernels import exp
from ictus.kernels.rbm import (
    HIDDEN_UNITS,
    VISIBLE_UNITS,
    RbmModel,
    free_energy,
    hidden_layer,
    rbm_model,
    visible_layer,
)
from ictus.models import gibbs
from ictus.models.examples import Rows, as_matrix, check_values, column_moments, independent_biases
from ictus.models.gibbs import Chains, check_steps
from ictus.models.machine import Machine

Array = NDArray[Any]

#: What :meth:`RBM.denoise` takes the noise to be where nothing is said: the probability that a
#: state was replaced, or the standard deviation of what was added to Gaussian units.
DEFAULT_NOISE = {"bernoulli": 0.1, "softmax": 0.1, "gaussian": 0.5}


class RBM(Machine):
    """A restricted Boltzmann machine (Smolensky 1986; Hinton 2002).

    The energy of visible states v and hidden states h is ``-b.v - c.h - v.W h``; for Gaussian
    visible units of variance s2 ``sum((v - b)**2 / (2 s2)) - c.h - (v / s2).W h`` (Cho, Ilin &
    Raiko 2011), and more by ``|h|**2 / 2`` for Gaussian hidden units.

    Parameters
    ----------
    visible_units, hidden_units : int
    visible_type : {"bernoulli", "gaussian", "softmax"}
        softmax: groups of ``group_size`` units of which one is 1.
    hidden_type : {"bernoulli", "rectified", "gaussian"}
        rectified: noisy rectified linear units (Nair & Hinton 2010).
    group_size : int
        Visible units in a softmax group.
    learn_variance : bool
        Whether the variance of Gaussian visible units is a parameter, as its logarithm; else 1.
    dtype : float32 or float64
    seed : int
        Of the initial weights, N(0, 0.01^2), and of every draw.
    parameters : array, shape (parameter_count,), optional
        Taken (copied) instead of initial ones.

    Attributes
    ----------
    parameters : array, shape (parameter_count,)
        All parameters: weights, visible bias, hidden bias, logarithm of the variance where it is
        learned. Assign to its elements, not to the attribute.
    weights : array, shape (visible_units, hidden_units)
    visible_bias, hidden_bias : array, shape (visible_units,), (hidden_units,)
        Views of ``parameters``, like ``weights`` and ``log_variance``.
    log_variance : array, shape (visible_units,), or None
    variance : array, shape (visible_units,), or None
        Of Gaussian visible units where it is learned.
    draw_count : int
        Number of random streams used so far: names the next draws. Part of a checkpoint.

    Examples
    --------
    >>> rbm = RBM(784, 500, seed=1)
    >>> rbm.sample(3, steps=2).shape
    (3, 784)
    """

    def __init__(
        self,
        visible_units: int,
        hidden_units: int,
        *,
        visible_type: str = "bernoulli",
        hidden_type: str = "bernoulli",
        group_size: int = 1,
        learn_variance: bool = False,
        dtype: DTypeLike = "float32",
        seed: int = 0,
        parameters: Array | None = None,
    ) -> None:
        self.visible_units = self.positive("visible_units", visible_units)
        self.hidden_units = self.positive("hidden_units", hidden_units)
        self.group_size = self.positive("group_size", group_size)
        self.visible_type, self.hidden_type = visible_type, hidden_type
        self.learn_variance = bool(learn_variance)
        self._check_kinds()
        super().__init__(dtype, seed, parameters)
        self._set_views()
        if parameters is None:
            self.initialize()

    def _check_kinds(self) -> None:
        name = type(self).__name__
        for argument, kinds in (("visible_type", VISIBLE_UNITS), ("hidden_type", HIDDEN_UNITS)):
            value = getattr(self, argument)
            if value not in kinds:
                raise ValueError(
                    f"{name}: {argument} must be one of {', '.join(kinds)}, got {value!r}"
                )
        if self.visible_type != "softmax" and self.group_size != 1:
            raise ValueError(
                f"{name}: group_size must be 1 without softmax units, got {self.group_size}"
            )
        if self.visible_units % self.group_size:
            raise ValueError(
                f"{name}: group_size must divide visible_units {self.visible_units}, "
                f"got {self.group_size}"
            )
        if self.learn_variance and self.visible_type != "gaussian":
            raise ValueError(f"{name}: learn_variance needs gaussian visible units")

    # --- parameters ---------------------------------------------------------------------------

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return names and shapes of the parameters, in the order of the flat vector."""
        visible, hidden = self.visible_units, self.hidden_units
        shapes: dict[str, tuple[int, ...]] = {
            "weights": (visible, hidden),
            "visible_bias": (visible,),
            "hidden_bias": (hidden,),
        }
        return shapes | ({"log_variance": (visible,)} if self.learn_variance else {})

    def _set_views(self) -> None:
        views = self.views(self.parameters)
        self.weights = views["weights"]
        self.visible_bias = views["visible_bias"]
        self.hidden_bias = views["hidden_bias"]
        self.log_variance = views.get("log_variance")
        self._variance = None if self.log_variance is None else np.ones_like(self.log_variance)
        self._native = self._make_native(self.hidden_type)
        # With rectified hidden units: their inputs, for the free energy.
        self._linear = self._make_native("gaussian") if self.hidden_type == "rectified" else None

    def _make_native(self, hidden_type: Any) -> RbmModel:
        kind: Any = self.visible_type
        return rbm_model(
            self.weights,
            self.visible_bias,
            self.hidden_bias,
            self._variance,
            visible_type=kind,
            hidden_type=hidden_type,
            group_size=self.group_size,
        )

    @property
    def variance(self) -> Array | None:
        if self.log_variance is not None and self._variance is not None:
            exp(self.log_variance, out=self._variance)
        return self._variance

    @property
    def native(self) -> RbmModel:
        """The parameters as the kernels take them."""
        _ = self.variance  # follows its logarithm
        return self._native

    def initialize(self, seed: int | None = None) -> None:
        """Draw weights from N(0, 0.01^2), set the rest to 0, and start the draws anew."""
        if seed is not None:
            self.seed = int(seed)
        self.draw_count = 0
        self.parameters[...] = 0
        generator = np.random.Generator(np.random.PCG64(self.seed))
        self.weights[...] = generator.normal(0.0, 0.01, self.weights.shape)

    def initialize_biases(self, data: Any) -> None:
        """Set the visible bias so that a machine with no weights fits the data's means.

        Hinton 2010, section 8: ``log(p / (1 - p))`` of the share p of examples in which the unit
        is on, here with one example more of each kind, so that p is never 0 or 1. Softmax units
        get log p, Gaussian ones the mean, and the variance, where it is learned, the data's.

        Parameters
        ----------
        data : array or sparse matrix, shape (n, visible_units)
        """
        data = as_matrix(data, self.visible_units, "data")
        mean, variance = column_moments(data)
        kind, size = self.visible_type, self.group_size
        self.visible_bias[...] = independent_biases(mean, data.shape[0], kind, size)
        if self.log_variance is not None:
            self.log_variance[...] = np.log(np.maximum(variance, 1e-3))

    # --- training -----------------------------------------------------------------------------

    def examples(self, x: Any, name: str, check_range: bool = True) -> Rows:
        """Return a source of minibatches; ValueError naming `name` for what cannot be trained on.

        Parameters
        ----------
        x : array, memory map or sparse matrix, shape (n, visible_units)
        check_range : bool
            Whether values that the visible units cannot take are an error.
        """
        x = as_matrix(x, self.visible_units, name)
        kind = self.visible_type if check_range else "gaussian"
        check_values(x, kind, self.group_size, name)
        return Rows(x, self.dtype)

    def more_updates(self, velocity: dict[str, Array]) -> dict[str, Array]:
        """Return what ContrastiveDivergence moves beside weights and biases, with its velocity."""
        if self.log_variance is None:
            return {}
        moved = {"log_variance": self.log_variance}
        return moved | {"log_variance_velocity": velocity["log_variance"]}

    # --- layers -------------------------------------------------------------------------------

    def _states(self, given: Any, name: str, units: int) -> Array:
        states: Array = np.asarray(given)
        if states.ndim != 2 or states.shape[1] != units:
            raise ValueError(f"{name} must have shape (rows, {units}), got {states.shape}")
        states = np.ascontiguousarray(states, self.dtype)
        if not np.isfinite(states).all():
            row = int(np.argmin(np.isfinite(states).all(axis=1)))
            raise ValueError(f"{name} must be finite, row {row} is not")
        return states

    def check_visible(self, v: Any) -> Array:
        """Return visible states as a C-contiguous matrix of the machine's dtype.

        Raises
        ------
        ValueError
            Another number of units than ``visible_units``, another rank than 2, or not finite.
        """
        return self._states(v, "v", self.visible_units)

    def mean_hiddens(self, v: Any) -> Array:
        """Return the means of the hidden units given visible states, (rows, hidden_units)."""
        v = self.check_visible(v)
        out = np.empty((len(v), self.hidden_units), self.dtype)
        hidden_layer(self.native, v, mean=out)
        return out

    def sample_hiddens(self, v: Any) -> Array:
        """Return hidden states drawn given visible ones, (rows, hidden_units)."""
        v = self.check_visible(v)
        out = np.empty((len(v), self.hidden_units), self.dtype)
        stream = self.next_streams(1)
        hidden_layer(self.native, v, sample=out, seed=self.seed, stream=stream)
        return out

    def mean_visibles(self, h: Any) -> Array:
        """Return the means of the visible units given hidden states, (rows, visible_units)."""
        h = self._states(h, "h", self.hidden_units)
        out = np.empty((len(h), self.visible_units), self.dtype)
        visible_layer(self.native, h, mean=out)
        return out

    def sample_visibles(self, h: Any) -> Array:
        """Return visible states drawn given hidden ones, (rows, visible_units)."""
        h = self._states(h, "h", self.hidden_units)
        out = np.empty((len(h), self.visible_units), self.dtype)
        stream = self.next_streams(1)
        visible_layer(self.native, h, sample=out, seed=self.seed, stream=stream)
        return out

    # --- energies -----------------------------------------------------------------------------

    def _visible_energy(self, v: Array) -> Array:
        if self.visible_type != "gaussian":
            return np.asarray(-(v @ self.visible_bias))
        variance = 1.0 if self.variance is None else self.variance
        return np.asarray((np.square(v - self.visible_bias) / variance).sum(axis=1) / 2)

    def energy(self, v: Any, h: Any) -> Array:
        """Return the energy of each pair of rows of visible and hidden states, shape (rows,)."""
        v, h = self.check_visible(v), self._states(h, "h", self.hidden_units)
        if len(v) != len(h):
            raise ValueError(f"h must have {len(v)} rows like v, got {len(h)}")
        scaled = v if self.variance is None else v / self.variance
        out = self._visible_energy(v) - h @ self.hidden_bias
        out -= ((scaled @ self.weights) * h).sum(axis=1)
        if self.hidden_type == "gaussian":
            out += np.square(h).sum(axis=1) / 2
        return np.asarray(out)

    def free_energy(self, v: Any) -> Array:
        """Return ``F(v) = -log sum_h exp(-E(v, h))`` of each row, shape (rows,).

        Lower is more probable: ``log p(v) = -F(v) - log Z``. Rectified hidden units each stand
        for Bernoulli units with inputs x - 1/2, x - 3/2, ... (Nair & Hinton 2010); the sum of
        their softplus terms is taken as its integral, ``-Li2(-exp(x))``, whose derivative is the
        mean that the unit has in training, ``log(1 + exp(x))``.
        """
        v = self.check_visible(v)
        if self._linear is None:
            return free_energy(self.native, v)
        x = np.empty((len(v), self.hidden_units), self.dtype)
        _ = self.native
        hidden_layer(self._linear, v, mean=x)
        energy: Array = self._visible_energy(v) - _integral_of_softplus(x).sum(axis=1)
        return energy.astype(self.dtype)

    # --- chains -------------------------------------------------------------------------------

    def gibbs(self, v: Any, steps: int = 1) -> Array:
        """Return visible states after `steps` steps of Gibbs sampling from v."""
        chains = Chains(self, self.check_visible(v))
        chains.run(check_steps(steps))
        return chains.visible

    def sample(self, n: int, steps: int = 1000, start: Any = None, *, mean: bool = False) -> Array:
        """Return n fantasies: visible states at the end of Gibbs chains.

        Parameters
        ----------
        n : int
        steps : int
            The longer, the less the start counts.
        start : array, shape (n, visible_units), optional
            Where the chains start; by default, draws with the hidden units off.
        mean : bool
            Return the means of the last step instead of its draws: smoother pictures.
        """
        n, steps = check_steps(n, "n"), check_steps(steps)
        start = None if start is None else self.check_visible(start)
        if start is not None and len(start) != n:
            raise ValueError(f"start must have {n} rows, got {len(start)}")
        chains = Chains(self, start, rows=n)
        chains.run(steps)
        return chains.visible_mean if mean else chains.visible

    def reconstruct(self, v: Any) -> Array:
        """Return the means of the visible units given the means of the hidden ones given v."""
        return self.mean_visibles(self.mean_hiddens(v))

    def complete(self, v: Any, known: Any = None, steps: int = 200) -> Array:
        """Return v with its unknown elements replaced by their means given the known ones.

        Gibbs chains clamped to what is known; the mean of the visible units given the hidden ones
        is averaged over the second half of the steps.

        Parameters
        ----------
        v : array, shape (rows, visible_units)
        known : array of bool, shape (rows, visible_units) or (visible_units,), optional
            Where not given, what is NaN in v is not known. A softmax group is known as a whole or
            not at all.
        steps : int
        """
        visible, known = gibbs.check_known(v, known, self)
        return gibbs.complete(Chains(self, rows=len(visible)), visible, known, check_steps(steps))

    def denoise(self, v: Any, *, noise: float | None = None, steps: int = 50) -> Array:
        """Return the posterior mean of clean states given noisy ones, the machine as prior.

        Parameters
        ----------
        v : array, shape (rows, visible_units)
        noise : float, optional
            Bernoulli units: the probability that a unit was flipped (0.1 if not given). Softmax
            groups: that the state was drawn anew (0.1). Gaussian units: the standard deviation of
            what was added (0.5).
        steps : int
            Steps of the Gibbs chains; the mean is over their second half.
        """
        v = self.check_visible(v)
        noise = DEFAULT_NOISE[self.visible_type] if noise is None else float(noise)
        highest = np.inf if self.visible_type == "gaussian" else 1.0
        if not 0 < noise < highest:
            raise ValueError(f"noise must be in (0, {highest:g}), got {noise!r}")
        return gibbs.denoise(self, Chains(self, v), v, noise, check_steps(steps))

    # --- configuration ------------------------------------------------------------------------

    def config(self) -> dict[str, Any]:
        """Return plain data that make this machine again, without its parameters."""
        return {
            "visible_units": self.visible_units,
            "hidden_units": self.hidden_units,
            "visible_type": self.visible_type,
            "hidden_type": self.hidden_type,
            "group_size": self.group_size,
            "learn_variance": self.learn_variance,
            "dtype": self.dtype.name,
            "seed": self.seed,
        }


def _integral_of_softplus(x: Array) -> Array:
    """The integral of log(1 + exp(t)) over t below x, ``-Li2(-exp(x))``, in float64."""
    from scipy.special import spence

    x = x.astype(np.float64)
    # Li2(z) = spence(1 - z); above 0 by Li2(-e^x) + Li2(-e^-x) = -pi^2 / 6 - x^2 / 2.
    tail = spence(1.0 + np.exp(-np.abs(x)))
    return np.asarray(np.where(x > 0, np.square(x) / 2 + np.pi**2 / 6 + tail, -tail))
