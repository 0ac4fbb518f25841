"""The mean-covariance RBM as a scikit-learn transformer."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ictus.kernels._device import to_host
from ictus.models.boltzmann.hybrid_divergence import HybridDivergenceTrainer
from ictus.models.boltzmann.mean_covariance import MeanCovarianceMachine, topographic_pooling
from ictus.models.estimator_state import estimator_state, restored_estimator
from ictus.models.examples import validate_data
from ictus.train import GapStopping

Array = NDArray[Any]


class MeanCovarianceRBM(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Features of real data by a mean-covariance RBM (Ranzato & Hinton, CVPR 2010).

    Whiten the data first, where the filters' structure counts:
    ``make_pipeline(PCA(0.99, whiten=True), MeanCovarianceRBM())``. Without, standardise them at
    least: the model expects deviations of about 1.

    Parameters
    ----------
    covariance_units : int
        Units that model how features vary together. With ``pooling="topographic"`` a square.
    mean_units : int
        Units that model the mean.
    pooling : {"fixed", "learned", "topographic"}
        fixed: each covariance unit sees one filter. learned: P starts there and is learned after
        ``pooling_epoch``. topographic: the filters lie on a sheet, each unit sees 3 x 3 of them.
    features : {"all", "covariance", "mean"}
        What :meth:`transform` gives.
    learning_rate, learning_rate_decay, momentum, l1, l2, persistent, leapfrog_steps, \
target_acceptance, pooling_epoch
        See :class:`ictus.models.HybridDivergenceTrainer`.
    batch_size : int
        Examples in a minibatch, and number of persistent chains.
    n_iter : int
        Passes over the data in ``fit``.
    early_stopping : bool
        Hold out ``validation_fraction`` of the data; end when an example of the training set is
        more probable than a held-out one by ``gap_limit`` nats for ``patience`` epochs.
    validation_fraction : float in (0, 1)
    gap_limit : float
    patience : int
    dtype : {"auto", "float32", "float64"}
        "auto": that of X.
    random_state : int, RandomState or None
        The same int gives the same bits, whatever the number of threads.
    progress : bool or None
    checkpoint : path, optional
        Where ``fit`` writes its state after each epoch and goes on from.
    device : {"cpu", "cuda"}
        Where the machine is trained and used; reconstruction solves its equations on the host.

    Attributes
    ----------
    machine_ : MeanCovarianceMachine
    components_ : array, shape (covariance_units, n_features)
        The filters.
    mean_components_ : array, shape (mean_units, n_features)
    step_size_ : float
        Of the leapfrog, as adapted.
    history_ : ictus.train.History
    n_features_in_ : int
    feature_names_in_ : array of str

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((500, 20))
    >>> model = MeanCovarianceRBM(16, 8, n_iter=2, random_state=0).fit(X)
    >>> model.transform(X).shape
    (500, 24)
    """

    _fitted: ClassVar[tuple[str, ...]] = ("step_size_",)

    def __init__(
        self,
        covariance_units: int = 256,
        mean_units: int = 100,
        *,
        pooling: str = "fixed",
        features: str = "all",
        learning_rate: float = 0.05,
        learning_rate_decay: float = 20.0,
        momentum: float = 0.0,
        l1: float = 1e-5,
        l2: float = 0.0,
        pooling_epoch: float = 10.0,
        persistent: bool = True,
        leapfrog_steps: int = 20,
        target_acceptance: float = 0.9,
        batch_size: int = 128,
        n_iter: int = 50,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        gap_limit: float = 1.0,
        patience: int = 5,
        dtype: str = "auto",
        random_state: Any = None,
        progress: bool | None = False,
        checkpoint: Any = None,
        device: str = "cpu",
    ) -> None:
        self.covariance_units = covariance_units
        self.mean_units = mean_units
        self.pooling = pooling
        self.features = features
        self.learning_rate = learning_rate
        self.learning_rate_decay = learning_rate_decay
        self.momentum = momentum
        self.l1 = l1
        self.l2 = l2
        self.pooling_epoch = pooling_epoch
        self.persistent = persistent
        self.leapfrog_steps = leapfrog_steps
        self.target_acceptance = target_acceptance
        self.batch_size = batch_size
        self.n_iter = n_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.gap_limit = gap_limit
        self.patience = patience
        self.dtype = dtype
        self.random_state = random_state
        self.progress = progress
        self.checkpoint = checkpoint
        self.device = device

    # --- training --------------------------------------------------------------------------------

    def _make_machine(self, X: Array, seed: int) -> MeanCovarianceMachine:
        units: Any = None
        pooling = None
        if self.pooling == "learned":
            units = self.covariance_units
        elif self.pooling == "topographic":
            side = round(float(self.covariance_units) ** 0.5)
            if side * side != self.covariance_units or side < 3:
                raise ValueError(
                    "covariance_units must be a square of at least 9 for topographic pooling, got "
                    f"{self.covariance_units!r}"
                )
            pooling = topographic_pooling(side)
        elif self.pooling != "fixed":
            raise ValueError(
                f"pooling must be one of fixed, learned, topographic, got {self.pooling!r}"
            )
        return MeanCovarianceMachine(
            X.shape[1],
            self.covariance_units,
            self.mean_units,
            covariance_units=units,
            pooling=pooling,
            dtype=X.dtype if self.dtype == "auto" else self.dtype,
            seed=seed,
        )

    def _start(self, X: Array) -> None:
        """Make machine and trainer anew."""
        self._check_features()
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        self.machine_ = self._make_machine(X, seed).to(self.device)
        self._trainer = HybridDivergenceTrainer(
            self.machine_,
            learning_rate=self.learning_rate,
            learning_rate_decay=self.learning_rate_decay,
            momentum=self.momentum,
            l1=self.l1,
            l2=self.l2,
            pooling_epoch=self.pooling_epoch,
            keep_zeros=self.pooling == "topographic",
            persistent=self.persistent,
            leapfrog_steps=self.leapfrog_steps,
            target_acceptance=self.target_acceptance,
            batch_size=self.batch_size,
            epochs=self.n_iter,
            seed=seed,
            early_stopping=(
                GapStopping(self.gap_limit, self.patience) if self.early_stopping else None
            ),
            progress=self.progress,
            checkpoint=self.checkpoint,
        )

    def _check_features(self) -> None:
        if self.features not in ("all", "covariance", "mean"):
            raise ValueError(
                f"features must be one of all, covariance, mean, got {self.features!r}"
            )

    def _check(self, X: Any, *, reset: bool = False) -> Array:
        X = validate_data(self, X, reset=reset, dtype=[np.float64, np.float32])
        return np.asarray(X)

    def fit(self, X: Any, y: Any = None) -> MeanCovarianceRBM:
        """Train anew.

        Parameters
        ----------
        X : array-like, shape (n_samples, n_features)
        y : ignored

        Returns
        -------
        MeanCovarianceRBM
            self
        """
        X = self._check(X, reset=True)
        self._start(X)
        validation = None
        if self.early_stopping:
            from sklearn.model_selection import train_test_split

            if not 0 < self.validation_fraction < 1:
                raise ValueError(
                    f"validation_fraction must be in (0, 1), got {self.validation_fraction!r}"
                )
            X, validation = train_test_split(
                X, test_size=self.validation_fraction, random_state=self._trainer.seed
            )
        self._trainer.resume()
        self._note(self._trainer.fit(X, validation=validation))
        return self

    def partial_fit(self, X: Any, y: Any = None) -> MeanCovarianceRBM:
        """Train for one pass over X."""
        first = not hasattr(self, "_trainer")
        X = self._check(X, reset=first)
        if first:
            self._start(X)
        self._trainer.early_stopping = None
        self._note(self._trainer.fit(X, epochs=1))
        return self

    def _note(self, history: Any) -> None:
        self.history_ = history
        self.step_size_ = self._trainer.step_size

    # --- use -------------------------------------------------------------------------------------

    @property
    def components_(self) -> Array:
        """The filters of the covariance part, (factors, visible units)."""
        check_is_fitted(self, "machine_")
        return np.asarray(to_host(self.machine_.filters).T)

    @property
    def mean_components_(self) -> Array:
        """The weights of the mean part, (mean units, visible units)."""
        check_is_fitted(self, "machine_")
        return np.asarray(to_host(self.machine_.weights).T)

    def transform(self, X: Any) -> Array:
        """Return the hidden units' probabilities, covariance units first, shape (n_samples, n)."""
        check_is_fitted(self, "machine_")
        self._check_features()
        covariance, mean = self.machine_.hidden_means(self._check(X))
        if self.features == "all":
            return np.concatenate([covariance, mean], axis=1)
        return covariance if self.features == "covariance" else mean

    def score_samples(self, X: Any) -> Array:
        """Return each example's negated free energy: log-likelihood but for a constant."""
        check_is_fitted(self, "machine_")
        return np.asarray(-self.machine_.free_energy(self._check(X)))

    def reconstruct(self, X: Any) -> Array:
        """Return each example's mean given its hidden units' probabilities."""
        check_is_fitted(self, "machine_")
        return self.machine_.reconstruct(self._check(X))

    def denoise(self, X: Any, *, noise: float = 0.5, steps: int = 30) -> Array:
        """Return probable clean examples given ones to which noise of that deviation was added."""
        check_is_fitted(self, "machine_")
        return self.machine_.denoise(self._check(X), noise=noise, steps=steps)

    def complete(self, X: Any, known: Any = None, *, steps: int = 30) -> Array:
        """Return X with its unknown features replaced by probable ones given the known ones.

        Parameters
        ----------
        X : array-like, shape (n_samples, n_features)
        known : array of bool, shape (n_samples, n_features) or (n_features,), optional
            Where not given, what is NaN in X is not known.
        steps : int
        """
        check_is_fitted(self, "machine_")
        X = validate_data(
            self,
            X,
            reset=False,
            dtype=[np.float64, np.float32],
            ensure_all_finite="allow-nan" if known is None else True,
        )
        return self.machine_.complete(X, known, steps)

    def sample(self, n_samples: int = 1, trajectories: int = 200) -> Array:
        """Return examples that the model makes up, by hybrid Monte Carlo."""
        check_is_fitted(self, "machine_")
        return self.machine_.sample(
            n_samples,
            trajectories,
            leapfrog_steps=self.leapfrog_steps,
            target_acceptance=self.target_acceptance,
        )

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """Return names of the features that :meth:`transform` gives."""
        check_is_fitted(self, "machine_")
        machine = self.machine_
        names = [f"covariance{i}" for i in range(machine.covariance_units)]
        means = [f"mean{i}" for i in range(machine.mean_units)]
        chosen = {"all": names + means, "covariance": names, "mean": means}[self.features]
        return np.array(chosen, dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = False
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    # --- model files -----------------------------------------------------------------------------

    def __ictus_getstate__(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return plain data and tensors for a model file."""
        check_is_fitted(self, "machine_")
        config = estimator_state(self, self._fitted) | {"machine": self.machine_.config()}
        return config, {"parameters": to_host(self.machine_.parameters)}

    @classmethod
    def __ictus_setstate__(cls, config: dict[str, Any], tensors: dict[str, Array]) -> Any:
        """Make the fitted estimator from what a model file holds."""
        model = restored_estimator(cls, config, cls._fitted)
        model.machine_ = MeanCovarianceMachine.from_config(config["machine"], tensors["parameters"])
        if model.n_features_in_ != model.machine_.visible_units:
            raise ValueError("n_features_in differs from the machine's visible units")
        return model
