"""Autoencoders as a transformer: deep, tied, denoising, contractive, sparse, with binary codes."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ictus.models._base import DenseEstimator
from ictus.models._parameters import AUTOENCODER, Check, check_parameters
from ictus.models.autoencoders import reconstruction
from ictus.models.autoencoders.autoencoder_layers import autoencoder_layers, check_combination
from ictus.models.examples import validate_data
from ictus.models.pretraining.layer_training import in_unit_interval
from ictus.models.pretraining.pretrain import PretrainedLayer, unroll
from ictus.nn import Layer, part_outputs

Array = NDArray[Any]


class Autoencoder(DenseEstimator):
    """An autoencoder: an encoder to a code, and a decoder back, trained on reconstruction.

    The decoder mirrors the encoder. docs/autoencoders.md has the equations.

    Parameters
    ----------
    hidden_units : tuple of int
        Units of each layer of the encoder; the last is the code.
    activation : {"sigmoid", "tanh", "relu", "softplus", "identity"}
        Of the hidden units.
    code_activation : str, optional
        Of the code; that of the hidden units if not given. "identity" makes a linear code
        (Hinton & Salakhutdinov 2006), "sigmoid" one for bits.
    tied : bool
        Whether the decoder has the transposed weights of the encoder.
    corruption : {"masking", "gaussian", "salt_and_pepper"}, optional
        Noise on the inputs in training, which the reconstruction has to undo (Vincent et al.
        2010); see :class:`ictus.nn.Noise`. Salt and pepper are the smallest and largest value of X.
    corruption_level : float
        Probability for an input to be hit, or standard deviation.
    contraction : float
        Weight of the contractive penalty of each layer of the encoder (Rifai et al. 2011).
    sparsity_target, sparsity_cost : float
        The mean activities of the encoder's sigmoid or tanh units over a minibatch are drawn
        towards the target (Ng 2011); cost 0: not.
    code_noise : float
        Standard deviation of Gaussian noise on the inputs of the code's units in training, which
        drives a sigmoid code to 0 and 1 (Salakhutdinov & Hinton 2009, "Semantic hashing").
    loss : {"auto", "binary_cross_entropy", "squared_error"}
        auto: the cross-entropy where X is in [0, 1], else the squared error.
    pretrain : {"rbm", "autoencoder"}, optional
        Greedy pre-training of the encoder, which is then unrolled into the decoder; see
        :func:`ictus.models.pretrain`. With "autoencoder", corruption applies to each layer.
    pretraining_epochs : int
        Of each layer.
    pretraining_learning_rate : float, optional
    initialization, optimizer, learning_rate, learning_rate_decay, momentum, batch_size, max_epochs
        As of :class:`MLPClassifier`.
    tol, patience, early_stopping, validation_fraction, l1, l2, max_norm, clip_norm, shuffle, dtype
        As of :class:`MLPClassifier`; the validation loss is that of reconstruction without noise.
    random_state, progress, checkpoint, optimizer_options, device
        As of :class:`MLPClassifier`. ``fit`` goes on from checkpoints of all phases.

    Attributes
    ----------
    network_ : ictus.nn.Network
    history_ : ictus.train.History
    pretraining_ : list of ictus.train.History
        One for each layer of the encoder, with ``pretrain``.
    n_iter_ : int
        Epochs trained.
    loss_ : float
        Training loss of the last epoch, penalties included.
    mean_, deviation_, residual_ : array, shape (n_features,)
        Mean and standard deviation of X, and root mean squared error of its reconstruction from
        corrupted inputs.
    n_features_in_ : int
    feature_names_in_ : array of str
        Where X had names.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data / 16
    >>> model = Autoencoder((32,), corruption="masking", tied=True, random_state=0).fit(X)
    >>> codes = model.transform(X)
    """

    _table: ClassVar[dict[str, Check]] = AUTOENCODER
    _fitted: ClassVar[tuple[str, ...]] = ("low_", "high_")
    _statistics: ClassVar[tuple[str, ...]] = ("mean_", "deviation_", "residual_")

    def __init__(
        self,
        hidden_units: tuple[int, ...] = (100,),
        activation: str = "sigmoid",
        *,
        code_activation: str | None = None,
        tied: bool = False,
        corruption: str | None = None,
        corruption_level: float = 0.3,
        contraction: float = 0.0,
        sparsity_target: float = 0.05,
        sparsity_cost: float = 0.0,
        code_noise: float = 0.0,
        loss: str = "auto",
        pretrain: str | None = None,
        pretraining_epochs: int = 10,
        pretraining_learning_rate: float | None = None,
        initialization: str = "auto",
        optimizer: str = "adam",
        learning_rate: float | None = None,
        learning_rate_decay: float = 1.0,
        momentum: float = 0.9,
        batch_size: int = 100,
        max_epochs: int = 50,
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
        optimizer_options: dict[str, Any] | None = None,
        device: str = "cpu",
    ) -> None:
        self.hidden_units = hidden_units
        self.activation = activation
        self.code_activation = code_activation
        self.tied = tied
        self.corruption = corruption
        self.corruption_level = corruption_level
        self.contraction = contraction
        self.sparsity_target = sparsity_target
        self.sparsity_cost = sparsity_cost
        self.code_noise = code_noise
        self.loss = loss
        self.pretrain = pretrain
        self.pretraining_epochs = pretraining_epochs
        self.pretraining_learning_rate = pretraining_learning_rate
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
        self.optimizer_options = optimizer_options
        self.device = device

    # --- training --------------------------------------------------------------------------------

    @property
    def _code(self) -> str:
        """The activation of the code."""
        return self.activation if self.code_activation is None else self.code_activation

    def _layers(self, outputs: int) -> list[Layer]:
        layers, self._code_layer = autoencoder_layers(self, outputs)
        return layers

    def _begin(self, X: Array) -> None:
        check_parameters(self, self._table)
        check_combination(self)
        self.low_, self.high_ = float(X.min()), float(X.max())
        loss = self.loss
        if loss == "auto":
            loss = "binary_cross_entropy" if in_unit_interval(X) else "squared_error"
        self._start(X, X.shape[1], loss)
        self._check_range(X)

    def _check_range(self, X: Array) -> None:
        if self.network_.loss_name == "binary_cross_entropy" and not in_unit_interval(X):
            raise ValueError(
                "X must be in [0, 1] for the loss binary_cross_entropy, got values from "
                f"{X.min():g} to {X.max():g}"
            )

    def _pretraining_options(self) -> dict[str, Any]:
        options = super()._pretraining_options() | {
            "layers": np.atleast_1d(self.hidden_units).size,
            "tied": self.tied,
        }
        if self.pretrain == "autoencoder" and self.corruption is not None:
            options["corruption"] = self.corruption
            options["corruption_level"] = self.corruption_level
        return options

    def _take_pretrained(self, stages: list[PretrainedLayer]) -> None:
        unroll(self.network_, stages)

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train anew on X, shape (n_samples, n_features); y is not used."""
        X = validate_data(self, X, reset=True, dtype=[np.float64, np.float32])
        self._begin(X)
        self._train(X, X, None, None)
        self.measure(X)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Train for one pass over X, without pre-training; y is not used."""
        first = not hasattr(self, "_trainer")
        X = validate_data(self, X, reset=first, dtype=[np.float64, np.float32])
        if first:
            self._begin(X)
        self._check_range(X)
        self._train_one_epoch(X, X, None)
        self.measure(X)
        return self

    def measure(self, X: Array) -> None:
        """Note of X what completion and the chain of samples start from."""
        self.mean_ = X.mean(axis=0, dtype=np.float64)
        self.deviation_ = X.std(axis=0, dtype=np.float64)
        self.residual_ = reconstruction.residual(self, X[: reconstruction.MEASURED_ROWS])
        self._streams = reconstruction.FIRST_STREAM

    # --- use -------------------------------------------------------------------------------------

    def _checked(self, X: Any, *, missing: bool = False) -> Array:
        check_is_fitted(self, "network_")
        finite: Any = "allow-nan" if missing else True
        checked: Array = validate_data(
            self, X, reset=False, dtype=[np.float64, np.float32], ensure_all_finite=finite
        )
        return checked

    def transform(self, X: Any) -> Array:  # type: ignore[override]
        """Return the codes of X, shape (n_samples, units of the code)."""
        X = self._checked(X)
        return self.network_.activations(X, self._code_layer)

    def inverse_transform(self, X: Any) -> Array:
        """Return what the decoder makes of codes, shape (n_samples, n_features)."""
        check_is_fitted(self, "network_")
        network = self.network_
        codes = np.ascontiguousarray(X, network.dtype)
        if codes.ndim != 2 or codes.shape[1] != self._n_features_out:
            raise ValueError(
                f"X must be codes of shape (n_samples, {self._n_features_out}), got {codes.shape}"
            )
        if not np.isfinite(codes).all():
            raise ValueError("X must hold finite codes, got NaN or infinity")
        logits = part_outputs(network, codes, self._code_layer + 1, len(network.layers) - 1)
        outputs: Array = network.loss_function.output(logits, logits)
        return outputs

    def reconstruct(self, X: Any) -> Array:
        """Return the outputs for X, in the place and shape of X."""
        X = self._checked(X)
        return self.network_.predict(X)

    def denoise(self, X: Any, *, steps: int = 1) -> Array:
        """Return X with its noise taken out: reconstructed ``steps`` times."""
        denoised = self._checked(X)
        for _ in range(reconstruction.check_count("steps", steps)):
            denoised = self.network_.predict(denoised)
        return denoised

    def complete(self, X: Any, known: Any = None, *, steps: int = 3) -> Array:
        """Return X with what is not known replaced.

        The unknown starts at 0 after training with masking noise, as that left it, else at the
        mean of the training data; then X is reconstructed ``steps`` times, each time with what is
        known put back (clamped). After many steps what is filled in is an attractor of the
        reconstruction, which need not be nearer to the data.

        Parameters
        ----------
        X : array, shape (n_samples, n_features)
        known : array of bool, shape (n_samples, n_features) or (n_features,), optional
            Where not given, what is NaN is not known.
        steps : int
        """
        X = self._checked(X, missing=True)
        return reconstruction.complete(self, X, known, steps)

    def sample(
        self, n_samples: int = 1, *, steps: int = 100, start: Any = None, mean: bool = False
    ) -> Array:
        """Return the ends of Markov chains of corruption and reconstruction.

        Bengio, Yao, Alain & Vincent, "Generalized denoising auto-encoders as generative models"
        (NIPS 2013), algorithm 1: X' is drawn from the corruption of X, then X from the
        distribution that the reconstruction of X' parameterises: Bernoulli for the cross-entropy,
        normal with the deviation ``residual_`` for the squared error. Its stationary distribution
        estimates that of the data.

        Parameters
        ----------
        n_samples : int
        steps : int
        start : array, shape (n_samples, n_features), optional
            Where the chains start; by default draws from independent features.
        mean : bool
            Return the reconstructions of the last step instead of draws: smoother pictures.

        Raises
        ------
        ValueError
            The model was trained without corruption; steps, n_samples or start out of range.
        """
        check_is_fitted(self, "network_")
        start = None if start is None else self._checked(start)
        return reconstruction.sample(self, n_samples, steps, start, mean)

    def score(self, X: Any, y: Any = None) -> float:
        """Return minus the mean loss of reconstruction of a row: the higher, the better."""
        X = self._checked(X)
        self._check_range(X)
        return -self.network_.loss(X, X)

    def encode_bits(self, X: Any) -> Array:
        """Return codes as bits, eight to a byte, uint8 of shape (n_samples, units / 8).

        A bit is 1 where a unit is above the middle of its range (Salakhutdinov & Hinton 2009); the
        first unit is the highest bit of the first byte.

        Raises
        ------
        ValueError
            A code length that is no multiple of 8, or a code that is not sigmoid or tanh.
        """
        check_is_fitted(self, "network_")
        middle = reconstruction.middle_of_code(self._code, self._n_features_out)
        return np.packbits(self.transform(X) > middle, axis=1)

    def decode_bits(self, bits: Any) -> Array:
        """Return what the decoder makes of packed bits, shape (n_samples, n_features)."""
        check_is_fitted(self, "network_")
        units = self._n_features_out
        reconstruction.middle_of_code(self._code, units)
        bits = np.asarray(bits)
        if bits.dtype != np.uint8 or bits.ndim != 2 or bits.shape[1] * 8 != units:
            raise ValueError(
                f"bits must be uint8 of shape (n_samples, {units // 8}), got {bits.dtype} of shape "
                f"{bits.shape}"
            )
        codes = np.unpackbits(bits, axis=1).astype(self.network_.dtype)
        return self.inverse_transform(2 * codes - 1 if self._code == "tanh" else codes)

    @property
    def _n_features_out(self) -> int:
        return int(self.network_.layers[self._code_layer].output_size)

    # --- model files -----------------------------------------------------------------------------

    def __ictus_getstate__(self) -> tuple[dict[str, Any], dict[str, Array]]:
        config, tensors = super().__ictus_getstate__()
        return config, tensors | {name: getattr(self, name) for name in self._statistics}

    @classmethod
    def __ictus_setstate__(cls, config: dict[str, Any], tensors: dict[str, Array]) -> Any:
        model = super().__ictus_setstate__(config, tensors)
        for name in cls._statistics:
            if tensors[name].shape != (model.n_features_in_,):
                raise ValueError(f"{name} must have a number for each feature")
            setattr(model, name, tensors[name])
        model._layers(model.n_features_in_)  # says which layer is the code
        model._streams = reconstruction.FIRST_STREAM
        return model
