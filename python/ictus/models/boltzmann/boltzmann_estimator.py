"""What the estimators of Boltzmann machines share: parameters, data checks, training, sampling.

No mathematics: an estimator translates X and its parameters into an RBM and a DivergenceTrainer.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ictus.kernels._device import to_host
from ictus.models.boltzmann.divergence import MOMENTUM, DivergenceTrainer
from ictus.models.boltzmann.gibbs import check_steps
from ictus.models.boltzmann.rbm import RBM
from ictus.models.boltzmann.report import Report
from ictus.models.estimator_state import estimator_state, restored_estimator
from ictus.models.examples import ROWS_AT_ONCE, validate_data
from ictus.train import Exponential, GapStopping

Array = NDArray[Any]

#: Parameters of every estimator here, for their docstrings.
PARAMETERS = """
    n_components : int
        Hidden units.
    learning_rate : float
    batch_size : int
        Examples in a minibatch, and number of persistent chains.
    n_iter : int
        Passes over the data in ``fit``.
    verbose : int
        Whether to print a line an epoch.
    random_state : int, RandomState or None
        The same int gives the same bits, whatever the number of threads.
    k : int
        Steps of the chain for each update: CD-k, or PCD-k.
    persistent : bool
        Chains go on from update to update (PCD, Tieleman 2008) instead of starting at the data.
    fast_weights : bool
        Persistent chains with fast weights, which make them mix (Tieleman & Hinton 2009).
    momentum : float or None
        None: 0.5, and 0.9 from the sixth epoch on (Hinton 2010, section 9).
    l1, l2 : float
        Penalties on the weights, not on the biases.
    sparsity_target, sparsity_cost : float
        Each hidden unit's mean activity is drawn towards the target; cost 0: not.
    hidden_type : {"bernoulli", "rectified", "gaussian"}
        rectified: noisy rectified linear units (Nair & Hinton 2010).
    learning_rate_decay : float
        Factor of the learning rate after each epoch.
    shuffle : bool
        A new order of the examples in each epoch.
    initialize_biases : bool
        Start with visible biases that fit the data's means (Hinton 2010, section 8).
    early_stopping : bool
        Hold out ``validation_fraction`` of the data, end when the free-energy gap has been above
        ``gap_limit`` for ``patience`` epochs, and keep the last parameters below it.
    validation_fraction : float in (0, 1)
    gap_limit : float, optional
        In nats an example; a hundredth of a nat for each visible unit if not given.
    patience : int
    dtype : {"auto", "float32", "float64"}
        Of parameters and arithmetic; "auto": that of X. float32 is twice as fast.
    progress : bool or None
        Progress bar; None: where standard error is a terminal.
    checkpoint : path, optional
        Where ``fit`` writes its state after each epoch, and from where it goes on if the file is
        there; the result has the same bits as without an interruption.
    device : {"cpu", "cuda"}
        Where the machine is trained and used; "cuda" needs a build with CUDA, CuPy and a GPU. Data
        and results are NumPy arrays either way."""

#: Attributes of every estimator here, for their docstrings.
ATTRIBUTES = """
    components_ : array, shape (n_components, n visible units)
        The weights.
    intercept_hidden_ : array, shape (n_components,)
    intercept_visible_ : array, shape (n visible units,)
    h_samples_ : array, shape (batch_size, n_components)
        Hidden states of the persistent chains.
    rbm_ : ictus.models.RBM
        The machine itself.
    history_ : ictus.train.History
        Reconstruction error, size of updates and, with early stopping, free energies an epoch.
    n_features_in_ : int
    feature_names_in_ : array of str
        Where X had names.
