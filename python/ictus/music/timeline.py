"""A picture of where a recording has speech and music."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ictus import plot
from ictus.music.speech_music import CLASSES, SpeechMusic, smooth

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLORS = (plot.VALIDATION, plot.TRAINING)
SHOWN = 4000  # points of a curve


def timeline(found: SpeechMusic, *, smoothing: float = 1.0, title: str = "") -> Figure:
    """Draw the probabilities of speech and music over time, and the segments below each.

    Parameters
    ----------
    found : SpeechMusic
    smoothing : float
        Seconds over which the probabilities are averaged, as before the decision.
    title : str

    Returns
    -------
    Figure
        matplotlib's; nothing is shown or saved.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.0, 3.4), layout="constrained")
    curves = smooth(found.activations, round(smoothing * found.fps))
    time = np.arange(len(curves)) / found.fps
    thin = max(1, len(time) // SHOWN)
    pairs = zip(figure.subplots(2, 1, sharex=True), CLASSES, COLORS, strict=True)
    for i, (axes, name, color) in enumerate(pairs):
        axes.plot(time[::thin], curves[::thin, i], color=color, linewidth=1.0)
        for begin, end in (found.speech, found.music)[i]:
            axes.axvspan(begin, end, color=color, alpha=0.18, linewidth=0)
        axes.set_ylim(0, 1.02)
        axes.set_yticks([0, 0.5, 1])
        axes.set_ylabel(name)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[-1].set_xlim(0, max(found.duration, 1 / found.fps))
    figure.axes[-1].set_xlabel("seconds")
    figure.axes[0].set_title(title or "Speech and music", loc="left", fontsize=11)
    return figure
