"""The Bernoulli RBM estimator: scikit-learn's, to the letter and to its numbers, and more."""

from __future__ import annotations

import inspect
import zlib
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ictus.kernels._device import empty, to_device, to_host
from ictus.kernels.rbm import hidden_layer, visible_layer
from ictus.models.boltzmann.boltzmann_estimator import (
    ATTRIBUTES,
    PARAMETERS,
    BoltzmannEstimator,
    in_parts,
)
from ictus.models.boltzmann.machine import fill

Array = NDArray[Any]


class BernoulliRBM(BoltzmannEstimator):
    __doc__ = (
        """A restricted Boltzmann machine of Bernoulli units as a transformer.

    Takes the place of ``sklearn.neural_network.BernoulliRBM``: the same parameters, methods,
    attributes and defaults, and where ``random_state`` is given and no other parameter is used,
    the same draws, so the same results up to rounding. Sparse input is taken as it is.

    Parameters
    ----------"""
        + PARAMETERS
        + """
    draws : {"auto", "scikit-learn", "counter"}
        Where random numbers come from in training. "scikit-learn": from the RandomState, in the
        order in which scikit-learn's estimator draws them. "counter": from the counter-based
        generator of the kernels, which is faster. "auto": "scikit-learn" where ``random_state``
        is given and no parameter beyond scikit-learn's is used.
    out_of_range : {"error", "clip", "ignore"}
        What is done in training about values outside [0, 1]; scikit-learn ignores them.

    Attributes
    ----------"""
        + ATTRIBUTES
        + """
    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data / 16
    >>> features = BernoulliRBM(64, random_state=0).fit_transform(X)
    """
    )

    visible_type = "bernoulli"
    score_name: ClassVar[str] = "pseudo-likelihood"

    def __init__(
        self,
        n_components: int = 256,
        *,
        learning_rate: float = 0.1,
        batch_size: int = 10,
        n_iter: int = 10,
        verbose: int = 0,
        random_state: Any = None,
        k: int = 1,
        persistent: bool = True,
        fast_weights: bool = False,
        momentum: float | None = 0.0,
        l1: float = 0.0,
        l2: float = 0.0,
        sparsity_target: float = 0.1,
        sparsity_cost: float = 0.0,
        hidden_type: str = "bernoulli",
        learning_rate_decay: float = 1.0,
        shuffle: bool = False,
        initialize_biases: bool = False,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        gap_limit: float | None = None,
        patience: int = 5,
        dtype: str = "auto",
        progress: bool | None = False,
        checkpoint: Any = None,
        draws: str = "auto",
        out_of_range: str = "error",
        device: str = "cpu",
    ) -> None:
        self.n_components = n_components
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_iter = n_iter
        self.verbose = verbose
        self.random_state = random_state
        self.k = k
        self.persistent = persistent
        self.fast_weights = fast_weights
        self.momentum = momentum
        self.l1 = l1
        self.l2 = l2
        self.sparsity_target = sparsity_target
        self.sparsity_cost = sparsity_cost
        self.hidden_type = hidden_type
        self.learning_rate_decay = learning_rate_decay
        self.shuffle = shuffle
        self.initialize_biases = initialize_biases
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.gap_limit = gap_limit
        self.patience = patience
        self.dtype = dtype
        self.progress = progress
        self.checkpoint = checkpoint
        self.draws = draws
        self.out_of_range = out_of_range
        self.device = device

    # --- training --------------------------------------------------------------------------------

    def _follows_scikit_learn(self) -> bool:
        """Whether training draws from the RandomState, number by number as scikit-learn does."""
        if self.draws not in ("auto", "scikit-learn", "counter"):
            raise ValueError(
                f"draws must be one of auto, scikit-learn, counter, got {self.draws!r}"
            )
        if self.draws != "auto":
            return self.draws == "scikit-learn"
        if self.random_state is None:
            return False
        indifferent = {"dtype", "progress", "draws", "out_of_range", "device", *SCIKIT_LEARN}
        return all(
            getattr(self, name) == parameter.default
            for name, parameter in inspect.signature(type(self).__init__).parameters.items()
            if name != "self" and name not in indifferent
        )

    def _generator(self) -> Any:
        """The RandomState of what is drawn after, or outside, ``fit``."""
        if not hasattr(self, "random_state_"):
            self.random_state_ = check_random_state(self.random_state)
        return self.random_state_

    def _uniforms(self, generator: Any, rows: int, units: int) -> Array:
        uniforms: Array = generator.uniform(size=(rows, units))
        return uniforms.astype(self.rbm_.dtype, copy=False)

    def _begin(self, v: Any, dtype: Any) -> None:
        if not self._follows_scikit_learn():
            super()._begin(v, dtype)
            return
        if self.k != 1 or not self.persistent or self.hidden_type != "bernoulli":
            raise ValueError(
                "draws='scikit-learn' needs k=1, persistent chains and Bernoulli hidden units"
            )
        generator = self._training_generator
        self._initial = generator.normal(0, 0.01, (self.n_components, v.shape[1]))
        super()._begin(v, dtype)
        fill(self.rbm_.weights, self._initial.T)
        del self._initial

    def _seed(self) -> int:
        # Where the RandomState is scikit-learn's, nothing more may be taken from it.
        return zlib.crc32(self._initial.tobytes()) if hasattr(self, "_initial") else super()._seed()

    def fit(self, X: Any, y: Any = None) -> BernoulliRBM:
        """Train anew.

        Parameters
        ----------
        X : array or sparse matrix, shape (n_samples, n_features)
            Values in [0, 1]; those between count as probabilities.
        y : ignored

        Returns
        -------
        BernoulliRBM
            self
        """
        self._training_generator = check_random_state(self.random_state)
        try:
            super().fit(X)
        finally:
            del self._training_generator
        return self

    def partial_fit(self, X: Any, y: Any = None) -> BernoulliRBM:
        """Make one update with all of X as its minibatch; y is not used."""
        self._training_generator = self._generator()
        try:
            super().partial_fit(X)
        finally:
            del self._training_generator
        return self

    def _run(self, v: Any, **options: Any) -> None:
        if self.out_of_range not in ("error", "clip", "ignore"):
            raise ValueError(
                f"out_of_range must be one of error, clip, ignore, got {self.out_of_range!r}"
            )
        if self.out_of_range == "clip":
            v = v.minimum(1).maximum(0) if hasattr(v, "toarray") else np.clip(v, 0, 1)
        options["check_range"] = self.out_of_range == "error"
        trainer, generator = self._trainer, self._training_generator
        if self._follows_scikit_learn():
            rows, rbm = self.batch_size, self.rbm_
            trainer.uniforms = lambda: (
                self._uniforms(generator, rows, rbm.visible_units),
                self._uniforms(generator, rows, rbm.hidden_units),
            )
        try:
            super()._run(v, **options)
        finally:
            trainer.uniforms = None

    # --- use -------------------------------------------------------------------------------------

    def _mean_hiddens(self, v: Any) -> Array:
        """P(h = 1 | v), as scikit-learn's estimator has it: also of a single example."""
        rows = np.atleast_2d(v) if not hasattr(v, "toarray") else v
        means = in_parts(self.rbm_.mean_hiddens, rows)
        return means if len(v.shape) == 2 else means[0]

    def _sample_hiddens(self, v: Any, rng: np.random.RandomState) -> Array:
        p = self._mean_hiddens(v)
        return np.asarray(rng.uniform(size=p.shape) < p)

    def gibbs(self, v: Any) -> Array:
        """Return visible states (bool) after one step of Gibbs sampling from v.

        Parameters
        ----------
        v : array or sparse matrix, shape (n_samples, n_features)

        Returns
        -------
        array of bool, shape (n_samples, n_features)
        """
        check_is_fitted(self, "rbm_")
        generator, rbm = self._generator(), self.rbm_
        v = rbm.check_visible(v.toarray() if hasattr(v, "toarray") else v)
        if rbm.hidden_type != "bernoulli":
            return np.asarray(rbm.gibbs(v), bool)
        h = empty(v, (len(v), rbm.hidden_units))
        uniforms = to_device(rbm.device, self._uniforms(generator, *h.shape))
        hidden_layer(rbm.native, v, sample=h, uniforms=uniforms)
        out = np.empty_like(v)
        uniforms = to_device(rbm.device, self._uniforms(generator, *out.shape))
        visible_layer(rbm.native, h, sample=out, uniforms=uniforms)
        return np.asarray(to_host(out), bool)

    def score_samples(self, X: Any) -> Array:
        """Return the pseudo-likelihood of each row, a proxy of the log-likelihood.

        Of one feature of each row, chosen at random: n_features times the log-probability that it
        has its value given the others.

        Parameters
        ----------
        X : array or sparse matrix, shape (n_samples, n_features)

        Returns
        -------
        array, shape (n_samples,)
        """
        v = self._use(X)
        generator = check_random_state(self.random_state)
        chosen = generator.randint(0, v.shape[1], v.shape[0])
        first = 0

        def score(part: Array) -> Array:
            nonlocal first
            rows = np.arange(len(part))
            flipped = part.copy()
            columns = chosen[first : first + len(part)]
            flipped[rows, columns] = 1 - flipped[rows, columns]
            first += len(part)
            gain = self.rbm_.free_energy(flipped) - self.rbm_.free_energy(part)
            return np.asarray(-v.shape[1] * np.logaddexp(0, -gain))

        return in_parts(score, v)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.positive_only = self.out_of_range == "error"
        return tags


#: The parameters that scikit-learn's estimator has.
SCIKIT_LEARN = ("n_components", "learning_rate", "batch_size", "n_iter", "verbose", "random_state")