"""


class BoltzmannEstimator(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Base of the estimators; a subclass names its parameters and says what X means."""

    visible_type: Any  # a parameter of ConditionalRBM
    #: What score_samples gives, for the line that ``verbose`` prints.
    score_name: ClassVar[str] = "minus free energy"
    _machine: ClassVar[type[RBM]] = RBM
    _trainer_type: ClassVar[type[DivergenceTrainer]] = DivergenceTrainer
    _fitted: ClassVar[tuple[str, ...]] = ()  # attributes that a model file keeps beside the rest

    n_components: int
    learning_rate: float
    batch_size: int
    n_iter: int
    verbose: int
    random_state: Any
    k: int
    persistent: bool
    fast_weights: bool
    momentum: float | None
    l1: float
    l2: float
    sparsity_target: float
    sparsity_cost: float
    hidden_type: str
    learning_rate_decay: float
    shuffle: bool
    initialize_biases: bool
    early_stopping: bool
    validation_fraction: float
    gap_limit: float | None
    patience: int
    dtype: str
    progress: bool | None
    checkpoint: Any
    device: str

    # --- what a subclass says --------------------------------------------------------------------

    def _encode(self, X: Any) -> Any:
        """Return checked X as visible states."""
        return X

    def _decode(self, v: Array, *, mean: bool) -> Array:
        """Return visible states, or means of them, in the form of X."""
        return v

    def _new_machine(self, units: int, options: dict[str, Any]) -> RBM:
        """Return the machine."""
        return RBM(units, self.n_components, visible_type=self.visible_type, **options)

    def _trainer_options(self) -> dict[str, Any]:
        """Return more arguments of the trainer."""
        return {}

    # --- training --------------------------------------------------------------------------------

    def _check(self, X: Any, *, reset: bool, missing: bool = False) -> Any:
        finite: Any = "allow-nan" if missing else True
        sparse = "csr" if self.__sklearn_tags__().input_tags.sparse else False
        return validate_data(
            self,
            X,
            reset=reset,
            accept_sparse=sparse,
            dtype=(np.float64, np.float32),
            ensure_all_finite=finite,
        )

    def _seed(self) -> int:
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _begin(self, v: Any, dtype: Any) -> None:
        """Make machine and trainer anew."""
        for name in ("n_components", "batch_size", "k"):
            check_steps(getattr(self, name), name)
        check_steps(self.n_iter, "n_iter", 0)
        for name in ("learning_rate", "learning_rate_decay"):
            if not 0 < getattr(self, name) < np.inf:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)!r}")
        seed = self._seed()
        options = {
            "hidden_type": self.hidden_type,
            "dtype": dtype if self.dtype == "auto" else self.dtype,
            "seed": seed,
        }
        self.rbm_ = self._new_machine(v.shape[1], options).to(self.device)
        self._trainer = self._make_trainer(seed)
        self._n_features_out = self.n_components

    def _make_trainer(self, seed: int) -> DivergenceTrainer:
        units = self.rbm_.visible_units
        limit = units / 100 if self.gap_limit is None else self.gap_limit
        return self._trainer_type(
            self.rbm_,
            steps=self.k,
            persistent=self.persistent,
            particles=self.batch_size,
            fast_weights=self.fast_weights,
            learning_rate=Exponential(float(self.learning_rate), self.learning_rate_decay),
            momentum=MOMENTUM if self.momentum is None else self.momentum,
            l1=self.l1,
            l2=self.l2,
            sparsity_target=self.sparsity_target,
            sparsity_cost=self.sparsity_cost,
            initialize_biases=self.initialize_biases,
            batch_size=self.batch_size,
            epochs=self.n_iter,
            shuffle=self.shuffle,
            seed=seed,
            early_stopping=GapStopping(limit, self.patience) if self.early_stopping else None,
            progress=self.progress,
            checkpoint=self.checkpoint,
            **self._trainer_options(),
        )

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train anew on X, shape (n_samples, n_features); y is not used."""
        X = self._check(X, reset=True)
        v = self._encode(X)
        self._begin(v, X.dtype)
        self._train(v, X)
        return self

    def _train(self, v: Any, X: Any) -> None:
        trainer, validation = self._trainer, None
        if self.early_stopping:
            from sklearn.model_selection import train_test_split

            if not 0 < self.validation_fraction < 1:
                raise ValueError(
                    f"validation_fraction must be in (0, 1), got {self.validation_fraction!r}"
                )
            training, held_out = train_test_split(
                np.arange(v.shape[0]), test_size=self.validation_fraction, random_state=trainer.seed
            )
            v, validation = v[np.sort(training)], v[np.sort(held_out)]
        if self.verbose:
            trainer.callbacks.append(Report(self, lambda: self.score_samples(X).mean()))
        trainer.resume()
        self._run(v, validation=validation)
        trainer.callbacks.clear()

    def _run(self, v: Any, **options: Any) -> None:
        self.history_ = self._trainer.fit(v, **options)
        if self._trainer.particles is not None:
            self.h_samples_ = to_host(self._trainer.particles)

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Make one update, an epoch of its own, with all of X as its minibatch; y is not used."""
        first = not hasattr(self, "_trainer")
        X = self._check(X, reset=first)
        v = self._encode(X)
        if first:
            self._begin(v, X.dtype)
        self._trainer.early_stopping = None
        self._trainer.batch_size = v.shape[0]
        self._run(v, epochs=1)
        return self

    # --- use -------------------------------------------------------------------------------------

    @property
    def components_(self) -> Array:  # its owners say what it is
        return to_host(self.rbm_.weights).T  # type: ignore[no-any-return]

    @property
    def intercept_hidden_(self) -> Array:
        return to_host(self.rbm_.hidden_bias)  # type: ignore[no-any-return]

    @property
    def intercept_visible_(self) -> Array:
        return to_host(self.rbm_.visible_bias)  # type: ignore[no-any-return]

    @property
    def weight_update_(self) -> Array:
        """The last update of the weights, (n visible units, n_components), after training."""
        return to_host(self._trainer.weight_update)  # type: ignore[no-any-return]

    def _use(self, X: Any, *, missing: bool = False) -> Any:
        """Return X checked for use with the fitted machine, as visible states."""
        check_is_fitted(self, "rbm_")
        return self._encode(self._check(X, reset=False, missing=missing))

    def transform(self, X: Any) -> Array:
        """Return the means of the hidden units given X, shape (n_samples, n_components)."""
        v = self._use(X)
        return in_parts(self.rbm_.mean_hiddens, v)

    def score_samples(self, X: Any) -> Array:
        """Return the log-likelihood of each row but for one constant of the machine, log Z."""
        v = self._use(X)
        return -in_parts(self.rbm_.free_energy, v)

    def gibbs(self, v: Any) -> Array:
        """Return visible states after one step of Gibbs sampling from v."""
        v = self._use(v)
        return self._decode(self.rbm_.gibbs(v), mean=False)

    def sample(
        self, n_samples: int = 1, *, steps: int = 1000, start: Any = None, mean: bool = False
    ) -> Array:
        """Return fantasies: states at the end of Gibbs chains, in the form of X.

        Parameters
        ----------
        n_samples : int
        steps : int
        start : array, shape (n_samples, n_features), optional
            Where the chains start; by default draws with the hidden units off.
        mean : bool
            Return the means of the last step instead of its draws: smoother pictures.
        """
        check_is_fitted(self, "rbm_")
        first = None if start is None else self._use(start)
        return self._decode(self.rbm_.sample(n_samples, steps, first, mean=mean), mean=mean)

    def reconstruct(self, X: Any) -> Array:
        """Return X as the means of the hidden units tell it."""
        v = self._use(X)
        return self._decode(in_parts(self.rbm_.reconstruct, v), mean=True)

    def denoise(self, X: Any, *, noise: float | None = None, steps: int = 50) -> Array:
        """Return the posterior mean of clean data given noisy X; see :meth:`RBM.denoise`."""
        v = self._use(X)
        return self._decode(
            in_parts(lambda part: self.rbm_.denoise(part, noise=noise, steps=steps), v), mean=True
        )

    def complete(self, X: Any, known: Any = None, *, steps: int = 200) -> Array:
        """Return X with what is not known replaced by its mean given the rest.

        Parameters
        ----------
        X : array, shape (n_samples, n_features)
        known : array of bool, shape (n_samples, n_features) or (n_features,), optional
            Where not given, what is NaN is not known.
        steps : int
            Of the Gibbs chains; the mean is over their second half.
        """
        v = self._use(X, missing=True)
        return self._decode(self.rbm_.complete(v, self._known(known, v), steps), mean=True)

    def _known(self, known: Any, v: Array) -> Any:
        return known

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """Return names of the features that :meth:`transform` gives."""
        check_is_fitted(self, "rbm_")
        prefix = type(self).__name__.lower()
        return np.array([f"{prefix}{i}" for i in range(self.n_components)], dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    # --- model files -----------------------------------------------------------------------------

    def __ictus_getstate__(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return plain data and tensors for a model file."""
        check_is_fitted(self, "rbm_")
        config = estimator_state(self, self._fitted)
        config["machine"] = self.rbm_.config()
        tensors = {"parameters": to_host(self.rbm_.parameters)}
        if hasattr(self, "h_samples_"):
            tensors["h_samples"] = self.h_samples_
        return config, tensors

    @classmethod
    def __ictus_setstate__(cls, config: dict[str, Any], tensors: dict[str, Array]) -> Any:
        """Make the fitted estimator from what a model file holds."""
        model = restored_estimator(cls, config, cls._fitted)
        model.rbm_ = model._restored_machine(config["machine"], tensors["parameters"])
        model._n_features_out = model.rbm_.hidden_units
        if "h_samples" in tensors:
            model.h_samples_ = tensors["h_samples"]
        return model

    def _restored_machine(self, config: dict[str, Any], parameters: Array) -> RBM:
        rbm = self._machine.from_config(config, parameters)
        one_hot = getattr(self, "encoding", "codes") == "one-hot"
        units = self.n_features_in_ * (1 if one_hot else getattr(self, "n_categories_", 1))
        if (rbm.visible_type, rbm.visible_units) != (self.visible_type, units):
            raise ValueError(f"the machine has {rbm.visible_units} {rbm.visible_type} units")
        return rbm


def in_parts(function: Any, v: Any) -> Array:
    """Return function(v) computed by parts of the rows, which are made dense."""
    parts = [v[first : first + ROWS_AT_ONCE] for first in range(0, v.shape[0], ROWS_AT_ONCE)]
    results = [function(p.toarray() if hasattr(p, "toarray") else p) for p in parts]
    return results[0] if len(results) == 1 else np.concatenate(results)
