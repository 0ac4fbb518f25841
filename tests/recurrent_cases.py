"""Random recurrent layers and calls of their native passes, for the tests of three families."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st

from ictus.kernels._device import native_module
from tests import reference_recurrent as reference
from tests.reference_recurrent import GATES, STATES, Parameters
from tests.tolerance import epsilon

LAYERS = {"lstm": "LSTMLayer", "gru": "GRULayer", "recurrent": "RecurrentLayer"}
STREAMS = {"lstm": "LSTMStream", "gru": "GRUStream", "recurrent": "RecurrentStream"}
# Around the widths of vectors at every level, and beyond several of them.
UNITS = st.one_of(st.integers(1, 9), st.sampled_from([15, 16, 17, 25, 31, 32, 33, 50, 65]))
LENGTHS = st.lists(st.integers(1, 12), min_size=1, max_size=13)


@dataclass
class Case:
    """A layer with random parameters, a ragged batch, and room for a recorded pass."""

    cell: str
    dtype: type = np.float64
    inputs: int = 3
    units: int = 5
    directions: int = 1
    lengths: list[int] = field(default_factory=lambda: [4, 7, 1])
    peepholes: bool = False
    activation: str = "tanh"
    seed: int = 0

    def __post_init__(self) -> None:
        generator = np.random.default_rng(self.seed)
        self.generator = generator
        self.parameters = self.random_parameters()
        self.layer = self.make_layer(self.parameters)
        self.sequences = self.native.Sequences(np.array(self.lengths))
        rows, wide = sum(self.lengths), self.directions * self.units
        self.x = self.normal(rows, self.inputs)
        self.initial = self.normal(*self.state_shape, scale=0.5)
        self.y = np.full((rows, wide), np.nan, self.dtype)
        self.final = np.full(self.state_shape, np.nan, self.dtype)
        self.record = (
            np.full((rows, GATES[self.cell] * wide), np.nan, self.dtype),
            np.full((rows, wide), np.nan, self.dtype),
            np.full((rows, wide), np.nan, self.dtype),
        )

    @property
    def native(self):
        return native_module(self.parameters.bias)

    @property
    def state_shape(self) -> tuple[int, int, int, int]:
        return STATES[self.cell], self.directions, len(self.lengths), self.units

    def normal(self, *shape: int, scale: float = 1.0) -> np.ndarray:
        return (scale * self.generator.standard_normal(shape)).astype(self.dtype)

    def random_parameters(self) -> Parameters:
        """Weights so small that a step does not magnify what it is given."""
        columns = GATES[self.cell] * self.units
        extra = {
            "lstm": self.normal(self.directions, 3, self.units, scale=0.3)
            if self.peepholes
            else None,
            "gru": self.normal(self.directions, self.units, scale=0.5),
            "recurrent": None,
        }[self.cell]
        return Parameters(
            self.normal(self.inputs, self.directions * columns, scale=self.inputs**-0.5),
            self.normal(self.directions, self.units, columns, scale=0.5 * self.units**-0.5),
            self.normal(self.directions * columns, scale=0.5),
            extra,
        )

    def make_layer(self, parameters: Parameters):
        number = {"tanh": 2, "relu": 3}[self.activation]
        return getattr(self.native, LAYERS[self.cell])(*parameters, number)

    def run(self, record: bool = True) -> tuple[np.ndarray, np.ndarray]:
        kept = self.record if record else (None, None, None)
        self.layer.forward(self.sequences, self.x, self.y, self.initial, self.final, *kept)
        return self.y, self.final

    def backward(self, y_gradient, final_gradient, accumulate_to: Parameters | None = None):
        """Gradients of parameters, inputs and initial states; consumes the record."""
        gradients = accumulate_to or Parameters(
            *(None if p is None else np.full_like(p, np.nan) for p in self.parameters)
        )
        x_gradient = np.full_like(self.x, np.nan)
        initial_gradient = np.full_like(self.initial, np.nan)
        self.layer.backward(
            self.sequences,
            self.x,
            self.y,
            self.initial,
            *self.record,
            y_gradient,
            final_gradient,
            x_gradient,
            initial_gradient,
            self.make_layer(gradients),
            accumulate_to is not None,
        )
        return gradients, x_gradient, initial_gradient

    def tangent(self, direction: Parameters, x_dot):
        y_dot = np.full_like(self.y, np.nan)
        final_dot = np.full_like(self.final, np.nan)
        self.layer.tangent(
            self.sequences,
            self.x,
            self.y,
            self.initial,
            *self.record,
            x_dot,
            self.make_layer(direction),
            y_dot,
            final_dot,
        )
        return y_dot, final_dot

    # --- what is expected ------------------------------------------------------------------------

    def double(self, array):
        return None if array is None else array.astype(np.float64)

    def expected(self) -> tuple[np.ndarray, np.ndarray]:
        parameters = Parameters(*map(self.double, self.parameters))
        x, initial = self.double(self.x), self.double(self.initial)
        return reference.forward(self.cell, parameters, x, self.lengths, initial, self.activation)

    def expected_tangent(self, direction: Parameters, x_dot, initial_dot):
        return reference.tangent(
            self.cell,
            Parameters(*map(self.double, self.parameters)),
            self.double(self.x),
            self.lengths,
            self.double(self.initial),
            Parameters(*map(self.double, direction)),
            self.double(x_dot),
            self.double(initial_dot),
            self.activation,
        )

    def bound(self) -> float:
        """Of an output's error: that of the sums of a step, once for every step.

        No step magnifies an error by more than about 1 (see random_parameters), and a sum's error
        is its length times the unit roundoff times its magnitude (a few units here).
        """
        magnitude = 1 + np.abs(self.x).max(initial=0) + np.abs(self.initial).max(initial=0)
        length = self.inputs + self.units + 8
        return float(length * epsilon(self.dtype) * magnitude * (max(self.lengths) + 2))
