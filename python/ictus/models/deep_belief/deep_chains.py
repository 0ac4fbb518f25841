"""Gibbs chains of a deep belief net that pass through all its layers at each step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ictus.kernels._device import empty
from ictus.kernels.rbm import hidden_layer, visible_layer
from ictus.models.boltzmann.gibbs import Chains

if TYPE_CHECKING:
    from ictus.models.deep_belief.deep_belief_machine import DeepBeliefMachine

Array = NDArray[Any]


class DeepChains:
    """Chains over the visible units: up through the layers, one step at the top, down again.

    A step draws the layers from the recognition weights, moves the associative memory at the top
    by one step of Gibbs sampling, and draws the layers below from the generative weights. Where
    recognition is exact, the chain leaves the net's distribution as it is; else nearly so.
    The interface is that of :class:`ictus.models.boltzmann.gibbs.Chains`.

    Parameters
    ----------
    machine : DeepBeliefMachine
    visible : array, shape (rows, visible_units), optional
        Where they start; it is copied. If not given, ``rows`` chains start at a draw of the top.
    rows : int
    label_bias : array, shape (rows, labels), optional
        Biases of the label units of each row, in the place of the machine's.

    Attributes
    ----------
    visible, visible_mean : array, shape (rows, visible_units)
        The states now, and their means given the layer above.
    visible_bias : array, shape (rows, visible_units), or None
        Biases of the visible units of each row, in the place of the machine's: evidence.
    """

    def __init__(
        self,
        machine: DeepBeliefMachine,
        visible: Array | None = None,
        *,
        rows: int = 0,
        label_bias: Array | None = None,
    ) -> None:
        rows = rows if visible is None else len(visible)
        self.machine = machine
        self.visible_bias: Array | None = None
        self._label_bias = label_bias
        self._top = Chains(machine.top, rows=rows, visible_bias=machine.top_bias(rows, label_bias))
        self._layers = [
            empty(machine.parameters, (rows, part.hidden_units)) for part in machine.recognition
        ]
        self.visible: Array = empty(machine.parameters, (rows, machine.visible_units))
        self.visible_mean = np.empty_like(self.visible)
        if visible is None:
            self._down()
        else:
            self.visible[...] = visible

    def step(self) -> None:
        """Go up, take a step at the top, and come down."""
        machine, states = self.machine, self.visible
        for part, layer in zip(machine.recognition, self._layers, strict=True):
            stream = machine.next_streams(1)
            hidden_layer(part.native, states, sample=layer, seed=machine.seed, stream=stream)
            states = layer
        units = states.shape[1]
        self._top.visible[:, :units] = states
        if not self._layers and self.visible_bias is not None:
            rows = len(self.visible)
            self._top.visible_bias = machine.top_bias(rows, self._label_bias, self.visible_bias)
        self._top.step()
        self._down()

    def _down(self) -> None:
        machine = self.machine
        units = machine.top_units
        states: Array = self._top.visible[:, :units]
        for number in reversed(range(len(machine.generative))):
            last = number == 0
            out = self.visible if last else self._layers[number - 1]
            visible_layer(
                machine.generative[number].native,
                states,
                mean=self.visible_mean if last else None,
                sample=out,
                row_bias=self.visible_bias if last else None,
                seed=machine.seed,
                stream=machine.next_streams(1),
            )
            states = out
        if not machine.generative:
            self.visible[...] = states
            self.visible_mean[...] = self._top.visible_mean[:, :units]

    def run(self, steps: int) -> None:
        """Take `steps` steps."""
        for _ in range(steps):
            self.step()
