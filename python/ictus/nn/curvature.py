"""Products with the Gauss-Newton matrix of a network: one forward pass, then many products.

Schraudolph 2002; Martens 2010, section 4.2; for structural damping Martens & Sutskever 2011.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ictus.kernels.conjugate_gradient import inner_product
from ictus.nn.layer import Array, Cache
from ictus.nn.recurrent import RecurrentBase
from ictus.nn.sequences import SequenceBatch, SequenceCache, placed
from ictus.nn.shapes import by_place

if TYPE_CHECKING:
    from ictus.nn.network import Network

#: Bytes of activations that are kept between products; of what is beyond, forward passes are made
#: again for each product.
KEPT_BYTES = 1 << 30

Part = tuple[Any, Array | None]


def own_caches(network: Network, x: Any, beside: Sequence[Cache] | None) -> list[Cache]:
    """Return caches for a part of the data that outlast passes through other parts.

    Parameters
    ----------
    network : Network
    x : array or SequenceBatch
    beside : sequence of Cache, optional
        Caches of an earlier part with no fewer rows: what no product leaves to the next, room for
        gradients and tangents, is shared with them.
    """
    if isinstance(x, SequenceBatch):
        sequence_caches = [
            SequenceCache(
                network.dtype, None if beside is None else beside[i], network._device.arrays
            )
            for i in range(len(network.layers))
        ]
        for cache in sequence_caches:
            cache.keep = True
        fitted: list[Cache] = network.fit_caches(x, sequence_caches)  # type: ignore[attr-defined]
        return fitted
    shape = network.input_shape if x.ndim == 2 else x.shape[1:]
    return network._passes.made(len(x), tuple(n or 0 for n in shape), beside)


def _on_device(device: str, part: Part) -> Part:
    x, weights = part
    return placed(device, x), placed(device, weights)


class GaussNewton:
    """The Gauss-Newton matrix ``G = scale * sum w J^T H J`` at the network's present parameters.

    J is the Jacobian of the logits of an example (or of a step of a sequence) and H the loss's
    Hessian with respect to them; targets do not enter. The parameters must stay as they are while
    products are made. :meth:`Network.gauss_newton` makes one.

    Parameters
    ----------
    network : Network
    parts : sequence of (x, weights)
        The data in parts that are worked on one after another, the largest first; x as the
        network's passes take it, weights of the rows of the logits or None.
    scale : float
        Factor of the sum over rows: 1 / rows for the mean.
    structural_damping : float
        Adds ``scale * structural_damping * sum J_h^T M J_h`` with J_h the Jacobian of the outputs
        of the recurrent layers: changes of the hidden states are kept small. M is the identity,
        and ``1 / (1 - h^2)`` for tanh units: the loss that matches them.
    kept_bytes : int
        Bound of the activations kept between products.

    Raises
    ------
    ValueError
        No part, or structural damping of a network without a recurrent layer below its last one.
    """

    def __init__(
        self,
        network: Network,
        parts: Sequence[Part],
        scale: float,
        *,
        structural_damping: float = 0.0,
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        if not parts:
            raise ValueError("GaussNewton: parts must have at least one part, got 0")
        self.network, self.scale = network, float(scale)
        self.parts = [_on_device(network.device, part) for part in parts]
        self._recurrent = [i for i, x in enumerate(network.layers) if isinstance(x, RecurrentBase)]
        if structural_damping and (
            not self._recurrent or self._recurrent[-1] == len(network.layers) - 1
        ):
            raise ValueError(
                "GaussNewton: structural_damping needs a recurrent layer below the last layer, "
                f"got {[type(layer).__name__ for layer in network.layers]}"
            )
        self.structural_damping = float(structural_damping)
        self._kept: list[tuple[list[Cache], Array]] = []
        self._spare: list[Cache] | None = None
        self._views: tuple[Any, ...] = (None, [], None, [])
        left = kept_bytes
        for x, _ in self.parts:
            bytes_ = self._activation_bytes(x)
            if bytes_ > left and self._kept:
                break
            left -= bytes_
            caches = own_caches(network, x, self._kept[0][0] if self._kept else None)
            self._kept.append((caches, self._forward(x, caches)))

    def _activation_bytes(self, x: Any) -> int:
        numbers = 0
        if isinstance(x, SequenceBatch):
            rows = len(x.frames)
            for layer in self.network.layers:
                # Gates, memory, previous outputs.
                kept = layer.gates + 3 if isinstance(layer, RecurrentBase) else 1
                numbers += kept * layer.output_size
        else:
            rows, shape = len(x), self.network.input_shape if x.ndim == 2 else x.shape[1:]
            for layer in self.network.layers:
                shape = layer.output_shape(tuple(n or 0 for n in shape))
                numbers += math.prod(shape)
        return int(rows * numbers * self.network.dtype.itemsize)

    def _forward(self, x: Any, caches: list[Cache]) -> Array:
        frames = x.frames if isinstance(x, SequenceBatch) else x.reshape(len(x), -1)
        return self.network._forward(frames, caches, False, 0)

    def _passes(self, number: int) -> tuple[list[Cache], Array]:
        """Return caches and logits of a part, from a new forward pass where they are not kept."""
        if number < len(self._kept):
            return self._kept[number]
        x = self.parts[number][0]
        caches = own_caches(self.network, x, self._kept[0][0])
        return caches, self._forward(x, caches)

    def _views_of(self, direction: Array, out: Array) -> tuple[Any, Any]:
        # Conjugate gradients ask for the same two vectors again and again.
        known_direction, direction_views, known_out, out_views = self._views
        if known_direction is not direction:
            direction_views = self.network.views(direction)
        if known_out is not out:
            out_views = self.network.views(out)
        self._views = direction, direction_views, out, out_views
        return direction_views, out_views

    def product(self, direction: Array, out: Array | None = None) -> Array:
        """Return ``G direction``.

        Parameters
        ----------
        direction : array, shape (parameter_count,)
        out : array, shape (parameter_count,), optional
            Of the network's dtype, contiguous; not `direction`.
        """
        network = self.network
        direction = network._check_direction(direction)
        if out is None:
            out = np.empty_like(network.parameters)
        direction_views, out_views = self._views_of(direction, out)
        for number, (_, weights) in enumerate(self.parts):
            caches, logits = self._passes(number)
            tangent = network._jvp(direction_views, caches)
            flat, v, weights = by_place(logits, tangent, weights, network.output_size)
            network.loss_function.curvature(flat, v, v, weights, self.scale)
            if self.structural_damping:
                for i in self._recurrent:
                    caches[i].structural_damping = self.scale * self.structural_damping  # type: ignore[attr-defined]
            network._backward(tangent, caches, out_views, number > 0)
        return out

    def forms(self, directions: Sequence[Array]) -> Array:
        """Return the numbers ``u G v`` for all pairs u, v of directions: no backward pass.

        Structural damping is left out.

        Parameters
        ----------
        directions : sequence of array, shape (parameter_count,)

        Returns
        -------
        array of float64, shape (len(directions), len(directions))
        """
        network, count = self.network, len(directions)
        views = [network.views(network._check_direction(each)) for each in directions]
        result = np.zeros((count, count))
        for number, (_, weights) in enumerate(self.parts):
            caches, logits = self._passes(number)
            # A pass forward leaves its tangents in room of its own: they are kept.
            tangents = [network._jvp(each, caches).copy() for each in views]
            for j in range(count):
                flat, v, own = by_place(logits, tangents[j].copy(), weights, network.output_size)
                network.loss_function.curvature(flat, v, v, own, self.scale)
                for i in range(j + 1):
                    result[i, j] += inner_product(tangents[i].ravel(), v.ravel())
        return result + np.triu(result, 1).T

    def set_structural_damping(self, value: float) -> None:
        """Change the structural damping of the products to come."""
        if not value:
            for caches, _ in self._kept:
                for i in self._recurrent:
                    caches[i].structural_damping = 0.0  # type: ignore[attr-defined]
        self.structural_damping = float(value)
