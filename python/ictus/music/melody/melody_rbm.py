"""A Boltzmann machine of windows of melodies: expectation, surprise, features, new melodies."""

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

from ictus.models.boltzmann.divergence import DivergenceTrainer
from ictus.models.boltzmann.rbm import RBM
from ictus.music.melody import melody_chains
from ictus.music.melody.encoding import MelodyEncoding, transpositions
from ictus.music.melody.prediction import next_note_log_probabilities
from ictus.music.melody.score import Melody
from ictus.train import Linear

Array = NDArray[Any]


class MelodyRBM(BaseEstimator):  # type: ignore[misc]
    """A restricted Boltzmann machine of short windows of melodies (Cancino-Chacon et al. 2014).

    Pitch and duration of each note of a window are softmax units; training is persistent
    contrastive divergence with a sparsity target on the hidden units, at a learning rate that falls
    to 0. Each melody is learned in all transpositions, so that no key is preferred.

    Parameters
    ----------
    window : int
        Notes of a window, the rests counted.
    n_components : int
        Hidden units.
    transpositions : iterable of int
        Semitones by which each melody is moved for training.
    learning_rate, batch_size, n_iter, particles, l2, sparsity_target, sparsity_cost
        As of :class:`ictus.models.DivergenceTrainer`; ``n_iter`` is its epochs.
    k : int
        Gibbs steps for each update.
    share : float
        See :meth:`MelodyEncoding.of`.
    random_state : int, RandomState or None
        The same int gives the same bits.
    progress : bool or None
    checkpoint : path, optional

    Attributes
    ----------
    rbm_ : ictus.RBM
    encoding_ : MelodyEncoding
    history_ : ictus.train.History

    Examples
    --------
    >>> from ictus.music.melody import Melody
    >>> scale = Melody([60, 62, 64, 65, 67, 69, 71, 72], [1.0] * 8)
    >>> model = MelodyRBM(window=4, n_components=30, n_iter=5, random_state=0).fit([scale])
    >>> model.surprise(scale).shape
    (9,)
    """

    def __init__(
        self,
        window: int = 8,
        n_components: int = 256,
        *,
        transpositions: Iterable[int] = range(-5, 7),
        learning_rate: float = 0.05,
        batch_size: int = 100,
        n_iter: int = 20,
        particles: int = 100,
        k: int = 1,
        l2: float = 1e-4,
        sparsity_target: float = 0.1,
        sparsity_cost: float = 0.0,
        share: float = 0.999,
        random_state: Any = None,
        progress: bool | None = False,
        checkpoint: Any = None,
    ) -> None:
        self.window = window
        self.n_components = n_components
        self.transpositions = transpositions
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.n_iter = n_iter
        self.particles = particles
        self.k = k
        self.l2 = l2
        self.sparsity_target = sparsity_target
        self.sparsity_cost = sparsity_cost
        self.share = share
        self.random_state = random_state
        self.progress = progress
        self.checkpoint = checkpoint

    # --- training --------------------------------------------------------------------------------

    def fit(self, X: Sequence[Melody], y: Any = None) -> MelodyRBM:
        """Train anew on melodies.

        Returns
        -------
        MelodyRBM
            self

        Raises
        ------
        ScoreError
            A melody without notes.
        ValueError
            No melody, or a window below two notes.
        """
        if isinstance(self.window, bool) or int(self.window) != self.window or self.window < 2:
            raise ValueError(f"window must be an integer of at least 2, got {self.window!r}")
        if isinstance(X, Melody) or not len(X):
            raise ValueError("X must be a list of melodies, at least one")
        steps = sorted({int(step) for step in self.transpositions}) or [0]
        margin = max(-steps[0], steps[-1], 0)
        self.encoding_ = MelodyEncoding.of(X, margin, self.share)
        moved = [m for m in transpositions(X, steps) if self.encoding_.fits(m)]
        coded = [self.encoding_.codes(m) for m in moved]
        windows = np.concatenate([self.encoding_.windows(c, self.window) for c in coded])
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        self.rbm_ = RBM(
            2 * self.window * self.encoding_.group_size,
            self.n_components,
            visible_type="softmax",
            group_size=self.encoding_.group_size,
            seed=seed,
        )
        trainer = DivergenceTrainer(
            self.rbm_,
            steps=self.k,
            persistent=True,
            particles=self.particles,
            learning_rate=Linear(self.learning_rate, 0.0, self.n_iter),
            momentum=0.0,
            l2=self.l2,
            sparsity_target=self.sparsity_target,
            sparsity_cost=self.sparsity_cost,
            batch_size=self.batch_size,
            epochs=self.n_iter,
            seed=seed,
            progress=self.progress,
            checkpoint=self.checkpoint,
        )
        trainer.resume()
        self.history_ = trainer.fit(self.encoding_.sparse(windows))
        return self

    # --- use -------------------------------------------------------------------------------------

    def _windows(self, melody: Melody) -> Array:
        check_is_fitted(self, "rbm_")
        if not isinstance(melody, Melody):
            raise TypeError(f"melody must be a Melody, got {type(melody).__name__}")
        return self.encoding_.windows(self.encoding_.codes(melody), self.window)

    def transform(self, X: Sequence[Melody]) -> list[Array]:
        """Return the means of the hidden units at each window, (notes + 1, n_components) each."""
        return [
            self.rbm_.mean_hiddens(self.encoding_.one_hot(self._windows(melody))) for melody in X
        ]

    def log_probabilities(self, melody: Melody) -> Array:
        """Return log p(pitch, duration | the notes before) at each note and at the end.

        See :func:`ictus.music.melody.prediction.next_note_log_probabilities`.

        Returns
        -------
        array, shape (notes + 1, pitches, durations)
        """
        windows = self._windows(melody)
        return next_note_log_probabilities(self.rbm_, self.encoding_, windows[:, :-1])

    def surprise(self, melody: Melody) -> Array:
        """Return -log p(note | the notes before) of each note and of the end, in nats.

        Exact: normalised over all pitches and durations that the next note can have.

        Returns
        -------
        array, shape (notes + 1,)
        """
        last = self._windows(melody)[:, -1]
        log_p = self.log_probabilities(melody)
        return -log_p[np.arange(len(last)), last[:, 0], last[:, 1]]

    def score(self, X: Sequence[Melody], y: Any = None) -> float:
        """Return the mean log-probability of a note (and of ends), in nats; higher is better."""
        return -float(np.concatenate([self.surprise(melody) for melody in X]).mean())

    def expectation(self, melody: Melody) -> Array:
        """Return the probability of each pitch class at each note and at the end, (notes + 1, 12).

        Rests and the end are left out, and what remains is normalised.
        """
        pitch = np.exp(np.logaddexp.reduce(self.log_probabilities(melody), axis=2))[:, 2:]
        classes = (np.arange(pitch.shape[1]) + self.encoding_.lowest) % 12
        found = np.stack([pitch[:, classes == c].sum(1) for c in range(12)], axis=1)
        return np.asarray(found / found.sum(1, keepdims=True))

    # --- new melodies ----------------------------------------------------------------------------

    def sample(
        self,
        *,
        temperature: float = 1.0,
        start: Melody | None = None,
        max_notes: int = 200,
        random_state: Any = None,
    ) -> Melody:
        """Draw a new melody, note by note, until its end is drawn.

        Parameters
        ----------
        temperature : float
            Log-probabilities are divided by it: below 1 the likely becomes likelier.
        start : Melody, optional
            What it begins with.
        max_notes : int
        random_state : int, RandomState or None
        """
        check_is_fitted(self, "rbm_")
        generator = check_random_state(random_state)
        return melody_chains.sample(self, temperature, start, max_notes, generator)

    def complete(
        self,
        melody: Melody,
        missing: Any,
        *,
        keep_durations: bool = True,
        sweeps: int = 100,
        chains: int = 20,
        random_state: Any = None,
    ) -> Melody:
        """Return the melody with its missing notes filled in.

        Gibbs chains, clamped to what is known, over all windows that see a missing note; of the
        chains the one is taken whose windows have the lowest sum of free energies.

        Parameters
        ----------
        melody : Melody
            What stands in the place of a missing note does not count (its duration does where
            durations are kept).
        missing : array of bool, shape (notes,), or of int
            Which notes are missing.
        keep_durations : bool
            Whether the rhythm is known.
        sweeps : int
            How often each window is drawn.
        chains : int
        random_state : int, RandomState or None
        """
        check_is_fitted(self, "rbm_")
        generator = check_random_state(random_state)
        options: dict[str, Any] = {
            "keep_durations": keep_durations,
            "sweeps": sweeps,
            "chains": chains,
        }
        return melody_chains.complete(self, melody, missing, generator, **options)

    # --- model files -----------------------------------------------------------------------------

    def __ictus_getstate__(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return plain data and tensors for a model file."""
        check_is_fitted(self, "rbm_")
        parameters = self.get_params(deep=False)
        parameters["transpositions"] = [int(step) for step in self.transpositions]
        if not isinstance(parameters["random_state"], int | type(None)):
            parameters["random_state"] = None
        parameters["checkpoint"] = None
        config = {
            "parameters": parameters,
            "encoding": asdict(self.encoding_),
            "machine": self.rbm_.config(),
        }
        return config, {"parameters": self.rbm_.parameters}

    @classmethod
    def __ictus_setstate__(cls, config: dict[str, Any], tensors: dict[str, Array]) -> MelodyRBM:
        """Make the fitted model from what a model file holds."""
        unknown = set(config["parameters"]) - set(inspect.signature(cls.__init__).parameters)
        if unknown:
            raise ValueError(f"unknown parameter {sorted(unknown)[0]!r}")
        model = cls(**config["parameters"])
        encoding = dict(config["encoding"])
        encoding["durations"] = tuple(encoding["durations"])
        model.encoding_ = MelodyEncoding(**encoding)
        model.rbm_ = RBM(**config["machine"], parameters=tensors["parameters"])
        return model
