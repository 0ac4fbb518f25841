"""The softmax RBM estimator: categorical data, for example the pitches of several voices."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ictus.models.boltzmann.boltzmann_estimator import (
    ATTRIBUTES,
    PARAMETERS,
    BoltzmannEstimator,
    in_parts,
)
from ictus.models.boltzmann.gibbs import check_steps
from ictus.models.boltzmann.rbm import RBM

Array = NDArray[Any]


class SoftmaxRBM(BoltzmannEstimator):
    __doc__ = (
        """A restricted Boltzmann machine with softmax visible units as a transformer.

    Each feature is one of ``n_categories`` categories (Salakhutdinov, Mnih & Hinton 2007).

    Parameters
    ----------
    n_categories : int, optional
        Of each feature. Needed for one-hot data; of codes, their maximum + 1 if not given.
    encoding : {"codes", "one-hot"}
        What X holds: an integer 0 .. n_categories - 1 a feature, or ``n_categories`` columns a
        feature of which one is 1. Samples and completions come in the same form, codes as the
        most probable category; use "one-hot" for probabilities."""
        + PARAMETERS
        + """

    Attributes
    ----------"""
        + ATTRIBUTES
        + """    n_categories_ : int
    """
    )

    visible_type = "softmax"
    score_name: ClassVar[str] = "pseudo-likelihood"
    _fitted: ClassVar[tuple[str, ...]] = ("n_categories_",)

    def __init__(
        self,
        n_components: int = 256,
        *,
        n_categories: int | None = None,
        encoding: str = "codes",
        learning_rate: float = 0.05,
        batch_size: int = 100,
        n_iter: int = 10,
        verbose: int = 0,
        random_state: Any = None,
        k: int = 1,
        persistent: bool = False,
        fast_weights: bool = False,
        momentum: float | None = None,
        l1: float = 0.0,
        l2: float = 0.0,
        sparsity_target: float = 0.1,
        sparsity_cost: float = 0.0,
        hidden_type: str = "bernoulli",
        learning_rate_decay: float = 1.0,
        shuffle: bool = True,
        initialize_biases: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        gap_limit: float | None = None,
        patience: int = 5,
        dtype: str = "auto",
        progress: bool | None = False,
        checkpoint: Any = None,
        device: str = "cpu",
    ) -> None:
        self.n_components = n_components
        self.n_categories = n_categories
        self.encoding = encoding
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
        self.device = device

    # --- codes -----------------------------------------------------------------------------------

    def _check(self, X: Any, *, reset: bool, missing: bool = False) -> Array:
        X = super()._check(X, reset=reset, missing=missing)
        if self.encoding not in ("codes", "one-hot"):
            raise ValueError(f"encoding must be codes or one-hot, got {self.encoding!r}")
        given = X[~np.isnan(X)]
        if self.encoding == "codes" and ((given < 0) | (given != np.round(given))).any():
            negative = given[given < 0]
            wrong = negative[0] if negative.size else given[given != np.round(given)][0]
            what = "Negative values in data: " if wrong < 0 else ""
            raise ValueError(f"{what}X must hold integer codes from 0 on, got {wrong:g}")
        if reset:
            self.n_categories_ = self._count_categories(X)
        if self.encoding == "codes" and given.size and given.max() >= self.n_categories_:
            raise ValueError(
                f"X must hold codes below n_categories {self.n_categories_}, got {given.max():g}"
            )
        return np.asarray(X)

    def _count_categories(self, X: Array) -> int:
        if self.n_categories is not None:
            count = check_steps(self.n_categories, "n_categories")
        elif self.encoding == "codes":
            count = int(X.max()) + 1
        else:
            raise ValueError("n_categories must be given for one-hot data, got None")
        if self.encoding == "one-hot" and X.shape[1] % count:
            raise ValueError(
                f"X must have n_categories columns a feature: {X.shape[1]} columns are no multiple "
                f"of {count}"
            )
        return count

    def _encode(self, X: Array) -> Array:
        if self.encoding == "one-hot":
            return X
        codes = np.nan_to_num(X).astype(np.int64)
        v = np.zeros((*X.shape, self.n_categories_), X.dtype)
        np.put_along_axis(v, codes[..., None], 1, axis=2)
        return v.reshape(len(X), -1)

    def _decode(self, v: Array, *, mean: bool) -> Array:
        if self.encoding == "one-hot":
            return v
        return np.asarray(v.reshape(len(v), -1, self.n_categories_).argmax(axis=2))

    def complete(self, X: Any, known: Any = None, *, steps: int = 200) -> Array:
        """Return X with what is not known replaced by what is most probable given the rest.

        Parameters
        ----------
        X : array, shape (n_samples, n_features)
        known : array of bool, shape (n_samples, n_features) or (n_features,), optional
            Where not given, what is NaN is not known.
        steps : int
            Of the Gibbs chains; the means are over their second half.
        """
        if known is None:
            known = ~np.isnan(np.asarray(X, np.float64))
        known = np.asarray(known)
        if self.encoding == "codes":
            # A code of the wrong range does not matter where it is not known.
            X = np.where(known, np.asarray(X, np.float64), np.nan)
            known = np.repeat(known, self.n_categories_, axis=-1)
        return super().complete(X, known, steps=steps)

    # --- use -------------------------------------------------------------------------------------

    def _new_machine(self, units: int, options: dict[str, Any]) -> RBM:
        return super()._new_machine(units, options | {"group_size": self.n_categories_})

    def score_samples(self, X: Any) -> Array:
        """Return the pseudo-likelihood of each row, a proxy of the log-likelihood.

        The sum over the features of the log-probability of the feature's category given the other
        features (Besag 1975).
        """
        v = self._use(X)
        return in_parts(self._pseudo_likelihood, v)

    def _pseudo_likelihood(self, v: Array) -> Array:
        size = self.n_categories_
        groups = v.reshape(len(v), -1, size)
        total = np.zeros(len(v))
        for feature in range(groups.shape[1]):
            changed = groups.copy()
            energies = np.empty((len(v), size))
            for category in range(size):
                changed[:, feature] = np.eye(size, dtype=v.dtype)[category]
                energies[:, category] = self.rbm_.free_energy(changed.reshape(v.shape))
            log_p = -energies - np.logaddexp.reduce(-energies, axis=1, keepdims=True)
            total += (groups[:, feature] * log_p).sum(axis=1)
        return total

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.categorical = self.encoding == "codes"
        tags.input_tags.positive_only = True
        return tags
