"""Convolutional autoencoders as a transformer: denoising, stacked, with pooling."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from ictus.kernels.convolution import pair
from ictus.models._parameters import AUTOENCODER, Check, check_parameters, is_integer
from ictus.models.autoencoders.autoencoder import Autoencoder
from ictus.nn import Conv2D, ConvTranspose2D, Flatten, Layer, MaxPool, Network, Noise, Upsample

Array = NDArray[Any]


def _extent(value: Any) -> bool:
    values = np.atleast_1d(np.asarray(value, dtype=object))
    return values.shape in ((1,), (2,)) and all(is_integer(n) and n > 0 for n in values)


_EXTENT: Check = (_extent, "a positive integer, or two of them (down, across)")
_OTHERS = ("tied", "contraction", "sparsity_target", "sparsity_cost", "code_noise", "hidden_units")
#: The parameters of convolutional autoencoders.
CONVOLUTIONAL_AUTOENCODER: dict[str, Check] = {
    name: check for name, check in AUTOENCODER.items() if name not in _OTHERS
} | {"filters": AUTOENCODER["hidden_units"], "kernel_size": _EXTENT, "pool": _EXTENT}


class ConvolutionalAutoencoder(Autoencoder):
    """An autoencoder of convolutions: small maps of features as the code, an image of them back.

    The encoder has convolutions, each followed by max pooling (Masci, Meier, Ciresan & Schmidhuber
    2011, "Stacked convolutional auto-encoders for hierarchical feature extraction"); the decoder
    mirrors it with repeated pixels and transposed convolutions. Windows go over the image's edge,
    on zeros.

    Parameters
    ----------
    filters : tuple of int
        Feature maps of each convolution of the encoder; the last are the code.
    activation : {"relu", "sigmoid", "tanh", "softplus", "identity"}
    kernel_size, pool : int or (int, int)
        Height and width of the windows of convolution, and of pooling (1: none), which must divide
        the image as often as there are convolutions.
    image_shape : (height, width) or (height, width, channels), optional
        What a row of X is. If not given, X has it, shape (n_samples, height, width[, channels]);
        rows of a matrix are images of one row of pixels, with windows along it.
    code_activation, corruption, corruption_level, loss
        As of :class:`Autoencoder`.
    pretrain : {"rbm", "autoencoder"}, optional
        Greedy pre-training of the encoder, which is then unrolled into the decoder; see
        :func:`ictus.models.pretrain`.
    pretraining_epochs, pretraining_learning_rate
        Of each convolution.
    initialization, optimizer, learning_rate, learning_rate_decay, momentum, batch_size, max_epochs
        As of :class:`MLPClassifier`.
    tol, patience, early_stopping, validation_fraction, l1, l2, max_norm, clip_norm, shuffle, dtype
        As of :class:`MLPClassifier`.
    random_state, progress, checkpoint, optimizer_options, device
        As of :class:`MLPClassifier`.

    Attributes
    ----------
    image_shape_ : tuple of int
        Of a row of X, to whose form reconstructions and samples are brought.
    network_, history_, pretraining_, n_iter_, loss_, mean_, deviation_, residual_
        As of :class:`Autoencoder`.
    n_features_in_ : int
        Numbers of an image.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().images / 16
    >>> model = ConvolutionalAutoencoder((8, 4), corruption="masking", random_state=0).fit(X)
    >>> model.transform(X).shape
    (1797, 16)
    """

    _table: ClassVar[dict[str, Check]] = CONVOLUTIONAL_AUTOENCODER
    _fitted: ClassVar[tuple[str, ...]] = ("low_", "high_", "image_shape_")
    tied = False
    contraction = code_noise = sparsity_cost = 0.0

    def __init__(
        self,
        filters: tuple[int, ...] = (16,),
        activation: str = "relu",
        *,
        kernel_size: int | tuple[int, int] = 3,
        pool: int | tuple[int, int] = 2,
        image_shape: tuple[int, ...] | None = None,
        code_activation: str | None = None,
        corruption: str | None = None,
        corruption_level: float = 0.3,
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
        self.filters = filters
        self.activation = activation
        self.kernel_size = kernel_size
        self.pool = pool
        self.image_shape = image_shape
        self.code_activation = code_activation
        self.corruption = corruption
        self.corruption_level = corruption_level
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

    # --- layers ----------------------------------------------------------------------------------

    @property
    def hidden_units(self) -> Any:  # type: ignore[override]
        """The filters, under the name that autoencoders have for what is in their layers."""
        return self.filters

    def _extents(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Windows of convolution and of pooling; of images of one row along it."""
        row = self._image[0] == 1

        def extent(name: str, value: Any) -> tuple[int, int]:
            return (1, int(value)) if row and np.ndim(value) == 0 else pair(name, value)

        return extent("kernel_size", self.kernel_size), extent("pool", self.pool)

    def _layers(self, outputs: int) -> list[Layer]:
        filters = [int(n) for n in np.atleast_1d(self.filters)]
        kernel, pool = self._extents()
        pooled = max(pool) > 1
        for axis in (0, 1):
            whole = pool[axis] ** len(filters)
            if self._image[axis] % whole:
                raise ValueError(
                    f"{type(self).__name__}: pool must divide the image {len(filters)} times, got "
                    f"{pool} for images of {self._image[:2]}"
                )
        options: dict[str, Any] = {"padding": "same", "initialization": self.initialization}
        layers: list[Layer] = []
        if self.corruption is not None:
            low, high = self.low_, self.high_
            layers.append(Noise(self.corruption, self.corruption_level, low=low, high=high))
        for number, count in enumerate(filters):
            last = number + 1 == len(filters)
            layers.append(Conv2D(count, kernel, self._code if last else self.activation, **options))
            if pooled:
                layers.append(MaxPool(pool))
        self._code_layer = len(layers) - 1
        for number in range(len(filters) - 1, -1, -1):
            if pooled:
                layers.append(Upsample(pool))
            if number:
                layers.append(
                    ConvTranspose2D(filters[number - 1], kernel, self.activation, **options)
                )
        # The output starts small, so that the first reconstructions are undecided.
        if self.initialization == "auto":
            options["initialization"] = "glorot"
        return [*layers, ConvTranspose2D(self._image[2], kernel, **options), Flatten()]

    def _start(self, X: Array, outputs: int, loss: str) -> None:
        dtype = X.dtype if self.dtype == "auto" else np.dtype(self.dtype)
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        layers = self._layers(outputs)
        network = Network(self._image, layers, loss, dtype=dtype, seed=seed)
        self.network_ = network.to(self.device)
        self._trainer = self._make_trainer(seed)

    @property
    def _n_features_out(self) -> int:
        _, pool = self._extents()
        stages = np.atleast_1d(self.filters).size
        height, width = (self._image[i] // pool[i] ** stages for i in (0, 1))
        return int(height * width * np.atleast_1d(self.filters)[-1])

    # --- the form of X ---------------------------------------------------------------------------

    @property
    def _image(self) -> tuple[int, int, int]:
        """Height, width and channels of a row of X."""
        given = self.image_shape_ if self.image_shape is None else self.image_shape
        shape = tuple(int(n) for n in given)
        shape = (1, *shape) if len(shape) == 1 else shape
        height, width, channels = (*shape, 1)[:3]
        return height, width, channels

    def _rows(self, X: Any) -> Any:
        """Images as rows."""
        if getattr(X, "ndim", 0) in (3, 4):
            X = np.asarray(X).reshape(len(X), -1)
        return X

    def _take_shape(self, X: Any) -> None:
        check_parameters(self, self._table)
        shape = X.shape[1:] if hasattr(X, "shape") else np.asarray(X).shape[1:]
        self.image_shape_ = tuple(int(n) for n in shape)
        size = math.prod(self.image_shape_)
        images = (*self.image_shape_, 1)[:3] if len(shape) > 1 else self._image
        if math.prod(self._image) != size or images != self._image:
            raise ValueError(
                f"{type(self).__name__}: image_shape must be that of X, {self.image_shape_}, got "
                f"{self.image_shape!r}"
            )

    def _formed(self, rows: Array) -> Array:
        """Rows in the form of X."""
        return np.asarray(rows.reshape(len(rows), *(int(n) for n in self.image_shape_)))

    def _checked(self, X: Any, *, missing: bool = False) -> Array:
        return super()._checked(self._rows(X), missing=missing)

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train anew on X, shape (n_samples, height, width[, channels]) or (n_samples, n_features);
        y is not used."""
        self._take_shape(X)
        return super().fit(self._rows(X))

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Train for one pass over X, without pre-training; y is not used."""
        if not hasattr(self, "_trainer"):
            self._take_shape(X)
        return super().partial_fit(self._rows(X))

    # --- use -------------------------------------------------------------------------------------

    def transform(self, X: Any) -> Array:  # type: ignore[override]
        """Return the codes of X, the maps as rows, shape (n_samples, height * width * filters)."""
        codes = super().transform(X)
        return np.asarray(codes.reshape(len(codes), -1))

    def inverse_transform(self, X: Any) -> Array:
        """Return what the decoder makes of codes, in the form of X."""
        return self._formed(super().inverse_transform(X))

    def reconstruct(self, X: Any) -> Array:
        """Return the outputs for X, in the form of X."""
        return self._formed(super().reconstruct(X))

    def denoise(self, X: Any, *, steps: int = 1) -> Array:
        """Return X with its noise taken out: reconstructed ``steps`` times."""
        return self._formed(super().denoise(X, steps=steps))

    def complete(self, X: Any, known: Any = None, *, steps: int = 3) -> Array:
        """Return X with what is not known replaced; see :meth:`Autoencoder.complete`.

        ``known`` has the shape of X, or of one image.
        """
        if known is not None:
            known = np.asarray(known)
            one = known.ndim == len(self.image_shape_)
            known = known.reshape(-1) if one else self._rows(known)
        return self._formed(super().complete(X, known, steps=steps))

    def sample(
        self, n_samples: int = 1, *, steps: int = 100, start: Any = None, mean: bool = False
    ) -> Array:
        """Return the ends of Markov chains of corruption and reconstruction, in the form of X.

        See :meth:`Autoencoder.sample`.
        """
        return self._formed(super().sample(n_samples, steps=steps, start=start, mean=mean))

    def decode_bits(self, bits: Any) -> Array:
        """Return what the decoder makes of packed bits, in the form of X."""
        return self._formed(super().decode_bits(bits))

    # --- model files -----------------------------------------------------------------------------

    def __ictus_getstate__(self) -> tuple[dict[str, Any], dict[str, Array]]:
        config, tensors = super().__ictus_getstate__()
        config["parameters"].pop("hidden_units", None)  # which is not a parameter here
        return config, tensors
