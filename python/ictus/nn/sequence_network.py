"""A network over sequences: a chain of layers, recurrent ones among them, on one flat vector."""

from __future__ import annotations

from typing import Any

import numpy as np

from ictus.kernels._device import as_given, contiguous, to_device, to_host
from ictus.nn.embedding import Embedding
from ictus.nn.kinds import check_output_layer
from ictus.nn.layer import Array, Cache
from ictus.nn.network import Network
from ictus.nn.recurrent import RecurrentBase
from ictus.nn.sequences import SequenceBatch, SequenceCache, check_sequences, join, placed
from ictus.nn.stream import Stream

# Frames that predict puts into one batch, unless one sequence alone has more.
FRAMES_AT_ONCE = 20000


class SequenceNetwork(Network):
    """A chain of layers over sequences of different lengths.

    Sequences are lists of arrays (steps, input_size), or of integers (steps,) where the first layer
    is an Embedding; nothing is padded. Dense and Dropout layers work on each step. With a recurrent
    layer of ``output="last"`` the network has one output a sequence, else one a step.

    Parameters
    ----------
    input_size : int
        Features of a frame, or number of symbols.
    layers, loss, dtype, seed
        See :class:`Network`.

    Examples
    --------
    >>> network = SequenceNetwork(266, [Bidirectional(LSTM(25)), Dense(1)], "binary_cross_entropy")
    """

    _weighted_mean = True

    def _check_layers(self) -> None:
        check_output_layer(self.layers)
        whole = False
        for number, layer in enumerate(self.layers):
            if isinstance(layer, Embedding) and number > 0:
                raise ValueError("SequenceNetwork: an Embedding must be the first layer")
            if isinstance(layer, RecurrentBase):
                if whole:
                    raise ValueError(
                        "SequenceNetwork: no recurrent layer can follow one with output 'last'"
                    )
                whole = layer.output == "last"
        self.last_output = whole

    @property
    def symbols(self) -> bool:
        """Whether the network takes symbols (integers) instead of frames."""
        return isinstance(self.layers[0], Embedding)

    def check_input(self, x: Any) -> SequenceBatch:  # type: ignore[override]
        """Return sequences as one batch of the network's dtype.

        Raises
        ------
        ValueError
            See :func:`ictus.nn.sequences.check_sequences`.
        """
        return join(self.check_sequences(x)).to(self.device)

    def check_sequences(self, x: Any, name: str = "x") -> list[Array]:
        """Return sequences as a list of arrays that the network can take; errors name `name`."""
        checked: list[Array] = check_sequences(
            x, self.input_size, self.dtype, symbols=self.symbols, name=name
        )
        return checked

    def check_targets(self, y: Any, lengths: Any, name: str = "y") -> list[Array]:
        """Return the targets of sequences of these lengths: one array a sequence.

        With one output a sequence, an array with a row a sequence; else one array a sequence, with
        a row a step.

        Raises
        ------
        ValueError
            Another number of sequences or of steps; and see :meth:`Loss.check_targets`.
        """
        check, size = self.loss_function.check_targets, self.output_size
        if len(y) != len(lengths):
            raise ValueError(f"{name} must have {len(lengths)} sequences like x, got {len(y)}")
        if self.last_output:
            checked = check(to_host(y), len(lengths), size, self.dtype)
            return [checked[i : i + 1] for i in range(len(checked))]
        result = []
        for number, (one, length) in enumerate(zip(y, lengths, strict=True)):
            values = np.asarray(to_host(one))
            if values.shape[:1] != (int(length),):
                raise ValueError(
                    f"{name}[{number}] must have {length} steps like x[{number}], got shape "
                    f"{values.shape}"
                )
            try:
                result.append(check(values, len(values), size, self.dtype))
            except ValueError as error:
                raise ValueError(f"{name}[{number}]: {error}") from None
        return result

    # --- passes ----------------------------------------------------------------------------------

    def _batch_caches(
        self, batch: SequenceBatch, record: bool, states: list[Array] | None = None
    ) -> list[Cache]:
        kept = self._of_thread.sequences
        if not kept:
            kept += [SequenceCache(self.dtype, None, self._device.arrays) for _ in self.layers]
        return self.fit_caches(batch, kept, record, states)

    def fit_caches(
        self,
        batch: SequenceBatch,
        caches: list[SequenceCache],
        record: bool = True,
        states: list[Array] | None = None,
    ) -> list[Cache]:
        """Return the caches, one a layer, with the sizes of a batch."""
        rows, left = len(batch.frames), list(states or ())
        for layer, cache in zip(self.layers, caches, strict=True):
            cache.sequences, cache.record, cache.state = batch.sequences, record, None
            out = rows
            if isinstance(layer, RecurrentBase):
                out = layer.output_rows(rows, len(batch))
                cache.state = left.pop(0) if states is not None else None
            inputs = 0 if isinstance(layer, Embedding) else layer.input_size
            cache.fit(rows, inputs, out, layer.output_size)
            rows = out
        return list(caches)

    def zero_states(self, count: int) -> list[Array]:
        """Return states before the first step, one array a recurrent layer, for `count` sequences.

        Passes that are given them begin there and leave their final states in them: what carries a
        long sequence from one part to the next (truncated backpropagation through time).
        """
        return [
            self._device.arrays.zeros(
                (layer.states, layer.directions, count, layer.units), self.dtype
            )
            for layer in self.layers
            if isinstance(layer, RecurrentBase)
        ]

    def forward(
        self, x: Any, *, training: bool = False, states: list[Array] | None = None
    ) -> Array:
        """Return the logits, a row a step of all sequences (or a row a sequence)."""
        batch = x.to(self.device) if isinstance(x, SequenceBatch) else self.check_input(x)
        return self._forward(
            batch.frames, self._batch_caches(batch, True, states), training, 0
        ).copy()

    def predict(self, x: Any, *, batch_size: int | None = None) -> Any:
        """Return outputs: a list with an array a sequence (or an array with a row a sequence).

        Parameters
        ----------
        x : list of sequences
        batch_size : int, optional
            Sequences in work at once; by the number of frames if not given.
        """
        sequences = self.check_sequences(x)
        parts: list[Array] = []
        first = 0
        while first < len(sequences):
            last = first + 1
            frames = len(sequences[first])
            while last < len(sequences) and (
                last - first < batch_size
                if batch_size
                else frames + len(sequences[last]) <= FRAMES_AT_ONCE
            ):
                frames += len(sequences[last])
                last += 1
            batch = join(sequences[first:last]).to(self.device)
            logits = self._forward(batch.frames, self._batch_caches(batch, False), False, 0)
            out = self.loss_function.output(logits, np.empty_like(logits))
            out = as_given(sequences[first], out)
            parts += [out] if self.last_output else batch.split(out)
            first = last
        return np.concatenate(parts) if self.last_output else parts

    def loss(self, x: Any, y: Any, weights: Any = None, *, batch_size: int | None = None) -> float:
        """Return the mean loss over all steps (or sequences), weighted if weights are given."""
        sequences = self.check_sequences(x)
        targets = self.check_targets(y, [len(one) for one in sequences])
        total = count = 0.0
        at_once = batch_size or 64
        for first in range(0, len(sequences), at_once):
            part = slice(first, first + at_once)
            batch, y_part = join(sequences[part]).to(self.device), np.concatenate(targets[part])
            w_part = None if weights is None else self._joined_weights(weights[part])
            count += len(y_part) if w_part is None else float(w_part.sum())
            logits = self._forward(batch.frames, self._batch_caches(batch, False), False, 0)
            y_part, w_part = (placed(self.device, each) for each in (y_part, w_part))
            total += self.loss_function.value(logits, y_part, None, w_part, 1.0)
        return total / count

    def _joined_weights(self, weights: Any) -> Array:
        if self.last_output:
            return contiguous(weights, self.dtype)  # type: ignore[no-any-return]
        return np.concatenate([np.asarray(to_host(one), self.dtype) for one in weights])

    def loss_and_gradient(  # type: ignore[override]
        self,
        x: SequenceBatch,
        y: Array,
        weights: Array | None = None,
        *,
        scale: float | None = None,
        training: bool = True,
        accumulate: bool = False,
        first_row: int = 0,
        states: list[Array] | None = None,
        outputs: Array | None = None,
    ) -> float:
        """Return the mean loss of a batch and put its gradient into ``gradient``.

        Parameters
        ----------
        x : SequenceBatch
        y : array
            Targets with a row a step of all sequences (or a row a sequence).
        weights : array, shape (rows of y,), optional
            0 masks a step; the mean is over the sum of weights.
        states : list of arrays, optional
            See :meth:`zero_states`.
        outputs : array, shape (rows of y, output_size), optional
            Gets the network's outputs of this pass: how well it did before it learnt from the
            batch.
        scale, training, accumulate, first_row
            See :meth:`Network.loss_and_gradient`.
        """
        if scale is None:
            total = float(self.output_rows(x) if weights is None else weights.sum())
            scale = 1.0 / total if total else 0.0
        x, y, weights = (placed(self.device, each) for each in (x, y, weights))
        caches = self._batch_caches(x, True, states)
        logits = self._forward(x.frames, caches, training, first_row)
        if training:
            self.draw_count += 1
        if outputs is not None:
            there = to_device(self.device, outputs)
            self.loss_function.output(logits, there)
            if there is not outputs:
                outputs[...] = to_host(there)
        value = self.loss_function.value(logits, y, logits, weights, scale)
        for i in self._penalized:
            value += self.layers[i].penalty(self._views[i], caches[i], scale)
        self._backward(logits, caches, self._gradient_views, accumulate)
        return value

    def jvp(self, x: Any, direction: Array) -> Array:
        batch = x.to(self.device) if isinstance(x, SequenceBatch) else self.check_input(x)
        caches = self._batch_caches(batch, True)
        self._forward(batch.frames, caches, False, 0)
        return self._jvp(self.views(self._check_direction(direction)), caches).copy()

    def parts(self, x: Any, weights: Any = None, rows: int = FRAMES_AT_ONCE) -> list[Any]:
        """Return sequences as batches of about `rows` frames, each with the weights of its outputs.

        The largest comes first.
        """
        if isinstance(x, SequenceBatch):
            return [(x, weights)]
        sequences = self.check_sequences(x)
        bounds, frames = [0], 0
        for number, one in enumerate(sequences):
            if frames and frames + len(one) > rows:
                bounds.append(number)
                frames = 0
            frames += len(one)
        result = []
        for first, last in zip(bounds, [*bounds[1:], len(sequences)], strict=True):
            chosen = None if weights is None else self._joined_weights(weights[first:last])
            result.append((join(sequences[first:last]), chosen))
        return sorted(result, key=lambda part: -len(part[0].frames))

    def output_rows(self, x: SequenceBatch) -> int:
        """Rows of the logits of a batch: its steps, or its sequences."""
        return len(x) if self.last_output else len(x.frames)

    def stream(self) -> Stream:
        """Return an object that is fed frame by frame, with the weights the network has now.

        Raises
        ------
        ValueError
            A layer has two directions or gives the last output alone.
        """
        return Stream(self.layers, self._views, self.loss_function, self.dtype)
