"""A soprano harmonised by an LSTM: bass, alto, tenor of a step one after another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ictus.music.melody.chord_sequence import network_restored, network_state
from ictus.music.melody.melody_chains import check_temperature, draw
from ictus.music.melody.voices import MARGIN, VoiceStates, checked_chorale, transposed_chorales
from ictus.nn import LSTM, Dense, Dropout, SequenceNetwork
from ictus.optim import Adam
from ictus.train import EarlyStopping, Exponential, SequenceTrainer

Array = NDArray[Any]

#: The order in which the lower voices of a step are found: the bass carries the harmony.
ORDER = (3, 1, 2)
#: Steps of the soprano that are seen: the last one, the present one, and those to come.
SEEN = (-1, 0, 1, 2, 3)
BEATS = 4


class RecurrentHarmonizer(BaseEstimator):  # type: ignore[misc]
    """An LSTM that adds three lower voices to a soprano.

    A step of the score is three softmax steps of the network, bass, alto and tenor, each of which
    sees those before it, the last step's voices, and the soprano from one step ago to three steps
    ahead. The product of all is the exact probability of the lower voices, the soprano given.

    Parameters
    ----------
    units : int
    transpositions : iterable of int
        Semitones by which chorales are moved for training, within the voices' ranges.
    dropout, input_dropout, learning_rate, learning_rate_decay, batch_size, max_epochs, patience, \
