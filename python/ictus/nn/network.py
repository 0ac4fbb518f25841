"""A network: a chain of layers with a loss of its outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ictus.kernels._device import as_given, device_of, empty, to_device, to_host
from ictus.nn.chain import Chain
from ictus.nn.derivatives import CurvatureProducts
from ictus.nn.embedding import Embedding
from ictus.nn.kinds import check_output_layer
from ictus.nn.layer import Array, Layer
from ictus.nn.losses import LOSSES
from ictus.nn.recurrent import RecurrentBase
from ictus.nn.shapes import by_place, size_of, targets_by_place
from ictus.nn.sliding import slide


class Network(CurvatureProducts, Chain):
    """A chain of layers whose parameters are views into one flat vector.

    Parameters
    ----------
    input_size : int or tuple
        Number of features of an example; or its shape, (time, channels) or (height, width,
        channels), where None is any length: what layers over sequences and images take.
    layers : sequence of Layer
        The last one with parameters is linear: its outputs are the logits, and the loss applies
        the output function that matches it.
    loss : {"softmax_cross_entropy", "binary_cross_entropy", "squared_error"}
    dtype : float32 or float64
        float64 verifies gradients; float32 is for use.
    seed : int
        Of the initial weights and of every random draw in training.

    Attributes
    ----------
    parameters, gradient : array, shape (parameter_count,)
        The flat vectors. Assign to their elements, not to the attributes.
    state : array
        What layers keep from batch to batch and no gradient changes: running statistics. Model
        files and checkpoints have it. ``numbers`` has the parameters and then the state.
    weight_segments : array of int64, shape (n, 2)
        Ranges of the flat vector that hold weights, not biases: where penalties apply.
    draw_count : int
        Number of training passes so far: names their random draws. Part of what a checkpoint keeps.

    Examples
    --------
    >>> network = Network(784, [Dropout(0.2), Dense(800, "relu", dropout=0.5), Dense(10)])
    >>> network.parameter_count
    636010
    """

    def __init__(
        self,
        input_size: Any,
        layers: Sequence[Layer],
        loss: str = "softmax_cross_entropy",
        *,
        dtype: DTypeLike = np.float32,
        seed: int = 0,
    ) -> None:
        if loss not in LOSSES:
            raise ValueError(f"Network: loss must be one of {', '.join(LOSSES)}, got {loss!r}")
        self.loss_function = LOSSES[loss]
        super().__init__(input_size, layers, dtype=dtype, seed=seed)
        self._penalized = [i for i, layer in enumerate(self.layers) if layer.penalized]

    def _check_layers(self) -> None:
        for layer in self.layers:
            if isinstance(layer, RecurrentBase | Embedding):
                name = type(layer).__name__
                raise ValueError(f"Network: a layer {name} needs a SequenceNetwork")
        check_output_layer(self.layers)

    @property
    def loss_name(self) -> str:
        """Name of the loss."""
        return self.loss_function.name

    # --- passes -------------------------------------------------------------------------------

    def checked_targets(self, y: Any, x: Array) -> Array:
        """Return targets of the examples x as the passes take them, a row an example.

        Labels (rows,) or a matrix (rows, output_size); where the outputs have places, labels
        (rows, *places) or values (rows, *places, output_size).

        Raises
        ------
        ValueError
            Another number of examples, or another shape; and see :meth:`Loss.check_targets`.
        """
        places = self._passes.output_shape(x.shape[1:])[:-1]
        checked = targets_by_place(
            self.loss_function, to_host(y), len(x), places, self.output_size, self.dtype
        )
        return to_device(device_of(x).name, checked)  # type: ignore[no-any-return]

    def _loss(
        self, logits: Array, y: Array, gradient: bool, weights: Array | None, scale: float
    ) -> float:
        """Loss of logits (rows, outputs of all places); its gradient may take their place."""
        if len(self.output_shape) > 1:
            logits, y, weights = by_place(logits, y, weights, self.output_size)
        into = logits if gradient else None
        return self.loss_function.value(logits, y, into, weights, scale)

    def predict(self, x: Any, *, batch_size: int | None = None) -> Array:
        """Return the network's outputs: class probabilities, unit probabilities, or values.

        Parameters
        ----------
        x : array-like, shape (rows, *input_shape)
        batch_size : int, optional
            Rows in work at once: bounds the memory. 1024 of vectors, fewer of images if not given.
        """
        given, x = x, self.check_input(x)
        shape = self._passes.output_shape(x.shape[1:])
        out = empty(x, (len(x), *shape))
        rows = out.reshape(-1, self.output_size)
        places = size_of(shape[:-1])
        for part in self._parts(x, batch_size):
            logits = self._forward(*self._passes.enter(x[part]), False, 0)
            outputs = rows[part.start * places : part.stop * places]
            self.loss_function.output(logits.reshape(-1, self.output_size), outputs)
        return as_given(given, out)  # type: ignore[no-any-return]

    def slide(
        self,
        x: Any,
        axes: int | Sequence[int] = 0,
        *,
        padding: str = "valid",
        at_once: int | None = None,
    ) -> Array:
        """Return the outputs of the patches at all positions of an image, without computing twice.

        The network takes patches of its input shape; x is longer along some axes. Its outputs are
        those of the patches one by one, but for rounding; see :mod:`ictus.nn.sliding`.

        Parameters
        ----------
        x : array, shape (time, channels) or (height, width, channels)
            One spectrogram or image; a last axis of one channel may be left out.
        axes : int or sequence of int
            Along which the patches move, by one pixel.
        padding : {"valid", "zeros", "edge"}
            valid: patches within x. Else x is continued, half a patch before it and half after, by
            zeros or by its first and last pixels: as many outputs as pixels.
        at_once : int, optional
            Positions along the first axis in work at once: bounds the memory.

        Returns
        -------
        array, shape (positions, output_size), with two axes (positions, positions, output_size)

        Raises
        ------
        ValueError
            Layers that cannot slide (those that pad along the axis, among others), an image smaller
            than a patch, or more than one output a patch.
        """
        return slide(self, x, [axes] if isinstance(axes, int) else list(axes), padding, at_once)

    def loss(
        self, x: Any, y: Any, weights: Array | None = None, *, batch_size: int | None = None
    ) -> float:
        """Return the mean loss (weighted, with ``weights`` as below), without penalties."""
        x = self.check_input(x)
        y = self.checked_targets(y, x)
        if weights is not None:
            weights = to_device(self.device, weights)
        if len(x) == 0:
            raise ValueError("x must have at least one row, got 0")
        total = 0.0
        for part in self._parts(x, batch_size):
            logits = self._forward(*self._passes.enter(x[part]), False, 0)
            chosen = None if weights is None else weights[part]
            total += self._loss(logits, y[part], False, chosen, 1.0)
        return total / (len(x) if weights is None else float(weights.sum()))

    def loss_and_gradient(
        self,
        x: Array,
        y: Array,
        weights: Array | None = None,
        *,
        scale: float | None = None,
        training: bool = True,
        accumulate: bool = False,
        first_row: int = 0,
    ) -> float:
        """Return the mean loss of a batch and put its gradient into ``gradient``.

        With the layers' penalties, which do not see ``weights``; parts of a batch have mean
        activities of their own.

        Parameters
        ----------
        x : array, shape (rows, *input_shape)
            Of the network's dtype, contiguous rows.
        y : array
            Targets as :meth:`checked_targets` gives them.
        weights : array, shape (rows,) or (rows, *places), optional
            Weights of the examples, or of all their outputs, of the network's dtype.
        scale : float, optional
            Factor of the sum of losses; 1 / rows if not given.
        training : bool
            Whether dropout is active. Each such pass has draws of its own.
        accumulate : bool
            Add to ``gradient``: for batches larger than memory, and several processes.
        first_row : int
            Number of the first row in the whole batch, for draws.
        """
        if self.device != "cpu":
            x, y = to_device(self.device, x), to_device(self.device, y)
            weights = None if weights is None else to_device(self.device, weights)
        x, caches = self._passes.enter(x)
        if len(x) == 0 and scale is None:
            raise ValueError("x must have at least one row, got 0")
        logits = self._forward(x, caches, training, first_row)
        if training:
            self.draw_count += 1
        scale = 1.0 / len(x) if scale is None else scale
        value = self._loss(logits, y, True, weights, scale)
        for i in self._penalized:
            value += self.layers[i].penalty(self._views[i], caches[i], scale)
        self._backward(logits, caches, self._gradient_views, accumulate)
        return value

    def config(self) -> dict[str, Any]:
        return super().config() | {"loss": self.loss_name}
