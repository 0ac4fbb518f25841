"""Convolutional networks as scikit-learn estimators: classification and regression of images."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ictus.kernels._foreign import shared_as_numpy
from ictus.models._base import DenseEstimator
from ictus.models._parameters import DENSE, PROBABILITY, TRUTH, Check, is_integer, one_of
from ictus.models.mlp import MLPClassifier, MLPRegressor
from ictus.nn import BatchNorm, Conv2D, Dense, Flatten, Layer, MaxPool, SpatialDropout
from ictus.train import Trainer

Array = NDArray[Any]


def _extent(value: Any) -> bool:
    values = np.atleast_1d(np.asarray(value, dtype=object))
    return values.size in (1, 2) and all(is_integer(n) and n > 0 for n in values)


def _shape(value: Any) -> bool:
    if value is None:
        return True
    values = np.atleast_1d(np.asarray(value, dtype=object))
    return values.size in (2, 3) and all(is_integer(n) and n > 0 for n in values)


_EXTENT: Check = (_extent, "a positive integer, or two of them (down, across)")
#: The parameters of convolutional estimators.
CONVOLUTIONAL: dict[str, Check] = {
    name: check
    for name, check in DENSE.items()
    if not name.startswith("pretrain") and name != "input_dropout"
} | {
    "filters": DENSE["hidden_units"],
    "kernel_size": _EXTENT,
    "pool": _EXTENT,
    "padding": one_of(["same", "valid"]),
    "image_shape": (_shape, "(height, width) or (height, width, channels), or None"),
    "batch_norm": TRUTH,
    "spatial_dropout": PROBABILITY,
}

_PARAMETERS = """
    Parameters
    ----------
    filters : tuple of int
        Feature maps of each convolutional layer; each is followed by max pooling.
    hidden_units : tuple of int
        Units of each dense layer after them.
    activation : {"relu", "sigmoid", "tanh", "softplus", "identity"}
        Of feature maps and hidden units.
    kernel_size, pool : int or (int, int)
        Height and width of the windows of convolution, and of pooling (1: none).
    padding : {"same", "valid"}
        Whether windows go over the image's edge, on zeros. A network with "valid" can slide:
        ``model.network_.slide(spectrogram)``.
    image_shape : (height, width) or (height, width, channels), optional
        Of images that are given as rows of numbers. If not given, rows are square images of one
        channel where the number of features is a square, else images of one row.
    batch_norm : bool
        Batch normalization before the activation of feature maps.
    spatial_dropout : float in [0, 1)
        Probability of dropping a feature map in training.
    dropout : float in [0, 1)
        Probability of dropping a hidden unit.
    initialization, optimizer, learning_rate, learning_rate_decay, momentum, batch_size, max_epochs
        As of :class:`ictus.MLPClassifier`, like all that follow.
    tol, patience, early_stopping, validation_fraction, l1, l2, max_norm, clip_norm, shuffle, dtype
    random_state, progress, checkpoint, optimizer_options, device

    Attributes
    ----------
    network_ : ictus.nn.Network
    history_ : ictus.train.History
    n_iter_ : int
        Epochs trained.
    loss_ : float
        Training loss of the last epoch.
    n_features_in_ : int
        Numbers of an image.
