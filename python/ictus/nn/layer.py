"""The contract of a layer: forward pass, backward pass, and R-operator.

A layer owns no numbers. Its parameters are views into the network's flat vector, what a pass leaves
for the next one is in a :class:`Cache` made once for a number of rows, and its random draws are
named by a :class:`Draws`. So the same layer serves any number of batches, vectors and threads.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Views = Sequence[Array]
#: Of an example: (features,), (time, channels) or (height, width, channels); None: any length.
Shape = tuple[int | None, ...]
Sizes = tuple[int, ...]  #: the same of one batch


@dataclass(frozen=True, slots=True)
class Draws:
    """Names the random numbers of one pass through one layer (Philox; see docs/architecture.md).

    Attributes
    ----------
    seed, stream : int
        Key of the generator, and the number of the pass and layer.
    first_row : int
        Number of the batch's first row: parts of a batch on several processes draw as the whole.
    """

    seed: int
    stream: int
    first_row: int = 0


class Cache:
    """What a layer keeps of a pass: its input, its output, and room for gradients.

    The room, of numbers of `dtype`, is that of the cache `beside`, if it is given, which has no
    fewer rows; else the module `arrays` makes it: NumPy, or CuPy.

    Attributes
    ----------
    x, y : array, shape (rows, input_size) and (rows, output_size)
        Input (not a copy) and output of the last forward pass.
    input_gradient, tangent : array
        Room for the gradient with respect to the input, and for the directional derivative.
    draws : Draws or None
        The draws of the last forward pass; None outside training.
    penalty_scale : float
        Factor of the layer's penalties in the loss of the last forward pass; 0: not in it.
    penalty : object
        What :meth:`Layer.penalty` keeps for the backward pass.
    input_shape, output_shape : tuple of int
        Of an example.
    kept : object
        What else a layer keeps from pass to pass.
    """

    __slots__ = ("draws", "input_gradient", "input_shape", "kept", "output_shape", "penalty",
                 "penalty_scale", "tangent", "x", "y")  # fmt: skip

    def __init__(
        self,
        rows: int,
        input_size: int,
        output_size: int,
        dtype: np.dtype[Any],
        beside: Cache | None = None,
        arrays: Any = np,
    ) -> None:
        self.x: Array | None = None
        self.y: Array = arrays.empty((rows, output_size), dtype)
        self.input_gradient: Array
        self.tangent: Array
        if beside is None:
            self.input_gradient = arrays.empty((rows, input_size), dtype)
            self.tangent = arrays.empty((rows, output_size), dtype)
        else:
            self.input_gradient, self.tangent = beside.input_gradient[:rows], beside.tangent[:rows]
        self.draws: Draws | None = None
        self.penalty_scale = 0.0
        self.penalty: Any = None
        self.input_shape: Sizes = (input_size,)
        self.output_shape: Sizes = (output_size,)
        self.kept: Any = None


class Layer(ABC):
    """A differentiable function of a batch (rows, input_size) and of parameters."""

    kind: ClassVar[str]  #: the name in a configuration
    input_size: int = 0
    output_size: int = 0
    #: Whether the layer adds penalties to the loss; see :meth:`penalty`.
    penalized: bool = False
    #: Whether outside training the output is the input, number by number.
    passes_on: ClassVar[bool] = False
    #: Whether :meth:`squared_gradients` knows the layer's parameters.
    sums_squares: bool = False
    #: Number of the layer below whose first parameter this one uses too, transposed.
    tied_to: int | None = None
    #: Whether each number of the output comes from the one at its place: examples of any shape.
    elementwise: ClassVar[bool] = False

    def look_below(self, layers: Sequence[Layer]) -> None:
        """Take what this layer needs of the chain below it; called before :meth:`connect`."""

    @abstractmethod
    def connect(self, input_size: int) -> int:
        """Take the input's size, and return the output's."""

    def connect_shape(self, shape: Shape) -> Shape:
        """Take the shape of an example at the input, and return that at the output.

        Raises
        ------
        ValueError
            Examples of a shape that the layer does not take.
        """
        if self.elementwise:
            self.connect(math.prod(n or 0 for n in shape))
            return shape
        if len(shape) != 1 or shape[0] is None:
            raise ValueError(
                f"{type(self).__name__} takes vectors, got examples of shape {shape}: put a "
                "Flatten layer before it"
            )
        return (self.connect(shape[0]),)

    def output_shape(self, shape: Sizes) -> Sizes:
        """Return the shape of the output for an example of this shape."""
        return shape if self.elementwise else (self.output_size,)

    @property
    def parameter_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the parameters, in the order of their views. Matrices come first: weights."""
        return ()

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of what the layer keeps from batch to batch; its views follow the parameters'."""
        return ()

    def initialize(self, views: Views, generator: np.random.Generator) -> None:
        """Fill the parameters with their initial values."""

    @abstractmethod
    def forward(self, x: Array, views: Views, cache: Cache, draws: Draws | None) -> Array:
        """Return the output for the batch ``x``; ``draws`` is None outside training."""

    def penalty(self, views: Views, cache: Cache, scale: float) -> float:
        """Return the penalties at the last forward pass.

        The backward pass then adds their gradient. ``scale`` is the factor of an example's loss;
        a penalty that is a mean over examples has it times their number.
        """
        return 0.0

    @abstractmethod
    def backward(
        self,
        grad: Array,
        views: Views,
        cache: Cache,
        gradient_views: Views,
        accumulate: bool,
        propagate: bool,
    ) -> Array | None:
        """Take the gradient with respect to the output of the last forward pass.

        Writes the parameters' gradients to ``gradient_views`` (adds, with ``accumulate``), may
        overwrite ``grad``, and returns the gradient with respect to the input if ``propagate``.
        """

    def squared_gradients(
        self,
        grad: Array,
        views: Views,
        cache: Cache,
        into: Views,
        accumulate: bool,
        propagate: bool,
    ) -> Array | None:
        """As :meth:`backward`, with the sum over rows of squared gradients instead of the sum.

        Of layers without parameters, and of those that have ``sums_squares``.
        """
        return self.backward(grad, views, cache, into, accumulate, propagate)

    @abstractmethod
    def jvp(
        self, x_dot: Array | None, views: Views, direction_views: Views, cache: Cache
    ) -> Array | None:
        """Return the R-operator (Pearlmutter 1994) at the last forward pass.

        The derivative of the output along ``x_dot`` (None: zero) in the input and
        ``direction_views`` in the parameters; None where it is zero.
        """

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """Return the arguments that make this layer again."""
