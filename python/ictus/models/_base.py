"""What the estimators of dense networks share: parameters, data checks, training, features.

No mathematics: an estimator translates ``X, y`` and its parameters into a Network and a Trainer.
"""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from ictus.models._parameters import DENSE, Check, check_parameters, is_integer
from ictus.models.estimator_state import estimator_state, restored_estimator
from ictus.models.examples import validate_data
from ictus.models.optimizers import estimator_batch_size, estimator_optimizer
from ictus.models.pretraining.pretrain import PretrainedLayer, pretrain
from ictus.nn import Dense, Dropout, Layer, Network
from ictus.nn.shapes import size_of
from ictus.train import Constant, Convergence, EarlyStopping, Exponential, Trainer

Array = NDArray[Any]

_TRAINED = ("n_iter_", "loss_")  # what every fitted model notes of its training


class DenseEstimator(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Base of MLPClassifier and MLPRegressor; their docstrings name the parameters."""

    _numeric_targets: ClassVar[bool] = False
    _table: ClassVar[dict[str, Check]] = DENSE
    _fitted: ClassVar[tuple[str, ...]] = ()  # attributes that a model file keeps beside the network

    def __init__(
        self,
        hidden_units: tuple[int, ...] = (100,),
        activation: str = "relu",
        *,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        initialization: str = "auto",
        optimizer: str = "adam",
        learning_rate: float | None = None,
        learning_rate_decay: float = 1.0,
        momentum: float = 0.9,
        batch_size: int = 100,
        max_epochs: int = 200,
        tol: float = 1e-4,
        patience: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        l1: float = 0.0,
        l2: float = 0.0,
        max_norm: float | None = None,
        clip_norm: float | None = None,
        shuffle: bool = True,
        dtype: str = "auto",
        random_state: Any = None,
        progress: bool | None = False,
        checkpoint: Any = None,
        pretrain: str | None = None,
        pretraining_epochs: int = 10,
        pretraining_learning_rate: float | None = None,
        optimizer_options: dict[str, Any] | None = None,
        device: str = "cpu",
    ) -> None:
        self.hidden_units = hidden_units
        self.activation = activation
        self.dropout = dropout
        self.input_dropout = input_dropout
        self.initialization = initialization
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.learning_rate_decay = learning_rate_decay
        self.momentum = momentum
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.tol = tol
        self.patience = patience
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.l1 = l1
        self.l2 = l2
        self.max_norm = max_norm
        self.clip_norm = clip_norm
        self.shuffle = shuffle
        self.dtype = dtype
        self.random_state = random_state
        self.progress = progress
        self.checkpoint = checkpoint
        self.pretrain = pretrain
        self.pretraining_epochs = pretraining_epochs
        self.pretraining_learning_rate = pretraining_learning_rate
        self.optimizer_options = optimizer_options
        self.device = device

    # --- building ------------------------------------------------------------------------------

    def _layers(self, outputs: int) -> list[Layer]:
        layers: list[Layer] = [Dropout(self.input_dropout)] if self.input_dropout else []
        units = np.atleast_1d(np.asarray(self.hidden_units, dtype=object))
        for count in units:
            layers.append(
                Dense(
                    count,
                    self.activation,
                    dropout=self.dropout,
                    initialization=self.initialization,
                )
            )
        # The output layer starts small, so that the first predictions are undecided.
        rule = "glorot" if self.initialization == "auto" else self.initialization
        return [*layers, Dense(outputs, initialization=rule)]

    def _input_shape(self, X: Array) -> Any:
        """The shape of an example, as the network takes it."""
        return X.shape[1]

    def _start(self, X: Array, outputs: int, loss: str) -> None:
        """Make network and trainer anew."""
        check_parameters(self, self._table)
        dtype = X.dtype if self.dtype == "auto" else np.dtype(self.dtype)
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        shape, layers = self._input_shape(X), self._layers(outputs)
        self.network_ = Network(shape, layers, loss, dtype=dtype, seed=seed).to(self.device)
        self._trainer = self._make_trainer(seed)

    def _make_trainer(self, seed: int) -> Trainer:
        optimizer = estimator_optimizer(self)
        rate = optimizer.learning_rate
        decays = self.learning_rate_decay != 1.0
        return Trainer(
            self.network_,
            optimizer,
            batch_size=estimator_batch_size(self),
            epochs=self.max_epochs,
            shuffle=self.shuffle,
            seed=seed,
            learning_rate=Exponential(rate, self.learning_rate_decay) if decays else Constant(rate),
            convergence=None if self.early_stopping else Convergence(self.tol, self.patience),
            early_stopping=EarlyStopping(self.patience, self.tol) if self.early_stopping else None,
            progress=self.progress,
            checkpoint=self.checkpoint,
        )

    # --- training ------------------------------------------------------------------------------

    def _train(self, X: Array, y: Array, sample_weight: Array | None, stratify: Any) -> None:
        validation = None
        if self.early_stopping:
            from sklearn.model_selection import train_test_split

            if len(X) < 2:
                raise ValueError(f"early_stopping needs at least 2 samples, got {len(X)}")
            rows = np.arange(len(X))
            training, held_out = train_test_split(
                rows,
                test_size=self.validation_fraction,
                random_state=self._trainer.seed,
                stratify=stratify,
            )
            validation = (X[held_out], y[held_out])
            X, y = X[training], y[training]
            sample_weight = None if sample_weight is None else sample_weight[training]
        if self.checkpoint is not None:
            # In a grid search, say, the checkpoint of one fold must not serve another.
            self._trainer.data_digest = _digest(X, y, sample_weight)
        if self.pretrain is not None and not self._pretrain(X, y):
            return
        self._trainer.resume()
        self.history_ = self._trainer.fit(X, y, weights=sample_weight, validation=validation)
        self.n_iter_ = self._trainer.epoch
        self.loss_ = self.history_["loss"][-1] if self.history_.epochs else float("nan")

    def _pretrain(self, X: Array, y: Array) -> bool:
        """Pre-train the hidden layers; return whether there was no interruption."""
        stages = pretrain(
            self.network_,
            X,
            y if self.pretrain == "supervised" else None,
            str(self.pretrain),
            batch_size=self.batch_size,
            checkpoint=self.checkpoint,
            data_digest=self._trainer.data_digest or "",
            progress=self.progress,
            **self._pretraining_options(),
        )
        self.pretraining_ = [stage.history for stage in stages]
        if stages and stages[-1].history.interrupted:
            self.history_, self.n_iter_ = stages[-1].history, 0
            self.loss_ = float("nan")
            return False
        self._take_pretrained(stages)
        return True

    def _pretraining_options(self) -> dict[str, Any]:
        return {"epochs": self.pretraining_epochs, "learning_rate": self.pretraining_learning_rate}

    def _take_pretrained(self, stages: list[PretrainedLayer]) -> None:
        """Use what pre-training found beside the hidden layers."""

    def _train_one_epoch(self, X: Array, y: Array, sample_weight: Array | None) -> None:
        trainer = self._trainer
        trainer.early_stopping = None
        self.history_ = trainer.fit(X, y, weights=sample_weight, epochs=1)
        self.n_iter_ = trainer.epoch
        self.loss_ = self.history_["loss"][-1]

    def _check_data(self, X: Any, y: Any, *, reset: bool) -> tuple[Array, Array]:
        X, y = validate_data(
            self,
            X,
            y,
            reset=reset,
            dtype=[np.float64, np.float32],
            multi_output=True,
            y_numeric=self._numeric_targets,
        )
        return X, y

    def _check_weights(self, sample_weight: Any, X: Array) -> Array | None:
        if sample_weight is None:
            return None
        weights: Array = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        return weights

    # --- use -----------------------------------------------------------------------------------

    def _outputs(self, X: Any) -> Array:
        X = self._checked_examples(X)
        return self.network_.predict(X)

    def _checked_examples(self, X: Any) -> Array:
        """Examples for a fitted model, as rows."""
        check_is_fitted(self, "network_")
        checked: Array = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        return checked

    def _hidden_layers(self) -> list[int]:
        """The numbers of the layers whose outputs are features."""
        layers = self.network_.layers
        return [i for i, each in enumerate(layers) if isinstance(each, Dense)][:-1]

    def transform(self, X: Any, layer: int = -1) -> Array:
        """Return the outputs of a hidden layer: features for any other classifier.

        Parameters
        ----------
        X : array-like, shape (n_samples, n_features)
        layer : int
            Which hidden layer: 0 is the first, -1 the last.

        Returns
        -------
        array, shape (n_samples, units of that layer)
        """
        X = self._checked_examples(X)
        hidden = self._hidden_layers()
        if not is_integer(layer) or not -len(hidden) <= layer < len(hidden):
            raise ValueError(
                f"layer must be in {-len(hidden)} .. {len(hidden) - 1} for {len(hidden)} hidden "
                f"layers, got {layer!r}"
            )
        return self.network_.activations(X, hidden[layer]).reshape(len(X), -1)

    @property
    def _n_features_out(self) -> int:
        return size_of(self.network_.layer_shape(self._hidden_layers()[-1]))

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """Return names of the features that :meth:`transform` gives."""
        check_is_fitted(self, "network_")
        prefix = type(self).__name__.lower()
        return np.array([f"{prefix}{i}" for i in range(self._n_features_out)], dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = False
        if tags.transformer_tags is not None:
            tags.transformer_tags.preserves_dtype = []
        return tags

    # --- model files -----------------------------------------------------------------------------

    def __ictus_getstate__(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return plain data and tensors for a model file."""
        check_is_fitted(self, "network_")
        config = estimator_state(self, (*self._fitted, *_TRAINED))
        parameters = config["parameters"]
        parameters["hidden_units"] = [int(n) for n in np.atleast_1d(self.hidden_units)]
        parameters["dtype"] = self.dtype if self.dtype == "auto" else np.dtype(self.dtype).name
        parameters["checkpoint"] = None
        config["network"] = self.network_.config()
        return config, self.network_.tensors()

    @classmethod
    def __ictus_setstate__(cls, config: dict[str, Any], tensors: dict[str, Array]) -> Any:
        """Make the fitted estimator from what a model file holds."""
        # The first files did not say how the model was trained.
        fitted = {"n_iter_": 0, "loss_": float("nan")} | config["fitted"]
        model = restored_estimator(cls, config | {"fitted": fitted}, (*cls._fitted, *_TRAINED))
        model.checkpoint = None  # a file that comes from elsewhere names no place to write
        parameters, state = tensors["parameters"], tensors.get("state")
        model.network_ = Network.from_config(config["network"], parameters, state)
        if model.n_features_in_ != model.network_.input_size:
            raise ValueError("n_features_in differs from the network's input")
        classes = getattr(model, "classes_", None)
        if classes is not None and len(classes) < model.network_.output_size:
            raise ValueError("there are fewer classes than outputs")
        # partial_fit goes on from the weights, with the optimiser's state anew.
        check_parameters(model, cls._table)
        model._trainer = model._make_trainer(model.network_.seed)
        model._trainer.epoch = int(model.n_iter_)
        return model


def _digest(*arrays: Array | None) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        if array is not None:
            digest.update(f"{array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
