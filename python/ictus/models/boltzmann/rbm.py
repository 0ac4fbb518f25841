"""The restricted Boltzmann machine: parameters in one flat vector, layers, free energy, samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ictus.kernels import exp
from ictus.kernels._device import empty, to_device
from ictus.kernels.rbm import (
    RbmModel,
    free_energy,
    hidden_layer,
    rbm_model,
    visible_layer,
)
from ictus.models.boltzmann import gibbs
from ictus.models.boltzmann.energies import hidden_free_energy, visible_energy
from ictus.models.boltzmann.gibbs import Chains, check_steps
from ictus.models.boltzmann.machine import (
    Machine,
    answers_where_asked,
    as_matrix_on,
    fill,
)
from ictus.models.boltzmann.units import check_kinds
from ictus.models.examples import Rows, as_matrix, check_values, column_moments, independent_biases

Array = NDArray[Any]


class RBM(Machine):
    """A restricted Boltzmann machine (Smolensky 1986; Hinton 2002).

    The energy of visible states v and hidden states h is ``-b.v - c.h - v.W h``; for Gaussian
    visible units of variance s2 ``sum((v - b)**2 / (2 s2)) - c.h - (v / s2).W h`` (Cho, Ilin &
    Raiko 2011), and more by ``|h|**2 / 2`` for Gaussian hidden units.

    Parameters
    ----------
    visible_units, hidden_units : int
    visible_type : {"bernoulli", "gaussian", "softmax", "labelled"}
        softmax: groups of ``group_size`` units of which one is 1. labelled: Bernoulli units, the
        last ``group_size`` of which are one such group (Hinton, Osindero & Teh 2006).
    hidden_type : {"bernoulli", "rectified", "gaussian"}
        rectified: noisy rectified linear units (Nair & Hinton 2010).
    group_size : int
        Visible units in a softmax group, or in the label.
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
        check_kinds(self)
        super().__init__(dtype, seed, parameters)
        self._set_views()
        if parameters is None:
            self.initialize()

    # --- parameters ---------------------------------------------------------------------------

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return names and shapes of the parameters, in the order of the flat vector."""
        visible, hidden = self.visible_units, self.hidden_units
        shapes: dict[str, tuple[int, ...]] = {"weights": (visible, hidden)}
        shapes |= {"visible_bias": (visible,), "hidden_bias": (hidden,)}
        return shapes | ({"log_variance": (visible,)} if self.learn_variance else {})

    def _set_views(self) -> None:
        views = self.views(self.parameters)
        self.weights = views["weights"]
        self.visible_bias = views["visible_bias"]
        self.hidden_bias = views["hidden_bias"]
        self.log_variance = views.get("log_variance")
        self._variance = None if self.log_variance is None else np.ones_like(self.log_variance)
        self._native = self._make_native(self.hidden_type)
        # Its hidden means are the inputs of the hidden units.
        self._linear = self._make_native("gaussian")

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
        """The variance of each visible unit; None where it is 1."""
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
        fill(self.weights, generator.normal(0.0, 0.01, self.weights.shape))

    def initialize_biases(self, data: Any) -> None:
        """Set the visible bias so that a machine with no weights fits the data's means.

        Hinton 2010, section 8; see :func:`ictus.models.examples.independent_biases`. The variance,
        where it is learned, becomes the data's, an array or sparse matrix (n, visible_units).
        """
        data = as_matrix(data, self.visible_units, "data")
        mean, variance = column_moments(data)
        units = self.visible_type, self.group_size
        fill(self.visible_bias, independent_biases(mean, data.shape[0], *units))
        if self.log_variance is not None:
            fill(self.log_variance, np.log(np.maximum(variance, 1e-3)))

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
        return as_matrix_on(self.device, given, name, units, self.dtype)

    def check_visible(self, v: Any) -> Array:
        """Return visible states as a C-contiguous matrix of the machine's dtype, on its device.

        ValueError for another shape than (rows, visible_units), and for what is not finite.
        """
        return self._states(v, "v", self.visible_units)

    def biases(self, context: Any, rows: int) -> tuple[Array | None, Array | None]:
        """Return biases a row of visible and hidden units, where a context makes them so."""
        if context is not None:
            raise ValueError("context must be None: the machine is not conditional")
        return None, None

    @answers_where_asked
    def mean_hiddens(self, v: Any, context: Any = None) -> Array:
        """Return the means of the hidden units given visible states, (rows, hidden_units)."""
        v = self.check_visible(v)
        out: Array = empty(v, (len(v), self.hidden_units))
        hidden_layer(self.native, v, mean=out, row_bias=self.biases(context, len(v))[1])
        return out

    @answers_where_asked
    def sample_hiddens(self, v: Any, context: Any = None) -> Array:
        """Return hidden states drawn given visible ones, (rows, hidden_units)."""
        v = self.check_visible(v)
        out: Array = empty(v, (len(v), self.hidden_units))
        bias = self.biases(context, len(v))[1]
        stream = self.next_streams(1)
        hidden_layer(self.native, v, sample=out, row_bias=bias, seed=self.seed, stream=stream)
        return out

    @answers_where_asked
    def mean_visibles(self, h: Any, context: Any = None) -> Array:
        """Return the means of the visible units given hidden states, (rows, visible_units)."""
        h = self._states(h, "h", self.hidden_units)
        out: Array = empty(h, (len(h), self.visible_units))
        visible_layer(self.native, h, mean=out, row_bias=self.biases(context, len(h))[0])
        return out

    @answers_where_asked
    def sample_visibles(self, h: Any, context: Any = None) -> Array:
        """Return visible states drawn given hidden ones, (rows, visible_units)."""
        h = self._states(h, "h", self.hidden_units)
        out: Array = empty(h, (len(h), self.visible_units))
        bias = self.biases(context, len(h))[0]
        stream = self.next_streams(1)
        visible_layer(self.native, h, sample=out, row_bias=bias, seed=self.seed, stream=stream)
        return out

    # --- energies -----------------------------------------------------------------------------

    @answers_where_asked
    def energy(self, v: Any, h: Any, context: Any = None) -> Array:
        """Return the energy of each pair of rows of visible and hidden states, shape (rows,)."""
        v, h = self.check_visible(v), self._states(h, "h", self.hidden_units)
        if len(v) != len(h):
            raise ValueError(f"h must have {len(v)} rows like v, got {len(h)}")
        visible, x = self._energy_terms(v, context)
        squares = np.square(h).sum(axis=1) / 2 if self.hidden_type == "gaussian" else 0
        out: Array = visible - (x * h).sum(axis=1) + squares
        return out

    def _energy_terms(self, v: Array, context: Any) -> tuple[Array, Array]:
        """The energy of the visible units alone, and the inputs of the hidden ones."""
        visible_bias, hidden_bias = self.biases(context, len(v))
        bias = self.visible_bias if visible_bias is None else visible_bias
        x = empty(v, (len(v), self.hidden_units))
        energy = visible_energy(v, self.visible_type, bias, self.variance)
        hidden_layer(self._linear, v, mean=x, row_bias=hidden_bias)
        return energy, x

    @answers_where_asked
    def free_energy(self, v: Any, context: Any = None) -> Array:
        """Return ``F(v) = -log sum_h exp(-E(v, h))`` of each row, shape (rows,).

        Lower is more probable: ``log p(v) = -F(v) - log Z``. Of rectified hidden units see
        :func:`ictus.models.boltzmann.energies.hidden_free_energy`.
        """
        v = self.check_visible(v)
        if context is None and self.hidden_type != "rectified":
            return free_energy(self.native, v)
        energy, x = self._energy_terms(v, context)
        total: Array = energy + hidden_free_energy(x, self.hidden_type)
        return total.astype(self.dtype, copy=False)

    # --- chains -------------------------------------------------------------------------------

    def chains(self, context: Any, rows: int, start: Array | None = None) -> Chains:
        """Return Gibbs chains from the states `start`, or draws with the hidden units off."""
        visible, hidden = self.biases(context, rows)
        return Chains(self, start, rows=rows, visible_bias=visible, hidden_bias=hidden)

    @answers_where_asked
    def gibbs(self, v: Any, steps: int = 1, context: Any = None) -> Array:
        """Return visible states after `steps` steps of Gibbs sampling from v."""
        v = self.check_visible(v)
        chains = self.chains(context, len(v), v)
        chains.run(check_steps(steps))
        return chains.visible

    @answers_where_asked
    def sample(
        self,
        n: int,
        steps: int = 1000,
        start: Any = None,
        *,
        mean: bool = False,
        context: Any = None,
    ) -> Array:
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
        chains = self.chains(context, n, start)
        chains.run(steps)
        return chains.visible_mean if mean else chains.visible

    @answers_where_asked
    def reconstruct(self, v: Any, context: Any = None) -> Array:
        """Return the means of the visible units given the means of the hidden ones given v."""
        v = self.check_visible(v)
        return self.mean_visibles(self.mean_hiddens(v, context), context)

    @answers_where_asked
    def complete(
        self, v: Any, known: Any = None, steps: int = 200, *, context: Any = None
    ) -> Array:
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
        visible, known = (to_device(self.device, x) for x in gibbs.check_known(v, known, self))
        chains = self.chains(context, len(visible))
        return gibbs.complete(chains, visible, known, check_steps(steps))

    @answers_where_asked
    def denoise(
        self, v: Any, *, noise: float | None = None, steps: int = 50, context: Any = None
    ) -> Array:
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
        noise = gibbs.check_noise(noise, self.visible_type)
        chains = self.chains(context, len(v), v)
        return gibbs.denoise(self, chains, v, noise, check_steps(steps))

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
