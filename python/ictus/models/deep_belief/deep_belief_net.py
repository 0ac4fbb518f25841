"""The deep belief net as a transformer."""

from __future__ import annotations

from typing import Any, Self

from ictus.models.deep_belief.deep_estimator import DeepBeliefEstimator

LAYERS = """
    Parameters
    ----------
    hidden_units : tuple of int
        Units of each hidden layer, from the data upwards.
    visible_type : {"bernoulli", "gaussian"}
        What X holds: numbers in [0, 1], or real ones, standardised.
    layers : sequence of BernoulliRBM, GaussianRBM or SoftmaxRBM, optional
        The layers with all their settings, in the place of ``hidden_units``, ``visible_type`` and
        the parameters from ``learning_rate`` to ``sparsity_cost``. They are copied, not trained.
    learning_rate, learning_rate_decay, momentum, n_iter, batch_size, k, persistent, l1, l2, \
sparsity_target, sparsity_cost
        Of layer-wise training, as of :class:`BernoulliRBM`: one value for all layers, or a tuple
        with one a layer. A learning rate of None is 0.05, of Gaussian visible units 0.001."""

TRAINING = """
    fine_tune_epochs : int
    fine_tune_learning_rate : float, optional
        {rates}
    fine_tune_learning_rate_decay : float
        Its factor after each epoch.
    fine_tune_batch_size : int
    fine_tune_steps : int or Schedule
        Gibbs steps at the top for each update of the up-down algorithm."""

REST = """
    dtype : {"auto", "float32", "float64"}
        Of parameters and arithmetic; "auto": that of X. float32 is twice as fast.
    random_state : int, RandomState or None
        The same int gives the same bits, whatever the number of threads.
    progress : bool or None
        Progress bar; None: where standard error is a terminal.
    checkpoint : path, optional
        Beginning of the names of files, one a phase (``.layer0``, ..), that ``fit`` writes after
        each epoch and goes on from; the result has the same bits as without an interruption.
    device : {"cpu", "cuda"}
        As of :class:`BernoulliRBM`, of all layers.

    Attributes
    ----------
    machine_ : DeepBeliefMachine
    histories_ : list of History
        One a phase: the layers upwards, then fine-tuning.
    history_ : History
        That of the last phase.
    components_ : array, shape (units of the lowest layer, n_features)
        Its weights.
    n_features_in_ : int
    feature_names_in_ : array of str
        Where X had names.
"""


class DeepBeliefNet(DeepBeliefEstimator):
    __doc__ = (
        """A deep belief net as a transformer (Hinton, Osindero & Teh 2006).

    Machines are trained one on the hidden means of the other; the top is an associative memory.
"""
        + LAYERS
        + """
    fine_tune : {None, "up-down"}
        Whether all layers are then trained together, by contrastive wake-sleep."""
        + TRAINING.format(rates="0.01 if not given.")
        + REST
        + """
    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data / 16
    >>> features = DeepBeliefNet((64, 32), random_state=0).fit_transform(X)
    """
    )

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
        fine_tune: str | None = None,
        fine_tune_epochs: int = 10,
        fine_tune_learning_rate: float | None = None,
        fine_tune_learning_rate_decay: float = 1.0,
        fine_tune_batch_size: int = 100,
        fine_tune_steps: Any = 3,
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
        self.fine_tune = fine_tune
        self.fine_tune_epochs = fine_tune_epochs
        self.fine_tune_learning_rate = fine_tune_learning_rate
        self.fine_tune_learning_rate_decay = fine_tune_learning_rate_decay
        self.fine_tune_batch_size = fine_tune_batch_size
        self.fine_tune_steps = fine_tune_steps
        self.dtype = dtype
        self.random_state = random_state
        self.progress = progress
        self.checkpoint = checkpoint
        self.device = device

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train anew on X, shape (n_samples, n_features); y is not used."""
        v = self._fit_layers(self._check_data(X, reset=True), None)
        if v is not None and self.fine_tune == "up-down":
            self._fine_tune_up_down(v, None)
        return self

    def score(self, X: Any, y: Any = None) -> float:
        """Return minus the mean squared error of :meth:`reconstruct`: higher is better."""
        return -self._squared_error(X)
