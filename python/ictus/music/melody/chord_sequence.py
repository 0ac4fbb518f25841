"""Sequences of chords by an LSTM: each chord note by note from the top, an exact likelihood."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ictus.music.melody.melody_chains import check_temperature, draw
from ictus.nn import LSTM, Dense, Dropout, SequenceNetwork
from ictus.optim import Adam
from ictus.train import EarlyStopping, Exponential, SequenceTrainer

Array = NDArray[Any]
Piece = Sequence[Sequence[int]]

#: The keys of a piano, from MIDI 21 up; the number behind them ends a chord.
LOWEST, KEYS = 21, 88
END = KEYS
#: Places of a note within a chord, from the top, that the network tells apart.
PLACES = 5


class ChordSequenceLSTM(BaseEstimator):  # type: ignore[misc]
    """An LSTM of sequences of chords, sets of piano keys that sound together.

    A chord is given from its highest note down, then its end: each set has one such order, so that
    the product of the probabilities of its notes is that of the set. Each note is a softmax over
    the keys below the last one, and the end. What comes out is a normalised distribution over all
    2^88 chords, the chords before it given, as that of an RNN-NADE is (Boulanger-Lewandowski,
    Bengio & Vincent 2012), and its likelihood needs no sampling.

    At each note the network sees the note before it in the chord, its place, the last two chords,
    and the time modulo ``beats``.

    Parameters
    ----------
    units : int
        LSTM units; 0: none, each chord is then independent of the others, but for what
        ``memory`` shows.
    memory : int
        Chords before the present one that are shown (0, 1 or 2).
    beats : int
        Period of the time that is shown; 1: none.
    dropout, input_dropout : float
        Of the LSTM's outputs and of its inputs.
    learning_rate, learning_rate_decay, batch_size, max_epochs, patience
        Of Adam; training ends after ``patience`` epochs without a better validation likelihood.
    random_state : int, RandomState or None
    progress : bool or None
    checkpoint : path, optional

    Attributes
    ----------
    network_ : ictus.SequenceNetwork
    history_ : ictus.train.History
    """

    def __init__(
        self,
        units: int = 200,
        *,
        memory: int = 2,
        beats: int = 4,
        dropout: float = 0.5,
        input_dropout: float = 0.2,
        learning_rate: float = 0.003,
        learning_rate_decay: float = 0.96,
        batch_size: int = 8,
        max_epochs: int = 60,
        patience: int = 8,
        random_state: Any = None,
        progress: bool | None = False,
        checkpoint: Any = None,
    ) -> None:
        self.units = units
        self.memory = memory
        self.beats = beats
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

    # --- chords as frames ------------------------------------------------------------------------

    @property
    def _features(self) -> int:
        return KEYS + 1 + PLACES + self.memory * KEYS + (self.beats if self.beats > 1 else 0)

    def _frame(self, last: int, place: int, before: list[list[int]], time: int) -> Array:
        """What the network sees before a note: `last` is END at the begin of a chord."""
        x = np.zeros(self._features, np.float32)
        x[last] = 1.0
        x[KEYS + 1 + min(place, PLACES - 1)] = 1.0
        first = KEYS + 1 + PLACES
        for number in range(self.memory):
            if number < len(before):
                x[[first + note for note in before[-1 - number]]] = 1.0
            first += KEYS
        if self.beats > 1:
            x[first + time % self.beats] = 1.0
        return x

    def _encoded(self, piece: Piece, where: str) -> tuple[Array, Array]:
        """Frames and targets of a piece."""
        frames, targets = [], []
        before: list[list[int]] = []
        for time, chord in enumerate(piece):
            notes = sorted({int(note) - LOWEST for note in chord}, reverse=True)
            if notes and not (notes[-1] >= 0 and notes[0] < KEYS):
                raise ValueError(
                    f"{where}[{time}] must have MIDI pitches from {LOWEST} to "
                    f"{LOWEST + KEYS - 1}, got {sorted(chord)}"
                )
            last = END
            for place, target in enumerate([*notes, END]):
                frames.append(self._frame(last, place, before, time))
                targets.append(target)
                last = target
            before = [*before, notes][-2:]
        return np.array(frames), np.array(targets)

    def _all_encoded(self, X: Sequence[Piece], name: str = "X") -> tuple[list[Array], list[Array]]:
        X = list(X)
        if not X or any(len(piece) == 0 for piece in X):
            raise ValueError(f"{name} must hold at least one piece, none empty, got {len(X)}")
        pairs = [self._encoded(piece, f"{name}[{i}]") for i, piece in enumerate(X)]
        return [x for x, _ in pairs], [y for _, y in pairs]

    # --- training --------------------------------------------------------------------------------

    def fit(
        self, X: Sequence[Piece], y: Any = None, *, validation: Sequence[Piece] | None = None
    ) -> ChordSequenceLSTM:
        """Train anew.

        Parameters
        ----------
        X : sequence of pieces
            A piece is a sequence of chords, a chord a sequence of MIDI pitches, in any order.
        y : ignored
        validation : sequence of pieces, optional
            For early stopping; without them all epochs are made.

        Returns
        -------
        ChordSequenceLSTM
            self
        """
        if self.memory not in (0, 1, 2):
            raise ValueError(f"memory must be 0, 1 or 2, got {self.memory!r}")
        inputs, targets = self._all_encoded(X)
        held_out = None if validation is None else self._all_encoded(validation, "validation")
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        layers: list[Any] = [Dropout(self.input_dropout)] if self.input_dropout else []
        if self.units:
            layers += [LSTM(self.units), Dropout(self.dropout)]
        else:
            layers += [Dense(200, "relu"), Dropout(self.dropout)]
        self.network_ = SequenceNetwork(
            self._features, [*layers, Dense(KEYS + 1)], "softmax_cross_entropy", seed=seed
        )
        trainer = SequenceTrainer(
            self.network_,
            Adam(self.learning_rate),
            batch_size=self.batch_size,
            epochs=self.max_epochs,
            learning_rate=Exponential(self.learning_rate, self.learning_rate_decay),
            early_stopping=None if held_out is None else EarlyStopping(self.patience),
            seed=seed,
            progress=self.progress,
            checkpoint=self.checkpoint,
        )
        trainer.resume()
        self.history_ = trainer.fit(inputs, targets, validation=held_out)
        return self

    # --- use -------------------------------------------------------------------------------------

    def log_likelihood(self, X: Sequence[Piece]) -> list[Array]:
        """Return the log-probability of each chord given those before it, in nats, by piece."""
        check_is_fitted(self, "network_")
        inputs, targets = self._all_encoded(X)
        result = []
        for x, target, p in zip(inputs, targets, self.network_.predict(inputs), strict=True):
            last = x[:, : KEYS + 1].argmax(1)
            chosen = _allowed(p.astype(np.float64), last)[np.arange(len(target)), target]
            chord = np.cumsum(np.append(0, target[:-1] == END))
            with np.errstate(divide="ignore"):
                result.append(np.bincount(chord, np.log(chosen)))
        return result

    def score(self, X: Sequence[Piece], y: Any = None) -> float:
        """Return the mean log-probability of a chord, in nats; higher is better."""
        return float(np.concatenate(self.log_likelihood(X)).mean())

    def sample(
        self,
        steps: int,
        *,
        start: Piece = (),
        temperature: float = 1.0,
        random_state: Any = None,
    ) -> list[list[int]]:
        """Draw a piece of so many chords, those it starts with included.

        Returns
        -------
        list of lists of int
            MIDI pitches of each chord, the highest first.
        """
        check_is_fitted(self, "network_")
        temperature = check_temperature(temperature)
        generator = check_random_state(random_state)
        stream = self.network_.stream()
        chords = [sorted({int(n) - LOWEST for n in chord}, reverse=True) for chord in start]
        piece: list[list[int]] = []
        for time in range(int(steps)):
            last = END
            notes: list[int] = []
            while True:
                p = stream(self._frame(last, len(notes), piece, time)).astype(np.float64)
                if time < len(chords):
                    rest = chords[time][len(notes) :]
                    last = rest[0] if rest else END
                else:
                    with np.errstate(divide="ignore"):
                        log_p = np.log(_allowed(p[None], np.array([last]))[0])
                    last = draw(log_p, temperature, generator)
                if last == END:
                    break
                notes.append(last)
            piece.append(notes)
        return [[note + LOWEST for note in notes] for notes in piece]

    # --- model files -----------------------------------------------------------------------------

    def __ictus_getstate__(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return plain data and tensors for a model file."""
        return network_state(self)

    @classmethod
    def __ictus_setstate__(
        cls, config: dict[str, Any], tensors: dict[str, Array]
    ) -> ChordSequenceLSTM:
        """Make the fitted model from what a model file holds."""
        return network_restored(cls, config, tensors)  # type: ignore[no-any-return]


def _allowed(p: Array, last: Array) -> Array:
    """Probabilities of notes below the last one and of the end, normalised."""
    below = np.arange(KEYS + 1) < last[:, None]
    below[:, END] = True
    p = np.where(below, p, 0.0)
    return np.asarray(p / p.sum(1, keepdims=True))


def network_state(model: Any) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return plain data and tensors of an estimator with a ``network_``."""
    check_is_fitted(model, "network_")
    parameters = model.get_params(deep=False)
    if not isinstance(parameters["random_state"], int | type(None)):
        parameters["random_state"] = None
    parameters["checkpoint"] = None
    return (
        {"parameters": parameters, "network": model.network_.config()},
        {"parameters": model.network_.parameters},
    )


def network_restored(cls: Any, config: dict[str, Any], tensors: dict[str, Array]) -> Any:
    """Make an estimator from what :func:`network_state` returned."""
    unknown = set(config["parameters"]) - set(inspect.signature(cls.__init__).parameters)
    if unknown:
        raise ValueError(f"unknown parameter {sorted(unknown)[0]!r}")
    model = cls(**config["parameters"])
    model.network_ = SequenceNetwork.from_config(config["network"], tensors["parameters"])
    return model
