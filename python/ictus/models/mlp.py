"""Multilayer perceptrons as scikit-learn estimators: classification and regression."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted

from ictus.models._base import DenseEstimator

Array = NDArray[Any]

_PARAMETERS = """
    Parameters
    ----------
    hidden_units : tuple of int
        Units of each hidden layer.
    activation : {"relu", "sigmoid", "tanh", "softplus", "identity"}
        Of the hidden units.
    dropout, input_dropout : float in [0, 1)
        Probability of dropping a hidden unit, or an input, in training.
    initialization : {"auto", "glorot", "he", "lecun", "gaussian", "sparse"}
        Rule of the initial weights; see ictus.nn.initialization.
    optimizer : {"adam", "sgd", "rmsprop", "hessian-free"}
        With hessian-free a gradient is of all examples, not of a minibatch, an epoch is one
        iteration, and there is no dropout; see :class:`ictus.optim.HessianFree`.
    learning_rate : float, optional
        0.001 for adam and rmsprop, 0.1 for sgd, 1 for hessian-free if not given.
    learning_rate_decay : float
        Factor of the learning rate after each epoch.
    momentum : float
        Of sgd and rmsprop.
    batch_size : int
        Examples in a minibatch.
    max_epochs : int
        The most passes over the data.
    tol, patience : float, int
        Training ends when the loss (with early_stopping, the validation loss) has not improved by
        ``tol`` for ``patience`` epochs.
    early_stopping : bool
        Hold out ``validation_fraction`` of the data, and keep the weights that are best on it.
    validation_fraction : float in (0, 1)
    l1, l2 : float
        Penalties on the weights (not the biases), added to the gradient.
    max_norm : float, optional
        Upper bound of the length of each unit's incoming weights.
    clip_norm : float, optional
        Upper bound of the gradient's length.
    shuffle : bool
        A new order of the examples in each epoch.
    dtype : {"auto", "float32", "float64"}
        Of weights and arithmetic; "auto": that of X. float32 is twice as fast.
    random_state : int, RandomState or None
        Of initial weights, order, and dropout. The same int gives the same bits, whatever the
        number of threads.
    progress : bool or None
        Progress bar; None: where standard error is a terminal.
    checkpoint : path, optional
        Where ``fit`` writes its state after each epoch, and from where it goes on if the file is
        there; the result has the same bits as without an interruption. Pre-training keeps its own
        beside it, one a layer.
    pretrain : {"rbm", "autoencoder", "supervised"}, optional
        Greedy pre-training of the hidden layers before the training of the whole; see
        :func:`ictus.models.pretrain`.
    pretraining_epochs : int
        Of each layer.
    pretraining_learning_rate : float, optional
    optimizer_options : dict, optional
        More arguments of the optimiser, by name: ``{"damping": 10.0}``, ``{"nesterov": True}``.
    device : {"cpu", "cuda"}
        Where the network is trained and predicts; "cuda" needs a build with CUDA, CuPy and a GPU.
        Data and predictions are NumPy arrays either way, and model files do not depend on it.

    Attributes
    ----------
    network_ : ictus.nn.Network
    history_ : ictus.train.History
    pretraining_ : list of ictus.train.History
        One for each pre-trained layer, with ``pretrain``.
    n_iter_ : int
        Epochs trained.
    loss_ : float
        Training loss of the last epoch.
    n_features_in_ : int
    feature_names_in_ : array of str
        Where X had names.
"""


class MLPClassifier(ClassifierMixin, DenseEstimator):  # type: ignore[misc]
    __doc__ = (
        """A multilayer perceptron classifier: softmax outputs, or sigmoid ones for several labels.
