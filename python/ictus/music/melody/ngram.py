"""N-grams: the baseline of models of melodies, and of any sequences of symbols."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class NGram:
    """Symbols by the interpolated counts of Witten & Bell (1991).

    ``p(s | c) = (count(c, s) + kinds(c) p(s | c')) / (count(c) + kinds(c))``, where c' is the
    context c without its first symbol and kinds(c) the number of different symbols behind c:
    interpolated prediction by partial matching with the escape method C. At the bottom all symbols
    that were seen, and one that was not, are equally probable.

    Parameters
    ----------
    order : int
        Symbols of the longest context, and one.

    Attributes
    ----------
    counts : dict
        Of each context (a tuple) the counts of the symbols behind it.
    """

    #: Stands before the first symbol and behind the last one.
    BOUNDARY: Any = None

    def __init__(self, order: int) -> None:
        if isinstance(order, bool) or int(order) != order or order < 1:
            raise ValueError(f"order must be a positive integer, got {order!r}")
        self.order = int(order)
        self.counts: dict[tuple[Hashable, ...], dict[Hashable, int]] = {}

    def _padded(self, sequence: Sequence[Hashable]) -> tuple[Hashable, ...]:
        return (*(self.BOUNDARY,) * (self.order - 1), *sequence, self.BOUNDARY)

    def fit(self, sequences: Sequence[Sequence[Hashable]]) -> NGram:
        """Count; return self."""
        self.counts = {}
        for sequence in sequences:
            text = self._padded(sequence)
            for place in range(self.order - 1, len(text)):
                for length in range(self.order):
                    after = self.counts.setdefault(text[place - length : place], {})
                    after[text[place]] = after.get(text[place], 0) + 1
        if not self.counts:
            raise ValueError("sequences must hold at least one sequence, got none")
        return self

    def probabilities(self, sequence: Sequence[Hashable]) -> Array:
        """Return the probability of each symbol given those before it, and of the end.

        Returns
        -------
        array, shape (symbols + 1,)
        """
        text = self._padded(sequence)
        bottom = 1.0 / (len(self.counts[()]) + 1)
        found = np.empty(len(text) - self.order + 1)
        for place in range(self.order - 1, len(text)):
            p = bottom
            for length in range(self.order):
                after = self.counts.get(text[place - length : place])
                if after is None:
                    break
                seen, kinds = sum(after.values()), len(after)
                p = (after.get(text[place], 0) + kinds * p) / (seen + kinds)
            found[place - self.order + 1] = p
        return found

    def bits(self, sequences: Sequence[Sequence[Hashable]]) -> float:
        """Return the mean bits a symbol, the end of a sequence included."""
        return -float(np.log2(np.concatenate([self.probabilities(s) for s in sequences])).mean())


class MelodyNGram:
    """Notes, as codes of pitch and duration, by n-grams of three kinds, mixed.

    Of pairs (pitch, duration); of pitches and of durations apart. The mixture's weight and the
    orders are those with which validation melodies are likeliest.

    Parameters
    ----------
    orders : sequence of int
        Those that are tried.

    Attributes
    ----------
    joint_, pitch_, duration_ : NGram
    weight_ : float
        Of the pairs.
    """

    def __init__(self, orders: Sequence[int] = (1, 2, 3, 4, 5, 6, 8)) -> None:
        self.orders = orders

    def fit(self, train: Sequence[Array], validation: Sequence[Array]) -> MelodyNGram:
        """Count, and choose by the validation melodies.

        Parameters
        ----------
        train, validation : sequences of arrays, each of shape (notes, 2)
            Codes; see :class:`MelodyEncoding`.
        """

        def best(kind: int) -> NGram:
            made = [NGram(order).fit(_symbols(train, kind)) for order in self.orders]
            return min(made, key=lambda model: model.bits(_symbols(validation, kind)))

        self.joint_, self.pitch_, self.duration_ = best(2), best(0), best(1)
        weights = np.linspace(0.0, 1.0, 21)
        pairs = [self._parts(codes) for codes in validation]
        joint, apart = (np.concatenate(side) for side in zip(*pairs, strict=True))
        with np.errstate(divide="ignore"):
            costs = [-np.log(w * joint + (1 - w) * apart).mean() for w in weights]
        self.weight_ = float(weights[int(np.argmin(costs))])
        return self

    def _parts(self, codes: Array) -> tuple[Array, Array]:
        joint = self.joint_.probabilities(_symbols([codes], 2)[0])
        apart = [
            model.probabilities(_symbols([codes], kind)[0])
            for kind, model in enumerate((self.pitch_, self.duration_))
        ]
        # The end is one event, not two.
        return joint, apart[0] * np.append(apart[1][:-1], 1.0)

    def surprise(self, codes: Array) -> Array:
        """Return -log p of each note and of the end, in nats, shape (notes + 1,)."""
        joint, apart = self._parts(codes)
        return np.asarray(-np.log(self.weight_ * joint + (1 - self.weight_) * apart))


def _symbols(sequences: Sequence[Array], kind: int) -> list[list[Hashable]]:
    """Pitches (0), durations (1) or pairs (2) of codes."""
    if kind == 2:
        return [[tuple(note) for note in codes.tolist()] for codes in sequences]
    return [codes[:, kind].tolist() for codes in sequences]
