"""A model of the next symbol: text, tunes in ABC notation, chords; samples new sequences."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ictus.models.recurrent.sequence_base import SequenceEstimator
from ictus.nn import Embedding, Layer

Array = NDArray[Any]

# The symbol before the first and after the last one of each sequence.
BOUNDARY = 0


class SequenceGenerator(SequenceEstimator):
    """Learns sequences of symbols by predicting the next one, and draws new ones.

    Parameters
    ----------
    embedding_units : int
        Length of the vector that stands for a symbol.
    others
        See :class:`SequenceEstimator`; ``bidirectional`` must be False.

    Attributes
    ----------
    symbols_ : array
        The symbols, sorted. Inside, numbers begin at 1: 0 is the boundary of a sequence.

    Examples
    --------
    >>> model = SequenceGenerator((128,)).fit(["abab", "ababab"])  # doctest: +SKIP
    >>> model.sample(temperature=0.8, random_state=1)  # doctest: +SKIP
    """

    _fitted: ClassVar[tuple[str, ...]] = ("symbols_", "text_")

    def __init__(
        self,
        units: tuple[int, ...] = (128,),
        cell: str = "lstm",
        *,
        embedding_units: int = 32,
        bidirectional: bool = False,
        dropout: float = 0.0,
        optimizer: str = "adam",
        learning_rate: float | None = None,
        momentum: float = 0.9,
        clip_norm: float | None = 5.0,
        l2: float = 0.0,
        batch_size: int = 16,
        truncate: int | None = None,
        max_epochs: int = 20,
        tol: float = 1e-4,
        patience: int = 10,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        dtype: str = "float32",
        random_state: Any = None,
        progress: bool | None = False,
        checkpoint: Any = None,
        optimizer_options: dict[str, Any] | None = None,
        device: str = "cpu",
    ) -> None:
        super().__init__(
            units,
            cell,
            bidirectional=bidirectional,
            dropout=dropout,
            optimizer=optimizer,
            learning_rate=learning_rate,
            momentum=momentum,
            clip_norm=clip_norm,
            l2=l2,
            batch_size=batch_size,
            truncate=truncate,
            max_epochs=max_epochs,
            tol=tol,
            patience=patience,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            dtype=dtype,
            random_state=random_state,
            progress=progress,
            checkpoint=checkpoint,
            optimizer_options=optimizer_options,
            device=device,
        )
        self.embedding_units = embedding_units

    def _first_layers(self) -> list[Layer]:
        return [Embedding(self.embedding_units, scale=0.5)]

    def _numbers(self, sequence: Any, where: str) -> Array:
        values = np.array(list(sequence))
        numbers = np.minimum(np.searchsorted(self.symbols_, values), len(self.symbols_) - 1)
        wrong = self.symbols_[numbers] != values
        if np.any(wrong):
            raise ValueError(f"{where} holds the unknown symbol {values[np.argmax(wrong)]!r}")
        return numbers + 1

    def _pairs(self, X: Any) -> tuple[list[Array], list[Array]]:
        """Inputs (boundary and symbols) and targets (symbols and boundary)."""
        numbers = [self._numbers(one, f"X[{i}]") for i, one in enumerate(X)]
        inputs = [np.concatenate([[BOUNDARY], one]) for one in numbers]
        return inputs, [np.concatenate([one, [BOUNDARY]]) for one in numbers]

    def fit(self, X: Any, y: Any = None) -> SequenceGenerator:
        """Train anew on sequences: strings, or lists of symbols of one sortable type.

        Returns
        -------
        SequenceGenerator
            self
        """
        if self.bidirectional:
            raise ValueError("bidirectional must be False: the next symbol is not yet there")
        X = list(X)
        if not X or any(len(one) == 0 for one in X):
            raise ValueError(f"X must hold at least one sequence, none empty, got {len(X)}")
        self.text_ = all(isinstance(one, str) for one in X)
        self.symbols_ = np.unique(np.concatenate([np.array(list(one)) for one in X]))
        count = len(self.symbols_) + 1
        self._start(count, count, "softmax_cross_entropy", last=False)
        self._train(*self._pairs(X))
        return self

    def log_likelihood(self, X: Any) -> Array:
        """Return the log-probability of each sequence, its end included (in nats)."""
        check_is_fitted(self, "network_")
        inputs, targets = self._pairs(X)
        outputs = self.network_.predict(inputs)
        with np.errstate(divide="ignore"):
            return np.array(
                [
                    np.log(p[np.arange(len(t)), t].astype(float)).sum()
                    for p, t in zip(outputs, targets, strict=True)
                ]
            )

    def score(self, X: Any, y: Any = None) -> float:
        """Return the mean log-probability of a symbol (in nats); higher is better."""
        X = list(X)
        return float(self.log_likelihood(X).sum() / sum(len(one) + 1 for one in X))

    def sample(
        self,
        *,
        temperature: float = 1.0,
        start: Any = (),
        max_length: int = 1000,
        random_state: Any = None,
    ) -> Any:
        """Draw a new sequence, symbol by symbol, until the end of a sequence is drawn.

        Parameters
        ----------
        temperature : float
            Log-probabilities are divided by it: below 1 the likely becomes likelier.
        start : sequence of symbols
            What the sequence begins with.
        max_length : int
            The most symbols, those of `start` included.
        random_state : int, RandomState or None

        Returns
        -------
        str, or list of symbols
            As the sequences in ``fit`` were.
        """
        check_is_fitted(self, "network_")
        if not temperature > 0 or not np.isfinite(temperature):
            raise ValueError(f"temperature must be positive and finite, got {temperature!r}")
        generator = check_random_state(random_state)
        drawn = self._numbers(start, "start").tolist() if len(start) else []
        stream = self.network_.stream()
        probabilities = stream(np.array([BOUNDARY, *drawn]))[-1]
        while len(drawn) < max_length:
            with np.errstate(divide="ignore"):
                logits = np.log(probabilities.astype(float)) / temperature
            p = np.exp(logits - logits.max())
            number = int(generator.choice(len(p), p=p / p.sum()))
            if number == BOUNDARY:
                break
            drawn.append(number)
            probabilities = stream(number)
        symbols = self.symbols_[np.array(drawn, int) - 1] if drawn else self.symbols_[:0]
        return "".join(symbols) if self.text_ else symbols.tolist()
