"""The mean-covariance restricted Boltzmann machine: parameters, hidden units, energy, samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ictus.kernels import mean_covariance as kernels
from ictus.kernels._device import to_host
from ictus.models.boltzmann.machine import (
    Machine,
    answers_where_asked,
    as_matrix_on,
    fill,
)
from ictus.models.examples import Rows, as_matrix, check_values

Array = NDArray[Any]

#: Rows whose covariance matrices are solved at a time.
SOLVED_ROWS = 256


class MeanCovarianceMachine(Machine):
    """A mean-covariance RBM (Ranzato & Hinton, CVPR 2010) for real, preferably whitened data.

    Each state of the mean and covariance units is a Gaussian of its own: mean units move its mean,
    covariance units that are off remove a constraint from its covariance. The free energy, which
    :mod:`ictus.kernels.mean_covariance` writes down, is that of the authors' program.

    Parameters
    ----------
    visible_units : int
    factors : int
        Filters whose squared outputs the covariance units see.
    mean_units : int
    covariance_units : int, optional
        With a matrix P between factors and covariance units; at first each unit sees its share of
        the factors. If not given, P is -1 times the identity and stays so: a unit for each factor,
        at less than half the cost.
    pooling : array, shape (factors, covariance_units), optional
        The first P instead, for example from :func:`topographic_pooling`. Not positive.
    offset : float
        s > 0 in the length ``sqrt(|v|**2 / D + s)`` by which the filters' inputs are divided.
    dtype : float32 or float64
    seed : int
        Of the initial filters and weights, and of every draw.
    parameters : array, shape (parameter_count,), optional
        Taken (copied) instead of initial ones.

    Attributes
    ----------
    parameters : array
        All parameters, flat. The following are views of it.
    filters : array, shape (visible_units, factors)
    pooling : array, shape (factors, covariance_units), or None
    weights : array, shape (visible_units, mean_units)
    visible_bias, covariance_bias, mean_bias : array
    draw_count : int
        Number of random streams used so far.

    Examples
    --------
    >>> machine = MeanCovarianceMachine(64, 128, 32, seed=1)
    >>> covariance, mean = machine.hidden_means(np.zeros((5, 64)))
    >>> covariance.shape, mean.shape
    ((5, 128), (5, 32))
    """

    def __init__(
        self,
        visible_units: int,
        factors: int = 256,
        mean_units: int = 100,
        *,
        covariance_units: int | None = None,
        pooling: Any = None,
        offset: float = 0.5,
        dtype: DTypeLike = "float32",
        seed: int = 0,
        parameters: Array | None = None,
    ) -> None:
        self.visible_units = self.positive("visible_units", visible_units)
        self.factors = self.positive("factors", factors)
        self.mean_units = self.positive("mean_units", mean_units)
        if pooling is not None:
            pooling = self._checked_pooling(pooling, covariance_units)
            covariance_units = pooling.shape[1]
        self.pooled = covariance_units is not None
        self.covariance_units = (
            self.factors
            if covariance_units is None
            else self.positive("covariance_units", covariance_units)
        )
        self.offset = float(offset)
        super().__init__(dtype, seed, parameters)
        self._set_views()
        if parameters is None:
            self.initialize()
            if pooling is not None and self.pooling is not None:
                self.pooling[...] = pooling
                self._set_views()  # the kernels' model is refused where the pooling is wrong

    def _set_views(self) -> None:
        views = self.views(self.parameters)
        self.filters, self.weights = views["filters"], views["weights"]
        self.pooling: Array | None = views.get("pooling")
        self.visible_bias = views["visible_bias"]
        self.covariance_bias, self.mean_bias = views["covariance_bias"], views["mean_bias"]
        self.native = kernels.mean_covariance_model(self.arrays(self.parameters), self.offset)

    def _checked_pooling(self, pooling: Any, covariance_units: int | None) -> Array:
        pooling = np.asarray(pooling, np.float64)
        units = covariance_units if covariance_units is not None else "covariance_units"
        fits = pooling.ndim == 2 and pooling.shape[0] == self.factors
        if not fits or covariance_units not in (None, pooling.shape[1]):
            raise ValueError(
                f"pooling must have shape ({self.factors}, {units}), got {pooling.shape}"
            )
        return np.asarray(pooling)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return names and shapes of the parameters, in the order of the flat vector."""
        visible, units = self.visible_units, self.covariance_units
        pooling = {"pooling": (self.factors, units)} if self.pooled else {}
        return {
            "filters": (visible, self.factors),
            **pooling,
            "weights": (visible, self.mean_units),
            "visible_bias": (visible,),
            "covariance_bias": (units,),
            "mean_bias": (self.mean_units,),
        }

    def config(self) -> dict[str, Any]:
        """Return plain data that make this machine again, without its parameters."""
        return {
            "visible_units": self.visible_units,
            "factors": self.factors,
            "mean_units": self.mean_units,
            "covariance_units": self.covariance_units if self.pooled else None,
            "offset": self.offset,
            "dtype": self.dtype.name,
            "seed": self.seed,
        }

    def arrays(self, flat: Array) -> kernels.MeanCovarianceArrays:
        """Return views of a flat vector as the kernels take them."""
        views: dict[str, Any] = {"pooling": None} | self.views(flat)
        return kernels.MeanCovarianceArrays(**views)

    def initialize(self, seed: int | None = None) -> None:
        """Draw filters of length 1 in random directions, weights from N(0, 0.05^2); biases of the
        authors' program: covariance units are on (2), mean units off (-2)."""
        if seed is not None:
            self.seed = int(seed)
        self.draw_count = 0
        generator = np.random.Generator(np.random.PCG64(self.seed))
        filters = generator.standard_normal(self.filters.shape)
        fill(self.filters, filters / np.sqrt(np.square(filters).sum(axis=0)))
        fill(self.weights, generator.normal(0.0, 0.05, self.weights.shape))
        self.visible_bias[...] = 0
        self.covariance_bias[...] = 2
        self.mean_bias[...] = -2
        if self.pooling is not None:
            fill(self.pooling, _shares(self.factors, self.covariance_units))

    # --- hidden units and energy -----------------------------------------------------------------

    def check_visible(self, v: Any) -> Array:
        """Return visible states as a C-contiguous matrix of the machine's dtype.

        Raises
        ------
        ValueError
            Another number of units than ``visible_units``, another rank than 2, or not finite.
        """
        return as_matrix_on(self.device, v, "v", self.visible_units, self.dtype)

    def examples(self, x: Any, name: str) -> Rows:
        """Return a source of minibatches; ValueError naming `name` where x is unfit."""
        x = as_matrix(x, self.visible_units, name)
        check_values(x, "gaussian", 1, name)
        return Rows(x, self.dtype)

    @answers_where_asked
    def hidden_means(self, v: Any) -> tuple[Array, Array]:
        """Return the probabilities of covariance units and of mean units given v."""
        return kernels.hidden_means(self.native, self.check_visible(v))

    @answers_where_asked
    def free_energy(self, v: Any) -> Array:
        """Return F(v) of each row, in nats: ``log p(v) = -F(v) - log Z``."""
        return kernels.free_energy(self.native, self.check_visible(v))

    @answers_where_asked
    def free_energy_gradient(self, v: Any) -> Array:
        """Return dF / dv of each row."""
        return kernels.free_energy_gradient(self.native, self.check_visible(v))

    # --- the Gaussian of the visible units given the hidden ones ---------------------------------

    def reconstruct(self, v: Any) -> Array:
        """Return the mean of the visible units given the hidden units' probabilities given v.

        Given hidden states h and g, and the length n that divides the filters' inputs, the visible
        units are Gaussian with the inverse covariance ``I + C diag(-P h) C^T / n**2`` and the mean
        ``covariance (W g + a)`` (Ranzato & Hinton 2010); n is that of v.
        """
        v = to_host(self.check_visible(v))
        return self._conditional_mean(v.astype(np.float64)).astype(self.dtype)

    def complete(self, v: Any, known: Any = None, steps: int = 30) -> Array:
        """Return v with its unknown elements replaced by probable ones given the known ones.

        In turn the hidden units' probabilities are taken, and the unknown elements' mean given
        them and what is known. With n fixed, each turn lowers the free energy (it minimises a
        quadratic bound of it), so this ends at a mode, not at the mean over all modes.

        Parameters
        ----------
        v : array, shape (rows, visible_units)
        known : array of bool, shape (rows, visible_units) or (visible_units,), optional
            Where not given, what is NaN in v is not known.
        steps : int
        """
        v = np.asarray(to_host(v))
        known = ~np.isnan(v) if known is None else np.asarray(to_host(known), bool)
        if known.shape not in (v.shape, v.shape[-1:]):
            raise ValueError(
                f"known must have shape {v.shape} or {v.shape[-1:]}, got {known.shape}"
            )
        known = np.broadcast_to(known, v.shape)
        given: Array = to_host(self.check_visible(np.where(known, v, 0))).astype(np.float64)
        x: Array = np.where(known, given, to_host(self.visible_bias))
        for _ in range(self.positive("steps", steps)):
            x = np.where(known, given, self._conditional_mean(x, known=known, given=given))
        return x.astype(self.dtype)

    def denoise(self, v: Any, *, noise: float = 0.5, steps: int = 30) -> Array:
        """Return probable clean states given noisy ones, the machine as prior: a mode, see above.

        Parameters
        ----------
        v : array, shape (rows, visible_units)
        noise : float
            Standard deviation of what was added.
        steps : int
        """
        if not 0 < noise < np.inf:
            raise ValueError(f"noise must be positive, got {noise!r}")
        given: Array = to_host(self.check_visible(v)).astype(np.float64)
        x = given
        for _ in range(self.positive("steps", steps)):
            x = self._conditional_mean(x, given=given, precision=1 / noise**2)
        return x.astype(self.dtype)

    def _conditional_mean(
        self,
        v: Array,
        *,
        known: Array | None = None,
        given: Array | None = None,
        precision: float = 0.0,
    ) -> Array:
        """Mean given the hidden units' probabilities at v, and observations of some precision.

        The systems of equations are solved on the host, in float64.
        """
        covariance, mean = (x.astype(np.float64) for x in self.hidden_means(v))
        filters = to_host(self.filters).astype(np.float64)
        constraints = covariance
        if self.pooling is not None:
            constraints = -covariance @ to_host(self.pooling).T
        constraints /= np.square(v).mean(axis=1, keepdims=True) + self.offset
        inputs = mean @ to_host(self.weights).T + to_host(self.visible_bias)
        if given is not None:
            inputs += precision * given
        out = np.empty_like(v)
        identity = np.eye(self.visible_units)
        for first in range(0, len(v), SOLVED_ROWS):
            rows = slice(first, first + SOLVED_ROWS)
            matrix = np.matmul(filters * constraints[rows, None, :], filters.T)
            matrix += (1 + precision) * identity
            right = inputs[rows]
            if known is not None and given is not None:
                matrix = np.where(known[rows, :, None], identity, matrix)
                right = np.where(known[rows], given[rows], right)
            out[rows] = np.linalg.solve(matrix, right[..., None])[..., 0]
        return out

    # --- chains ----------------------------------------------------------------------------------

    @answers_where_asked
    def hybrid_monte_carlo(
        self, v: Any, trajectories: int = 1, *, leapfrog_steps: int = 20, step_size: float
    ) -> tuple[Array, Array]:
        """Return the states at the end of chains from v, and each row's mean acceptance."""
        states = self.check_visible(v).copy()
        acceptance, _ = kernels.hybrid_monte_carlo(
            self.native,
            states,
            trajectories=trajectories,
            leapfrog_steps=leapfrog_steps,
            step_size=step_size,
            seed=self.seed,
            stream=self.next_streams(2 * trajectories),
        )
        return states, acceptance

    @answers_where_asked
    def sample(
        self,
        n: int,
        trajectories: int = 200,
        start: Any = None,
        *,
        leapfrog_steps: int = 20,
        target_acceptance: float = 0.9,
    ) -> Array:
        """Return n fantasies: states at the end of chains of hybrid Monte Carlo.

        Parameters
        ----------
        n : int
        trajectories : int
            The longer, the less the start counts. The step size is adapted in the first half.
        start : array, shape (n, visible_units), optional
            By default the visible bias and standard normal noise.
        leapfrog_steps : int
        target_acceptance : float
            That the step size is adapted to.
        """
        n = self.positive("n", n)
        trajectories = self.positive("trajectories", trajectories)
        if start is None:
            generator = np.random.Generator(np.random.PCG64([self.seed, self.next_streams(1)]))
            noise = generator.standard_normal((n, self.visible_units))
            start = to_host(self.visible_bias) + noise
        states = self.check_visible(start)
        if len(states) != n:
            raise ValueError(f"start must have {n} rows, got {len(states)}")
        step_size, burn_in = 0.1, trajectories // 2
        for _ in range(burn_in):
            states, acceptance = self.hybrid_monte_carlo(
                states, leapfrog_steps=leapfrog_steps, step_size=step_size
            )
            step_size *= (
                1.1 if float(acceptance.mean(dtype=np.float64)) > target_acceptance else 0.9
            )
            step_size = min(max(step_size, 1e-4), 1.0)
        states, _ = self.hybrid_monte_carlo(
            states, trajectories - burn_in, leapfrog_steps=leapfrog_steps, step_size=step_size
        )
        return states


