"""Estimators over sequences: a label for each step, or a class or values for each sequence."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_is_fitted

from ictus.models.recurrent.sequence_base import SequenceEstimator

Array = NDArray[Any]


def _encode(classes: Array, y: Array, where: str) -> Array:
    """Numbers of the classes in y."""
    indices = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
    if not np.array_equal(classes[indices], y):
        unknown = sorted(set(np.unique(y).tolist()) - set(classes.tolist()))
        raise ValueError(f"{where} holds unknown classes {unknown}")
    return indices


class SequenceLabeler(SequenceEstimator):
    """Labels every step of a sequence: one of several classes, or independent activations.

    Parameters
    ----------
    See :class:`SequenceEstimator`.

    Attributes
    ----------
    classes_ : array
        The classes, sorted; with independent activations, their numbers.
    multilabel_ : bool

    Examples
    --------
    >>> model = SequenceLabeler((25, 25, 25), bidirectional=True)
    >>> model.fit([features_1, features_2], [labels_1, labels_2])  # doctest: +SKIP
    """

    _fitted: ClassVar[tuple[str, ...]] = ("classes_", "multilabel_")

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SequenceLabeler:
        """Train anew.

        Parameters
        ----------
        X : list of array-like, each (steps, features)
        y : list of array-like, each (steps,) of classes, or (steps, outputs) in [0, 1]
            Of independent activations: sigmoid outputs.
        sample_weight : list, optional
            Of each sequence a number, or an array (steps,); 0 masks a step.

        Returns
        -------
        SequenceLabeler
            self
        """
        features = self._features(X)
        if len(y) != len(X):
            raise ValueError(f"y must have {len(X)} sequences like X, got {len(y)}")
        targets = [np.asarray(one) for one in y]
        ranks = sorted({one.ndim for one in targets})
        if ranks not in ([1], [2]):
            raise ValueError(f"y must hold arrays of rank 1, or of rank 2, got ranks {ranks}")
        self.multilabel_ = ranks == [2]
        class_weights = None
        if self.multilabel_:
            self.classes_ = np.arange(targets[0].shape[1])
            loss = "binary_cross_entropy"
            if self.class_weight is not None:
                raise ValueError("class_weight must be None where y has independent activations")
        else:
            joined = np.concatenate(targets)
            self.classes_ = np.unique(joined)
            loss = "softmax_cross_entropy"
            targets = [_encode(self.classes_, one, "y") for one in targets]
            class_weights = self._class_weights(joined)
        self._start(features, len(self.classes_), loss, last=False, class_weights=class_weights)
        self._train(X, targets, sample_weight)
        return self

    def predict_proba(self, X: Any) -> list[Array]:
        """Return probabilities, a list of arrays (steps, classes)."""
        outputs: list[Array] = self._outputs(X)
        return outputs

    def predict(self, X: Any) -> list[Array]:
        """Return the most probable class of each step, or which activations are above 1/2."""
        if self.multilabel_:
            return [(p > 0.5).astype(int) for p in self.predict_proba(X)]
        return [self.classes_[p.argmax(axis=1)] for p in self.predict_proba(X)]

    def score(self, X: Any, y: Any) -> float:
        """Return the share of steps whose label is right (all of them, if several)."""
        predicted = np.concatenate(self.predict(X))
        return float(accuracy_score(np.concatenate([np.asarray(one) for one in y]), predicted))


class SequenceClassifier(ClassifierMixin, SequenceEstimator):  # type: ignore[misc]
    """Gives each sequence one of several classes, from the last output of the last layer.

    Parameters
    ----------
    See :class:`SequenceEstimator`.

    Attributes
    ----------
    classes_ : array
        The classes, sorted.
    """

    _fitted: ClassVar[tuple[str, ...]] = ("classes_",)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SequenceClassifier:
        """Train anew on sequences (steps, features) and their classes y, shape (n_sequences,)."""
        features = self._features(X)
        y = np.asarray(y)
        if y.shape != (len(X),):
            raise ValueError(f"y must have shape ({len(X)},), got {y.shape}")
        self.classes_ = np.unique(y)
        weights = self._class_weights(y)
        self._start(
            features, len(self.classes_), "softmax_cross_entropy", last=True, class_weights=weights
        )
        self._train(X, _encode(self.classes_, y, "y"), sample_weight)
        return self

    def predict_proba(self, X: Any) -> Array:
        """Return probabilities of the classes, shape (n_sequences, n_classes)."""
        outputs: Array = self._outputs(X)
        return outputs

    def predict(self, X: Any) -> Array:
        """Return the most probable class of each sequence."""
        check_is_fitted(self, "network_")
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


class SequenceRegressor(RegressorMixin, SequenceEstimator):  # type: ignore[misc]
    """Predicts values for each sequence, or for each of its steps, by the squared error.

    Parameters
    ----------
    See :class:`SequenceEstimator`.

    Attributes
    ----------
    per_step_ : bool
        Whether the targets in ``fit`` had a row a step.
    n_outputs_ : int
    """

    _fitted: ClassVar[tuple[str, ...]] = ("per_step_", "n_outputs_", "one_dimensional_")

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SequenceRegressor:
        """Train anew.

        Parameters
        ----------
        X : list of array-like, each (steps, features)
        y : array-like, shape (n_sequences,) or (n_sequences, outputs)
            Or a list of arrays, each (steps,) or (steps, outputs): values for every step.
        sample_weight : list, optional
        """
        features = self._features(X)
        if len(y) != len(X):
            raise ValueError(f"y must have {len(X)} sequences like X, got {len(y)}")
        if self.class_weight is not None:
            raise ValueError(f"class_weight must be None, got {self.class_weight!r}")
        self.per_step_ = isinstance(y, list) and np.ndim(y[0]) > 0
        targets: Any = [np.asarray(one, float) for one in y]
        rank = 1 if self.per_step_ else 0
        self.one_dimensional_ = targets[0].ndim == rank
        self.n_outputs_ = 1 if self.one_dimensional_ else int(targets[0].shape[-1])
        if not self.per_step_:
            targets = np.stack(targets)
        self._start(features, self.n_outputs_, "squared_error", last=not self.per_step_)
        self._train(X, targets, sample_weight)
        return self

    def predict(self, X: Any) -> Any:
        """Return values in the shape that y had in ``fit``."""
        outputs = self._outputs(X)
        if not self.one_dimensional_:
            return outputs
        return [one[:, 0] for one in outputs] if self.per_step_ else outputs[:, 0]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the coefficient of determination (over all steps, if y has a row a step)."""
        from sklearn.metrics import r2_score

        predicted = self.predict(X)
        if self.per_step_:
            predicted, y = np.concatenate(predicted), np.concatenate([np.asarray(v) for v in y])
        return float(r2_score(y, predicted, sample_weight=sample_weight))
