"""Pooling layers, and the layer that makes vectors of images."""

from __future__ import annotations

import math
from typing import Any

from ictus.kernels._device import empty, native_module
from ictus.kernels.convolution import Padding
from ictus.kernels.pooling import element_dtype
from ictus.nn.layer import Array, Cache, Draws, Layer, Shape, Views
from ictus.nn.window import Extent, Images, WindowLayer, plain


class PoolingLayer(WindowLayer):
    """Base of the pooling layers; their docstrings name the parameters."""

    def __init__(
        self,
        window: Extent | None = 2,
        *,
        stride: Extent | None = None,
        padding: Padding = "valid",
        dilation: Extent = 1,
    ) -> None:
        super().__init__(window, stride, padding, dilation)

    def _geometry(self, images: Images) -> tuple[int, ...]:
        dilation = self.across(self.dilation, 1)
        return (*images.window, *self.steps(images.window), *dilation, *images.before)

    def config(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "window": plain(self.window),
            "stride": plain(self.stride),
            "padding": plain(self.padding),
            "dilation": plain(self.dilation),
        }


class MaxPool(PoolingLayer):
    """The largest number that a window sees of a channel, at each of its places.

    Of images or of sequences; see :func:`ictus.kernels.max_pooling`.

    Parameters
    ----------
    window : int or (int, int), optional
        Its height and width, or its length in time; None: the whole image or sequence, of any size.
    stride : int or (int, int), optional
        The window's size if not given: windows side by side.
    padding
        Pixels around the image, which do not count; as of :class:`Conv2D`, less than the window.
    dilation : int or (int, int)

    Raises
    ------
    ValueError
        A value outside its range; at the network's making, a window larger than the padded image.
    """

    kind = "max_pool"

    def _images(self, cache: Cache) -> Images:
        images = super()._images(cache)
        images.kept = empty(images.y, images.y.shape, element_dtype(images.y.dtype))
        return images

    def forward(self, x: Array, views: Views, cache: Cache, draws: Draws | None) -> Array:
        images = self.images(cache)
        of_x = x.reshape(images.shape)
        native_module(of_x).max_pooling(of_x, images.y, images.kept, self._geometry(images))
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
        native_module(grad).max_pooling_backward(
            grad.reshape(images.y.shape),
            images.kept,
            images.input_gradient,
            self._geometry(images),
        )
        return cache.input_gradient

    def jvp(
        self, x_dot: Array | None, views: Views, direction_views: Views, cache: Cache
    ) -> Array | None:
        if x_dot is None:
            return None
        images = self.images(cache)
        native_module(x_dot).max_pooling_tangent(
            x_dot.reshape(images.shape),
            images.kept,
            images.tangent,
            self._geometry(images),
        )
        return cache.tangent


class AveragePool(PoolingLayer):
    """The mean of what a window sees of a channel, at each of its places.

    Of images or of sequences; see :func:`ictus.kernels.average_pooling`.

    Parameters
    ----------
    window : int or (int, int), optional
        Its height and width, or its length in time; None: the whole image or sequence, of any size.
    stride : int or (int, int), optional
        The window's size if not given: windows side by side.
    padding
        Pixels around the image, which do not count; as of :class:`Conv2D`, less than the window.
    dilation : int or (int, int)

    Raises
    ------
    ValueError
        A value outside its range; at the network's making, a window larger than the padded image.
    """

    kind = "average_pool"

    def forward(self, x: Array, views: Views, cache: Cache, draws: Draws | None) -> Array:
        images = self.images(cache)
        native_module(x).average_pooling(x.reshape(images.shape), images.y, self._geometry(images))
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
        of_y = grad.reshape(images.y.shape)
        native_module(of_y).average_pooling_backward(
            of_y, images.input_gradient, self._geometry(images)
        )
        return cache.input_gradient

    def jvp(
        self, x_dot: Array | None, views: Views, direction_views: Views, cache: Cache
    ) -> Array | None:
        if x_dot is None:
            return None
        images = self.images(cache)
        of_x = x_dot.reshape(images.shape)
        native_module(of_x).average_pooling(of_x, images.tangent, self._geometry(images))
        return cache.tangent


class Flatten(Layer):
    """Makes a vector of an image or a sequence, its last axis first: what Dense layers take."""

    kind = "flatten"
    passes_on = True

    def connect(self, input_size: int) -> int:
        self.input_size = self.output_size = input_size
        return input_size

    def connect_shape(self, shape: Shape) -> Shape:
        if None in shape:
            raise ValueError(
                f"Flatten needs examples of a fixed size, got {shape}: give the network's input "
                "size, or pool over the whole image (window=None)"
            )
        self.input_shape = shape
        return (self.connect(math.prod(n or 0 for n in shape)),)

    def forward(self, x: Array, views: Views, cache: Cache, draws: Draws | None) -> Array:
        return x

    def backward(
        self,
        grad: Array,
        views: Views,
        cache: Cache,
        gradient_views: Views,
        accumulate: bool,
        propagate: bool,
    ) -> Array | None:
        return grad if propagate else None

    def jvp(
        self, x_dot: Array | None, views: Views, direction_views: Views, cache: Cache
    ) -> Array | None:
        return x_dot

    def config(self) -> dict[str, Any]:
        return {"kind": self.kind}
