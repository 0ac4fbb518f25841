"""Gibbs chains of a convolutional RBM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ictus.kernels._device import empty, zeros

if TYPE_CHECKING:
    from ictus.models.boltzmann.convolutional_machine import ConvolutionalMachine

Array = NDArray[Any]


class ConvolutionalChains:
    """Gibbs chains of a convolutional machine, an image each, moved on together.

    The interface is that of :class:`ictus.models.boltzmann.gibbs.Chains`.

    Parameters
    ----------
    machine : ConvolutionalMachine
    visible : array, shape (rows, height, width, channels), optional
        Where they start; it is copied. If not given, ``rows`` draws with the hidden units off.
    rows : int

    Attributes
    ----------
    visible, hidden : array
        The states now.
    visible_mean : array
        Mean of the visible units given ``hidden``.
    visible_bias : array, shape (rows, height, width, channels), or None
        Biases of each image, in the place of the machine's: evidence.
    """

    def __init__(
        self, machine: ConvolutionalMachine, visible: Array | None = None, *, rows: int = 0
    ) -> None:
        rows = rows if visible is None else len(visible)
        self.machine = machine
        self.visible_bias: Array | None = None
        self.hidden: Array = zeros(machine.weights, (rows, *machine.hidden_shape))
        self._inputs = np.empty_like(self.hidden)
        self.visible: Array = empty(machine.weights, (rows, *machine.image_shape))
        self.visible_mean = np.empty_like(self.visible)
        if visible is None:
            self.draw_visible()
        else:
            self.visible[...] = visible

    def draw_visible(self) -> None:
        """Draw the visible states given the hidden ones."""
        self.machine.visible_mean(self.hidden, self.visible_mean, self.visible_bias)
        self.machine.draw_visible(self.visible_mean, self.visible, self.machine.next_streams(1))

    def step(self) -> None:
        """Draw the hidden states given the visible ones, then the visible ones."""
        x = self.machine.hidden_inputs(self.visible, self._inputs)
        self.machine.pool(x, x, sample=self.hidden, stream=self.machine.next_streams(1))
        self.draw_visible()

    def run(self, steps: int) -> None:
        """Take `steps` steps."""
        for _ in range(steps):
            self.step()
