"""Scores made audible by the synthesiser of :mod:`ictus.music.synthesis`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.music.melody.score import Melody, ScoreError, SymbolicScore

Array = NDArray[Any]


def to_synthesis(score: SymbolicScore | Melody, tempo: float = 100.0, program: int = 19) -> Any:
    """Return the score as one of the synthesiser (:class:`ictus.music.synthesis.Score`).

    Parameters
    ----------
    score : SymbolicScore or Melody
    tempo : float
        Quarter notes a minute.
    program : int
        Instrument of General MIDI; 19 is a church organ.
    """
    from ictus.music.synthesis import Part, Score
    from ictus.music.synthesis.score import notes

    if isinstance(score, Melody):
        score = score.score()
    if not len(score.notes):
        raise ScoreError("there are no notes to render")
    end = float((score.notes["start"] + score.notes["duration"]).max())
    parts = []
    for number in range(len(score.voices)):
        own = score.voice(number)
        if len(own):
            played = notes(own["start"], own["duration"], own["pitch"], 84)
            parts.append(Part("melody" if number == 0 else "chords", played, program))
    beats = int(np.ceil(end))
    return Score(parts, np.array([beats]), np.full(beats, 60.0 / tempo), style="score")


def render_score(
    score: SymbolicScore | Melody,
    *,
    tempo: float = 100.0,
    program: int = 19,
    seed: int = 0,
    sample_rate: int = 22_050,
    synthesizer: str = "builtin",
) -> Array:
    """Return the sound of a score, shape (samples,), float32.

    Parameters
    ----------
    score, tempo, program
        See :func:`to_synthesis`.
    seed : int
        Of the timbre; the same seed gives the same samples.
    sample_rate : int
    synthesizer : {"builtin", "fluidsynth", "auto", "mixed"}
        As of :func:`ictus.music.synthesis.render`.
    """
    from ictus.music.synthesis import render

    made = render(
        to_synthesis(score, tempo, program),
        seed,
        synthesizer=synthesizer,
        sample_rate=sample_rate,
        effect=0.0,
    )
    return made.audio
