"""What every training on a folder shares: settings, held-out recordings, features with targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.io.annotations import Events
from ictus.music.training.cache import AS_IT_IS, FeatureCache
from ictus.music.training.changes import Change, changes
from ictus.music.training.folder import Example
from ictus.train import History

Array = NDArray[Any]
#: What a network should say for a recording of so many frames, and the weights of the frames.
Targets = Callable[[Events, int, float], tuple[Array, Array | None]]


@dataclass
class Schedule:
    """Settings that every training has.

    Parameters
    ----------
    epochs, batch_size, learning_rate
    speeds, tempi, semitones : tuple of float
        How recordings are played beside as they are, of which each epoch takes one by chance: as a
        tape would (tempo and pitch change), at another tempo alone, at another pitch alone; see
        :func:`ictus.music.training.changes.changes`.
    augment : bool
        Whether the features are changed in loudness and timbre.
    early_stopping : int, optional
        Epochs without a better validation loss after which training ends.
    validation : float
        Share of the recordings that only measure the loss.
    seed : int
    """

    epochs: int = 50
    batch_size: int = 8
    learning_rate: float = 0.003
    speeds: tuple[float, ...] = (1.0,)
    tempi: tuple[float, ...] = ()
    semitones: tuple[float, ...] = ()
    augment: bool = True
    early_stopping: int | None = None
    validation: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.validation < 1:
            raise ValueError(f"validation must be in [0, 1), got {self.validation!r}")
        self.changes()

    def changes(self) -> tuple[Change, ...]:
        """Return how recordings are played; the first is as they are."""
        return changes(self.speeds, self.tempi, self.semitones)


@dataclass
class Trained:
    """A network of raw features, and how it came about.

    Attributes
    ----------
    network : Network or SequenceNetwork
    history : History
    training, validation : list of str
        Names of the recordings that were trained on, and that were held out.
    """

    network: Any
    history: History
    training: list[str]
    validation: list[str]


@dataclass
class Material:
    """Recordings as arrays.

    Attributes
    ----------
    names : list of str
        Of the recordings, once each.
    features, targets : lists of arrays, (frames, size) and (frames, outputs)
        Of each recording as it is, and of its other versions.
    weights : list of arrays, shape (frames,)
        1 where the targets gave none.
    recordings : list of int
        Which recording each of the features is a version of.
    """

    names: list[str] = field(default_factory=list)
    features: list[Array] = field(default_factory=list)
    targets: list[Array] = field(default_factory=list)
    weights: list[Array] = field(default_factory=list)
    recordings: list[int] = field(default_factory=list)


def material(
    examples: Sequence[Example],
    cache: FeatureCache,
    targets: Targets,
    *,
    played: Sequence[Change] = (AS_IT_IS,),
    rate: float = 100.0,
) -> Material:
    """Return features and targets of recordings, as they are and changed.

    Raises
    ------
    ValueError
        An annotation that has no such targets; the message names the file.
    """
    made = Material([example.name for example in examples])
    for change in played:
        loaded = cache.load([example.audio for example in examples], change)
        for number, (example, one) in enumerate(zip(examples, loaded, strict=True)):
            try:
                wanted, weights = targets(change.events(example.events), len(one), rate)
            except ValueError as error:
                raise ValueError(f"{example.annotation}: {error}") from None
            made.recordings.append(number)
            made.features.append(one)
            made.targets.append(wanted)
            made.weights.append(np.ones(len(one), np.float32) if weights is None else weights)
    return made


def split(
    examples: Sequence[Example], validation: float, seed: int
) -> tuple[list[Example], list[Example]]:
    """Return the recordings that train, and those that only measure the loss.

    Raises
    ------
    ValueError
        No recording is left to train on.
    """
    order = np.random.Generator(np.random.PCG64([seed, 3])).permutation(len(examples))
    held_out = round(validation * len(examples))
    if validation and len(examples) >= 2:
        held_out = max(held_out, 1)
    if len(examples) - held_out < 1:
        raise ValueError(f"training needs at least one recording, got {len(examples)}")
    chosen = [examples[i] for i in np.sort(order[held_out:])]
    return chosen, [examples[i] for i in np.sort(order[:held_out])]
