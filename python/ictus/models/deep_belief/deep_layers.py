"""The layers of a deep belief net: machines in one vector, and what they must be to each other."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from ictus.models.boltzmann.machine import Machine
from ictus.models.boltzmann.rbm import RBM

Array = NDArray[Any]

#: What the units of a layer must be to the layer above, which sees them as its visible units.
SEEN_AS = {
    "bernoulli": ("bernoulli", "labelled"),
    "rectified": ("gaussian",),
    "gaussian": ("gaussian",),
}


class Pattern(RBM):
    """A layer as its description has it, without memory for its parameters.

    So the description of a net is checked before it costs memory: it may come from a file.
    """

    @property
    def parameter_count(self) -> int:
        return 0

    def _set_views(self) -> None:
        pass

    def initialize(self, seed: int | None = None) -> None:
        pass


class Part(RBM):
    """A layer of a deep net: its parameters lie in the net's vector, its draws are the net's."""

    def __init__(self, owner: Machine, memory: Array, options: Mapping[str, Any]) -> None:
        self._owner = owner
        super().__init__(**options, dtype=owner.dtype, seed=owner.seed, parameters=memory)
        self._place(memory)

    @property
    def seed(self) -> int:
        return self._owner.seed

    @seed.setter
    def seed(self, value: int) -> None:
        """It is the net's."""

    def next_streams(self, count: int) -> int:
        return self._owner.next_streams(count)


def check_chain(machines: Sequence[RBM]) -> None:
    """Raise ValueError where the layers of a deep net do not chain."""
    if not machines:
        raise ValueError("a deep net needs at least one layer")
    for number, (below, above) in enumerate(itertools.pairwise(machines)):
        labels = above.group_size if above.visible_type == "labelled" else 0
        if above.visible_units - labels != below.hidden_units:
            raise ValueError(
                f"layer {number + 1} must have {below.hidden_units} visible units, the hidden "
                f"units of layer {number}, got {above.visible_units - labels}"
            )
        wanted = SEEN_AS[below.hidden_type]
        if above.visible_type not in wanted:
            raise ValueError(
                f"layer {number + 1} must have {' or '.join(wanted)} visible units above "
                f"{below.hidden_type} ones, got {above.visible_type}"
            )
        if below.visible_type == "labelled":
            raise ValueError(f"layer {number} must not be labelled: only the top may have labels")
