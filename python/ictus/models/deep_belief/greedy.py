"""Greedy layer-wise training: each Boltzmann machine learns from the one below."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.models.boltzmann.divergence import DivergenceTrainer
from ictus.models.boltzmann.rbm import RBM
from ictus.models.deep_belief.deep_layers import check_chain
from ictus.models.examples import ROWS_AT_ONCE
from ictus.train import History

Array = NDArray[Any]


def hidden_means(machines: Iterable[RBM], x: Any) -> Any:
    """Return the means of the top hidden units, one machine above the other; x without any.

    Parameters
    ----------
    machines : iterable of RBM
        From the data upwards.
    x : array, memory map or sparse matrix, shape (n, visible_units of the first)
    """
    for machine in machines:
        out = np.empty((x.shape[0], machine.hidden_units), machine.dtype)
        for first in range(0, x.shape[0], ROWS_AT_ONCE):
            part = x[first : first + ROWS_AT_ONCE]
            dense = part.toarray() if hasattr(part, "toarray") else part
            out[first : first + ROWS_AT_ONCE] = machine.mean_hiddens(dense)
        x = out
    return x


def train_greedily(
    machines: Sequence[RBM],
    x: Any,
    make_trainer: Callable[[int], DivergenceTrainer],
    labels: Array | None = None,
) -> list[History]:
    """Train each machine on the hidden means of those below (Hinton, Osindero & Teh 2006).

    Parameters
    ----------
    machines : sequence of RBM
        From the data upwards; the hidden units of each are the visible units of the next.
    x : array, memory map or sparse matrix, shape (n, visible_units of the first)
    make_trainer : callable
        Gives the trainer of the machine of that number. Where it has a checkpoint, training goes
        on from there.
    labels : array, shape (n, label units), optional
        One unit on in each row: what the label units of the top machine see.

    Returns
    -------
    list of History
        One for each machine that was trained: fewer than machines after an interruption.

    Raises
    ------
    ValueError
        Machines that do not chain.
    """
    check_chain(machines)
    histories: list[History] = []
    for number, machine in enumerate(machines):
        if labels is not None and number + 1 == len(machines):
            x = np.concatenate([np.asarray(x, labels.dtype), labels], axis=1)
        trainer = make_trainer(number)
        trainer.resume()
        histories.append(trainer.fit(x))
        if histories[-1].interrupted:
            break
        if number + 1 < len(machines):
            x = hidden_means([machine], x)
    return histories
