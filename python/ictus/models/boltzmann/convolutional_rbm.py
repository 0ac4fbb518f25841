"""The convolutional RBM estimator: features of images and spectrograms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from ictus.kernels._device import to_host
from ictus.models.boltzmann.boltzmann_estimator import PARAMETERS, BoltzmannEstimator, in_parts
from ictus.models.boltzmann.convolutional_divergence import ConvolutionalTrainer
from ictus.models.boltzmann.convolutional_machine import ConvolutionalMachine

Array = NDArray[Any]

_SHARED = PARAMETERS[PARAMETERS.index("    learning_rate :") :]
for _name in ("fast_weights", "hidden_type"):
    _begin = _SHARED.index(f"    {_name} :")
    _SHARED = (
        _SHARED[:_begin] + _SHARED[_SHARED.index("\n    ", _SHARED.index(".\n", _begin)) + 1 :]
    )


class ConvolutionalRBM(BoltzmannEstimator):
    __doc__ = (
        """A convolutional RBM with probabilistic max-pooling (Lee et al., ICML 2009).

    Its features are the probabilities of the pooling units: small shifts do not change them much.
    A convolutional deep belief net is a pipeline of such estimators, each trained on the pooling
    maps of the one below (``flatten=False``).

    Parameters
    ----------
    n_components : int
        Filters.
    kernel_size : int or (int, int)
        Of the filters' window, down and across.
    block : int or (int, int)
        Detection places of a pooling unit.
    padding : {"valid", "same"} or int
        Zeros around the image.
    image_shape : (height, width) or (height, width, channels), optional
        What a row of X is. If not given, X has it, shape (n_samples, height, width[, channels]);
        rows of a matrix are images of one row of pixels, along which ``kernel_size`` and ``block``
        are counted.
    visible_type : {"bernoulli", "gaussian"}
        gaussian: real values of variance 1; standardise or whiten first.
    flatten : bool
        Whether :meth:`transform` gives a row an image, or maps (n_samples, height, width,
        n_components).