def _shares(factors: int, units: int) -> Array:
    """Shares the factors out to the units in order; columns sum to -1."""
    pooling = np.zeros((factors, units))
    if factors >= units:
        pooling[np.arange(factors), np.arange(factors) * units // factors] = -1
    else:
        pooling[np.arange(units) * factors // units, np.arange(units)] = -1
    return np.asarray(pooling / -pooling.sum(axis=0))


def topographic_pooling(side: int, window: int = 3, stride: int = 1) -> Array:
    """Return a P for ``side**2`` factors on a square sheet whose edges meet.

    Each covariance unit sees the ``window**2`` factors around its place, so that neighbours learn
    similar filters (Ranzato & Hinton 2010, section 5: windows of 3 x 3 on a grid).

    Parameters
    ----------
    side : int
        Factors in a row of the sheet.
    window : int
        Odd or even, at most ``side``.
    stride : int
        Distance of the covariance units, a divisor of ``side``.

    Returns
    -------
    array, shape (side**2, (side // stride)**2)
        Columns sum to -1.
    """
    if not (1 <= window <= side and stride >= 1 and side % stride == 0):
        raise ValueError(
            f"topographic_pooling: window must be in 1 .. {side} and stride a divisor of {side}, "
            f"got {window} and {stride}"
        )
    places = np.arange(0, side, stride)
    near = (np.arange(side)[:, None] - places[None, :]) % side < window
    pooling = near[:, None, :, None] & near[None, :, None, :]
    return -pooling.reshape(side * side, len(places) ** 2).astype(np.float64) / window**2
