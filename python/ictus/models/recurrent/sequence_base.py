"""What the estimators of sequences share: parameters, building, training, model files."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import check_is_fitted

from ictus.models.estimator_state import restored_value
from ictus.models.optimizers import estimator_batch_size, estimator_optimizer
from ictus.nn import (
    GRU,
    LSTM,
    Bidirectional,
    Dense,
    Dropout,
    Layer,
    Recurrent,
    SequenceNetwork,
)
from ictus.train import Convergence, EarlyStopping, SequenceTrainer

Array = NDArray[Any]

CELLS: dict[str, Any] = {"lstm": LSTM, "gru": GRU, "recurrent": Recurrent}


class SequenceEstimator(BaseEstimator):  # type: ignore[misc]
    """Base of the estimators of sequences.

    ``X`` is a list of sequences of any lengths, each an array (steps, features).

    Parameters
    ----------
    units : tuple of int
        Units of each recurrent layer (of each direction).
    cell : {"lstm", "gru", "recurrent"}
    bidirectional : bool
        Each layer also reads the sequence from its end.
    dropout : float in [0, 1)
        Of the outputs of each recurrent layer, not of its recurrent connections.
    class_weight : {"balanced"}, dict or None
        Weights of the classes in the loss, where there are classes.
    optimizer : {"adam", "sgd", "rmsprop", "hessian-free"}
        With hessian-free a gradient is of all sequences, not of a minibatch, and not clipped, and
        an epoch is one iteration; see :class:`ictus.optim.HessianFree`.
    learning_rate : float, optional
        0.001 for adam and rmsprop, 0.1 for sgd, 1 for hessian-free if not given.
    momentum : float
        Of sgd and rmsprop.
    clip_norm : float, optional
        Upper bound of the gradient's length (Pascanu et al. 2013).
    l2 : float
        Penalty on the weights.
    batch_size : int
        Sequences in a minibatch.
    truncate : int, optional
        Truncated backpropagation through time; see :class:`ictus.train.SequenceTrainer`.
    max_epochs, tol, patience, early_stopping, validation_fraction
        As of :class:`ictus.models.MLPClassifier`.
    dtype : {"float32", "float64"}
    random_state : int, RandomState or None
        Of initial weights, order, and dropout: the same int gives the same bits.
    progress : bool or None
    checkpoint : path, optional
    optimizer_options : dict, optional
        More arguments of the optimiser, by name.
    device : {"cpu", "cuda"}
        As of :class:`ictus.models.MLPClassifier`.

    Attributes
    ----------
    network_ : ictus.nn.SequenceNetwork
    history_ : ictus.train.History
    n_iter_ : int
    n_features_in_ : int
    """

    _fitted: ClassVar[tuple[str, ...]] = ()
    _output: ClassVar[str] = "steps"

    def __init__(
        self,
        units: tuple[int, ...] = (50,),
        cell: str = "lstm",
        *,
        bidirectional: bool = False,
        dropout: float = 0.0,
        class_weight: Any = None,
        optimizer: str = "adam",
        learning_rate: float | None = None,
        momentum: float = 0.9,
        clip_norm: float | None = 5.0,
        l2: float = 0.0,
        batch_size: int = 8,
        truncate: int | None = None,
        max_epochs: int = 100,
        tol: float = 1e-4,
        patience: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        dtype: str = "float32",
        random_state: Any = None,
        progress: bool | None = False,
        checkpoint: Any = None,
        optimizer_options: dict[str, Any] | None = None,
        device: str = "cpu",
    ) -> None:
        self.units = units
        self.cell = cell
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.class_weight = class_weight
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.clip_norm = clip_norm
        self.l2 = l2
        self.batch_size = batch_size
        self.truncate = truncate
        self.max_epochs = max_epochs
        self.tol = tol
        self.patience = patience
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.dtype = dtype
        self.random_state = random_state
        self.progress = progress
        self.checkpoint = checkpoint
        self.optimizer_options = optimizer_options
        self.device = device

    # --- building ------------------------------------------------------------------------------

    def _first_layers(self) -> list[Layer]:
        return []

    def _layers(self, outputs: int, last: bool) -> list[Layer]:
        if self.cell not in CELLS:
            raise ValueError(f"cell must be one of {', '.join(CELLS)}, got {self.cell!r}")
        units = [int(n) for n in np.atleast_1d(self.units)]
        if not units:
            raise ValueError("units must name at least one recurrent layer, got none")
        layers = self._first_layers()
        for number, count in enumerate(units):
            whole = last and number == len(units) - 1
            layer = CELLS[self.cell](count, output="last" if whole else "steps")
            layers.append(Bidirectional(layer) if self.bidirectional else layer)
            if self.dropout:
                layers.append(Dropout(self.dropout))
        return [*layers, Dense(outputs)]

    def _start(
        self, features: int, outputs: int, loss: str, *, last: bool, class_weights: Any = None
    ) -> None:
        """Make network and trainer anew."""
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        self.network_ = SequenceNetwork(
            features, self._layers(outputs, last), loss, dtype=np.dtype(self.dtype), seed=seed
        ).to(self.device)
        self._trainer = SequenceTrainer(
            self.network_,
            estimator_optimizer(self),
            truncate=self.truncate,
            class_weights=class_weights,
            batch_size=estimator_batch_size(self),
            epochs=self.max_epochs,
            seed=seed,
            convergence=None if self.early_stopping else Convergence(self.tol, self.patience),
            early_stopping=EarlyStopping(self.patience, self.tol) if self.early_stopping else None,
            progress=self.progress,
            checkpoint=self.checkpoint,
        )

    def _train(self, X: list[Array], y: Any, weights: Any = None) -> None:
        validation = None
        if self.early_stopping:
            if not 0 < self.validation_fraction < 1:
                raise ValueError(
                    f"validation_fraction must be in (0, 1), got {self.validation_fraction!r}"
                )
            held_out = max(1, round(self.validation_fraction * len(X)))
            if held_out >= len(X):
                raise ValueError(f"early_stopping needs at least 2 sequences, got {len(X)}")
            order = np.random.Generator(np.random.PCG64(self._trainer.seed)).permutation(len(X))
            test, train = order[:held_out], order[held_out:]
            validation = ([X[i] for i in test], [y[i] for i in test])
            weights = None if weights is None else [weights[i] for i in train]
            X, y = [X[i] for i in train], [y[i] for i in train]
        self._trainer.resume()
        self.history_ = self._trainer.fit(X, y, weights=weights, validation=validation)
        self.n_iter_ = self._trainer.epoch
        self.n_features_in_ = self.network_.input_size

    @staticmethod
    def _features(X: Any) -> int:
        """Features of a frame, from the first sequence."""
        if len(X) == 0:
            raise ValueError("X must have at least one sequence, got 0")
        first = np.asarray(X[0])
        if first.ndim != 2:
            raise ValueError(
                f"X must be a list of arrays (steps, features), got shape {first.shape} in X[0]"
            )
        return int(first.shape[1])

    def _class_weights(self, y: Array) -> Array | None:
        """Weights of ``classes_`` in the loss, from the labels of the training data."""
        if self.class_weight is None:
            return None
        classes = self.classes_
        return np.asarray(compute_class_weight(self.class_weight, classes=classes, y=y))

    def _outputs(self, X: Any) -> Any:
        check_is_fitted(self, "network_")
        return self.network_.predict(X)

    # --- model files -----------------------------------------------------------------------------

    def __ictus_getstate__(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return plain data and tensors for a model file."""
        check_is_fitted(self, "network_")
        parameters = self.get_params(deep=False)
        if not isinstance(parameters["random_state"], int | type(None)):
            parameters["random_state"] = None
        parameters["checkpoint"] = None
        config = {
            "parameters": {name: _plain(value) for name, value in parameters.items()},
            "fitted": {name: _plain(getattr(self, name)) for name in self._fitted},
            "network": self.network_.config(),
        }
        return config, self.network_.tensors()

    @classmethod
    def __ictus_setstate__(cls, config: dict[str, Any], tensors: dict[str, Array]) -> Any:
        """Make the fitted estimator from what a model file holds."""
        unknown = set(config["parameters"]) - set(inspect.signature(cls.__init__).parameters)
        if unknown:
            raise ValueError(f"unknown parameter {sorted(unknown)[0]!r}")
        parameters = dict(config["parameters"])
        parameters["units"] = tuple(np.atleast_1d(parameters["units"]).tolist())
        model = cls(**parameters)
        network = SequenceNetwork.from_config(config["network"], tensors["parameters"])
        assert isinstance(network, SequenceNetwork)
        model.network_ = network
        model.n_features_in_ = model.network_.input_size
        for name in cls._fitted:
            setattr(model, name, restored_value(name, config["fitted"][name]))
        classes = getattr(model, "classes_", None)
        if classes is not None and len(classes) < network.output_size:
            raise ValueError("there are fewer classes than outputs")
        return model


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    return value.item() if isinstance(value, np.generic) else value
