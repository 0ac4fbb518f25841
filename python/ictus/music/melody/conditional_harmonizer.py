"""A soprano harmonised by a conditional RBM: lower voices of a step in the context of the past."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ictus.models.boltzmann.conditional_machine import ConditionalMachine
from ictus.models.boltzmann.conditional_rbm import ConditionalRBM
from ictus.music.melody.voices import MARGIN, VoiceStates, checked_chorale, transposed_chorales

Array = NDArray[Any]

#: Steps of the soprano that are inputs.
SEEN = (-1, 0, 1, 2, 3)
BEATS = 4
LOWER = slice(1, 4)


class ConditionalHarmonizer(BaseEstimator):  # type: ignore[misc]
    """A conditional RBM that adds three lower voices to a soprano, step by step.

    Visible units are softmax groups of alto, tenor and bass; the context holds the last ``order``
    steps of these voices and the soprano from one step ago to three steps ahead.

    Parameters
    ----------
    n_components : int
        Hidden units.
    order : int
    transpositions : iterable of int
        Semitones by which chorales are moved for training.
    learning_rate, learning_rate_decay, n_iter, batch_size, k, l2
        As of :class:`ictus.ConditionalRBM`.
    random_state : int, RandomState or None
    progress : bool or None
    checkpoint : path, optional

    Attributes
    ----------
    rbm_ : ConditionalMachine
    states_ : VoiceStates
    """

    def __init__(
        self,
        n_components: int = 200,
        *,
        order: int = 2,
        transpositions: Iterable[int] = range(-3, 4),
        learning_rate: float = 0.03,
        learning_rate_decay: float = 0.9,
        n_iter: int = 20,
        batch_size: int = 100,
        k: int = 3,
        l2: float = 1e-4,
        random_state: Any = None,
        progress: bool | None = False,
        checkpoint: Any = None,
    ) -> None:
        self.n_components = n_components
        self.order = order
        self.transpositions = transpositions
        self.learning_rate = learning_rate
        self.learning_rate_decay = learning_rate_decay
        self.n_iter = n_iter
        self.batch_size = batch_size
        self.k = k
        self.l2 = l2
        self.random_state = random_state
        self.progress = progress
        self.checkpoint = checkpoint

    def fit(self, X: Sequence[Any], y: Any = None) -> ConditionalHarmonizer:
        """Train anew on chorales, arrays (steps, 4) of pitches, -1 a rest.

        Returns
        -------
        ConditionalHarmonizer
            self
        """
        grids = [checked_chorale(grid, f"X[{i}]", 4) for i, grid in enumerate(X)]
        if not grids:
            raise ValueError("X must hold at least one chorale, got none")
        self.states_ = VoiceStates.of(grids, MARGIN)
        moved = transposed_chorales(grids, self.transpositions, self.states_)
        states = [self.states_.states(grid) for grid in moved]
        model = ConditionalRBM(
            self.n_components,
            order=self.order,
            visible_type="softmax",
            group_size=self.states_.count,
            learning_rate=self.learning_rate,
            learning_rate_decay=self.learning_rate_decay,
            batch_size=self.batch_size,
            n_iter=self.n_iter,
            k=self.k,
            l2=self.l2,
            random_state=self.random_state,
            progress=self.progress,
            checkpoint=self.checkpoint,
        )
        model.fit(
            [self.states_.one_hot(s[:, LOWER]) for s in states],
            inputs=[soprano_inputs(s[:, 0], self.states_.count) for s in states],
        )
        self.rbm_ = model.rbm_
        self.history_ = model.history_
        return self

    def harmonize(
        self, soprano: Any, *, steps: int = 40, tries: int = 20, random_state: Any = None
    ) -> Array:
        """Return four voices, shape (steps, 4): the soprano and what is drawn below it.

        Parameters
        ----------
        soprano : array of int, shape (steps,)
            MIDI pitches, -1 a rest.
        steps : int
            Of the Gibbs chains at each step of the score.
        tries : int
            Number of chains; of their ends the one of lowest free energy goes on.
        random_state : int, RandomState or None
        """
        check_is_fitted(self, "rbm_")
        line = self.states_.checked_soprano(soprano)
        seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
        machine = ConditionalMachine(
            **(self.rbm_.config() | {"seed": seed}), parameters=self.rbm_.parameters
        )
        inputs = soprano_inputs(line, self.states_.count)
        width = 3 * self.states_.count
        frames = np.zeros((self.order + len(line), width), np.float32)
        found = np.zeros((len(line), 4), np.int64)
        found[:, 0] = line
        for step in range(len(line)):
            past = frames[step : step + self.order].ravel()
            context = np.tile(np.concatenate([past, inputs[step]]), (tries, 1))
            chains = machine.chains(context, tries)
            chains.run(steps)
            states = chosen_states(chains.visible_mean, self.states_.count, bool(line[step]))
            ends = self.states_.one_hot(states)
            best = int(np.argmin(machine.free_energy(ends, context)))
            found[step, LOWER] = states[best]
            frames[self.order + step] = ends[best]
        return self.states_.pitches(found)

    # --- model files -----------------------------------------------------------------------------

    def __ictus_getstate__(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return plain data and tensors for a model file."""
        check_is_fitted(self, "rbm_")
        config = harmonizer_state(self) | {"machine": self.rbm_.config()}
        return config, {"parameters": self.rbm_.parameters}

    @classmethod
    def __ictus_setstate__(
        cls, config: dict[str, Any], tensors: dict[str, Array]
    ) -> ConditionalHarmonizer:
        """Make the fitted model from what a model file holds."""
        model: ConditionalHarmonizer = harmonizer_restored(cls, config)
        model.rbm_ = ConditionalMachine(**config["machine"], parameters=tensors["parameters"])
        return model


def soprano_inputs(line: Array, count: int) -> Array:
    """Return what is known of a soprano at each step: its states around it, and the time."""
    eye = np.eye(count, dtype=np.float32)
    padded = np.concatenate([np.zeros((3, count), np.float32), eye[line], np.zeros((3, count))])
    seen = [padded[3 + offset : 3 + offset + len(line)] for offset in SEEN]
    time = np.eye(BEATS, dtype=np.float32)[np.arange(len(line)) % BEATS]
    return np.concatenate([*seen, time], axis=1).astype(np.float32)


def chosen_states(means: Array, count: int, sounding: bool) -> Array:
    """Return the most probable state of each group; where it must sound, of those that do."""
    groups = means.reshape(len(means), -1, count)
    first = int(sounding)
    return np.asarray(groups[:, :, first:].argmax(2) + first)


def harmonizer_state(model: Any) -> dict[str, Any]:
    """Return parameters and states of a harmonizer as plain data."""
    parameters = model.get_params(deep=False)
    parameters["transpositions"] = [int(step) for step in model.transpositions]
    if not isinstance(parameters["random_state"], int | type(None)):
        parameters["random_state"] = None
    parameters["checkpoint"] = None
    return {"parameters": parameters, "states": asdict(model.states_)}


def harmonizer_restored(cls: Any, config: dict[str, Any]) -> Any:
    """Make a harmonizer from what :func:`harmonizer_state` returned."""
    unknown = set(config["parameters"]) - set(inspect.signature(cls.__init__).parameters)
    if unknown:
        raise ValueError(f"unknown parameter {sorted(unknown)[0]!r}")
    model = cls(**config["parameters"])
    states = config["states"]
    model.states_ = VoiceStates(tuple(states["lowest"]), states["count"])
    return model
