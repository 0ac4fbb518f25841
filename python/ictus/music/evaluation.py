"""Scores of detections against annotations: mir_eval's measures over files and folders.

All numbers come from mir_eval itself (Raffel et al. 2014); what it was told is kept beside them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.io.annotations import Events, read_annotation

__all__ = ["Evaluation", "evaluate", "evaluate_all", "find_pairs"]

Array = NDArray[Any]

KINDS = ("beats", "downbeats", "onsets", "segments")
#: Endings of files that folders are searched for, for each kind.
ENDINGS = {
    "beats": (".beats", ".beats.txt", ".txt", ".csv", ".jams", ".json", ".mid"),
    "downbeats": (".beats", ".beats.txt", ".txt", ".csv", ".jams", ".json", ".mid"),
    "onsets": (".onsets", ".onsets.txt", ".txt", ".csv", ".jams", ".json", ".mid"),
    "segments": (".segments", ".segments.txt", ".lab", ".txt", ".csv", ".jams", ".json"),
}


def _mir_eval() -> Any:
    try:
        import mir_eval
    except ImportError:
        raise ImportError("evaluation needs mir_eval: pip install 'ictus[music]'") from None
    return mir_eval


@dataclass
class Evaluation:
    """Scores of files.

    Attributes
    ----------
    kind : str
    scores : dict of file name to dict of measure to value
    settings : dict
        What the measures were told.
    """

    kind: str
    scores: dict[str, dict[str, float]]
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def mean(self) -> dict[str, float]:
        """Mean of each measure over the files."""
        names = list(next(iter(self.scores.values()), {}))
        return {name: float(np.mean([row[name] for row in self.scores.values()])) for name in names}

    def table(self) -> str:
        """Return a table of text: a line a file, the mean at the end."""
        mean = self.mean
        if not mean:
            return "no files"
        width = max(len(name) for name in [*self.scores, "mean"])
        columns = [(name, max(len(name), 6)) for name in mean]
        lines = [" ".join([" " * width, *(f"{name:>{size}}" for name, size in columns)])]
        for name, row in [*self.scores.items(), ("mean", mean)]:
            cells = (f"{row[measure]:{size}.3f}" for measure, size in columns)
            lines.append(" ".join([f"{name:<{width}}", *cells]))
        return "\n".join(lines)

    def to_json(self) -> str:
        """Return everything as JSON."""
        content = {
            "kind": self.kind,
            "settings": self.settings,
            "files": self.scores,
            "mean": self.mean,
        }
        return json.dumps(content, indent=1)


def evaluate(
    reference: Events, estimate: Events, kind: str = "beats", *, skip: float = 0.0
) -> dict[str, float]:
    """Return the measures of one file.

    Parameters
    ----------
    reference, estimate : Events
    kind : {"beats", "downbeats", "onsets", "segments"}
        "beats": F-measure (70 ms), Cemgil's accuracy (standard deviation 40 ms), Goto's, P-score,
        the continuity measures CMLc, CMLt, AMLc, AMLt (17.5 %), and information gain. "downbeats":
        F-measure (70 ms) of the beats with the number 1. "onsets": F-measure, precision and recall
        (25 ms). "segments": F-measure of the boundaries at 0.5 and 3 s, and pairwise and entropy
        scores of the labels.
    skip : float
        Beats before this many seconds do not count; mir_eval's own convention is 5.

    Raises
    ------
    ValueError
        An unknown kind, or downbeats of events without numbers.
    ImportError
        mir_eval is not installed.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    if kind in ("beats", "downbeats"):
        return _beats(reference, estimate, kind, skip)
    if kind == "onsets":
        onset = _mir_eval().onset
        f, precision, recall = onset.f_measure(reference.times, estimate.times, window=0.025)
        return {"F": float(f), "precision": float(precision), "recall": float(recall)}
    return _sections(reference, estimate)


def _beats(reference: Events, estimate: Events, kind: str, skip: float) -> dict[str, float]:
    beat = _mir_eval().beat
    if kind == "downbeats":
        for events, name in ((reference, "reference"), (estimate, "estimate")):
            if len(events) and events.downbeats is None:
                raise ValueError(f"the {name} must have numbers of beats in their bars")
        times = [np.zeros(0) if e.downbeats is None else e.downbeats for e in (reference, estimate)]
    else:
        times = [reference.times, estimate.times]
    wanted, found = (beat.trim_beats(np.unique(t), skip) if skip else np.unique(t) for t in times)
    result = {"F": float(beat.f_measure(wanted, found))}
    if kind == "downbeats":
        return result
    enough = len(wanted) > 1 and len(found) > 1
    continuity = beat.continuity(wanted, found) if enough else (0.0,) * 4
    return result | {
        "Cemgil": float(beat.cemgil(wanted, found)[0]) if enough else 0.0,
        "Goto": float(beat.goto(wanted, found)) if enough else 0.0,
        "P-score": float(beat.p_score(wanted, found)) if enough else 0.0,
        **dict(zip(("CMLc", "CMLt", "AMLc", "AMLt"), map(float, continuity), strict=True)),
        "D": float(beat.information_gain(wanted, found)) if enough else 0.0,
    }


