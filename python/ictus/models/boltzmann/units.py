"""The kinds of units that a restricted Boltzmann machine can have."""

from __future__ import annotations

from typing import Any

from ictus.kernels.rbm import HIDDEN_UNITS, VISIBLE_UNITS


def check_kinds(machine: Any) -> None:
    """Raise ValueError where a machine's kinds of units are unknown or do not go together."""
    name = type(machine).__name__
    for argument, kinds in (("visible_type", VISIBLE_UNITS), ("hidden_type", HIDDEN_UNITS)):
        value = getattr(machine, argument)
        if value not in kinds:
            raise ValueError(f"{name}: {argument} must be one of {', '.join(kinds)}, got {value!r}")
    if machine.visible_type not in ("softmax", "labelled") and machine.group_size != 1:
        raise ValueError(
            f"{name}: group_size must be 1 without softmax units, got {machine.group_size}"
        )
    labelled, size = machine.visible_type == "labelled", machine.group_size
    if size >= machine.visible_units if labelled else machine.visible_units % size:
        rule = "be below" if labelled else "divide"
        raise ValueError(
            f"{name}: group_size must {rule} visible_units {machine.visible_units}, got {size}"
        )
    if machine.learn_variance and machine.visible_type != "gaussian":
        raise ValueError(f"{name}: learn_variance needs gaussian visible units")