"""


class ConvolutionalEstimator(DenseEstimator):
    """Base of ConvNetClassifier and ConvNetRegressor; their docstrings name the parameters."""

    _table: ClassVar[dict[str, Check]] = CONVOLUTIONAL
    # What dense networks have besides: greedy pre-training, and dropout of inputs.
    pretrain: Any = None
    input_dropout: float = 0.0

    def __init__(
        self,
        filters: tuple[int, ...] = (16, 32),
        hidden_units: tuple[int, ...] = (100,),
        activation: str = "relu",
        *,
        kernel_size: int | tuple[int, int] = 3,
        pool: int | tuple[int, int] = 2,
        padding: str = "same",
        image_shape: tuple[int, ...] | None = None,
        batch_norm: bool = False,
        spatial_dropout: float = 0.0,
        dropout: float = 0.0,
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
        self.hidden_units = hidden_units
        self.activation = activation
        self.kernel_size = kernel_size
        self.pool = pool
        self.padding = padding
        self.image_shape = image_shape
        self.batch_norm = batch_norm
        self.spatial_dropout = spatial_dropout
        self.dropout = dropout
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

    _augmentation: Any = None  # of the call of fit that is going on

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, augmentation: Any = None) -> Any:
        """Train anew on images X and targets y.

        Parameters
        ----------
        X : array, shape (n, height, width), (n, height, width, channels) or (n, features)
        y : array-like, shape (n,) or (n, k)
        sample_weight : array-like, shape (n,), optional
        augmentation : callable or sequence of callables, optional
            Changes the images of each minibatch; see :class:`ictus.train.Trainer`.

        Returns
        -------
        self
        """
        self._augmentation = augmentation
        try:
            return super().fit(X, y, sample_weight)
        finally:
            self._augmentation = None

    def _make_trainer(self, seed: int) -> Trainer:
        trainer = super()._make_trainer(seed)
        trainer.augmentation = self._augmentation
        return trainer

    # --- building --------------------------------------------------------------------------------

    def _layers(self, outputs: int) -> list[Layer]:
        layers: list[Layer] = []
        options: dict[str, Any] = {"padding": self.padding, "initialization": self.initialization}
        for count in np.atleast_1d(np.asarray(self.filters, dtype=object)):
            if self.batch_norm:
                layers += [Conv2D(count, self.kernel_size, **options), BatchNorm(self.activation)]
            else:
                layers.append(Conv2D(count, self.kernel_size, self.activation, **options))
            if self.spatial_dropout:
                layers.append(SpatialDropout(self.spatial_dropout))
            if np.max(self.pool) > 1:
                layers.append(MaxPool(self.pool, padding=self.padding))
        return [*layers, Flatten(), *super()._layers(outputs)]

    def _input_shape(self, X: Array) -> Any:
        return self._image_shape(X.shape[1])

    def _image_shape(self, features: int) -> tuple[int, ...]:
        shape = self._seen_shape if self.image_shape is None else self.image_shape
        if shape is None:
            side = math.isqrt(features)
            shape = (side, side) if side * side == features else (1, features)
        shape = tuple(int(n) for n in shape)
        shape = shape if len(shape) == 3 else (*shape, 1)
        if math.prod(shape) != features:
            raise ValueError(
                f"{type(self).__name__}: image_shape must have the {features} numbers of a row of "
                f"X, got {self.image_shape!r}"
            )
        return shape

    # --- data ------------------------------------------------------------------------------------

    _seen_shape: tuple[int, ...] | None = None  # of images that were no rows

    def _rows(self, X: Any, reset: bool) -> Any:
        """Images (n, height, width) or (n, height, width, channels) as rows."""
        if getattr(X, "ndim", 0) not in (3, 4):
            return X
        X = np.asarray(shared_as_numpy(X, "X"))
        shape = X.shape[1:] if X.ndim == 4 else (*X.shape[1:], 1)
        if not reset:
            wanted = self.network_.input_shape
        elif self.image_shape is None:
            self._seen_shape = wanted = shape
        else:
            wanted = (*self.image_shape, 1)[:3]
        if shape != tuple(wanted):
            raise ValueError(
                f"{type(self).__name__}: X must have images of shape {tuple(wanted)}, got {shape}"
            )
        return X.reshape(len(X), -1)

    def _check_data(self, X: Any, y: Any, *, reset: bool) -> tuple[Array, Array]:
        if reset:
            self._seen_shape = None
        return super()._check_data(self._rows(X, reset), y, reset=reset)

    def _checked_examples(self, X: Any) -> Array:
        # What is not fitted has no shape yet; the base says so.
        rows = self._rows(X, False) if hasattr(self, "network_") else X
        return super()._checked_examples(rows)

    def _hidden_layers(self) -> list[int]:
        layers = self.network_.layers
        flat = next(i for i, each in enumerate(layers) if isinstance(each, Flatten))
        dense = [i for i in range(flat, len(layers)) if isinstance(layers[i], Dense)][:-1]
        # The maps of a stage are those at its end.
        starts = [i for i in range(flat) if isinstance(layers[i], Conv2D)]
        return [*(end - 1 for end in [*starts[1:], flat] if starts), *dense]


class ConvNetClassifier(ConvolutionalEstimator, MLPClassifier):
    __doc__ = (
        """A convolutional network classifier of images or spectrograms (LeCun et al. 1998).

    X has shape (n, height, width), (n, height, width, channels), or (n, features) with
    ``image_shape``. Features should be of the order of 1: the scaling is the caller's.
"""
        + _PARAMETERS
        + """    classes_ : array
        The classes, sorted.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> model = ConvNetClassifier((16,), max_epochs=10, random_state=0).fit(X / 16, y)
    """
    )


class ConvNetRegressor(ConvolutionalEstimator, MLPRegressor):
    __doc__ = (
        """A convolutional network with linear outputs, trained on the squared error.

    X as of :class:`ConvNetClassifier`; y better standardised.
"""
        + _PARAMETERS
        + """    n_outputs_ : int
        Number of targets.
    """
    )