"""
        + _PARAMETERS
        + """    classes_ : array
        The classes, sorted.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> model = MLPClassifier((64,), dropout=0.2, max_epochs=20, random_state=0).fit(X / 16, y)
    """
    )

    _fitted: ClassVar[tuple[str, ...]] = ("classes_", "multilabel_")

    def _encode(self, y: Array) -> Array:
        """Targets as the network takes them."""
        if self.multilabel_:
            return np.asarray(y, np.float32)
        indices = np.searchsorted(self.classes_, y)
        indices = np.minimum(indices, len(self.classes_) - 1)
        if not np.array_equal(self.classes_[indices], y):
            unknown = sorted(set(np.unique(y)) - set(self.classes_))
            raise ValueError(f"y holds classes that were not named at first: {unknown}")
        return indices

    def _begin(self, X: Array, y: Array, classes: Any) -> None:
        self.multilabel_ = type_of_target(y, input_name="y") == "multilabel-indicator"
        if self.multilabel_:
            self.classes_ = np.arange(y.shape[1])
        else:
            self.classes_ = np.unique(y if classes is None else classes)
        loss = "binary_cross_entropy" if self.multilabel_ else "softmax_cross_entropy"
        self._start(X, len(self.classes_), loss)

    def _check(self, X: Any, y: Any, *, reset: bool) -> tuple[Array, Array]:
        X, y = self._check_data(X, y, reset=reset)
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y")
        if kind == "multiclass-multioutput":
            raise ValueError(
                "y must hold classes, shape (n_samples,), or 0 and 1 for each of several labels, "
                f"shape (n_samples, n_labels); got {kind} of shape {y.shape}"
            )
        if y.ndim == 2 and y.shape[1] == 1:
            from sklearn.utils import column_or_1d

            y = column_or_1d(y, warn=True)
        return X, y

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPClassifier:
        """Train anew on X, shape (n_samples, n_features), and classes y.

        Parameters
        ----------
        X : array-like, shape (n_samples, n_features)
        y : array-like, shape (n_samples,), or indicators (n_samples, n_labels)
        sample_weight : array-like, shape (n_samples,), optional

        Returns
        -------
        MLPClassifier
            self
        """
        X, y = self._check(X, y, reset=True)
        weights = self._check_weights(sample_weight, X)
        self._begin(X, y, None)
        targets = self._encode(y)
        self._train(X, targets, weights, None if self.multilabel_ else targets)
        return self

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> MLPClassifier:
        """Train for one pass over X; the first call needs all classes (or finds them in y)."""
        first = not hasattr(self, "_trainer")
        X, y = self._check(X, y, reset=first)
        weights = self._check_weights(sample_weight, X)
        if first:
            self._begin(X, y, classes)
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(f"classes differ from those of the first call: {self.classes_}")
        self._train_one_epoch(X, self._encode(y), weights)
        return self

    def predict_proba(self, X: Any) -> Array:
        """Return probabilities of classes (or of each label), shape (n_samples, n_classes)."""
        return self._outputs(X)

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithm of :meth:`predict_proba`."""
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(self._outputs(X)))

    def predict(self, X: Any) -> Array:
        """Return the most probable class of each row, or the labels more likely than not."""
        outputs = self._outputs(X)
        if self.multilabel_:
            return np.asarray((outputs > 0.5).astype(int))
        return np.asarray(self.classes_[outputs.argmax(axis=1)])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class MLPRegressor(RegressorMixin, DenseEstimator):  # type: ignore[misc]
    __doc__ = (
        """A multilayer perceptron with linear outputs, trained on the squared error.
"""
        + _PARAMETERS
        + """    n_outputs_ : int
        Number of targets.
    """
    )

    _numeric_targets: ClassVar[bool] = True
    _fitted: ClassVar[tuple[str, ...]] = ("n_outputs_", "one_dimensional_")

    def _begin(self, X: Array, y: Array) -> None:
        self.one_dimensional_ = y.ndim == 1
        self.n_outputs_ = 1 if y.ndim == 1 else y.shape[1]
        self._start(X, self.n_outputs_, "squared_error")

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPRegressor:
        """Train anew.

        Parameters
        ----------
        X : array-like, shape (n_samples, n_features)
        y : array-like, shape (n_samples,) or (n_samples, n_outputs)
            Better standardised: the initial outputs are of the order of 1.
        sample_weight : array-like, shape (n_samples,), optional

        Returns
        -------
        MLPRegressor
            self
        """
        X, y = self._check_data(X, y, reset=True)
        weights = self._check_weights(sample_weight, X)
        self._begin(X, y)
        self._train(X, y.reshape(len(y), -1), weights, None)
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> MLPRegressor:
        """Train for one pass over X, y."""
        first = not hasattr(self, "_trainer")
        X, y = self._check_data(X, y, reset=first)
        weights = self._check_weights(sample_weight, X)
        if first:
            self._begin(X, y)
        self._train_one_epoch(X, y.reshape(len(y), -1), weights)
        return self

    def predict(self, X: Any) -> Array:
        """Return the outputs, shape (n_samples,) or (n_samples, n_outputs) as y had it."""
        check_is_fitted(self, "network_")
        outputs = self._outputs(X)
        return outputs[:, 0] if self.one_dimensional_ else outputs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
