"""The conditional RBM estimator: sequences, their features, continuations and missing values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray
from sklearn.utils.validation import check_is_fitted

from ictus.models.boltzmann.boltzmann_estimator import (
    ATTRIBUTES,
    PARAMETERS,
    BoltzmannEstimator,
    in_parts,
)
from ictus.models.boltzmann.conditional_machine import ConditionalMachine
from ictus.models.boltzmann.gibbs import check_known, check_steps
from ictus.models.boltzmann.report import Report
from ictus.models.boltzmann.windows import Windows

Array = NDArray[Any]


class ConditionalRBM(BoltzmannEstimator):
    __doc__ = (
        """A conditional restricted Boltzmann machine: a model of sequences as a transformer.

    The frames before a frame, and further inputs, shift the biases of its visible and hidden units
    (Taylor & Hinton 2006). X is a list of sequences, arrays of shape (frames, n_features), or one
    such array; what lies before the start of a sequence counts as zeros.

    Parameters
    ----------
    order : int
        How many frames before it a frame is conditioned on.
    visible_type : {"gaussian", "bernoulli", "softmax"}
        Gaussian data should be standardised.
    group_size : int
        Columns of X in a softmax group."""
        + PARAMETERS
        + """

    Attributes
    ----------"""
        + ATTRIBUTES
        + """    n_inputs_ : int
        Further inputs of each frame.

    Examples
    --------
    >>> t = np.arange(400)[:, None]
    >>> model = ConditionalRBM(20, order=3, n_iter=50, random_state=0)
    >>> model.fit([np.hstack([np.sin(t / 5), np.cos(t / 5)])]).generate(steps=10).shape
    (10, 2)
    """
    )

    rbm_: ConditionalMachine
    _machine = ConditionalMachine
    _fitted: ClassVar[tuple[str, ...]] = ("n_inputs_",)

    def __init__(
        self,
        n_components: int = 256,
        *,
        order: int = 1,
        visible_type: str = "gaussian",
        group_size: int = 1,
        learning_rate: float = 0.001,
        batch_size: int = 100,
        n_iter: int = 10,
        verbose: int = 0,
        random_state: Any = None,
        k: int = 1,
        momentum: float | None = None,
        l1: float = 0.0,
        l2: float = 0.0,
        sparsity_target: float = 0.1,
        sparsity_cost: float = 0.0,
        hidden_type: str = "bernoulli",
        learning_rate_decay: float = 1.0,
        shuffle: bool = True,
        initialize_biases: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        gap_limit: float | None = None,
        patience: int = 5,
        dtype: str = "auto",
        progress: bool | None = False,
        checkpoint: Any = None,
        device: str = "cpu",
    ) -> None:
        self.n_components = n_components
        self.order = order
        self.visible_type = visible_type
        self.group_size = group_size
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_iter = n_iter
        self.verbose = verbose
        self.random_state = random_state
        self.k = k
        self.momentum = momentum
        self.l1 = l1
        self.l2 = l2
        self.sparsity_target = sparsity_target
        self.sparsity_cost = sparsity_cost
        self.hidden_type = hidden_type
        self.learning_rate_decay = learning_rate_decay
        self.shuffle = shuffle
        self.initialize_biases = initialize_biases
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.gap_limit = gap_limit
        self.patience = patience
        self.dtype = dtype
        self.progress = progress
        self.checkpoint = checkpoint
        self.device = device

    # The kernels have no persistent chains with a context: each chain is that of its frame.
    persistent = False
    fast_weights = False

    # --- sequences -------------------------------------------------------------------------------

    def _sequences(self, X: Any, *, reset: bool, missing: bool = False) -> list[Array]:
        """X as a list of checked arrays."""
        alone = not _are_sequences(X)
        sequences = [X] if alone else list(X)
        checked = [
            self._check(each, reset=reset and i == 0, missing=missing)
            for i, each in enumerate(sequences)
        ]
        return checked

    def _windows(self, sequences: list[Array], inputs: Any, dtype: DTypeLike) -> Windows:
        if inputs is not None and not _are_sequences(inputs):
            inputs = [inputs]
        windows = Windows(sequences, self.order, inputs, np.dtype(dtype))
        if hasattr(self, "rbm_") and windows.context_units != self.rbm_.context_units:
            raise ValueError(
                f"inputs must have {self.n_inputs_} columns as in fit, got "
                f"{windows.context_units - self.order * self.n_features_in_}"
            )
        return windows

    # --- training --------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None, *, inputs: Any = None) -> ConditionalRBM:
        """Train anew.

        Parameters
        ----------
        X : list of arrays, each of shape (frames, n_features), or one such array
        y : ignored
        inputs : list of arrays, each of shape (frames, n_inputs), or one such array, optional
            Further inputs that the frames are conditioned on.

        Returns
        -------
        ConditionalRBM
            self
        """
        if hasattr(self, "rbm_"):
            del self.rbm_
        self._begin_sequences(self._sequences(X, reset=True), inputs)
        return self

    def _begin_sequences(self, sequences: list[Array], inputs: Any) -> None:
        dtype = sequences[0].dtype if self.dtype == "auto" else np.dtype(self.dtype)
        windows = self._windows(sequences, inputs, dtype)
        self.n_inputs_ = windows.context_units - self.order * self.n_features_in_
        self._context_units = windows.context_units
        self._begin(windows.visible, dtype)
        held_out = None
        if self.early_stopping:
            windows, held_out = self._split(sequences, inputs, dtype)
        if self.verbose:
            v, context = windows.take(np.arange(windows.size))
            score = lambda: -float(self.rbm_.free_energy(v, context).mean())  # noqa: E731
            self._trainer.callbacks.append(Report(self, score))
        self._trainer.resume()
        self._run(windows, validation=held_out)
        self._trainer.callbacks.clear()

    def _split(self, sequences: list[Array], inputs: Any, dtype: Any) -> tuple[Windows, Windows]:
        """The last sequences held out; of one sequence, its last frames."""
        if not 0 < self.validation_fraction < 1:
            raise ValueError(
                f"validation_fraction must be in (0, 1), got {self.validation_fraction!r}"
            )
        given = inputs if inputs is None or _are_sequences(inputs) else [inputs]
        if len(sequences) == 1:
            cut = round(len(sequences[0]) * (1 - self.validation_fraction))
            sequences = [sequences[0][:cut], sequences[0][cut:]]
            given = None if given is None else [given[0][:cut], given[0][cut:]]
            count = 1
        else:
            count = max(1, round(len(sequences) * self.validation_fraction))
        first = None if given is None else given[:-count]
        last = None if given is None else given[-count:]
        return (
            self._windows(sequences[:-count], first, dtype),
            self._windows(sequences[-count:], last, dtype),
        )

    def _new_machine(self, units: int, options: dict[str, Any]) -> ConditionalMachine:
        return ConditionalMachine(
            units,
            self.n_components,
            self._context_units,
            visible_type=self.visible_type,
            group_size=self.group_size,
            **options,
        )

    def partial_fit(self, X: Any, y: Any = None, *, inputs: Any = None) -> ConditionalRBM:
        """Make one update with all frames of X as its minibatch; y is not used."""
        first = not hasattr(self, "_trainer")
        sequences = self._sequences(X, reset=first)
        if first:
            epochs, self.n_iter = self.n_iter, 0
            try:
                self._begin_sequences(sequences, inputs)
            finally:
                self.n_iter = epochs
        windows = self._windows(sequences, inputs, self.rbm_.dtype)
        self._trainer.early_stopping = None
        self._trainer.batch_size = windows.size
        self._run(windows, epochs=1)
        return self

    # --- use -------------------------------------------------------------------------------------

    def _by_frame(self, function: Any, X: Any, inputs: Any) -> Any:
        """function(v, context) of all frames, as a list of sequences where X is one."""
        check_is_fitted(self, "rbm_")
        windows = self._windows(self._sequences(X, reset=False), inputs, self.rbm_.dtype)
        result = in_parts(lambda rows: function(*windows.take(rows)), np.arange(windows.size))
        if not _are_sequences(X):
            return result
        return np.split(result, np.cumsum(windows.lengths)[:-1])

    def transform(self, X: Any, inputs: Any = None) -> Any:
        """Return the means of the hidden units at each frame, (frames, n_components) a sequence."""
        return self._by_frame(lambda v, u: self.rbm_.mean_hiddens(v, u), X, inputs)

    def score_samples(self, X: Any, inputs: Any = None) -> Any:
        """Return minus the free energy of each frame given its context, (frames,) a sequence."""
        return self._by_frame(lambda v, u: -self.rbm_.free_energy(v, u), X, inputs)

    def reconstruct(self, X: Any, inputs: Any = None) -> Any:
        """Return each frame as the means of its hidden units tell it."""
        return self._by_frame(lambda v, u: self.rbm_.reconstruct(v, u), X, inputs)

    def gibbs(self, v: Any, inputs: Any = None) -> Any:
        """Return frames after one step of Gibbs sampling from v, each in its context."""
        return self._by_frame(lambda v, u: self.rbm_.gibbs(v, context=u), v, inputs)

    def denoise(
        self, X: Any, *, noise: float | None = None, steps: int = 50, inputs: Any = None
    ) -> Any:
        """Return the posterior mean of each clean frame, given noisy frames and contexts."""
        return self._by_frame(
            lambda v, u: self.rbm_.denoise(v, noise=noise, steps=steps, context=u), X, inputs
        )

    def generate(
        self,
        history: Any = None,
        steps: int = 100,
        *,
        inputs: Any = None,
        gibbs_steps: int = 30,
        mean: bool = True,
    ) -> Array:
        """Continue a sequence frame by frame.

        Each frame is where Gibbs chains are that start at the frame before it, in the context of
        the frames so far.

        Parameters
        ----------
        history : array, shape (frames, n_features), optional
            What has been; shorter ones than ``order`` frames are taken to follow zeros.
        steps : int
            How many frames.
        inputs : array, shape (steps, n_inputs), optional
            Further inputs of the new frames, where the machine has some.
        gibbs_steps : int
        mean : bool
            Take the means of the visible units in the last step: without noise. Else the draws.

        Returns
        -------
        array, shape (steps, n_features)
        """
        check_is_fitted(self, "rbm_")
        steps, units = check_steps(steps), self.n_features_in_
        past = np.zeros((max(self.order, 1), units), self.rbm_.dtype)
        if history is not None:
            past = np.concatenate([past, self._sequences(history, reset=False)[0]])
        new = np.zeros((steps, units), self.rbm_.dtype)
        frames = np.concatenate([past, new]).astype(self.rbm_.dtype)
        further = self._further(inputs, steps)
        for t in range(len(past), len(frames)):
            context = self._context(frames, t, further[t - len(past)])
            frames[t] = self.rbm_.sample(
                1,
                check_steps(gibbs_steps, "gibbs_steps"),
                frames[t - 1 : t],
                mean=mean,
                context=context,
            )[0]
        return frames[len(past) :]

    def _further(self, inputs: Any, rows: int) -> Array:
        found = np.zeros((rows, 0)) if inputs is None else np.asarray(inputs)
        if found.shape != (rows, self.n_inputs_):
            raise ValueError(
                f"inputs must have shape ({rows}, {self.n_inputs_}), got {found.shape}"
            )
        return found

    def _context(self, frames: Array, t: int, further: Array) -> Array:
        past = frames[t - self.order : t].ravel()
        return np.concatenate([past, further])[None].astype(self.rbm_.dtype)

    def complete(self, X: Any, known: Any = None, *, steps: int = 200, inputs: Any = None) -> Array:
        """Return a sequence with what is not known replaced by its mean given the rest so far.

        Frame by frame: a frame's context has the completed frames before it; the frames after it
        play no part.

        Parameters
        ----------
        X : array, shape (frames, n_features)
        known : array of bool, shape (frames, n_features) or (n_features,), optional
            Where not given, what is NaN is not known.
        steps : int
            Of the Gibbs chains of each frame; the mean is over their second half.
        inputs : array, shape (frames, n_inputs), optional
        """
        check_is_fitted(self, "rbm_")
        frames, known = check_known(
            self._sequences(X, reset=False, missing=True)[0], known, self.rbm_
        )
        further = self._further(inputs, len(frames))
        pad = np.zeros((self.order, self.n_features_in_), self.rbm_.dtype)
        frames = np.concatenate([pad, frames])
        for t in range(len(pad), len(frames)):
            row = t - len(pad)
            if not known[row].all():
                context = self._context(frames, t, further[row])
                frame, mask = frames[t : t + 1], known[row : row + 1]
                frames[t] = self.rbm_.complete(frame, mask, steps, context=context)[0]
        return frames[len(pad) :]

    def sample(self, *arguments: Any, **options: Any) -> Array:
        """Not of a conditional machine: see :meth:`generate`."""
        raise AttributeError("a conditional machine has no samples of its own: use generate")


def _are_sequences(X: Any) -> bool:
    """Whether X is a list of sequences, not one."""
    return isinstance(X, Sequence) and len(X) > 0 and np.ndim(X[0]) == 2
