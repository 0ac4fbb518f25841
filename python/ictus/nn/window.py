"""Layers that move a window over images or sequences: its geometry, and room for their passes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from ictus.kernels.convolution import Padding, Pair, padded, pair
from ictus.nn.layer import Array, Cache, Layer, Shape, Sizes

Extent = int | Sequence[int]


@dataclass(slots=True)
class Images:
    """What a pass sees as images: arrays of a cache in 4 axes, and the geometry of the window.

    Attributes
    ----------
    shape : tuple
        Of the input.
    y, input_gradient, tangent : array
        Those of the cache.
    window, before : (int, int)
        The window's size, and the zeros before the image.
    argmax : array or None
        Of max pooling, like y.
    argmax_known : bool
        Whether the last forward pass wrote it.
    kept : object
        What else the layer keeps from pass to pass.
    """

    shape: tuple[int, ...]
    y: Array
    input_gradient: Array
    tangent: Array
    window: Pair
    before: Pair
    argmax: Array | None = None
    argmax_known: bool = False
    kept: Any = None


class WindowLayer(Layer):
    """A layer over images (height, width, channels) or, as images of one row, sequences.

    Parameters
    ----------
    window : int or (int, int), optional
        None: the whole image.
    stride, dilation : int or (int, int)
    padding
        See :func:`ictus.kernels.convolution.padded`.

    Attributes
    ----------
    takes : tuple of int
        How many axes beside the channels an example may have.
    """

    takes: ClassVar[tuple[int, ...]] = (1, 2)
    axes: int = 2
    channels: int = 0

    def __init__(
        self, window: Extent | None, stride: Extent | None, padding: Padding, dilation: Extent
    ) -> None:
        self._name = type(self).__name__
        self.window = None if window is None else self._extent("window", window)
        self.stride = None if stride is None else self._extent("stride", stride)
        self.dilation = self._extent("dilation", dilation)
        self.padding = padding
        # What no image can make right is refused here.
        self._checked(lambda: padded(padding, (1 << 20, 1 << 20), (1, 1), (1, 1), (1, 1)))

    def _extent(self, name: str, value: Extent) -> int | Pair:
        both: Pair = self._checked(lambda: pair(name, value))
        return both if isinstance(value, Sequence) else both[0]

    def _checked(self, check: Callable[[], Any]) -> Any:
        try:
            return check()
        except (ValueError, TypeError) as error:
            raise ValueError(f"{self._name}: {error}") from None

    # --- shapes ----------------------------------------------------------------------------------

    def connect_shape(self, shape: Shape) -> Shape:
        axes = len(shape) - 1
        if axes not in self.takes:
            known = {1: "(time, channels)", 2: "(height, width, channels)"}
            wanted = " or ".join(known[n] for n in self.takes)
            raise ValueError(f"{self._name} takes examples of shape {wanted}, got {shape}")
        self.axes = axes
        channels = shape[-1]
        assert channels is not None
        self.channels = channels
        self.input_shape = shape
        out = self._outputs(channels)
        # An axis of any length gets any length; the others are checked now.
        fixed = self.output_shape(tuple(1 << 20 if n is None else n for n in shape))
        self.output_size = out
        return (
            *(
                None if n is None and self.window is not None else m
                for n, m in zip(shape[:-1], fixed[:-1], strict=True)
            ),
            out,
        )

    def connect(self, input_size: int) -> int:
        self.connect_shape((input_size,))  # which refuses vectors
        return self.output_size

    def _outputs(self, channels: int) -> int:
        """Channels of the output."""
        return channels

    def across(self, value: Extent, other: int) -> Pair:
        """Return a number for down and across; a sequence has one row, of extent `other`."""
        if self.axes == 1:
            return (other, value if isinstance(value, int) else value[1])
        return (value, value) if isinstance(value, int) else (value[0], value[1])

    def _size(self, shape: Sizes) -> Pair:
        """Height and width of an example."""
        height, width = (1, *shape[:-1])[-2:]
        return height, width

    def window_on(self, places: Sizes) -> Pair:
        """Return the window's size on an image, or a sequence, of this size."""
        height, width = (1, *places)[-2:]
        return (height, width) if self.window is None else self.across(self.window, 1)

    def steps(self, window: Pair) -> Pair:
        """Return the stride down and across: the window's size if not given."""
        return window if self.stride is None else self.across(self.stride, 1)

    def places(self, shape: Sizes) -> tuple[Pair, Pair]:
        """Return zeros before an example of this shape, and the places of the window on it.

        Raises
        ------
        ValueError
            A window larger than the padded image.
        """
        size = self._size(shape)
        window = self.window_on(size)
        padding = self.padding
        if self.axes == 1 and not isinstance(padding, str):
            # Numbers are of the time axis alone.
            padding = ((0, 0), pair("padding", padding, 0))  # type: ignore[arg-type]
        try:
            return padded(padding, size, window, self.steps(window), self.across(self.dilation, 1))
        except ValueError as error:
            raise ValueError(f"{self._name} on examples of shape {shape}: {error}") from None

    def output_shape(self, shape: Sizes) -> Sizes:
        _, places = self.places(shape)
        return (*places[2 - len(shape) + 1 :], self._outputs(self.channels))

    # --- room ------------------------------------------------------------------------------------

    def images(self, cache: Cache) -> Images:
        """Return a cache's arrays as images; made once for a cache."""
        kept = cache.kept
        if kept is None:
            kept = cache.kept = self._images(cache)
        images: Images = kept
        return images

    def _images(self, cache: Cache) -> Images:
        rows = len(cache.y)
        size = self._size(cache.input_shape)
        before, _ = self.places(cache.input_shape)
        x_shape = (rows, *size, self.channels)
        *places, outputs = self.output_shape(cache.input_shape)
        y_shape = (rows, *[1] * (2 - len(places)), *places, outputs)
        return Images(
            x_shape,
            cache.y.reshape(y_shape),
            cache.input_gradient.reshape(x_shape),
            cache.tangent.reshape(y_shape),
            self.window_on(size),
            before,
        )


def plain(value: Any) -> Any:
    """Return an extent or a padding as a configuration has it: lists, not tuples."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return value
    return [plain(each) for each in value]
