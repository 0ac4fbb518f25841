"""A soprano harmonised by a deep belief net of windows of four voices that it completes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ictus.models.boltzmann.bernoulli_rbm import BernoulliRBM
from ictus.models.boltzmann.softmax_rbm import SoftmaxRBM
from ictus.models.deep_belief.deep_belief_machine import DeepBeliefMachine
from ictus.models.deep_belief.deep_belief_net import DeepBeliefNet
from ictus.models.deep_belief.deep_chains import DeepChains
from ictus.music.melody.conditional_harmonizer import harmonizer_restored, harmonizer_state
from ictus.music.melody.voices import MARGIN, VoiceStates, checked_chorale, transposed_chorales

Array = NDArray[Any]


class DeepHarmonizer(BaseEstimator):  # type: ignore[misc]
    """A deep belief net of windows of chorales that fills in the three lower voices.

    The lowest layer has a softmax group for each voice and step. A score is filled in window by
    window from the left, each overlapping the one before by half; the soprano, and what has been
    filled in, are clamped in chains through all layers.

    Parameters
    ----------
    window : int
        Steps.
    hidden_units : (int, int)
        Of the two hidden layers.
    transpositions : iterable of int
    learning_rate, learning_rate_decay, n_iter, batch_size, l2
        Of both layers, trained by persistent contrastive divergence.
    random_state : int, RandomState or None
    progress : bool or None
    checkpoint : path, optional
        Beginning of the names of files; see :class:`ictus.DeepBeliefNet`.

    Attributes
    ----------
    machine_ : DeepBeliefMachine
    states_ : VoiceStates
    """

    def __init__(
        self,
        window: int = 8,
        hidden_units: tuple[int, int] = (500, 300),
        *,
        transpositions: Iterable[int] = range(-3, 4),
        learning_rate: float = 0.05,
        learning_rate_decay: float = 0.85,
        n_iter: int = 15,
        batch_size: int = 100,
        l2: float = 1e-4,
        random_state: Any = None,
        progress: bool | None = False,
        checkpoint: Any = None,
    ) -> None:
        self.window = window
        self.hidden_units = hidden_units
        self.transpositions = transpositions
        self.learning_rate = learning_rate
        self.learning_rate_decay = learning_rate_decay
        self.n_iter = n_iter
        self.batch_size = batch_size
        self.l2 = l2
        self.random_state = random_state
        self.progress = progress
        self.checkpoint = checkpoint

    def fit(self, X: Sequence[Any], y: Any = None) -> DeepHarmonizer:
        """Train anew on chorales, arrays (steps, 4) of pitches, -1 a rest.

        Returns
        -------
        DeepHarmonizer
            self
        """
        grids = [checked_chorale(grid, f"X[{i}]", 4) for i, grid in enumerate(X)]
        if not grids or all(len(grid) < self.window for grid in grids):
            raise ValueError(f"X must hold at least one chorale of {self.window} steps, got none")
        self.states_ = VoiceStates.of(grids, MARGIN)
        moved = transposed_chorales(grids, self.transpositions, self.states_)
        states = [self.states_.states(grid) for grid in moved]
        windows = [s[i : i + self.window] for s in states for i in range(len(s) - self.window + 1)]
        data = np.stack(windows).reshape(len(windows), -1).astype(np.float32)
        options: dict[str, Any] = {
            "learning_rate": self.learning_rate,
            "learning_rate_decay": self.learning_rate_decay,
            "n_iter": self.n_iter,
            "batch_size": self.batch_size,
            "persistent": True,
            "momentum": 0.0,
            "l2": self.l2,
        }
        first, second = self.hidden_units
        net = DeepBeliefNet(
            layers=[
                SoftmaxRBM(first, n_categories=self.states_.count, **options),
                BernoulliRBM(second, **options),
            ],
            random_state=self.random_state,
            progress=self.progress,
            checkpoint=self.checkpoint,
        )
        self.machine_ = net.fit(data).machine_
        self.histories_ = net.histories_
        return self

    def harmonize(
        self, soprano: Any, *, steps: int = 60, tries: int = 10, random_state: Any = None
    ) -> Array:
        """Return four voices, shape (steps, 4): the soprano and what is filled in below it.

        Parameters
        ----------
        soprano : array of int, shape (steps,)
            MIDI pitches, -1 a rest.
        steps : int
            Of the chains in each window.
        tries : int
            Number of chains; of their ends the one goes on whose free energy in the lowest layer's
            machine is least.
        random_state : int, RandomState or None
        """
        check_is_fitted(self, "machine_")
        line = self.states_.checked_soprano(soprano)
        seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
        machine = DeepBeliefMachine(
            **(self.machine_.config() | {"seed": seed}), parameters=self.machine_.parameters
        )
        size, half = self.window, self.window // 2
        length = max(len(line), size)
        states = np.zeros((length, 4), np.int64)
        states[: len(line), 0] = line
        states[len(line) :, 0] = line[-1]
        done = 0
        while done < length:
            first = max(min(done - half if done else 0, length - size), 0)
            window = states[first : first + size]
            known = np.zeros((size, 4), bool)
            known[:, 0] = True
            known[: done - first] = True
            window[...] = _completed(machine, window, known, self.states_.count, steps, tries)
            done = first + size
        return self.states_.pitches(states[: len(line)])

    # --- model files -----------------------------------------------------------------------------

    def __ictus_getstate__(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return plain data and tensors for a model file."""
        check_is_fitted(self, "machine_")
        config = harmonizer_state(self) | {"machine": self.machine_.config()}
        return config, {"parameters": self.machine_.parameters}

    @classmethod
    def __ictus_setstate__(
        cls, config: dict[str, Any], tensors: dict[str, Array]
    ) -> DeepHarmonizer:
        """Make the fitted model from what a model file holds."""
        model: DeepHarmonizer = harmonizer_restored(cls, config)
        model.hidden_units = tuple(model.hidden_units)  # type: ignore[assignment]
        model.machine_ = DeepBeliefMachine(**config["machine"], parameters=tensors["parameters"])
        return model


def _completed(
    machine: DeepBeliefMachine, window: Array, known: Array, count: int, steps: int, tries: int
) -> Array:
    """The window with its unknown states filled in."""
    clamped = np.eye(count, dtype=np.float32)[window].reshape(-1)
    mask = np.repeat(known.reshape(-1), count)
    chains = DeepChains(machine, rows=tries)
    for _ in range(steps):
        chains.visible[:, mask] = clamped[mask]
        chains.step()
    means = chains.visible_mean.reshape(tries, -1, 4, count).astype(np.float64)
    means[:, window[:, 0] > 0, :, 0] = 0.0  # where the soprano sings, all sing
    chosen = np.where(known, window, means.argmax(3))
    ends = np.eye(count, dtype=np.float32)[chosen].reshape(tries, -1)
    return np.asarray(chosen[int(np.argmin(machine.parts[0].free_energy(ends)))])
