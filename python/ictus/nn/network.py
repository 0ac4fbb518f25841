"""A chain of layers over one flat parameter vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from ictus.nn.embedding import Embedding
from ictus.nn.kinds import check_output_layer, network_arguments
from ictus.nn.layer import Array, Cache, Draws, Layer
from ictus.nn.losses import LOSSES
from ictus.nn.parameters import (
    connect,
    parameter_count,
    parameter_views,
    shared_below,
    weight_segments,
    weight_views,
)
from ictus.nn.passes import part_outputs
from ictus.nn.recurrent import RecurrentBase

# Caches are kept for this many batch sizes: the minibatch, the last of an epoch, validation.
KEPT_BATCH_SIZES = 4


class Network:
    """A chain of layers whose parameters are views into one flat vector.

    Parameters
    ----------
    input_size : int
        Number of features of an example.
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
        input_size: int,
        layers: Sequence[Layer],
        loss: str = "softmax_cross_entropy",
        *,
        dtype: DTypeLike = np.float32,
        seed: int = 0,
    ) -> None:
        if int(input_size) != input_size or input_size < 1:
            raise ValueError(f"Network: input_size must be a positive integer, got {input_size!r}")
        if loss not in LOSSES:
            raise ValueError(f"Network: loss must be one of {', '.join(LOSSES)}, got {loss!r}")
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
            raise ValueError(f"Network: dtype must be float32 or float64, got {self.dtype}")
        self.input_size = int(input_size)
        self.layers = list(layers)
        if not self.layers or not all(isinstance(layer, Layer) for layer in self.layers):
            raise ValueError(f"Network: layers must be a sequence of layers, got {layers!r}")
        self.loss_function = LOSSES[loss]
        self.seed = int(seed)
        self.draw_count = 0
        self.output_size = connect(self.layers, self.input_size)
        self._check_layers()
        count = parameter_count(self.layers)
        self.parameters: Array = np.zeros(count, self.dtype)
        self.gradient: Array = np.zeros(count, self.dtype)
        self._views = self.views(self.parameters)
        self._gradient_views = self.views(self.gradient)
        self._caches: dict[int, list[Cache]] = {}
        self._shared = shared_below(self.layers)
        self._penalized = [i for i, layer in enumerate(self.layers) if layer.penalized]
        self.initialize()

    def _check_layers(self) -> None:
        for layer in self.layers:
            if isinstance(layer, RecurrentBase | Embedding):
                name = type(layer).__name__
                raise ValueError(f"Network: a layer {name} needs a SequenceNetwork")
        check_output_layer(self.layers)

    # --- parameters ---------------------------------------------------------------------------

    @property
    def parameter_count(self) -> int:
        """Number of weights and biases."""
        return int(self.parameters.size)

    @property
    def loss_name(self) -> str:
        """Name of the loss."""
        return self.loss_function.name

    def initialize(self, seed: int | None = None) -> None:
        """Draw new initial weights, from ``seed`` if given, and start the draws anew."""
        if seed is not None:
            self.seed = int(seed)
        self.draw_count = 0
        generator = np.random.Generator(np.random.PCG64(self.seed))
        for layer, views in zip(self.layers, self._views, strict=True):
            layer.initialize(views, generator)

    def views(self, flat: Array) -> list[list[Array]]:
        """Return, for each layer, the views of a flat vector in the shapes of its parameters."""
        return parameter_views(self.layers, flat)

    @property
    def weight_segments(self) -> Array:
        return weight_segments(self.layers)

    @property
    def weight_matrices(self) -> list[Array]:
        """Views of the weights, each (inputs, units)."""
        return weight_views(self.layers, self._views)

    # --- passes -------------------------------------------------------------------------------

    def _caches_for(self, rows: int) -> list[Cache]:
        caches = self._caches.get(rows)
        if caches is None:
            if len(self._caches) >= KEPT_BATCH_SIZES:
                del self._caches[next(iter(self._caches))]
            caches = self._caches[rows] = [
                Cache(rows, layer.input_size, layer.output_size, self.dtype)
                for layer in self.layers
            ]
        return caches

    def _forward(self, x: Array, caches: list[Cache], training: bool, first_row: int) -> Array:
        number = 0
        for layer, views, cache in zip(self.layers, self._views, caches, strict=True):
            draws = None
            if training:
                # Two streams a layer: an epilogue takes one for dropout, the next for sampling.
                stream = 2 * (self.draw_count * len(self.layers) + number)
                draws = Draws(self.seed, stream, first_row)
                number += 1
            x = layer.forward(x, views, cache, draws)
        return x

    def check_input(self, x: Any) -> Array:
        """Return x as a C-contiguous matrix of the network's dtype.

        Raises
        ------
        ValueError
            Another number of features than ``input_size``, or another rank than 2.
        """
        x = np.asarray(x)
        if x.ndim != 2 or x.shape[1] != self.input_size:
            raise ValueError(f"x must have shape (rows, {self.input_size}), got {x.shape}")
        return np.ascontiguousarray(x, self.dtype)

    def forward(self, x: Any, *, training: bool = False) -> Array:
        """Return the logits of a batch, shape (rows, output_size).

        With ``training``, dropout is active, with the draws of the next training pass.
        """
        x = self.check_input(x)
        return self._forward(x, self._caches_for(len(x)), training, 0).copy()

    def predict(self, x: Any, *, batch_size: int = 1024) -> Array:
        """Return the network's outputs: class probabilities, unit probabilities, or values.

        Parameters
        ----------
        x : array-like, shape (rows, input_size)
        batch_size : int
            Rows in work at once: bounds the memory.
        """
        x = self.check_input(x)
        out = np.empty((len(x), self.output_size), self.dtype)
        for first in range(0, len(x), batch_size):
            part = x[first : first + batch_size]
            logits = self._forward(part, self._caches_for(len(part)), False, 0)
            self.loss_function.output(logits, out[first : first + batch_size])
        return out

    def activations(self, x: Any, layer: int = -2, *, batch_size: int = 1024) -> Array:
        """Return the outputs of one layer (counted in ``layers``; -2: the last hidden one).

        Features of the data for any other classifier. Shape (rows, units of that layer).
        """
        x = self.check_input(x)
        if not -len(self.layers) <= layer < len(self.layers):
            raise ValueError(
                f"layer must be in {-len(self.layers)} .. {len(self.layers) - 1}, got {layer}"
            )
        return part_outputs(self, x, 0, layer % len(self.layers), batch_size=batch_size)

    def loss(
        self, x: Any, y: Any, weights: Array | None = None, *, batch_size: int = 1024
    ) -> float:
        """Return the mean loss (weighted, with ``weights`` (rows,)), without penalties."""
        x = self.check_input(x)
        y = self.loss_function.check_targets(y, len(x), self.output_size, self.dtype)
        if len(x) == 0:
            raise ValueError("x must have at least one row, got 0")
        total = 0.0
        for first in range(0, len(x), batch_size):
            part = slice(first, first + batch_size)
            logits = self._forward(x[part], self._caches_for(len(x[part])), False, 0)
            chosen = None if weights is None else weights[part]
            total += self.loss_function.value(logits, y[part], None, chosen, 1.0)
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
        x : array, shape (rows, input_size)
            Of the network's dtype, contiguous rows.
        y : array
            int64 labels (rows,) or a matrix (rows, output_size) of the network's dtype.
        weights : array, shape (rows,), optional
            Weights of the examples, of the network's dtype.
        scale : float, optional
            Factor of the sum of losses; 1 / rows if not given.
        training : bool
            Whether dropout is active. Each such pass has draws of its own.
        accumulate : bool
            Add to ``gradient``: for batches larger than memory, and several processes.
        first_row : int
            Number of the first row in the whole batch, for draws.
        """
        caches = self._caches_for(len(x))
        logits = self._forward(x, caches, training, first_row)
        if training:
            self.draw_count += 1
        scale = 1.0 / len(x) if scale is None else scale
        # The gradient takes the place of the logits.
        value = self.loss_function.value(logits, y, logits, weights, scale)
        for i in self._penalized:
            value += self.layers[i].penalty(self._views[i], caches[i], scale)
        self._backward(logits, caches, self._gradient_views, accumulate)
        return value

    def _backward(
        self, grad: Array, caches: list[Cache], into: list[list[Array]], accumulate: bool
    ) -> None:
        # The first layer that has parameters needs no gradient of its input.
        lowest = next(i for i, views in enumerate(self._views) if views)
        shared = self._shared
        if shared and not accumulate:
            # They add to what a layer above has written; nothing is above their biases.
            for i in shared:
                bias = 1 if self.layers[i].tied_to is None else 0
                into[i][bias][...] = 0
        for i in range(len(self.layers) - 1, lowest - 1, -1):
            adds = accumulate or i in shared
            passed = self.layers[i].backward(
                grad, self._views[i], caches[i], into[i], adds, i > lowest
            )
            if passed is not None:
                grad = passed

    # --- directional derivatives ---------------------------------------------------------------

    def jvp(self, x: Any, direction: Array) -> Array:
        """Return the derivative of the logits along ``direction`` in the parameters (R-operator).

        Shape (rows, output_size); ``direction`` has shape (parameter_count,).
        """
        x = self.check_input(x)
        caches = self._caches_for(len(x))
        self._forward(x, caches, False, 0)
        return self._jvp(self.views(self._check_direction(direction)), caches).copy()

    def _check_direction(self, direction: Any) -> Array:
        direction = np.asarray(direction)
        if direction.shape != self.parameters.shape:
            raise ValueError(
                f"direction must have shape {self.parameters.shape}, got {direction.shape}"
            )
        return np.ascontiguousarray(direction, self.dtype)

    def _jvp(self, direction_views: list[list[Array]], caches: list[Cache]) -> Array:
        x_dot: Array | None = None
        for layer, views, direction, cache in zip(
            self.layers, self._views, direction_views, caches, strict=True
        ):
            x_dot = layer.jvp(x_dot, views, direction, cache)
        assert x_dot is not None
        return x_dot

    def gauss_newton_product(
        self, x: Any, direction: Array, out: Array | None = None, weights: Array | None = None
    ) -> Array:
        """Return ``G direction``, G the Gauss-Newton matrix of the mean loss over the batch.

        ``G = 1/rows sum J^T H J`` with J the Jacobian of the logits and H the loss's Hessian with
        respect to them (Schraudolph 2002; Martens 2010). Targets do not enter.

        Parameters
        ----------
        x : array-like, shape (rows, input_size)
        direction : array, shape (parameter_count,)
        out : array, shape (parameter_count,), optional
        """
        x = self.check_input(x)
        caches = self._caches_for(len(x))
        logits = self._forward(x, caches, False, 0)
        tangent = self._jvp(self.views(self._check_direction(direction)), caches)
        self.loss_function.curvature(logits, tangent, tangent, weights, 1.0 / len(x))
        if out is None:
            out = np.empty_like(self.parameters)
        self._backward(tangent, caches, self.views(out), False)
        return out

    # --- configuration --------------------------------------------------------------------------

    def config(self) -> dict[str, Any]:
        """Return plain data that make this network again, without its parameters."""
        return {
            "input_size": self.input_size,
            "layers": [layer.config() for layer in self.layers],
            "loss": self.loss_name,
            "dtype": self.dtype.name,
            "seed": self.seed,
        }

    def __getstate__(self) -> dict[str, Any]:
        # Views would come back as separate arrays, and caches are not worth keeping.
        return {
            "config": self.config(),
            "parameters": self.parameters,
            "draw_count": self.draw_count,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ = type(self).from_config(state["config"], state["parameters"]).__dict__
        self.draw_count = state["draw_count"]

    @classmethod
    def from_config(cls, config: dict[str, Any], parameters: Array | None = None) -> Network:
        """Make a network from what :meth:`config` gave.

        Parameters
        ----------
        config : dict
        parameters : array, shape (parameter_count,), optional
            Its parameters. Their number is compared before memory is taken for the network.

        Raises
        ------
        ValueError
            Unknown layers, arguments they do not take, or another number of parameters.
        """
        try:
            network = cls(**network_arguments(config, parameters))
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(f"not the configuration of a network: {error!r}") from error
        if parameters is not None:
            network.parameters[...] = parameters
        return network
