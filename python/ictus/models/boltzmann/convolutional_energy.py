"""Energies of a convolutional RBM: of images with detection maps, and of images alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ictus.kernels._device import to_device, to_host
from ictus.models.boltzmann.energies import visible_energy

if TYPE_CHECKING:
    from ictus.models.boltzmann.convolutional_machine import ConvolutionalMachine

Array = NDArray[Any]


def _of_images(machine: ConvolutionalMachine, v: Array) -> Array:
    """The energy of the visible units alone."""
    bias = np.tile(machine.visible_bias, machine.visible_units // machine.image_shape[2])
    return visible_energy(v.reshape(len(v), -1), machine.visible_type, bias, None)


def _crowded(h: Array, block: tuple[int, int]) -> Array:
    """Whether more than one unit of a block is on, for each image; on the host."""
    h = to_host(h)
    down, across = (np.arange(0, n, b) for n, b in zip(h.shape[1:3], block, strict=True))
    on = np.add.reduceat(np.add.reduceat(h, down, axis=1), across, axis=2)
    crowded: Array = on.reshape(len(h), -1).max(axis=1, initial=0) > 1
    return crowded


def energy(machine: ConvolutionalMachine, v: Array, h: Array) -> Array:
    """Return :meth:`ConvolutionalMachine.energy` of checked images and maps."""
    x = machine.hidden_inputs(v).reshape(len(v), -1)
    pairs = _of_images(machine, v) - (x * h.reshape(x.shape)).sum(axis=1)
    return np.where(to_device(machine.device, _crowded(h, machine.block)), np.inf, pairs)


def free_energy(machine: ConvolutionalMachine, v: Array) -> Array:
    """Return :meth:`ConvolutionalMachine.free_energy` of checked images."""

    def blocks(part: Array) -> Array:
        logs = machine.pooled(part, "log_sum").reshape(len(part), -1)
        sums: Array = logs.sum(axis=1, dtype=np.float64)
        return sums

    total: Array = _of_images(machine, v) - machine.by_parts(blocks, v)
    return total.astype(machine.dtype, copy=False)
