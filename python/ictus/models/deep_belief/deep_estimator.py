"""What the estimators of deep belief nets share: layers, training in phases, sampling, files.

No mathematics: an estimator translates X and its parameters into machines and trainers.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ictus.kernels._device import to_host
from ictus.models._base import _digest
from ictus.models._parameters import DEEP, LAYER, check_parameters
from ictus.models.boltzmann.boltzmann_estimator import BoltzmannEstimator, in_parts
from ictus.models.boltzmann.conditional_rbm import ConditionalRBM
from ictus.models.boltzmann.divergence import DivergenceTrainer
from ictus.models.boltzmann.rbm import RBM
from ictus.models.boltzmann.softmax_rbm import SoftmaxRBM
from ictus.models.deep_belief.deep_belief_machine import DeepBeliefMachine
from ictus.models.deep_belief.greedy import train_greedily
from ictus.models.deep_belief.layer_settings import (
    layer_estimators,
    layer_parameters,
    layer_states,
    restored_layers,
)
from ictus.models.deep_belief.wake_sleep import UpDownTrainer
from ictus.models.examples import validate_data
from ictus.train import Exponential, History, Schedule

Array = NDArray[Any]


class DeepBeliefEstimator(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Base of DeepBeliefNet and DBNClassifier; their docstrings name the parameters."""

    _fitted: ClassVar[tuple[str, ...]] = ()  # attributes that a model file keeps beside the rest
    _phases: ClassVar[tuple[str | None, ...]] = (None, "up-down")

    hidden_units: Any
    layers: Any
    visible_type: str
    fine_tune: str | None
    fine_tune_epochs: int
    fine_tune_learning_rate: float | None
    fine_tune_learning_rate_decay: float
    fine_tune_batch_size: int
    fine_tune_steps: Any
    dtype: Any
    random_state: Any
    progress: bool | None
    checkpoint: Any
    device: str

    # --- data --------------------------------------------------------------------------------

    def _check_data(self, X: Any, *, reset: bool, missing: bool = False, **targets: Any) -> Any:
        finite: Any = "allow-nan" if missing else True
        kinds = (np.float64, np.float32)
        return validate_data(self, X, reset=reset, dtype=kinds, ensure_all_finite=finite, **targets)

    def _use(self, X: Any, *, missing: bool = False) -> Array:
        """Return X checked for use with the fitted net, as visible states."""
        check_is_fitted(self, "machine_")
        X = self._check_data(X, reset=False, missing=missing)
        return np.asarray(self._first._encode(X))

    # --- training ----------------------------------------------------------------------------

    def _labels(self) -> int:
        """How many label units the top has."""
        return 0

    def _make_layers(self, X: Array) -> list[BoltzmannEstimator]:
        """An estimator for each layer, from `layers` or from the parameters."""
        if self.layers is None:
            made = layer_estimators(self)
        else:
            given = self.layers
            if not isinstance(given, Sequence) or not given:
                raise ValueError(f"layers must be a sequence of RBM estimators, got {given!r}")
            for each in given:
                if not isinstance(each, BoltzmannEstimator) or isinstance(each, ConditionalRBM):
                    raise ValueError(f"layers must hold RBM estimators, got {each!r}")
                if each.early_stopping:
                    raise ValueError("layers must not stop early: early_stopping=False")
            made = [clone(each) for each in given]
        for each in made:
            check_parameters(each, LAYER)
            each.progress = self.progress
        if isinstance(made[0], SoftmaxRBM):
            made[0].n_features_in_ = X.shape[1]
            made[0].n_categories_ = made[0]._count_categories(X)
        return made

    def _make_machines(self, units: int, labels: int, dtype: Any, seed: int) -> list[RBM]:
        machines = []
        for number, each in enumerate(self._layers):
            top = number == len(self._layers) - 1
            options: dict[str, Any] = {
                "hidden_type": each.hidden_type,
                "dtype": dtype,
                "seed": seed + number,
            }
            if top and labels:
                if each.visible_type != "bernoulli":
                    raise ValueError(
                        "the top layer must have bernoulli visible units beside its labels, got "
                        f"{each.visible_type}"
                    )
                options |= {"visible_type": "labelled", "group_size": labels}
                machine = RBM(units + labels, each.n_components, **options)
            else:
                machine = each._new_machine(units, options)
            machines.append(machine.to(self.device))
            units = machine.hidden_units
        return machines

    def _fit_layers(self, X: Array, y: Array | None) -> Any:
        """Train the stack; return the visible states, or None where it was interrupted."""
        check_parameters(self, DEEP)
        if self.fine_tune not in self._phases:
            known = ", ".join(map(repr, self._phases))
            raise ValueError(
                f"{type(self).__name__}: fine_tune must be one of {known}, got {self.fine_tune!r}"
            )
        self._layers = self._make_layers(X)
        self._first = self._layers[0]
        v = np.asarray(self._first._encode(X))
        dtype = X.dtype if self.dtype == "auto" else np.dtype(self.dtype)
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max - 100))
        machines = self._make_machines(v.shape[1], self._labels(), dtype, seed)
        self._seed = seed
        self._digest = None if self.checkpoint is None else _digest(v, y)

        def make_trainer(number: int) -> DivergenceTrainer:
            each = self._layers[number]
            each.rbm_ = machines[number]
            each.checkpoint = self._checkpoint(f"layer{number}")
            trainer = each._make_trainer(seed + number)
            trainer.data_digest = self._digest
            return trainer

        labels = None
        if y is not None and self._labels():
            labels = np.eye(self._labels(), dtype=dtype)[y]
        self.histories_ = train_greedily(machines, v, make_trainer, labels)
        self.history_ = self.histories_[-1]
        for each in self._layers:
            each.__dict__.pop("rbm_", None)
        self.machine_ = DeepBeliefMachine.from_machines(machines, seed)
        self._n_features_out = self.machine_.hidden_units
        return None if self.history_.interrupted else v

    def _checkpoint(self, phase: str) -> str | None:
        """The file of one phase of training."""
        return None if self.checkpoint is None else f"{os.fspath(self.checkpoint)}.{phase}"

    def _rate(self, default: float) -> Schedule:
        rate = self.fine_tune_learning_rate
        return Exponential(
            default if rate is None else float(rate), self.fine_tune_learning_rate_decay
        )

    def _fine_tune_up_down(self, v: Array, y: Array | None) -> None:
        """Train the whole net by contrastive wake-sleep."""
        self.machine_ = self.machine_.untied()
        trainer = UpDownTrainer(
            self.machine_,
            learning_rate=self._rate(0.01),
            steps=self.fine_tune_steps,
            batch_size=self.fine_tune_batch_size,
            epochs=self.fine_tune_epochs,
            seed=self._seed,
            progress=self.progress,
            checkpoint=self._checkpoint("up-down"),
        )
        trainer.data_digest = self._digest
        trainer.resume()
        self._note(trainer.fit(v, y))

    def _note(self, history: History) -> None:
        self.history_ = history
        self.histories_.append(history)

    # --- use ---------------------------------------------------------------------------------

    def transform(self, X: Any, layer: int = -1) -> Array:
        """Return the means of a layer's hidden units given X, (n_samples, units of the layer).

        Parameters
        ----------
        X : array-like, shape (n_samples, n_features)
        layer : int
            0: the lowest; -1: the top.
        """
        v = self._use(X)
        return in_parts(lambda part: self.machine_.mean_hiddens(part, layer), v)

    def _encoded_label(self, label: Any) -> Any:
        """Return a label, or some, as numbers of the label units."""
        return label

    def sample(
        self,
        n_samples: int = 1,
        *,
        steps: int = 1000,
        start: Any = None,
        mean: bool = False,
        **label: Any,
    ) -> Array:
        """Return fantasies of the net, in the form of X.

        Parameters
        ----------
        n_samples : int
        steps : int
            Gibbs steps at the top before the pass down.
        start : array, shape (n_samples, n_features), optional
            Where the chains start; by default at the top's biases.
        mean : bool
            Return means of the visible units instead of draws: smoother pictures.
        label : class, or array of them, shape (n_samples,), optional
            Of a classifier: what the label units are clamped to.
        """
        check_is_fitted(self, "machine_")
        first = None if start is None else self._use(start)
        label = {name: self._encoded_label(value) for name, value in label.items()}
        drawn = self.machine_.sample(n_samples, steps, first, mean=mean, **label)
        return self._first._decode(drawn, mean=mean)

    def reconstruct(self, X: Any) -> Array:
        """Return X as the means of the top's hidden units tell it."""
        v = self._use(X)
        return self._first._decode(in_parts(self.machine_.reconstruct, v), mean=True)

    def denoise(self, X: Any, *, noise: float | None = None, steps: int = 50) -> Array:
        """Return the mean of clean data given noisy X; see :meth:`DeepBeliefMachine.denoise`."""
        v = self._use(X)
        found = in_parts(lambda part: self.machine_.denoise(part, noise=noise, steps=steps), v)
        return self._first._decode(found, mean=True)

    def complete(self, X: Any, known: Any = None, *, steps: int = 200) -> Array:
        """Return X with what is not known replaced by its mean given the rest.

        Parameters
        ----------
        X : array, shape (n_samples, n_features)
        known : array of bool, shape (n_samples, n_features) or (n_features,), optional
            Where not given, what is NaN is not known.
        steps : int
            Of chains through all layers; the mean is over their second half.
        """
        if isinstance(self._first, SoftmaxRBM) and self._first.encoding == "codes":
            known = ~np.isnan(np.asarray(X, np.float64)) if known is None else np.asarray(known)
            X = np.where(known, np.asarray(X, np.float64), np.nan)
            known = np.repeat(known, self._first.n_categories_, axis=-1)
        v = self._use(X, missing=True)
        return self._first._decode(self.machine_.complete(v, known, steps), mean=True)

    def _squared_error(self, X: Any) -> float:
        v = self._use(X)
        squares = np.square(v - in_parts(self.machine_.reconstruct, v))
        return float(squares.mean(dtype=np.float64))

    @property
    def components_(self) -> Array:
        """The recognition weights of the lowest layer, (units, features)."""
        parts = self.machine_.parts
        return np.asarray(to_host(parts[0].weights)[: self.machine_.visible_units].T)

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """Return names of the features that :meth:`transform` gives."""
        check_is_fitted(self, "machine_")
        prefix = type(self).__name__.lower()
        return np.array([f"{prefix}{i}" for i in range(self._n_features_out)], dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        first = self.layers[0] if self.layers else self
        tags.input_tags.positive_only = getattr(first, "visible_type", "") != "gaussian"
        return tags

    # --- model files -------------------------------------------------------------------------

    def __ictus_getstate__(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return plain data and tensors for a model file."""
        check_is_fitted(self, "machine_")
        config = layer_parameters(self, self._fitted)
        config["machine"] = self.machine_.config()
        config["layers"] = layer_states(self._layers)
        return config, {"parameters": to_host(self.machine_.parameters)}

    @classmethod
    def __ictus_setstate__(cls, config: dict[str, Any], tensors: dict[str, Array]) -> Any:
        """Make the fitted estimator from what a model file holds."""
        model = restored_layers(cls, config, cls._fitted)
        model._first = model._layers[0]
        model.machine_ = DeepBeliefMachine.from_config(config["machine"], tensors["parameters"])
        model._n_features_out = model.machine_.hidden_units
        return model
