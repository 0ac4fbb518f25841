"""Beats while the music plays: a decision in every frame from this frame and those before."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ictus.kernels.viterbi import viterbi_forward
from ictus.music.bar_pointer import bar_pointer, beat_log_densities
from ictus.music.best_path import CAUTION, beat_zones
from ictus.music.decoding import check_activations, check_tempo

Floats = npt.NDArray[np.float64]

#: Frames decoded in one call of the kernel: five minutes at 100 a second.
AT_ONCE = 30_000


class OnlineBeatDecoder:
    """Finds beats in activations that arrive bit by bit.

    The forward algorithm keeps the probability of every state of the bar pointer given all frames
    so far. A beat is reported in the first frame whose most probable state lies in the zone of a
    beat, at least the shortest beat after the last one (and after the start: nothing is known
    then).

    Parameters
    ----------
    tempo, fps, tempi, transition_lambda, observation_lambda
        As of :func:`ictus.music.decode_beats`.
    threshold : float
        No beat is reported where no activation of the last two slowest beats was as high as this.

    Attributes
    ----------
    frames : int
        How many were seen.
    tempo : float
        60 over the last interval between beats, in BPM; NaN before the second beat.

    Raises
    ------
    ValueError
        A tempo range that holds no beat.
    """

    def __init__(
        self,
        *,
        tempo: tuple[float, float] = (55.0, 215.0),
        fps: float = 100.0,
        tempi: int | None = None,
        transition_lambda: float = 100.0,
        observation_lambda: float = 16.0,
        threshold: float = 0.0,
    ) -> None:
        shortest, longest = check_tempo("OnlineBeatDecoder", tempo, fps)
        self.fps = fps
        self.observation_lambda = observation_lambda
        self._shortest = 60.0 / tempo[1]
        self.threshold, self._patience = threshold, 2 * longest
        self._model = bar_pointer(
            shortest,
            longest,
            number=tempi,
            transition_lambda=transition_lambda,
            observation_lambda=observation_lambda,
            logarithms=False,
        )
        self._zones = beat_zones(self._model)
        self.reset()

    def reset(self) -> None:
        """Forget all that was heard."""
        states = self._model.states
        self._probabilities = np.full(states, 1.0 / states)
        self.frames = 0
        self._last = 0.0
        self._heard = -self._patience  # the last frame as high as the threshold
        self.tempo = float("nan")

    def push(self, activations: npt.ArrayLike) -> Floats:
        """Take the next activations, shape (frames,), any number; return the new beats.

        Returns
        -------
        array, shape (beats,)
            Seconds since the start.

        Raises
        ------
        ValueError
            Activations that are not probabilities; the state is as before.
        """
        a = np.atleast_1d(np.asarray(activations))
        a = check_activations("push", a, 1)
        a = np.clip(a, CAUTION, 1.0 - CAUTION)
        densities = np.exp(beat_log_densities(a, self.observation_lambda))
        states = self._forward(densities)
        beats = []
        heard = np.where(a >= self.threshold, self.frames + np.arange(len(a)), self._heard)
        heard = np.maximum.accumulate(heard)
        for frame in np.flatnonzero(self._zones[states]):
            number = self.frames + int(frame)
            time = number / self.fps
            silent = number - heard[frame] >= self._patience
            if time >= self._last + self._shortest and not silent:
                if self._last > 0:
                    self.tempo = 60.0 / (time - self._last)
                self._last = time
                beats.append(time)
        self.frames += len(a)
        self._heard = float(heard[-1]) if len(heard) else self._heard
        return np.array(beats)

    def _forward(self, densities: Floats) -> npt.NDArray[np.int32]:
        """The likeliest state of each frame; hours in parts, between which Ctrl-C may come."""
        if len(densities) <= AT_ONCE:
            return viterbi_forward(self._model, densities, self._probabilities)
        probabilities = self._probabilities.copy()  # an interruption leaves the state as it was
        starts = range(0, len(densities), AT_ONCE)
        parts = [
            viterbi_forward(self._model, densities[i : i + AT_ONCE], probabilities) for i in starts
        ]
        self._probabilities[...] = probabilities
        return np.concatenate(parts)