random_state, progress, checkpoint
        As of :class:`ChordSequenceLSTM`.

    Attributes
    ----------
    network_ : ictus.SequenceNetwork
    states_ : VoiceStates
    """

    def __init__(
        self,
        units: int = 200,
        *,
        transpositions: Iterable[int] = range(-3, 4),
        dropout: float = 0.5,
        input_dropout: float = 0.1,
        learning_rate: float = 0.003,
        learning_rate_decay: float = 0.85,
        batch_size: int = 16,
        max_epochs: int = 12,
        patience: int = 3,
        random_state: Any = None,
        progress: bool | None = False,
        checkpoint: Any = None,
    ) -> None:
        self.units = units
        self.transpositions = transpositions
        self.dropout = dropout
        self.input_dropout = input_dropout
        self.learning_rate = learning_rate
        self.learning_rate_decay = learning_rate_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.patience = patience
        self.random_state = random_state
        self.progress = progress
        self.checkpoint = checkpoint

    # --- frames ----------------------------------------------------------------------------------

    def _features(self) -> int:
        return self.states_.count * (len(SEEN) + 6) + 3 + BEATS + 2

    def _frame(self, soprano: Array, lower: Array, step: int, number: int) -> Array:
        """What is seen before a lower voice of a step; `lower` has states, (steps, 4)."""
        count = self.states_.count
        x = np.zeros(self._features(), np.float32)
        for place, offset in enumerate(SEEN):
            if 0 <= step + offset < len(soprano):
                x[place * count + soprano[step + offset]] = 1.0
        first = len(SEEN) * count
        for place, voice in enumerate(ORDER):
            if step:
                x[first + place * count + lower[step - 1, voice]] = 1.0
            if place < number:
                x[first + (3 + place) * count + lower[step, voice]] = 1.0
        first += 6 * count
        x[first + number] = 1.0
        x[first + 3 + step % BEATS] = 1.0
        x[first + 3 + BEATS] = step == 0
        x[first + 4 + BEATS] = step == len(soprano) - 1
        return x

    def _pairs(self, grids: Sequence[Array]) -> tuple[list[Array], list[Array]]:
        inputs, targets = [], []
        for place, grid in enumerate(grids):
            states = self.states_.checked(grid, f"chorale {place}")
            frames = [
                self._frame(states[:, 0], states, step, number)
                for step in range(len(states))
                for number in range(3)
            ]
            inputs.append(np.array(frames))
            targets.append(states[:, ORDER].ravel())
        return inputs, targets

    # --- training --------------------------------------------------------------------------------

    def fit(
        self, X: Sequence[Any], y: Any = None, *, validation: Sequence[Any] | None = None
    ) -> RecurrentHarmonizer:
        """Train anew on chorales, arrays (steps, 4) of pitches, -1 a rest.

        Returns
        -------
        RecurrentHarmonizer
            self
        """
        grids = [checked_chorale(grid, f"X[{i}]", 4) for i, grid in enumerate(X)]
        if not grids:
            raise ValueError("X must hold at least one chorale, got none")
        held = [checked_chorale(g, f"validation[{i}]", 4) for i, g in enumerate(validation or ())]
        self.states_ = VoiceStates.of(grids, MARGIN)
        inputs, targets = self._pairs(transposed_chorales(grids, self.transpositions, self.states_))
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        layers: list[Any] = [Dropout(self.input_dropout)] if self.input_dropout else []
        layers += [LSTM(self.units), Dropout(self.dropout), Dense(self.states_.count)]
        self.network_ = SequenceNetwork(
            self._features(), layers, "softmax_cross_entropy", seed=seed
        )
        trainer = SequenceTrainer(
            self.network_,
            Adam(self.learning_rate),
            batch_size=self.batch_size,
            epochs=self.max_epochs,
            learning_rate=Exponential(self.learning_rate, self.learning_rate_decay),
            early_stopping=EarlyStopping(self.patience) if held else None,
            seed=seed,
            progress=self.progress,
            checkpoint=self.checkpoint,
        )
        trainer.resume()
        self.history_ = trainer.fit(inputs, targets, validation=self._pairs(held) if held else None)
        return self

    # --- use -------------------------------------------------------------------------------------

    def log_likelihood(self, X: Sequence[Any]) -> list[Array]:
        """Return log p(lower voices | soprano, the steps before), (steps,) a chorale, in nats."""
        check_is_fitted(self, "network_")
        inputs, targets = self._pairs([checked_chorale(g, "chorale", 4) for g in X])
        result = []
        for target, p in zip(targets, self.network_.predict(inputs), strict=True):
            with np.errstate(divide="ignore"):
                found = np.log(p[np.arange(len(target)), target].astype(np.float64))
            result.append(found.reshape(-1, 3).sum(1))
        return result

    def harmonize(
        self,
        soprano: Any,
        *,
        temperature: float = 0.5,
        tries: int = 8,
        avoid_parallels: bool = False,
        random_state: Any = None,
    ) -> Array:
        """Return four voices, shape (steps, 4): the soprano and what is drawn below it.

        Parameters
        ----------
        soprano : array of int, shape (steps,)
            MIDI pitches, -1 a rest.
        temperature : float
            Log-probabilities are divided by it.
        tries : int
            So many are drawn; the likeliest is returned.
        avoid_parallels : bool
            Whether pitches that make parallel fifths or octaves are not drawn: a rule beside the
            model.
        random_state : int, RandomState or None
        """
        check_is_fitted(self, "network_")
        temperature = check_temperature(temperature)
        if tries < 1:
            raise ValueError(f"tries must be positive, got {tries!r}")
        line = self.states_.checked_soprano(soprano)
        generator = check_random_state(random_state)
        drawn = [self._drawn(line, temperature, avoid_parallels, generator) for _ in range(tries)]
        grids = [self.states_.pitches(states) for states in drawn]
        scores = [found.sum() for found in self.log_likelihood(grids)]
        return np.asarray(grids[int(np.argmax(scores))])

    def _drawn(self, line: Array, temperature: float, strict: bool, generator: Any) -> Array:
        states = np.zeros((len(line), 4), np.int64)
        states[:, 0] = line
        stream = self.network_.stream()
        for step in range(len(line)):
            placed = [0]
            for number, voice in enumerate(ORDER):
                p = stream(self._frame(line, states, step, number)).astype(np.float64)
                if line[step]:  # where the soprano sings, all sing
                    p[0] = 0.0
                if strict and step:
                    wrong = self._parallels(states[step - 1 : step + 1], placed, voice)
                    p = np.where(wrong, 1e-6 * p, p)
                with np.errstate(divide="ignore"):
                    states[step, voice] = draw(np.log(p), temperature, generator)
                placed.append(voice)
        return states

    def _parallels(self, last: Array, placed: list[int], voice: int) -> Array:
        """Which states of a voice make parallel fifths or octaves with those placed: (count,)."""
        every = np.tile(last[1], (self.states_.count, 1))
        every[:, voice] = np.arange(self.states_.count)
        before, after = self.states_.pitches(last[0]), self.states_.pitches(every)
        wrong = np.zeros(self.states_.count, bool)
        for other in placed:
            upper, lower = min(other, voice), max(other, voice)
            first = (before[upper] - before[lower]) % 12
            second = (after[:, upper] - after[:, lower]) % 12
            moved = (after[:, upper] != before[upper]) & (after[:, lower] != before[lower])
            wrong |= moved & (second == first) & (first in (0, 7))
        return wrong

    # --- model files -----------------------------------------------------------------------------

    def __ictus_getstate__(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return plain data and tensors for a model file."""
        config, tensors = network_state(self)
        config["parameters"]["transpositions"] = [int(step) for step in self.transpositions]
        return config | {"states": asdict(self.states_)}, tensors

    @classmethod
    def __ictus_setstate__(
        cls, config: dict[str, Any], tensors: dict[str, Array]
    ) -> RecurrentHarmonizer:
        """Make the fitted model from what a model file holds."""
        model: RecurrentHarmonizer = network_restored(cls, config, tensors)
        states = config["states"]
        model.states_ = VoiceStates(tuple(states["lowest"]), states["count"])
        return model
