"""A network of patches that slides over whole images or spectrograms without computing twice.

A patch at position t sees the pixels from t on. A layer of stride s has, for all positions, stride
1, and what follows it the dilation s: then every number of every patch is computed once ("shift and
stitch" equals dilation: Giusti et al. 2013; Long et al. 2015, section 3.2). A Dense layer after
Flatten is a convolution whose window is what was flattened; its weights lie in the same order, so
the sliding network has the same flat vector of parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ictus.kernels._device import as_given, empty, is_device_array
from ictus.nn.affine import ChannelLayer
from ictus.nn.batch_normalization import BatchNorm, SpatialDropout
from ictus.nn.convolution import Conv2D
from ictus.nn.dense import Dense
from ictus.nn.dropout import Dropout
from ictus.nn.elementwise import Activation
from ictus.nn.layer import Array, Layer, Sizes
from ictus.nn.noise import Noise
from ictus.nn.pooling import Flatten, PoolingLayer
from ictus.nn.shapes import NUMBERS_AT_ONCE, size_of
from ictus.nn.standardize import Standardize
from ictus.nn.window import WindowLayer

if TYPE_CHECKING:
    from ictus.nn.network import Network


class _Slider:
    """Makes the layers of a sliding network, one after the other."""

    def __init__(self, shape: Sizes, axes: Sequence[int], training: bool) -> None:
        self.shape = shape
        self.training = training
        self.places: Sizes = shape[:-1]  # of a patch, where the chain stands
        self.axes = axes
        self.dilation = [1] * len(self.places)
        self.flat = False

    def layers(self, layers: Sequence[Layer]) -> Iterator[Layer]:
        """Yield the layers that slide; without training, those that only it needs are left out."""
        for layer in layers:
            if isinstance(layer, Flatten):
                self.flat = True
            elif isinstance(layer, Dense):
                yield self._dense(layer)
            elif isinstance(layer, Conv2D | PoolingLayer):
                yield self._window(layer)
            elif isinstance(layer, Activation) or (
                isinstance(layer, BatchNorm | ChannelLayer)
                and not (self.flat and size_of(self.places) > 1)
            ):
                yield _again(layer)
            elif isinstance(layer, Standardize):
                if self.flat:
                    raise ValueError("slide: a layer Standardize after Flatten cannot slide")
                yield _again(layer)
            elif isinstance(layer, Dropout | SpatialDropout | Noise):
                if self.training:
                    yield _again(layer)
            else:
                where = " after Flatten" if isinstance(layer, BatchNorm | ChannelLayer) else ""
                raise ValueError(f"slide: a layer {type(layer).__name__}{where} cannot slide")

    def _extent(self, values: Sequence[int]) -> Any:
        """A number for each axis as layers take it."""
        return values[0] if len(values) == 1 else tuple(values)

    def _dense(self, layer: Dense) -> Layer:
        entry = {"filters": layer.units, "kernel_size": self._extent(self.places)}
        entry |= {"activation": layer.activation, "dilation": self._extent(self.dilation)}
        if self.training:
            entry |= {"dropout": layer.dropout}
        self.places = (1,) * len(self.places)
        return _layer("conv1d" if len(self.places) == 1 else "conv2d", entry)

    def _window(self, layer: WindowLayer) -> Layer:
        if getattr(layer, "pool", None) is not None:
            raise ValueError("slide: a Conv2D with pool cannot slide: put a MaxPool layer after it")
        axes = len(self.places)
        channels = layer.channels
        before, places = (each[2 - axes :] for each in layer.places((*self.places, channels)))
        window = layer.window_on(self.places)[2 - axes :]
        steps = list(layer.steps(layer.window_on(self.places))[2 - axes :])
        wide = list(layer.across(layer.dilation, 1)[2 - axes :])
        padding = []
        for i, size in enumerate(self.places):
            reach = (window[i] - 1) * wide[i] + 1
            after = max(0, (places[i] - 1) * steps[i] + reach - size - before[i])
            if i not in self.axes:
                padding.append((before[i], after))
                continue
            if before[i] or after:
                raise ValueError(
                    f"slide: {type(layer).__name__} pads the axis {i}, along which the network "
                    "slides: a patch would end where the image goes on"
                )
            padding.append((0, 0))
            wide[i] *= self.dilation[i]
            self.dilation[i] *= steps[i]
            steps[i] = 1
        entry = layer.config()
        entry["kernel_size" if isinstance(layer, Conv2D) else "window"] = self._extent(window)
        entry |= {"stride": self._extent(steps), "dilation": self._extent(wide)}
        entry["padding"] = padding[0] if axes == 1 else tuple(padding)
        self.places = tuple(places)
        if "dropout" in entry and not self.training:
            entry["dropout"] = 0.0
        return _layer(entry.pop("kind"), entry)


def _layer(kind: str, entry: dict[str, Any]) -> Layer:
    from ictus.nn.kinds import layers_from_config

    return layers_from_config([{"kind": kind, **entry}])[0]


def _again(layer: Layer) -> Layer:
    entry = layer.config()
    return _layer(entry.pop("kind"), entry)


def sliding_network(network: Network, axes: Sequence[int], *, training: bool = False) -> Network:
    """Return the network that gives the outputs of all patches of an image of any size.

    Its flat vector has the numbers of the given one, in the same order.

    Parameters
    ----------
    network : Network
        Of images or sequences of a fixed size: the patches.
    axes : sequence of int
        Along which patches are taken; along the others they are as large as the image.
    training : bool
        Keep dropout and noise, to train on patches that lie side by side: what they share is
        computed once. A unit drops out at each place by itself.

    Raises
    ------
    ValueError
        An axis that is none, layers that cannot slide, or more than one output a patch.
    """
    shape = network.input_shape
    if len(shape) == 1 or None in shape:
        raise ValueError(f"slide: the network must take patches of a fixed size, got {shape}")
    chosen = sorted(set(axes))
    if not chosen or chosen[0] < 0 or chosen[-1] >= len(shape) - 1:
        raise ValueError(f"slide: axes must be among 0 .. {len(shape) - 2}, got {axes!r}")
    slider = _Slider(tuple(n or 0 for n in shape), chosen, training)
    layers = list(slider.layers(network.layers))
    if any(n != 1 for n in slider.places):
        raise ValueError(
            f"slide: the network must give one output a patch, got {slider.places} places"
        )
    any_size = tuple(None if i in chosen else n for i, n in enumerate(shape))
    made = type(network)(
        any_size, layers, network.loss_name, dtype=network.dtype, seed=network.seed
    ).to(network.device)
    made.numbers[...] = network.numbers
    return made


def slide(
    network: Network, x: Any, axes: Sequence[int], padding: str, at_once: int | None
) -> Array:
    """Return the outputs of all patches of x; see :meth:`ictus.nn.Network.slide`."""
    sliding = sliding_network(network, axes)
    given = x if is_device_array(x) else np.asarray(x)
    shape = network.input_shape
    x = sliding.check_input(given[None])[0]
    x = _padded(x, shape, axes, padding)
    axis = min(axes)
    patch = int(shape[axis] or 0)
    positions = tuple(x.shape[i] - (shape[i] or 0) + 1 for i in sorted(set(axes)))
    if min(positions) < 1:
        raise ValueError(f"slide: x must be at least as large as a patch, {shape}, got {x.shape}")
    out = empty(x, (*positions, network.output_size))
    step = at_once or _positions_at_once(sliding, x.shape, axis, patch)
    for first in range(0, positions[0], step):
        last = min(first + step, positions[0])
        part = [slice(None)] * x.ndim
        part[axis] = slice(first, last + patch - 1)
        block = sliding.predict(x[tuple(part)][None])[0]
        # Pixels at the end of a patch that no window reaches leave room for more positions.
        block = block[tuple(slice(n) for n in _places(out[first:last], axes, x.ndim - 1))]
        out[first:last] = block.reshape(out[first:last].shape)
    return as_given(given, out)  # type: ignore[no-any-return]


def _places(out: Array, axes: Sequence[int], count: int) -> list[int]:
    """The places of all axes that outputs of the sliding axes have."""
    places = [1] * count
    for axis, size in zip(sorted(set(axes)), out.shape[:-1], strict=True):
        places[axis] = size
    return places


def _padded(x: Array, shape: Sequence[int | None], axes: Sequence[int], padding: str) -> Array:
    if padding == "valid":
        return x
    modes = {"zeros": "constant", "edge": "edge"}
    if padding not in modes:
        raise ValueError(f"slide: padding must be one of valid, zeros, edge, got {padding!r}")
    widths = [(0, 0)] * x.ndim
    for axis in set(axes):
        total = int(shape[axis] or 0) - 1
        widths[axis] = (total // 2, total - total // 2)
    return np.pad(x, widths, mode=modes[padding])  # type: ignore[call-overload, no-any-return]


def _positions_at_once(sliding: Network, shape: Sizes, axis: int, patch: int) -> int:
    """How many positions along the axis the largest layer has room for."""
    probe = list(shape)
    probe[axis] = patch + 63
    largest = size_of(tuple(probe))
    current: Sizes = tuple(probe)
    for layer in sliding.layers:
        current = layer.output_shape(current)
        largest = max(largest, size_of(current))
    return max(4 * patch, NUMBERS_AT_ONCE * 64 // largest)
