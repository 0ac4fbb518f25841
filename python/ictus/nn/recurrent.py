"""Recurrent layers: what they share, the simple one and GRU, and two directions (LSTM: lstm.py)."""

from __future__ import annotations

import copy
from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np

from ictus.kernels._device import native_module
from ictus.kernels.activation import activation_number
from ictus.nn.initialization import initialize_weights
from ictus.nn.layer import Array, Draws, Layer, Views
from ictus.nn.sequences import SequenceCache
from ictus.nn.vanishing import VanishingPenalty

OUTPUTS = ("steps", "last")
# Slopes of tanh units are not taken for smaller than this where something is divided by them.
SATURATED = 1e-6


def orthogonal(generator: np.random.Generator, units: int) -> Array:
    """Return a random orthogonal matrix (Saxe, McClelland & Ganguli 2014)."""
    q, r = np.linalg.qr(generator.standard_normal((units, units)))
    return np.asarray(q * np.sign(np.diag(r)))


class RecurrentBase(Layer):
    """What the recurrent layers share. Their frames are the rows of a ragged batch.

    Parameters
    ----------
    units : int
        Units of each direction.
    output : {"steps", "last"}
        An output for every frame, or the last one of each sequence alone (with two directions,
        each direction's own last).
    directions : {1, 2}
        2: a second set of units reads each sequence from its end. See :func:`Bidirectional`.
    scale : float
        Factor of the initial weights: input weights by Glorot & Bengio's rule, recurrent ones
        orthogonal.
    skip : bool
        Whether the input lies beside the output, so that the next layer sees both (skip
        connections; Graves 2013). Only with output "steps".
    """

    gates: ClassVar[int]
    states: ClassVar[int]
    #: Names of the native classes.
    native: ClassVar[str]
    native_stream: ClassVar[str]

    def __init__(
        self,
        units: int,
        *,
        output: str = "steps",
        directions: int = 1,
        scale: float = 1.0,
        skip: bool = False,
    ) -> None:
        name = type(self).__name__
        if int(units) != units or units < 1:
            raise ValueError(f"{name}: units must be a positive integer, got {units!r}")
        if output not in OUTPUTS:
            raise ValueError(f"{name}: output must be one of {', '.join(OUTPUTS)}, got {output!r}")
        if directions not in (1, 2):
            raise ValueError(f"{name}: directions must be 1 or 2, got {directions!r}")
        self.units, self.output, self.directions = int(units), output, int(directions)
        self.scale, self.skip = float(scale), bool(skip)
        if self.skip and output == "last":
            raise ValueError(f"{name}: skip needs output 'steps', got 'last'")

    def connect(self, input_size: int) -> int:
        self.input_size = input_size
        self.output_size = self.width + (input_size if self.skip else 0)
        return self.output_size

    @property
    def width(self) -> int:
        """Outputs of the units of all directions."""
        return self.units * self.directions

    @property
    def extra_size(self) -> int:
        """Numbers of a direction beside weights and biases."""
        return 0

    @property
    def parameter_gates(self) -> int:
        """Gates (candidates among them) that have parameters: those of the kernel, or fewer."""
        return self.gates

    @property
    def parameter_shapes(self) -> tuple[tuple[int, ...], ...]:
        columns, extra = self.parameter_gates * self.units, self.directions * self.extra_size
        shapes: tuple[tuple[int, ...], ...] = (
            (self.input_size, self.directions * columns),
            (self.directions * self.units, columns),
            (self.directions * columns,),
        )
        return (*shapes, (extra,)) if extra else shapes

    def initialize(self, views: Views, generator: np.random.Generator) -> None:
        inputs, units = self.input_size, self.units
        blocks = views[0].reshape(inputs, -1, units)
        for block in range(blocks.shape[1]):
            blocks[:, block] = initialize_weights("glorot", generator, inputs, units, self.scale)
        recurrent = views[1].reshape(self.directions, units, -1, units)
        for d in range(self.directions):
            for gate in range(self.parameter_gates):
                recurrent[d, :, gate] = self.scale * orthogonal(generator, units)
        for view in views[2:]:
            view[...] = 0

    def extra_shape(self) -> tuple[int, ...]:
        """Shape in which the kernels take the extra parameter."""
        return (self.directions, self.units)

    def kernel_views(self, views: Views) -> Views:
        """Return parameters (or gradients, or a direction) as the kernel has them."""
        return views

    def take_gradients(self, gradients: Views, gradient_views: Views) -> None:
        """Copy gradients to their views where :meth:`kernel_views` made arrays of their own."""

    def take_pass(self, cache: Any, gates: Array, views: Views, gradient_views: Views) -> None:
        """See the gradients with respect to the gates' inputs that a backward pass has left."""

    def native_layer(self, views: Views) -> Any:
        """Return the native layer of these parameters (or a direction)."""
        return self._native(self.kernel_views(views))

    def _native(self, views: Views) -> Any:
        weights, recurrent, bias, *extra = views
        shaped = recurrent.reshape(self.directions, self.units, -1)
        extras = extra[0].reshape(self.extra_shape()) if extra else None
        make = getattr(native_module(weights), self.native)
        return make(weights, shaped, bias, extras, self.activation_number)

    @property
    def activation_number(self) -> int:
        """The native number of the activation function."""
        return activation_number(type(self).__name__, "tanh")

    def output_rows(self, rows: int, count: int) -> int:
        """Rows of the output for a batch of `count` sequences with `rows` frames."""
        return rows if self.output == "steps" else count

    # --- passes ----------------------------------------------------------------------------------

    def _state(self, cache: Any, name: str) -> Array:
        count = cache.sequences.count
        array: Array = cache.array(name, self.states, self.directions, count, self.units)
        return array

    def _last(self, states: Array, out: Array) -> Array:
        """Copy final outputs (directions, count, units) to rows (count, directions * units)."""
        out.reshape(-1, self.directions, self.units)[...] = states[0].transpose(1, 0, 2)
        return out

    def forward(self, x: Array, views: Views, cache: Any, draws: Draws | None) -> Array:
        assert isinstance(cache, SequenceCache)
        cache.x, cache.draws = x, None
        rows, last = len(x), self.output == "last"
        cache.gates = cache.memory = cache.previous = None
        if cache.record:
            cache.gates = cache.array("gates", rows, self.gates * self.width)
            cache.memory = cache.array("memory", rows, self.width)
            cache.previous = cache.array("previous", rows, self.width)
        cache.steps = cache.array("steps", rows, self.width) if last else cache.y[:, : self.width]
        cache.start, final = None, cache.state
        if cache.state is not None:
            cache.start = self._state(cache, "start")
            cache.start[...] = cache.state
        elif last:
            final = self._state(cache, "final")
        cache.layer = self.native_layer(views)
        cache.layer.forward(
            cache.sequences, x, cache.steps, cache.start, final,
            cache.gates, cache.memory, cache.previous,
        )  # fmt: skip
        if last:
            assert final is not None
            self._last(final, cache.y)
        elif self.skip:
            cache.y[:, self.width :] = x
        return cache.y

    def backward(
        self,
        grad: Array,
        views: Views,
        cache: Any,
        gradient_views: Views,
        accumulate: bool,
        propagate: bool,
    ) -> Array | None:
        assert cache.gates is not None, "backward needs a recorded forward pass before it"
        final: Array | None = None
        steps: Array | None = grad[:, : self.width]
        if self.output == "last":
            final, steps = self._state(cache, "final gradient"), None
            final[...] = 0
            final[0] = grad.reshape(-1, self.directions, self.units).transpose(1, 0, 2)
        if cache.structural_damping:
            steps = self._add_structural_damping(steps, cache)
        out = cache.input_gradient if propagate else None
        gradients = self.kernel_views(gradient_views)
        gates, memory = cache.gates, cache.memory
        if cache.keep:  # the pass overwrites them
            gates = cache.array("gates gradient", *gates.shape)
            memory = cache.array("memory gradient", *memory.shape)
            gates[...], memory[...] = cache.gates, cache.memory
        cache.layer.backward(
            cache.sequences, cache.x, cache.steps, cache.start, gates, memory,
            cache.previous, steps, final, out, None, self._native(gradients), accumulate,
        )  # fmt: skip
        self.take_gradients(gradients, gradient_views)
        self.take_pass(cache, gates, views, gradient_views)
        if not cache.keep:
            cache.gates = None
        if out is not None and self.skip:
            out += grad[:, self.width :]
        return out

    def jvp(
        self, x_dot: Array | None, views: Views, direction_views: Views, cache: Any
    ) -> Array | None:
        assert cache.gates is not None, "jvp needs a recorded forward pass before it"
        last = self.output == "last"
        steps: Array = cache.tangent[:, : self.width]
        if last:
            steps = cache.array("steps tangent", *cache.steps.shape)
        final = self._state(cache, "final tangent") if last else None
        cache.layer.tangent(
            cache.sequences, cache.x, cache.steps, cache.start, cache.gates, cache.memory,
            cache.previous, x_dot, self.native_layer(direction_views), steps, final,
        )  # fmt: skip
        if self.skip:
            cache.tangent[:, self.width :] = 0 if x_dot is None else x_dot
        if final is None:
            tangent: Array = cache.tangent
            return tangent
        return self._last(final, cache.tangent)

    def _add_structural_damping(self, grad: Array | None, cache: Any) -> Array:
        """Add to the gradient of each step's output that of how far it moves along the tangent.

        Martens & Sutskever 2011, section 3.1.
        """
        last = self.output == "last"
        tangent = cache.tangent[:, : self.width]
        if last:
            tangent = cache.array("steps tangent", *cache.steps.shape)
        pull: Array = cache.array("steps gradient", *tangent.shape)
        if self.bounded:
            # The loss that matches tanh has the slope h_dot with respect to what tanh is taken of.
            np.multiply(cache.steps, cache.steps, out=pull)
            np.subtract(1, pull, out=pull)
            np.maximum(pull, SATURATED, out=pull)
            np.divide(tangent, pull, out=pull)
            pull *= cache.structural_damping
        else:
            np.multiply(tangent, cache.structural_damping, out=pull)
        if grad is not None:
            pull += grad
        return pull

    @property
    def bounded(self) -> bool:
        """Whether the outputs are those of tanh alone."""
        return False

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """Return the arguments of this kind of layer alone."""

    def config(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "units": self.units,
            "output": self.output,
            "directions": self.directions,
            "scale": self.scale,
            "skip": self.skip,
            **self.options(),
        }


