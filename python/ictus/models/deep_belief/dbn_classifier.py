"""The deep belief net as a classifier."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from ictus.models._parameters import BACKPROPAGATION, check_parameters
from ictus.models.boltzmann.boltzmann_estimator import in_parts
from ictus.models.deep_belief.deep_belief_net import LAYERS, REST, TRAINING
from ictus.models.deep_belief.deep_estimator import DeepBeliefEstimator
from ictus.models.deep_belief.unrolling import unrolled
from ictus.nn import Network
from ictus.optim import SGD
from ictus.train import Trainer

Array = NDArray[Any]


class DBNClassifier(ClassifierMixin, DeepBeliefEstimator):  # type: ignore[misc]
    __doc__ = (
        """A deep belief net as a classifier (Hinton, Osindero & Teh 2006).

    The machine at the top sees the labels beside the layer below. It classifies by the free energy
    of each label, exactly; or the net becomes a network, to be trained by backpropagation.
"""
        + LAYERS
        + """
    label_units : bool
        Whether the top sees labels. Without, only backpropagation makes a classifier.
    fine_tune : {"backpropagation", "up-down", None}
        How all layers are then trained together: as a feed-forward network; by contrastive
        wake-sleep, so that the net can still dream; not at all."""
        + TRAINING.format(rates="0.1 for backpropagation and 0.01 for up-down if not given.")
        + """
    fine_tune_momentum : float
        Of backpropagation.
    dropout, input_dropout : float in [0, 1)
        Of backpropagation: probability of dropping a hidden unit, or an input.
    max_norm : float, optional
        Of backpropagation: bound of the length of each unit's incoming weights."""
        + REST
        + """    network_ : ictus.nn.Network
        Where there was backpropagation.
    classes_ : array
        The classes, sorted.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> model = DBNClassifier((64, 64), random_state=0).fit(X / 16, y)
    >>> threes = model.sample(5, label=3)
    """
    )

    _fitted: ClassVar[tuple[str, ...]] = ("classes_",)
    _phases: ClassVar[tuple[str | None, ...]] = ("backpropagation", "up-down", None)

    def __init__(
        self,
        hidden_units: tuple[int, ...] = (500, 500),
        *,
        visible_type: str = "bernoulli",
        layers: Any = None,
        learning_rate: Any = None,
        learning_rate_decay: Any = 1.0,
        momentum: Any = None,
        n_iter: Any = 10,
        batch_size: Any = 100,
        k: Any = 1,
        persistent: Any = False,
        l1: Any = 0.0,
        l2: Any = 0.0,
        sparsity_target: Any = 0.1,
        sparsity_cost: Any = 0.0,
        label_units: bool = True,
        fine_tune: str | None = "backpropagation",
        fine_tune_epochs: int = 20,
        fine_tune_learning_rate: float | None = None,
        fine_tune_learning_rate_decay: float = 1.0,
        fine_tune_batch_size: int = 100,
        fine_tune_steps: Any = 3,
        fine_tune_momentum: float = 0.9,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        max_norm: float | None = None,
        dtype: Any = "auto",
        random_state: Any = None,
        progress: bool | None = False,
        checkpoint: Any = None,
        device: str = "cpu",
    ) -> None:
        self.hidden_units = hidden_units
        self.visible_type = visible_type
        self.layers = layers
        self.learning_rate = learning_rate
        self.learning_rate_decay = learning_rate_decay
        self.momentum = momentum
        self.n_iter = n_iter
        self.batch_size = batch_size
        self.k = k
        self.persistent = persistent
        self.l1 = l1
        self.l2 = l2
        self.sparsity_target = sparsity_target
        self.sparsity_cost = sparsity_cost
        self.label_units = label_units
        self.fine_tune = fine_tune
        self.fine_tune_epochs = fine_tune_epochs
        self.fine_tune_learning_rate = fine_tune_learning_rate
        self.fine_tune_learning_rate_decay = fine_tune_learning_rate_decay
        self.fine_tune_batch_size = fine_tune_batch_size
        self.fine_tune_steps = fine_tune_steps
        self.fine_tune_momentum = fine_tune_momentum
        self.dropout = dropout
        self.input_dropout = input_dropout
        self.max_norm = max_norm
        self.dtype = dtype
        self.random_state = random_state
        self.progress = progress
        self.checkpoint = checkpoint
        self.device = device

    # --- training ----------------------------------------------------------------------------

    def _labels(self) -> int:
        return len(self.classes_) if self.label_units else 0

    def fit(self, X: Any, y: Any) -> Self:
        """Train anew.

        Parameters
        ----------
        X : array-like, shape (n_samples, n_features)
        y : array-like, shape (n_samples,)
            Classes.

        Returns
        -------
        DBNClassifier
            self
        """
        check_parameters(self, BACKPROPAGATION)
        if not self.label_units and self.fine_tune != "backpropagation":
            raise ValueError(
                f"fine_tune must be 'backpropagation' without label units, got {self.fine_tune!r}"
            )
        X, y = self._check_data(X, reset=True, y=y)
        check_classification_targets(y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        v = self._fit_layers(X, numbers)
        if self.fine_tune == "backpropagation":
            self._backpropagate(v, numbers)
        elif v is not None and self.fine_tune == "up-down":
            self._fine_tune_up_down(v, numbers)
        return self

    def _backpropagate(self, v: Array | None, y: Array) -> None:
        self.network_ = unrolled(
            self.machine_,
            len(self.classes_),
            dropout=self.dropout,
            input_dropout=self.input_dropout,
        )
        if v is None:
            return  # interrupted before
        rate = self._rate(0.1)
        trainer = Trainer(
            self.network_,
            SGD(rate(0.0), self.fine_tune_momentum, max_norm=self.max_norm),
            batch_size=self.fine_tune_batch_size,
            epochs=self.fine_tune_epochs,
            seed=self._seed,
            learning_rate=rate,
            progress=self.progress,
            checkpoint=self._checkpoint("backpropagation"),
        )
        trainer.data_digest = self._digest
        trainer.resume()
        self._note(trainer.fit(v, y))

    # --- use ---------------------------------------------------------------------------------

    @property
    def _is_network(self) -> bool:
        return self.fine_tune == "backpropagation"

    def predict_log_proba(self, X: Any) -> Array:
        """Return the logarithm of :meth:`predict_proba`."""
        if self._is_network:
            p = self.predict_proba(X)
            with np.errstate(divide="ignore"):
                return np.asarray(np.log(p))
        return in_parts(self.machine_.log_label_probabilities, self._use(X))

    def predict_proba(self, X: Any) -> Array:
        """Return the probability of each class, shape (n_samples, n_classes)."""
        v = self._use(X)
        if self._is_network:
            return self.network_.predict(v.astype(self.network_.dtype))
        return np.asarray(np.exp(in_parts(self.machine_.log_label_probabilities, v)))

    def predict(self, X: Any) -> Array:
        """Return the most probable class of each row."""
        check_is_fitted(self, "machine_")
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])

    def transform(self, X: Any, layer: int = -1) -> Array:
        """Return the activities of a hidden layer given X, (n_samples, units of the layer).

        After backpropagation those of the network, else the means of the net's units.

        Parameters
        ----------
        X : array-like, shape (n_samples, n_features)
        layer : int
            0: the lowest; -1: the top.
        """
        check_is_fitted(self, "machine_")
        if not self._is_network:
            return super().transform(X, layer)
        v = self._use(X)
        hidden = [i for i, each in enumerate(self.network_.layers) if each.parameter_shapes][:-1]
        if isinstance(layer, bool) or not -len(hidden) <= layer < len(hidden):
            raise ValueError(f"layer must be in {-len(hidden)} .. {len(hidden) - 1}, got {layer!r}")
        return self.network_.activations(v.astype(self.network_.dtype), hidden[layer])

    def _encoded_label(self, label: Any) -> Any:
        if label is None:
            return None
        if not self.label_units:
            raise ValueError("label must be None: the net has no label units")
        given = np.asarray(label)
        numbers = np.minimum(np.searchsorted(self.classes_, given), len(self.classes_) - 1)
        unknown = np.atleast_1d(given)[np.atleast_1d(self.classes_[numbers] != given)]
        if len(unknown):
            known = ", ".join(map(str, self.classes_))
            raise ValueError(f"label must be one of {known}, got {unknown[0]}")
        return numbers

    # --- model files -------------------------------------------------------------------------

    def __ictus_getstate__(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return plain data and tensors for a model file."""
        config, tensors = super().__ictus_getstate__()
        if self._is_network:
            config["network"] = self.network_.config()
            tensors["network"] = self.network_.tensors()["parameters"]
        return config, tensors

    @classmethod
    def __ictus_setstate__(cls, config: dict[str, Any], tensors: dict[str, Array]) -> Any:
        """Make the fitted estimator from what a model file holds."""
        model = super().__ictus_setstate__(config, tensors)
        if model._is_network:
            model.network_ = Network.from_config(config["network"], tensors["network"])
        return model
