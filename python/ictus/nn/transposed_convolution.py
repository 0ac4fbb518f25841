"""Layers that make images larger: transposed convolution, and repeated pixels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ictus.kernels._device import native_module
from ictus.kernels.convolution import Padding, Pair, padded
from ictus.nn.activated import ActivatedLayer, sum_bias_gradient
from ictus.nn.initialization import initialize_weights
from ictus.nn.layer import Array, Cache, Draws, Sizes, Views
from ictus.nn.window import Extent, Images, WindowLayer, plain


class ConvTranspose2D(ActivatedLayer, WindowLayer):
    """The transpose of a convolution: each pixel lays a weighted window into a larger image.

    What the gradient of a :class:`Conv2D` layer of the same geometry does with the gradient of its
    outputs (Zeiler, Krishnan, Taylor & Fergus 2010, "Deconvolutional networks"): the decoder of a
    convolutional autoencoder. A Conv2D layer's weights fit as they are.

    Parameters
    ----------
    filters : int
        Channels of the output.
    kernel_size : int or (int, int)
    activation : {"identity", "sigmoid", "tanh", "relu", "softplus"}
    stride, dilation : int or (int, int)
        Of that convolution: the output is about `stride` times as large.
    padding : {"valid", "same"}, int, (int, int) or ((int, int), (int, int))
        Of that convolution. "valid": the output is larger by what the window reaches over; "same":
        exactly `stride` times as large as the input.
    dropout, initialization, scale, bias
        As of :class:`Dense`.

    Raises
    ------
    ValueError
        A value outside its range, or an unknown name; padding that leaves nothing.
    """

    kind = "conv_transpose2d"
    takes = (2,)

    def __init__(
        self,
        filters: int,
        kernel_size: Extent,
        activation: str = "identity",
        *,
        stride: Extent = 1,
        padding: Padding = "valid",
        dilation: Extent = 1,
        dropout: float = 0.0,
        initialization: str = "auto",
        scale: float = 1.0,
        bias: float = 0.0,
    ) -> None:
        ActivatedLayer.__init__(self, activation, dropout, initialization, scale, bias)
        WindowLayer.__init__(self, kernel_size, stride, padding, dilation)
        if int(filters) != filters or filters < 1:
            raise ValueError(f"{self._name}: filters must be a positive integer, got {filters!r}")
        self.filters = int(filters)
        self.kernel_size = kernel_size

    def _outputs(self, channels: int) -> int:
        return self.filters

    def places(self, shape: Sizes) -> tuple[Pair, Pair]:
        """Return zeros before the larger image, and its size."""
        size = self._size(shape)
        window = self.window_on(size)
        steps, dilation = self.steps(window), self.across(self.dilation, 1)
        reach = [(w - 1) * d + 1 for w, d in zip(window, dilation, strict=True)]
        if self.padding == "same":
            large = (size[0] * steps[0], size[1] * steps[1])
        else:
            # How many zeros the padding has does not depend on the size.
            _, around = padded(self.padding, (1, 1), (1, 1), (1, 1), (1, 1))
            down, across = (
                (n - 1) * s + r - (a - 1)
                for n, s, r, a in zip(size, steps, reach, around, strict=True)
            )
            large = (down, across)
        if min(large) < 1:
            raise ValueError(
                f"{self._name} on examples of shape {shape}: padding {self.padding!r} leaves "
                f"images of {large}"
            )
        before, _ = padded(self.padding, large, window, steps, dilation)
        return before, large

    @property
    def parameter_shapes(self) -> tuple[tuple[int, ...], ...]:
        assert self.window is not None
        return (*self.across(self.window, 1), self.filters, self.channels), (self.filters,)

    def initialize(self, views: Views, generator: np.random.Generator) -> None:
        weights, biases = views
        elements = math.prod(weights.shape[:2])
        # With a stride a pixel of the output is a sum over fewer elements of the window.
        steps = (1, 1) if self.stride is None else self.across(self.stride, 1)
        scale = self.scale * math.sqrt(min(math.prod(steps), elements))
        matrix = initialize_weights(
            self.initialization_rule, generator, elements * self.channels, self.filters, scale
        )
        weights[...] = matrix.reshape(*weights.shape[:2], self.channels, -1).swapaxes(2, 3)
        biases[...] = self.bias

    def _geometry(self, images: Images) -> tuple[int, ...]:
        dilation = self.across(self.dilation, 1)
        return (*self.steps(images.window), *dilation, *images.before, 1)

    def forward(self, x: Array, views: Views, cache: Cache, draws: Draws | None) -> Array:
        images = self.images(cache)
        cache.x = x.reshape(images.shape)
        images.y[...] = views[1]
        native_module(cache.x).convolution_data_gradient(
            cache.x, views[0], images.y, 1.0, self._geometry(images)
        )
        if not self._linear:
            native_module(cache.y).elementwise("activation", cache.y, cache.y, self._activation)
        cache.draws = draws if self.dropout else None
        if cache.draws is not None:
            draw = cache.draws
            native_module(cache.y).dropout(
                cache.y, cache.y, self.dropout, draw.seed, draw.stream, draw.first_row
            )
        return cache.y

    def backward(
        self,
        grad: Array,
        views: Views,
        cache: Cache,
        gradient_views: Views,
        accumulate: bool,
        propagate: bool,
    ) -> Array | None:
        assert cache.x is not None, "backward needs a forward pass before it"
        images = self.images(cache)
        geometry = self._geometry(images)
        self._times_derivative(grad, cache)
        of_y = grad.reshape(images.y.shape)
        weights_gradient, bias_gradient = gradient_views
        beta = 1.0 if accumulate else 0.0
        native_module(of_y).convolution_weights_gradient(
            of_y, cache.x, weights_gradient, beta, geometry
        )
        sum_bias_gradient(grad.reshape(-1, self.filters), bias_gradient, accumulate)
        if not propagate:
            return None
        native_module(of_y).convolution(
            of_y, views[0], images.input_gradient, None, 0, 0.0, geometry
        )
        return cache.input_gradient

    def jvp(
        self, x_dot: Array | None, views: Views, direction_views: Views, cache: Cache
    ) -> Array | None:
        assert cache.x is not None, "jvp needs a forward pass before it"
        images = self.images(cache)
        geometry, out = self._geometry(images), images.tangent
        weights_dot, biases_dot = direction_views
        out[...] = biases_dot
        native_module(cache.x).convolution_data_gradient(cache.x, weights_dot, out, 1.0, geometry)
        if x_dot is not None:
            of_x = x_dot.reshape(images.shape)
            native_module(of_x).convolution_data_gradient(of_x, views[0], out, 1.0, geometry)
        self._times_derivative(cache.tangent, cache)
        return cache.tangent

    def config(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "filters": self.filters,
            "kernel_size": plain(self.window),
            "activation": self.activation,
            "stride": plain(self.stride),
            "padding": plain(self.padding),
            "dilation": plain(self.dilation),
            "dropout": self.dropout,
            "initialization": self.initialization,
            "scale": self.scale,
            "bias": self.bias,
        }


class Upsample(WindowLayer):
    """Each pixel repeated over a block: what average pooling took together, laid out again.

    Parameters
    ----------
    factor : int or (int, int)
        Pixels of a block, down and across.
    """

    kind = "upsample"
    takes = (2,)

    def __init__(self, factor: Extent = 2) -> None:
        super().__init__(factor, None, "valid", 1)
        self.factor = factor

    def places(self, shape: Sizes) -> tuple[Pair, Pair]:
        size = self._size(shape)
        down, across = self.window_on(size)
        return (0, 0), (size[0] * down, size[1] * across)

    def _blocks(self, images: Images, of: Array) -> Array:
        """An array like y, seen as (rows, height, down, width, across, channels)."""
        rows, height, width, channels = images.shape
        down, across = images.window
        return of.reshape(rows, height, down, width, across, channels)

    def forward(self, x: Array, views: Views, cache: Cache, draws: Draws | None) -> Array:
        images = self.images(cache)
        self._blocks(images, images.y)[...] = x.reshape(images.shape)[:, :, None, :, None]
        return cache.y

    def backward(
        self,
        grad: Array,
        views: Views,
        cache: Cache,
        gradient_views: Views,
        accumulate: bool,
        propagate: bool,
    ) -> Array | None:
        if not propagate:
            return None
        images = self.images(cache)
        self._blocks(images, grad).sum(axis=(2, 4), out=images.input_gradient)
        return cache.input_gradient

    def jvp(
        self, x_dot: Array | None, views: Views, direction_views: Views, cache: Cache
    ) -> Array | None:
        if x_dot is None:
            return None
        images = self.images(cache)
        self._blocks(images, images.tangent)[...] = x_dot.reshape(images.shape)[:, :, None, :, None]
        return cache.tangent

    def config(self) -> dict[str, Any]:
        return {"kind": self.kind, "factor": plain(self.window)}
