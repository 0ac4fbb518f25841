"""The Gaussian RBM estimator: real-valued data, variance fixed at 1 or learned."""

from __future__ import annotations

from typing import Any

from ictus.kernels._device import to_host
from ictus.models.boltzmann.boltzmann_estimator import ATTRIBUTES, PARAMETERS, BoltzmannEstimator
from ictus.models.boltzmann.rbm import RBM


class GaussianRBM(BoltzmannEstimator):
    __doc__ = (
        """A restricted Boltzmann machine with Gaussian visible units as a transformer.

    For real-valued data, standardised: put a StandardScaler before it. With
    ``hidden_type="rectified"`` the hidden units are noisy rectified linear units, whose features
    are the best for real-valued data (Nair & Hinton 2010; Krizhevsky 2009).

    Parameters
    ----------"""
        + PARAMETERS
        + """
    learn_variance : bool
        Whether each visible unit's variance is learned (Cho, Ilin & Raiko 2011); else it is 1.
    variance_bounds : (float, float)
        A learned variance stays within, so that it cannot explode.

    Attributes
    ----------"""
        + ATTRIBUTES
        + """    variance_ : array, shape (n_features,), or None
        Where it is learned.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> model = make_pipeline(StandardScaler(), GaussianRBM(64, random_state=0))
    >>> features = model.fit_transform(load_digits().data)
    """
    )

    visible_type = "gaussian"

    def __init__(
        self,
        n_components: int = 256,
        *,
        learning_rate: float = 0.001,
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
        learn_variance: bool = False,
        variance_bounds: tuple[float, float] = (0.1, 10.0),
        dtype: str = "auto",
        progress: bool | None = False,
        checkpoint: Any = None,
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
        self.learn_variance = learn_variance
        self.variance_bounds = variance_bounds
        self.dtype = dtype
        self.progress = progress
        self.checkpoint = checkpoint
        self.device = device

    def _new_machine(self, units: int, options: dict[str, Any]) -> RBM:
        return super()._new_machine(units, options | {"learn_variance": self.learn_variance})

    def _trainer_options(self) -> dict[str, Any]:
        return {"variance_bounds": tuple(self.variance_bounds)}

    @property
    def variance_(self) -> Any:
        """The variance of each visible unit, (visible units,)."""
        return to_host(self.rbm_.variance)