class Recurrent(RecurrentBase):
    """The simple recurrent layer (Elman 1990): ``h' = f(x W + h U + b)``.

    Parameters
    ----------
    activation : {"tanh", "relu"}
        f. With "relu", initial recurrent weights are the identity (Le, Jaitly & Hinton 2015).
    vanishing_penalty : float
        Weight of a penalty that keeps gradients from vanishing over time (Pascanu, Mikolov & Bengio
        2013, equation 9): the mean over steps of ``(|d U^T f'| / |d| - 1)^2``, d the gradient with
        respect to the units' inputs one step later. As there, its gradient is taken with respect
        to U alone, at given gradients; it is not part of the loss that is reported. With tanh units
        in one direction.
    units, output, directions, scale, skip
        See :class:`RecurrentBase`.
    """

    kind = "recurrent"
    gates, states = 1, 1
    native, native_stream = "RecurrentLayer", "RecurrentStream"

    def __init__(
        self,
        units: int,
        activation: str = "tanh",
        *,
        vanishing_penalty: float = 0.0,
        **shared: Any,
    ) -> None:
        super().__init__(units, **shared)
        if activation not in ("tanh", "relu"):
            raise ValueError(f"Recurrent: activation must be tanh or relu, got {activation!r}")
        self.activation = activation
        self.vanishing_penalty = VanishingPenalty.of(self, vanishing_penalty)

    def take_pass(self, cache: Any, gates: Array, views: Views, gradient_views: Views) -> None:
        # Outside training (Gauss-Newton products, say) there is no penalty.
        if self.vanishing_penalty is not None and not cache.keep:
            self.vanishing_penalty.add_gradient(cache, gates, views[1], gradient_views[1])

    @property
    def activation_number(self) -> int:
        """The native number of the activation function."""
        return activation_number("Recurrent", self.activation)

    def initialize(self, views: Views, generator: np.random.Generator) -> None:
        super().initialize(views, generator)
        if self.activation == "relu":
            views[1].reshape(self.directions, self.units, self.units)[...] = self.scale * np.eye(
                self.units
            )

    @property
    def bounded(self) -> bool:
        return self.activation == "tanh"

    def options(self) -> dict[str, Any]:
        options: dict[str, Any] = {"activation": self.activation}
        if self.vanishing_penalty is not None:
            options["vanishing_penalty"] = self.vanishing_penalty.weight
        return options


class GRU(RecurrentBase):
    """Gated recurrent units (Cho et al. 2014), the reset gate behind the product.

    Parameters
    ----------
    units, output, directions, scale, skip
        See :class:`RecurrentBase`. Equations: :func:`ictus.kernels.gru`.
    """

    kind = "gru"
    gates, states = 3, 1
    native, native_stream = "GRULayer", "GRUStream"

    @property
    def extra_size(self) -> int:
        return self.units

    def options(self) -> dict[str, Any]:
        return {}


def Bidirectional(layer: RecurrentBase) -> RecurrentBase:  # noqa: N802  (it reads as a layer)
    """Return the layer with two directions (Schuster & Paliwal 1997): outputs side by side."""
    if not isinstance(layer, RecurrentBase):
        raise TypeError(f"Bidirectional: layer must be a recurrent layer, got {layer!r}")
    double = copy.copy(layer)
    double.directions = 2
    return double
