"""Pictures of what was found in recordings. Each function returns the figure.

Needs matplotlib: ``pip install 'ictus[plot]'``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ictus.plot import TRAINING, VALIDATION, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ictus.music.segmenter import Segments

#: Colours of the letters, in the order of their appearance; they come again after the last.
COLOURS = tuple(f"C{number}" for number in range(10))


def sections(found: Segments, *, title: str = "Sections") -> Figure:
    """Draw activations over time, the boundaries found in them, and a band for each section.

    Parameters
    ----------
    found : Segments
        Sections with the same letter have the same colour.
    """
    figure = new_figure(10.0, 2.4)
    axes = figure.subplots()
    time = np.arange(len(found.activations)) / found.fps + found.first
    # Novelty has no upper limit that it reaches: its highest place is the top.
    highest = max(float(np.max(found.activations, initial=0.0)), 1e-9)
    shown = found.activations / (1.0 if highest > 0.3 else highest)
    axes.fill_between(time, shown, color=TRAINING, alpha=0.25, linewidth=0)
    axes.plot(time, shown, color=TRAINING, linewidth=1.0)
    axes.vlines(found.boundaries, 0, 1, color=VALIDATION, linewidth=1.2)
    letters = sorted(set(found.labels), key=found.labels.index)
    for begin, end, label in zip(found.times, found.ends, found.labels, strict=True):
        colour = COLOURS[letters.index(label) % len(COLOURS)]
        axes.barh(1.06, end - begin, 0.2, begin, align="edge", color=colour, alpha=0.5, ec="w")
        axes.text((begin + end) / 2, 1.16, label, ha="center", va="center", clip_on=True)
    axes.set_xlim(0, float(np.max(found.ends, initial=1e-3)))
    axes.set_ylim(0, 1.28)
    axes.set_yticks([0, 1])
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("seconds")
    axes.set_title(f"{title}: activations, and sections found", loc="left", fontsize=11)
    return figure
