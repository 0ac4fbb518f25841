"""Pictures of training and of what a network has learned. Each function returns the figure.

Needs matplotlib: ``pip install 'ictus[plot]'``. Nothing is shown or saved; use ``figure.savefig``.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "beats",
    "code_map",
    "confusion_matrix",
    "curves",
    "free_energy_gap",
    "image_rows",
    "learning_curve",
    "update_histograms",
    "weight_histograms",
    "weight_images",
]

Array = NDArray[Any]

TRAINING, VALIDATION, NEUTRAL = "#1f5a99", "#c8553d", "#5f6b7a"


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of this size in inches."""
    try:
        from matplotlib.figure import Figure as NewFigure
    except ImportError as error:
        raise ImportError("pictures need matplotlib: pip install 'ictus[plot]'") from error
    return NewFigure(figsize=(width, height), layout="constrained")


def check_format(path: str | os.PathLike[str]) -> None:
    """Raise where a figure could not be saved under that name: ImportError without matplotlib.

    Raises
    ------
    ValueError
        matplotlib knows no picture format of that ending; the message lists those it knows.
    """
    known = sorted(new_figure(1, 1).canvas.get_supported_filetypes())
    if Path(path).suffix[1:].lower() not in known:
        raise ValueError(
            f"pictures must end in one of {', '.join('.' + each for each in known)}, "
            f"got {os.fspath(path)}"
        )


def _tidy(axes: Any, title: str, x: str, y: str) -> None:
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(True, axis="y", color="#dde2e8", linewidth=0.8)
    axes.set_axisbelow(True)


def learning_curve(history: dict[str, list[float]], title: str = "Learning curve") -> Figure:
    """Draw training and validation loss over the epochs, and test errors, below a `title`.

    Parameters
    ----------
    history : History or dict of lists
        Uses "loss", "validation_loss", "validation_score" and "test_error" (in per cent).
    """
    figure = new_figure(6.4, 4.0)
    axes = figure.add_subplot()
    for name, label, color in (
        ("loss", "training", TRAINING),
        ("validation_loss", "validation", VALIDATION),
    ):
        values = history.get(name)
        if values:
            axes.plot(range(1, len(values) + 1), values, color=color, label=label, linewidth=1.8)
    positive = [v for name in ("loss", "validation_loss") for v in history.get(name, []) if v > 0]
    if positive and max(positive) > 20 * min(positive):
        axes.set_yscale("log")
    _tidy(axes, title, "epoch", "mean loss per example")
    errors = history.get("test_error")
    if errors:
        other = axes.twinx()
        other.plot(
            range(1, len(errors) + 1), errors, color=NEUTRAL, linewidth=1.2, label="test error"
        )
        other.set_ylabel("test error (%)", color=NEUTRAL)
        other.spines[["top"]].set_visible(False)
        other.set_ylim(0, 1.1 * max(errors[1:] or errors))
        axes.plot([], [], color=NEUTRAL, linewidth=1.2, label="test error (right)")
    axes.legend(frameon=False)
    return figure