"""
        + _SHARED
        + """

    Attributes
    ----------
    components_ : array, shape (n_components, kernel height, kernel width, channels)
        The filters.
    intercept_hidden_ : array, shape (n_components,)
    intercept_visible_ : array, shape (channels,)
    h_samples_ : array, shape (batch_size, height, width, n_components)
        Detection maps of the persistent chains.
    rbm_ : ictus.models.ConvolutionalMachine
    history_ : ictus.train.History
    image_shape_ : tuple of int
        Of a row of X, to whose form samples and reconstructions are brought.
    n_features_in_ : int
        Numbers of an image.
    feature_names_in_ : array of str
        Where X had names.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().images / 16
    >>> model = ConvolutionalRBM(8, kernel_size=3, n_iter=1, random_state=0).fit(X)
    >>> model.transform(X).shape
    (1797, 72)
    """
    )

    _machine: ClassVar[Any] = ConvolutionalMachine
    _trainer_type: ClassVar[Any] = ConvolutionalTrainer
    _fitted: ClassVar[tuple[str, ...]] = ("image_shape_",)
    fast_weights = False
    hidden_type = "bernoulli"

    def __init__(
        self,
        n_components: int = 32,
        *,
        kernel_size: int | Sequence[int] = 5,
        block: int | Sequence[int] = 2,
        padding: Any = "valid",
        image_shape: Any = None,
        visible_type: str = "bernoulli",
        flatten: bool = True,
        learning_rate: float = 1.0,
        batch_size: int = 20,
        n_iter: int = 10,
        verbose: int = 0,
        random_state: Any = None,
        k: int = 1,
        persistent: bool = False,
        momentum: float | None = None,
        l1: float = 0.0,
        l2: float = 0.0,
        sparsity_target: float = 0.05,
        sparsity_cost: float = 0.0,
        learning_rate_decay: float = 1.0,
        shuffle: bool = True,
        initialize_biases: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        gap_limit: float | None = None,
        patience: int = 5,
        dtype: str = "auto",
        progress: bool | None = False,
        checkpoint: Any = None,
        device: str = "cpu",
    ) -> None:
        self.n_components = n_components
        self.kernel_size = kernel_size
        self.block = block
        self.padding = padding
        self.image_shape = image_shape
        self.visible_type = visible_type
        self.flatten = flatten
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_iter = n_iter
        self.verbose = verbose
        self.random_state = random_state
        self.k = k
        self.persistent = persistent
        self.momentum = momentum
        self.l1 = l1
        self.l2 = l2
        self.sparsity_target = sparsity_target
        self.sparsity_cost = sparsity_cost
        self.learning_rate_decay = learning_rate_decay
        self.shuffle = shuffle
        self.initialize_biases = initialize_biases
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.gap_limit = gap_limit
        self.patience = patience
        self.dtype = dtype
        self.progress = progress
        self.checkpoint = checkpoint
        self.device = device

    # --- the form of X ---------------------------------------------------------------------------

    def _check(self, X: Any, *, reset: bool, missing: bool = False) -> Array:
        shape = X.shape if hasattr(X, "shape") else np.asarray(X).shape
        if len(shape) in (3, 4):
            X = np.asarray(X).reshape(shape[0], -1)
        x: Array = np.asarray(super()._check(X, reset=reset, missing=missing))
        if reset:
            self._set_shapes(shape[1:], x.shape[1])
        return x

    def _set_shapes(self, given: tuple[int, ...], size: int) -> None:
        """Take the shape of a row of X, and make the image of it."""
        self.image_shape_ = given
        wanted = given if self.image_shape is None else tuple(self.image_shape)
        if len(wanted) == 1:
            wanted = (1, size, 1)
        if math.prod(wanted) != size or (len(given) > 1 and (*given, 1)[:3] != (*wanted, 1)[:3]):
            raise ValueError(f"image_shape must be that of X, {given}, got {self.image_shape!r}")
        self._image = wanted

    def _decode(self, v: Array, *, mean: bool) -> Array:
        return np.asarray(v.reshape(len(v), *(int(n) for n in self.image_shape_)))

    # --- training --------------------------------------------------------------------------------

    def _new_machine(self, units: int, options: dict[str, Any]) -> Any:
        # Of images of one row, a number is that along the row.
        row = self._image[0] == 1
        kernel, block = (
            (1, n) if row and isinstance(n, int | np.integer) else n
            for n in (self.kernel_size, self.block)
        )
        return ConvolutionalMachine(
            self._image,
            self.n_components,
            kernel,
            block=block,
            padding=self.padding,
            visible_type=self.visible_type,
            dtype=options["dtype"],
            seed=options["seed"],
        )

    def _begin(self, v: Any, dtype: Any) -> None:
        super()._begin(v, dtype)
        machine: Any = self.rbm_
        self._n_features_out = machine.pooled_units

    # --- use -------------------------------------------------------------------------------------

    @property
    def components_(self) -> Array:
        """The windows, (filters, height, width, channels)."""
        return np.asarray(to_host(self.rbm_.weights).transpose(3, 0, 1, 2))

    def transform(self, X: Any) -> Array:
        """Return the probabilities of the pooling units given X.

        Shape (n_samples, pooled height * pooled width * n_components), or that of maps, with
        ``flatten=False``.
        """
        v = self._use(X)
        machine: Any = self.rbm_
        maps = in_parts(machine.mean_pooled, v)
        return np.asarray(maps.reshape(len(maps), -1)) if self.flatten else maps

    def detection(self, X: Any) -> Array:
        """Return the probabilities of the detection units, maps (n_samples, ..., n_components)."""
        v = self._use(X)
        return in_parts(self.rbm_.mean_hiddens, v)

    def get_feature_names_out(self, input_features: Any = None) -> Array:
        """Return names of the features that :meth:`transform` gives: row, column, filter."""
        check_is_fitted(self, "rbm_")
        machine: Any = self.rbm_
        places = np.ndindex(machine.pooled_shape)
        return np.array([f"convolutionalrbm{i}_{j}_{k}" for i, j, k in places], dtype=object)

    @classmethod
    def __ictus_setstate__(cls, config: dict[str, Any], tensors: dict[str, Array]) -> Any:
        """Make the fitted estimator from what a model file holds."""
        model = super().__ictus_setstate__(config, tensors)
        model._n_features_out = model.rbm_.pooled_units
        return model