def _sections(reference: Events, estimate: Events) -> dict[str, float]:
    segment, util = _mir_eval().segment, _mir_eval().util
    wanted, found = _intervals(reference, "reference"), _intervals(estimate, "estimate")
    labels = [list(e.labels or [""] * len(e)) for e in (reference, estimate)]
    begin, end = float(wanted.min()), float(wanted.max())
    wanted, labels[0] = util.adjust_intervals(wanted, labels[0], begin, end)
    found, labels[1] = util.adjust_intervals(found, labels[1], begin, end)
    # The scores of labels want a beginning at 0.
    wanted, found = wanted - begin, found - begin
    result: dict[str, float] = {}
    for window in (0.5, 3.0):
        precision, recall, f = segment.detection(wanted, found, window=window, trim=False)
        name = f"{window:g}s"
        result |= {f"F {name}": f, f"precision {name}": precision, f"recall {name}": recall}
    pairwise = segment.pairwise(wanted, labels[0], found, labels[1])
    over, under, entropy = segment.nce(wanted, labels[0], found, labels[1])
    result |= {"pairwise F": pairwise[2], "over": over, "under": under, "entropy F": entropy}
    return {name: float(value) for name, value in result.items()}


def _intervals(events: Events, name: str) -> Array:
    """Sections from begin to end; without ends, to the next begin."""
    if not len(events):
        raise ValueError(f"the {name} must have at least one section")
    ends = events.ends
    if ends is None:
        if len(events) < 2:
            raise ValueError(f"the {name} must have ends, or at least two times")
        ends = np.append(events.times[1:], events.times[-1] + 0.01)
    return np.column_stack([events.times, ends])


def evaluate_all(
    pairs: Mapping[str, tuple[Events, Events]], kind: str = "beats", *, skip: float = 0.0
) -> Evaluation:
    """Return the scores of many files, each a pair of reference and estimate.

    Parameters
    ----------
    pairs : mapping of str to (Events, Events)
        By name: reference and estimate.
    kind : {"beats", "downbeats", "onsets", "segments"}
    skip : float
        Seconds at the beginning that do not count.
    """
    settings: dict[str, Any] = {"mir_eval": _mir_eval().__version__, "skip": skip}
    scores = {}
    for name, (reference, estimate) in pairs.items():
        try:
            scores[name] = evaluate(reference, estimate, kind, skip=skip)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return Evaluation(kind, scores, settings)


def find_pairs(
    estimates: str | os.PathLike[str], references: str | os.PathLike[str], kind: str = "beats"
) -> dict[str, tuple[Events, Events]]:
    """Return reference and estimate of each name that both folders (or files) have.

    Parameters
    ----------
    estimates, references : path
        Folders, or one file each.
    kind : {"beats", "downbeats", "onsets", "segments"}
        Which annotations to look for.

    Raises
    ------
    FileNotFoundError
        One of the paths does not exist.
    ValueError
        An estimate is missing for a reference, or there is no pair at all.
    AnnotationError
        A file is damaged.
    """
    if kind not in ENDINGS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
    reading = "beats" if kind == "downbeats" else kind
    found = [Path(estimates), Path(references)]
    for path in found:
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist")
    if all(path.is_file() for path in found):
        estimate, reference = (read_annotation(path, kind=reading) for path in found)
        return {found[1].name: (reference, estimate)}
    if not all(path.is_dir() for path in found):
        raise ValueError(f"{found[0]} and {found[1]} must be two files or two folders")
    named = [_named(path, ENDINGS[kind]) for path in found]
    if not named[1]:
        raise ValueError(f"{found[1]} has no annotations ({', '.join(ENDINGS[kind])})")
    missing = sorted(set(named[1]) - set(named[0]))
    if missing:
        raise ValueError(
            f"{found[0]} has no estimate for {missing[0]}, and {len(missing) - 1} more"
        )
    return {
        name: (
            read_annotation(named[1][name], kind=reading),
            read_annotation(named[0][name], kind=reading),
        )
        for name in sorted(named[1])
    }


def _named(folder: Path, endings: tuple[str, ...]) -> dict[str, Path]:
    """The annotation files of a folder by name without ending; earlier endings come first."""
    result: dict[str, Path] = {}
    for ending in reversed(endings):
        for path in folder.iterdir():
            if path.name.endswith(ending) and path.is_file():
                result[path.name[: -len(ending)]] = path
    return result