def weight_images(
    weights: Array,
    image_shape: tuple[int, int],
    *,
    count: int = 64,
    title: str = "Incoming weights of the first hidden units",
) -> Figure:
    """Draw each unit's incoming weights as an image: what input excites it.

    Parameters
    ----------
    weights : array, shape (height * width, units)
    image_shape : (height, width)
    count, title : int, str
        How many units to draw, the first ones, and the title of the picture.

    Raises
    ------
    ValueError
        The weights do not have height * width rows.
    """
    height, width = image_shape
    if weights.ndim != 2 or weights.shape[0] != height * width:
        raise ValueError(f"weights must have {height * width} rows, got shape {weights.shape}")
    count = min(count, weights.shape[1])
    columns = int(np.ceil(np.sqrt(count)))
    rows = int(np.ceil(count / columns))
    sheet = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1), np.nan)
    for unit in range(count):
        image = weights[:, unit].reshape(height, width).astype(np.float64)
        top, left = unit // columns * (height + 1) + 1, unit % columns * (width + 1) + 1
        # Each unit in its own scale: the pattern counts, not its strength.
        sheet[top : top + height, left : left + width] = image / max(np.abs(image).max(), 1e-12)
    figure = new_figure(6.9, 5.6 * rows / columns + 0.4)
    axes = figure.add_subplot()
    picture = axes.imshow(sheet, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
    axes.set_axis_off()
    axes.set_title(title, loc="left", fontsize=11)
    bar = figure.colorbar(picture, ax=axes, shrink=0.6, ticks=[-1, 0, 1])
    bar.set_label("weight, relative to the unit's largest")
    return figure


def image_rows(
    rows: dict[str, Array],
    image_shape: tuple[int, int],
    *,
    columns: int = 10,
    title: str = "",
    upright: bool = False,
    signed: bool = False,
) -> Figure:
    """Draw images in named rows, one below the other: what was given, what a model makes of it.

    Parameters
    ----------
    rows : dict of arrays, shape (n, height * width)
        Values in [0, 1], drawn from white to black; NaN, what is not known, as the ground. More
        images than ``columns`` go on in further rows without a name.
    image_shape : (height, width)
    columns : int
    title : str
    upright : bool
        Whether the first row of an image is its lowest, as of a piano roll.
    signed : bool
        Whether values have a sign: red above 0 and blue below, each image in its own scale. The
        pattern counts then, not its strength.

    Raises
    ------
    ValueError
        The images do not have height * width values.
    """
    height, width = image_shape
    strips, names = [], []
    for name, images in rows.items():
        if images.ndim != 2 or images.shape[1] != height * width:
            raise ValueError(f"images must have {height * width} values, got {images.shape}")
        if signed:
            images = images / np.maximum(np.nanmax(np.abs(images), axis=1, keepdims=True), 1e-12)
        for first in range(0, len(images), columns):
            strips.append(images[first : first + columns])
            names.append(name if first == 0 else "")
    gap = max(1, min(height, width) // 14)
    across = max(len(strip) for strip in strips)
    sheet = np.full((len(strips) * (height + gap) + gap, across * (width + gap) + gap), np.nan)
    for down, strip in enumerate(strips):
        for column, image in enumerate(strip.reshape(-1, height, width)):
            top, left = down * (height + gap) + gap, column * (width + gap) + gap
            sheet[top : top + height, left : left + width] = image[::-1] if upright else image
    figure = new_figure(9.0, 9.0 * sheet.shape[0] / sheet.shape[1] + 0.5)
    axes = figure.add_subplot()
    axes.set_facecolor("#c9d7e8")
    colours: dict[str, Any] = (
        {"cmap": "RdBu_r", "vmin": -1} if signed else {"cmap": "Greys", "vmin": 0}
    )
    axes.imshow(np.ma.masked_invalid(sheet), vmax=1, interpolation="nearest", **colours)
    middles = [down * (height + gap) + gap + height / 2 for down in range(len(strips))]
    axes.set_yticks(middles, names)
    axes.tick_params(left=False)
    axes.set_xticks([])
    axes.spines[:].set_visible(False)
    axes.set_title(title, loc="left", fontsize=11)
    return figure


def curves(
    series: dict[str, list[float]], *, title: str = "", x: str = "epoch", y: str = ""
) -> Figure:
    """Draw named series over the epochs, or what else `x` names; `title` and `y` name the rest."""
    figure = new_figure(6.4, 4.0)
    axes = figure.add_subplot()
    colors = itertools.chain((TRAINING, VALIDATION, NEUTRAL), map("C{}".format, itertools.count(2)))
    for (name, values), color in zip(series.items(), colors, strict=False):
        axes.plot(range(1, len(values) + 1), values, color=color, label=name, linewidth=1.5)
    _tidy(axes, title, x, y)
    axes.legend(frameon=False)
    return figure


def code_map(
    codes: Array,
    labels: Array | None = None,
    *,
    title: str = "Codes",
    x: str = "first unit of the code",
    y: str = "second unit",
) -> Figure:
    """Draw codes of two numbers as points, coloured by label where there are some.

    Parameters
    ----------
    codes : array, shape (n, 2)
    labels : array, shape (n,), optional
        Up to 20 of them are told apart.
    title, x, y : str
        Of the picture and its axes.
    """
    figure = new_figure(6.0, 5.2)
    axes = figure.add_subplot()
    codes = np.asarray(codes)
    names = [] if labels is None else list(np.unique(labels))
    if 0 < len(names) <= 20:
        for number, name in enumerate(names):
            chosen = codes[np.asarray(labels) == name]
            axes.scatter(
                chosen[:, 0],
                chosen[:, 1],
                s=6,
                color=f"C{number % 10}",
                marker="o" if number < 10 else "^",
                label=str(name),
                linewidths=0,
            )
        axes.legend(frameon=False, markerscale=2, fontsize=8)
    else:
        axes.scatter(codes[:, 0], codes[:, 1], s=6, color=TRAINING, linewidths=0)
    _tidy(axes, title, x, y)
    return figure


def confusion_matrix(y_true: Array, y_predicted: Array, classes: Sequence[Any]) -> Figure:
    """Draw how often examples of one class are taken for another (counts).

    Parameters
    ----------
    y_true, y_predicted : array of indices into ``classes``, shape (n,)
    classes : sequence
        Their names.
    """
    size = len(classes)
    counts = np.zeros((size, size), np.int64)
    np.add.at(counts, (np.asarray(y_true), np.asarray(y_predicted)), 1)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = new_figure(1.5 + 0.5 * size, 1.0 + 0.5 * size)
    axes = figure.add_subplot()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.argwhere(counts):
        color = "white" if share[i, j] > 0.5 else "black"
        axes.text(j, i, counts[i, j], ha="center", va="center", color=color, fontsize=9)
    axes.set_xticks(range(size), [str(c) for c in classes])
    axes.set_yticks(range(size), [str(c) for c in classes])
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.set_title("Confusion matrix (examples)", loc="left", fontsize=11)
    return figure


def free_energy_gap(history: dict[str, list[float]]) -> Figure:
    """Draw how much more probable a machine finds its training examples than held-out ones.

    The difference of the mean free energies, in nats an example: where it grows, the machine
    overfits (Hinton 2010, section 6).

    Parameters
    ----------
    history : History or dict of lists
        Uses "free_energy_gap", which training with validation examples notes.

    Raises
    ------
    ValueError
        The history has no such numbers.
    """
    if not history.get("free_energy_gap"):
        raise ValueError("the history has no free_energy_gap: train with validation examples")
    gap = {"held out less training": history["free_energy_gap"]}
    return curves(gap, title="Free-energy gap", y="free energy (nats an example)")


def update_histograms(weights: Array, update: Array) -> Figure:
    """Draw the weights of a machine, and beside them the last update.

    Updates of about a thousandth of the weights show a learning rate that is right (Hinton 2010,
    section 7); the title gives the ratio of the mean sizes.

    Parameters
    ----------
    weights, update : array, shape (visible units, hidden units)
        For example ``trainer.rbm.weights`` and ``trainer.weight_update``.
    """
    figure = new_figure(7.2, 3.0)
    sizes = [float(np.abs(np.asarray(each, np.float64)).mean()) for each in (weights, update)]
    ratio = sizes[1] / max(sizes[0], 1e-300)
    titles = ("Weights", f"Last update: {ratio:.1e} of the weights' size")
    for number, (values, title) in enumerate(zip((weights, update), titles, strict=True)):
        axes = figure.add_subplot(1, 2, number + 1)
        axes.hist(np.asarray(values).ravel(), bins=80, color=(TRAINING, VALIDATION)[number])
        axes.set_yscale("log")
        _tidy(axes, title, "weight" if number == 0 else "change", "")
        axes.set_ylabel("number" if number == 0 else "")
    return figure


def weight_histograms(matrices: Sequence[Array]) -> Figure:
    """Draw the distribution of the weights of each layer, of `matrices` (inputs, units)."""
    figure = new_figure(3.2 * max(len(matrices), 1), 2.8)
    for number, weights in enumerate(matrices):
        axes = figure.add_subplot(1, len(matrices), number + 1)
        axes.hist(np.asarray(weights).ravel(), bins=80, color=TRAINING)
        _tidy(axes, f"layer {number + 1}: {weights.shape[0]} to {weights.shape[1]}", "weight", "")
        axes.set_ylabel("weights" if number == 0 else "")
    return figure


def beats(
    activations: Array,
    times: Array,
    *,
    fps: float = 100.0,
    downbeats: Array | None = None,
    seconds: float = 10.0,
    title: str = "Beats",
    kind: str = "beats",
) -> Figure:
    """Draw activations over time and the beats (or onsets) found in them, a row for some seconds.

    Parameters
    ----------
    activations : array, shape (frames,) or (frames, 2)
        Probability of a beat; or of a beat that is no downbeat, and of a downbeat.
    times, downbeats : array of seconds
        Beats, and those of them that begin a bar.
    fps : float
        Frames per second.
    seconds : float
        In a row; there are at most 12 rows.
    kind : str
        What the times are, for the title.
    """
    a = np.asarray(activations)
    a = a[:, np.newaxis] if a.ndim == 1 else a
    length = len(a) / fps
    rows = int(np.clip(np.ceil(length / seconds), 1, 12))
    each = max(seconds, length / rows)
    figure = new_figure(10.0, 0.6 + 1.3 * rows)
    time = np.arange(len(a)) / fps
    for row, axes in enumerate(figure.subplots(rows, 1, squeeze=False)[:, 0]):
        begin, end = row * each, (row + 1) * each
        inside = (time >= begin) & (time < end)
        shown = np.asarray(times)
        axes.vlines(shown[(shown >= begin) & (shown < end)], 0, 1, color=VALIDATION, linewidth=0.9)
        if downbeats is not None:
            axes.vlines(downbeats, 0, 1, color=VALIDATION, linewidth=2.2)
        for column, color in zip(a.T, (TRAINING, NEUTRAL), strict=False):
            axes.fill_between(time[inside], column[inside], color=color, alpha=0.25, linewidth=0)
            axes.plot(time[inside], column[inside], color=color, linewidth=1.0)
        axes.set_xlim(begin, end)
        axes.set_ylim(0, 1.02)
        axes.set_yticks([0, 1])
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[-1].set_xlabel("seconds")
    figure.axes[0].set_title(f"{title}: activations, and {kind} found", loc="left", fontsize=11)
    return figure
