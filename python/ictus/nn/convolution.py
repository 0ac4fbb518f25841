"""Convolutional layers: the same units at every place of an image or a sequence."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ictus.kernels._device import empty, native_module
from ictus.kernels.convolution import Padding
from ictus.kernels.pooling import element_dtype
from ictus.nn.activated import ActivatedLayer, sum_bias_gradient
from ictus.nn.initialization import initialize_weights
from ictus.nn.layer import Array, Cache, Draws, Sizes, Views
from ictus.nn.window import Extent, Images, WindowLayer, plain


class Conv2D(ActivatedLayer, WindowLayer):
    """Feature maps: units with the same weights see a window at every place of the image.

    ``y[i, j, o] = dropout(f(b[o] + sum x[i * s + a * d - p, .., c] W[a, b, c, o]))``: LeCun et al.
    1998, "Gradient-based learning applied to document recognition", section II.A. With `pool`, what
    a MaxPool layer would leave, in one pass: several times faster where channels are few.

    Parameters
    ----------
    filters : int
        Number of feature maps: the channels of the output.
    kernel_size : int or (int, int)
        Height and width of the window.
    activation : {"identity", "sigmoid", "tanh", "relu", "softplus"}
    stride, dilation : int or (int, int)
        Steps of the window, and of its elements, down and across.
    padding : {"valid", "same"}, int, (int, int) or ((int, int), (int, int))
        Zeros around the image; see :func:`ictus.kernels.convolution.padded`.
    groups : int
        Channels and filters are cut into as many parts, and the filters of a part see its channels
        alone.
    pool : int or (int, int), optional
        Of each window of this height and width, side by side, only the largest unit is kept.
    dropout : float in [0, 1)
        As of :class:`Dense`: of each unit that is kept, at each place. Of whole maps: a
        SpatialDropout layer.
    initialization, scale, bias
        As of :class:`Dense`; the inputs of a unit are what its window sees.

    Raises
    ------
    ValueError
        A value outside its range, or an unknown name; at the network's making, groups that do not
        divide the channels, or a window larger than the padded image.
    """

    kind = "conv2d"
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
        groups: int = 1,
        pool: Extent | None = None,
        dropout: float = 0.0,
        initialization: str = "auto",
        scale: float = 1.0,
        bias: float = 0.0,
    ) -> None:
        ActivatedLayer.__init__(self, activation, dropout, initialization, scale, bias)
        WindowLayer.__init__(self, kernel_size, stride, padding, dilation)
        for name, value in (("filters", filters), ("groups", groups)):
            if int(value) != value or value < 1:
                raise ValueError(f"{self._name}: {name} must be a positive integer, got {value!r}")
        if filters % groups:
            raise ValueError(
                f"{self._name}: groups must divide the filters, got {groups} for {filters}"
            )
        self.filters, self.groups = int(filters), int(groups)
        self.kernel_size = kernel_size
        self.pool = None if pool is None else self._extent("pool", pool)

    def _outputs(self, channels: int) -> int:
        if channels % self.groups:
            raise ValueError(
                f"{self._name}: groups must divide the channels, got {self.groups} for {channels}"
            )
        return self.filters

    def output_shape(self, shape: Sizes) -> Sizes:
        *places, outputs = super().output_shape(shape)
        if self.pool is None:
            return (*places, outputs)
        pool = self.across(self.pool, 1)[2 - len(places) :]
        pooled = [n // by for n, by in zip(places, pool, strict=True)]
        if not all(pooled):
            raise ValueError(
                f"{self._name} on examples of shape {shape}: pool {self.pool} must fit the places "
                f"of the convolution, {tuple(places)}"
            )
        return (*pooled, outputs)

    def _images(self, cache: Cache) -> Images:
        images = super()._images(cache)
        if self.pool is not None:
            images.argmax = empty(images.y, images.y.shape, element_dtype(images.y.dtype))
        return images

    @property
    def parameter_shapes(self) -> tuple[tuple[int, ...], ...]:
        assert self.window is not None
        inputs = self.channels // self.groups
        return (*self.across(self.window, 1), inputs, self.filters), (self.filters,)

    def initialize(self, views: Views, generator: np.random.Generator) -> None:
        weights, biases = views
        window = math.prod(weights.shape[:2])
        inputs, outputs = window * weights.shape[2], window * self.filters // self.groups
        scale = self.scale
        if self.initialization_rule == "glorot":
            # A pixel goes to as many units as the window has elements, times the filters.
            scale *= math.sqrt((inputs + self.filters) / (inputs + outputs))
        matrix = initialize_weights(
            self.initialization_rule, generator, inputs, self.filters, scale
        )
        weights[...] = matrix.reshape(weights.shape)
        biases[...] = self.bias

    def _geometry(self, images: Images) -> tuple[int, ...]:
        dilation = self.across(self.dilation, 1)
        return (*self.steps(images.window), *dilation, *images.before, self.groups)

    def forward(self, x: Array, views: Views, cache: Cache, draws: Draws | None) -> Array:
        images = self.images(cache)
        cache.x = x.reshape(images.shape)
        number, geometry = self._activation, self._geometry(images)
        if self.pool is None:
            native_module(cache.x).convolution(
                cache.x, views[0], images.y, views[1], number, 0.0, geometry
            )
        else:
            # Inference needs no argmax; what does, after all, makes up for it.
            images.argmax_known = draws is not None
            argmax = images.argmax if images.argmax_known else None
            pooled = (*geometry, *self.across(self.pool, 1))
            native_module(cache.x).pooled_convolution(
                cache.x, views[0], views[1], number, images.y, argmax, pooled
            )
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
        y_gradient = grad.reshape(images.y.shape)
        beta = 1.0 if accumulate else 0.0
        weights_gradient, bias_gradient = gradient_views
        if self.pool is not None:
            number = self._activation
            if cache.draws is not None:
                self._times_derivative(grad, cache)
                number = 0
            native_module(cache.x).pooled_convolution_backward(
                cache.x,
                views[0],
                images.y,
                y_gradient,
                self._argmax(images, views, cache),
                number,
                beta,
                weights_gradient,
                bias_gradient,
                images.input_gradient if propagate else None,
                (*geometry, *self.across(self.pool, 1)),
            )
            return cache.input_gradient if propagate else None
        self._times_derivative(grad, cache)
        native_module(cache.x).convolution_weights_gradient(
            cache.x, y_gradient, weights_gradient, beta, geometry
        )
        sum_bias_gradient(grad.reshape(-1, self.filters), bias_gradient, accumulate)
        if not propagate:
            return None
        native_module(y_gradient).convolution_data_gradient(
            y_gradient, views[0], images.input_gradient, 0.0, geometry
        )
        return cache.input_gradient

    def _argmax(self, images: Images, views: Views, cache: Cache) -> Array:
        """Return the maxima's elements of the last forward pass."""
        assert self.pool is not None
        assert cache.x is not None
        assert images.argmax is not None
        if not images.argmax_known:
            geometry = (*self._geometry(images), *self.across(self.pool, 1))
            native_module(cache.x).pooled_convolution(
                cache.x, views[0], views[1], self._activation, images.y, images.argmax, geometry
            )
            images.argmax_known = True
        return images.argmax

    def jvp(
        self, x_dot: Array | None, views: Views, direction_views: Views, cache: Cache
    ) -> Array | None:
        assert cache.x is not None, "jvp needs a forward pass before it"
        images = self.images(cache)
        geometry, out = self._geometry(images), images.tangent
        if self.pool is not None:
            _, places = self.places(cache.input_shape)
            out = empty(cache.y, (len(cache.y), *places, self.filters))
        weights_dot, biases_dot = direction_views
        native_module(cache.x).convolution(cache.x, weights_dot, out, biases_dot, 0, 0.0, geometry)
        if x_dot is not None:
            of_x = x_dot.reshape(images.shape)
            native_module(of_x).convolution(of_x, views[0], out, None, 0, 1.0, geometry)
        if self.pool is not None:
            pool = self.across(self.pool, 1)
            side_by_side = (*pool, *pool, 1, 1, 0, 0)
            native_module(out).max_pooling_tangent(
                out, self._argmax(images, views, cache), images.tangent, side_by_side
            )
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
            "groups": self.groups,
            "pool": plain(self.pool),
            "dropout": self.dropout,
            "initialization": self.initialization,
            "scale": self.scale,
            "bias": self.bias,
        }


class Conv1D(Conv2D):
    """The same over sequences (time, channels): a convolution in time.

    Waibel et al. 1989, "Phoneme recognition using time-delay neural networks".

    Parameters
    ----------
    filters, kernel_size, activation, stride, dilation, groups, pool, dropout, initialization
        As of :class:`Conv2D`, of the one axis.
    scale, bias : float
        As of :class:`Dense`.
    padding : {"valid", "same"}, int or (int, int)
        Zeros before and after.
    """

    kind = "conv1d"
    takes = (1,)
