"""A chain of layers over one flat parameter vector: its passes in both directions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike

from ictus.kernels._device import (
    as_given,
    contiguous,
    empty,
    is_device_array,
    to_device,
    to_host,
)
from ictus.nn.kinds import network_arguments
from ictus.nn.layer import Array, Cache, Draws, Layer, Shape
from ictus.nn.parameters import (
    connect,
    parameter_count,
    parameter_views,
    shared_below,
    state_count,
    state_views,
    weight_segments,
    weight_views,
)
from ictus.nn.placement import Placement
from ictus.nn.shapes import Passes, as_shape, examples, size_of


class Chain(Placement):
    """Layers that view one flat vector of parameters; a :class:`Network` adds the loss.

    Parameters
    ----------
    input_size, layers, dtype, seed
        See :class:`Network`.
    """

    def __init__(
        self, input_size: Any, layers: Sequence[Layer], *, dtype: DTypeLike, seed: int
    ) -> None:
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
            raise ValueError(f"Network: dtype must be float32 or float64, got {self.dtype}")
        self.input_shape = as_shape(input_size)
        self.input_size = size_of(self.input_shape)
        self.layers = list(layers)
        if not self.layers or not all(isinstance(layer, Layer) for layer in self.layers):
            raise ValueError(f"Network: layers must be a sequence of layers, got {layers!r}")
        self.seed = int(seed)
        self.draw_count = 0
        self.output_shape = connect(self.layers, self.input_shape)
        self.output_size = int(self.output_shape[-1] or 0)
        self._check_layers()
        # The state follows the parameters, so that both can be kept and put back as one vector.
        count = parameter_count(self.layers) + state_count(self.layers)
        self._shared = shared_below(self.layers)
        self._place("cpu", np.zeros(count, self.dtype))
        self.initialize()

    def _check_layers(self) -> None:
        """Raise ValueError where the layers do not go together."""

    # --- parameters ---------------------------------------------------------------------------

    @property
    def parameter_count(self) -> int:
        """Number of weights and biases."""
        return int(self.parameters.size)

    def initialize(self, seed: int | None = None) -> None:
        """Draw new initial weights, from ``seed`` if given, and start the draws anew."""
        if seed is not None:
            self.seed = int(seed)
        self.draw_count = 0
        generator = np.random.Generator(np.random.PCG64(self.seed))
        on_host = self.device == "cpu"
        numbers = self.numbers if on_host else np.zeros(self.numbers.shape, self.dtype)
        for layer, views in zip(self.layers, self._views_of(numbers), strict=True):
            layer.initialize(views, generator)
        if not on_host:
            self.put_numbers(numbers)

    def _views_of(self, numbers: Array) -> list[list[Array]]:
        count = parameter_count(self.layers)
        states = state_views(self.layers, numbers[count:])
        return [
            [*own, *state] for own, state in zip(self.views(numbers[:count]), states, strict=True)
        ]

    def views(self, flat: Array) -> list[list[Array]]:
        """Return, for each layer, the views of a flat vector in the shapes of its parameters."""
        return parameter_views(self.layers, flat)

    @property
    def layer_views(self) -> list[list[Array]]:
        """For each layer, views of its parameters and then of its state."""
        return self._views

    @property
    def weight_segments(self) -> Array:
        return weight_segments(self.layers)

    @property
    def weight_matrices(self) -> list[Array]:
        """Views of the weights, each (inputs, units)."""
        return weight_views(self.layers, self._views)

    # --- passes -------------------------------------------------------------------------------

    @property
    def _passes(self) -> Passes:
        return self._of_thread.passes

    def check_input(self, x: Any) -> Array:
        """Return x as a C-contiguous array (rows, *input_shape) of the network's dtype.

        Raises
        ------
        ValueError
            Examples of another shape.
        """
        return contiguous(to_device(self.device, self.examples(x)), self.dtype)  # type: ignore[no-any-return]

    def examples(self, x: Any, name: str = "x") -> Array:
        """Return x as an array (rows, *input_shape) of its own dtype; see :meth:`check_input`."""
        return examples(x, self.input_shape, name)

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

    def forward(self, x: Any, *, training: bool = False) -> Array:
        """Return the logits of a batch, shape (rows, *output_shape).

        With ``training``, dropout is active, with the draws of the next training pass.
        """
        x, caches = self._passes.enter(self.check_input(x))
        logits = self._forward(x, caches, training, 0)
        return logits.reshape(len(x), *caches[-1].output_shape).copy()

    def _parts(self, x: Array, batch_size: int | None) -> Iterator[slice]:
        size = batch_size or self._passes.rows_at_once(x.shape[1:])
        for first in range(0, len(x), size):
            yield slice(first, min(first + size, len(x)))

    def activations(self, x: Any, layer: int = -2, *, batch_size: int | None = None) -> Array:
        """Return the outputs of one layer (counted in ``layers``; -2: the last hidden one).

        Features of the data for any other classifier. Shape (rows, *output shape of that layer).
        """
        given, x = x, self.check_input(x)
        last = self.layer_number(layer)
        out = empty(x, (len(x), *self._passes.output_shape(x.shape[1:], last + 1)))
        for part in self._parts(x, batch_size):
            h, caches = self._passes.enter(x[part])
            for one, views, cache in zip(
                self.layers[: last + 1], self._views, caches, strict=False
            ):
                h = one.forward(h, views, cache, None)
            out[part] = h.reshape(out[part].shape)
        return as_given(given, out)  # type: ignore[no-any-return]

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

    def input_gradient(
        self, x: Any, y_gradient: Any, layer: int = -1, *, guided: bool = False
    ) -> Array:
        """Return the gradient with respect to x of ``sum(y * y_gradient)``, y the layer's outputs.

        Dropout is off. The network's ``gradient`` stays as it is.

        Parameters
        ----------
        x : array-like, shape (rows, *input_shape)
        y_gradient : array, shape (rows, *output shape of the layer)
            Or what can be broadcast to it.
        layer : int
            Counted in ``layers``; -1: the last, whose outputs are the logits.
        guided : bool
            Whether rectifiers pass down only what is positive: guided backpropagation
            (Springenberg, Dosovitskiy, Brox & Riedmiller 2015).

        Raises
        ------
        ValueError
            Another shape, or a layer that the network does not have.
        """
        given, x = x, self.check_input(x)
        last = self.layer_number(layer)
        shape = (len(x), *self._passes.output_shape(x.shape[1:], last + 1))
        if not is_device_array(y_gradient):
            y_gradient = np.asarray(y_gradient, self.dtype)
        try:
            of_y = np.broadcast_to(to_device(self.device, y_gradient), shape)
        except ValueError:
            raise ValueError(
                f"y_gradient must have shape {shape}, got {y_gradient.shape}"
            ) from None
        spare = self.views(np.empty_like(self.parameters))
        out: Array = np.empty_like(x)
        for part in self._parts(x, None):
            h, caches = self._passes.enter(x[part])
            for i in range(last + 1):
                h = self.layers[i].forward(h, self._views[i], caches[i], None)
            grad: Array = of_y[part].astype(self.dtype).reshape(len(x[part]), -1)
            for i in range(last, -1, -1):
                if guided and getattr(self.layers[i], "activation", "") == "relu":
                    np.maximum(grad, 0, out=grad)
                passed = self.layers[i].backward(
                    grad, self._views[i], caches[i], spare[i], False, True
                )
                assert passed is not None
                grad = passed
            out[part] = grad.reshape(out[part].shape)
        return as_given(given, out)  # type: ignore[no-any-return]

    def layer_number(self, layer: int) -> int:
        """Return a layer's number counted from 0; ValueError where the network has none such."""
        if not -len(self.layers) <= layer < len(self.layers):
            raise ValueError(
                f"layer must be in {-len(self.layers)} .. {len(self.layers) - 1}, got {layer}"
            )
        return layer % len(self.layers)

    def jvp(self, x: Any, direction: Array) -> Array:
        """Return the derivative of the logits along ``direction`` in the parameters (R-operator).

        Shape (rows, *output_shape); ``direction`` has shape (parameter_count,).
        """
        x, caches = self._passes.enter(self.check_input(x))
        self._forward(x, caches, False, 0)
        tangent = self._jvp(self.views(self._check_direction(direction)), caches)
        return tangent.reshape(len(x), *caches[-1].output_shape).copy()

    def _check_direction(self, direction: Any) -> Array:
        if not is_device_array(direction):
            direction = np.asarray(direction)
        if direction.shape != self.parameters.shape:
            raise ValueError(
                f"direction must have shape {self.parameters.shape}, got {direction.shape}"
            )
        return contiguous(to_device(self.device, direction), self.dtype)  # type: ignore[no-any-return]

    def _jvp(self, direction_views: list[list[Array]], caches: list[Cache]) -> Array:
        x_dot: Array | None = None
        for layer, views, direction, cache in zip(
            self.layers, self._views, direction_views, caches, strict=True
        ):
            x_dot = layer.jvp(x_dot, views, direction, cache)
        assert x_dot is not None
        return x_dot

    def layer_shape(self, layer: int) -> Shape:
        """Return the shape of a layer's output for an example; None: any length."""
        shape = self.input_shape
        for each in self.layers[: layer + 1]:
            shape = each.connect_shape(shape)
        return shape

    def tensors(self) -> dict[str, Array]:
        """Return what makes this network again from its configuration, as NumPy arrays."""
        count = self.parameter_count
        numbers = to_host(self.numbers)
        return {"parameters": numbers[:count]} | (
            {"state": numbers[count:]} if self.state.size else {}
        )

    # --- configuration --------------------------------------------------------------------------

    def config(self) -> dict[str, Any]:
        """Return plain data that make this network again, without its parameters."""
        return {
            "input_size": self.input_size if len(self.input_shape) == 1 else [*self.input_shape],
            "layers": [layer.config() for layer in self.layers],
            "dtype": self.dtype.name,
            "seed": self.seed,
        }

    def __getstate__(self) -> dict[str, Any]:
        # Views would come back as separate arrays, and caches are not worth keeping.
        return {
            "config": self.config(),
            "parameters": to_host(self.parameters),
            "state": to_host(self.state),
            "draw_count": self.draw_count,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        made = type(self).from_config(state["config"], state["parameters"], state["state"])
        self.__dict__ = made.__dict__
        self.draw_count = state["draw_count"]

    @classmethod
    def from_config(
        cls, config: dict[str, Any], parameters: Array | None = None, state: Array | None = None
    ) -> Self:
        """Make a network from what :meth:`config` gave.

        Parameters
        ----------
        config : dict
        parameters : array, shape (parameter_count,), optional
            Its parameters. Their number is compared before memory is taken for the network.
        state : array, optional
            Its state, where it has any.

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
        if state is not None:
            if state.shape != network.state.shape:
                raise ValueError(f"state must have shape {network.state.shape}, got {state.shape}")
            network.state[...] = state
        return network
