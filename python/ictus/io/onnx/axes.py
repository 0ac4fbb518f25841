"""Where the numbers of ONNX's tensors lie in ours: axes that know what they are.

A tensor of a chain has axes that are lists of parts: batch n, time t, height h, width w, channels
c, direction d, units u. Transpose changes their order; Reshape and Flatten join them. What a layer
sees decides whether that is our order (channels last) or how weights must be turned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(slots=True, eq=False)
class Part:
    """One axis of our arrays.

    Attributes
    ----------
    size : int
        Where the file leaves it open, a prime number that nothing else has.
    known : bool
    label : str
        n, t, h, w, c, d or u; "" before anything tells.
    """

    size: int
    known: bool = True
    label: str = ""


Axis = tuple[Part, ...]


class Axes:
    """The axes of a tensor of ONNX.

    Parameters
    ----------
    axes : sequence of Axis
    """

    def __init__(self, axes: Sequence[Axis]) -> None:
        self.axes = list(axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """The tensor's shape."""
        return tuple(math.prod(part.size for part in axis) for axis in self.axes)

    @property
    def parts(self) -> list[Part]:
        """All parts in their order."""
        return [part for axis in self.axes for part in axis]

    def labels(self, axis: int) -> str:
        """Labels of the parts of an axis; those of size 1 count only as batch or channels."""
        return "".join(p.label for p in self.axes[axis] if p.size != 1 or p.label in ("n", "c"))

    def find(self, label: str) -> int | None:
        """The axis that is this part alone (but for parts of size 1)."""
        for number in range(len(self.axes)):
            if self.labels(number) == label:
                return number
        return None

    def transposed(self, order: Sequence[int]) -> Axes:
        """The axes in another order."""
        return Axes([self.axes[i] for i in order])

    def reshaped(self, shape: Sequence[int]) -> Axes | None:
        """The axes of the same numbers in another shape; None where a part would be cut."""
        left, result = self.parts, []
        for size in shape:
            taken: list[Part] = []
            product = 1
            if size == 1 and left and left[0].size == 1:
                taken.append(left.pop(0))
            while product < size:
                if not left:
                    return None
                taken.append(left.pop(0))
                product *= taken[-1].size
            if product != size:
                return None
            result.append(tuple(taken))
        if any(part.size != 1 for part in left):
            return None
        if result:
            result[-1] = (*result[-1], *left)
        return Axes(result)

    def squeezed(self, chosen: Sequence[int]) -> Axes:
        """The axes without those."""
        return Axes([axis for i, axis in enumerate(self.axes) if i not in chosen])

    def unsqueezed(self, chosen: Sequence[int]) -> Axes:
        """The axes with new ones of size 1."""
        axes = list(self.axes)
        for i in sorted(chosen):
            axes.insert(i, (Part(1),))
        return Axes(axes)


def our_order(axis: Axis, labels: str) -> Array | None:
    """Return, for our order of a joined axis, the places of its numbers in ONNX's; None: the same.

    Parameters
    ----------
    axis : Axis
    labels : str
        The labels of its parts in our order; parts of size 1 need not be among them.
    """
    real = [part for part in axis if part.size != 1]
    wanted = [next(i for i, p in enumerate(real) if p.label == one) for one in labels
              if any(p.label == one for p in real)]  # fmt: skip
    if wanted == list(range(len(real))):
        return None
    places = np.arange(math.prod(p.size for p in real)).reshape([p.size for p in real])
    return places.transpose(wanted).reshape(-1)
