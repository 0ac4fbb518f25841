"""Which onsets of the validation pieces the onset model misses, and what it finds too much.

    python examples/onset_misses.py --work DIR

DIR is that of ``onset_models.py corpus``. The pieces are played once more, to know by how much each
annotated onset makes the mix louder.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from onset_models import CORPORA, MODELS, RESULTS, SECONDS, validation
from onset_scores import Scored, activations

import ictus
from ictus.music.onset_detector import OnsetDetector
from ictus.music.synthesis import mix
from ictus.music.synthesis.audible import audible, rises
from ictus.music.synthesis.corpus import make_piece

#: Limits of the tables: decibels by which the mix gets louder, and milliseconds to the next onset.
DECIBELS = (6, 7, 8, 10, 12, 15, 20)
GAPS = (30, 35, 40, 50, 100)
TOLERANCE = 0.025
SAME = 0.004  # seconds between an annotated onset and the note that it is of


def notes_of(number: int, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Times of all notes of a validation piece, and by how many decibels each raises the mix.

    They are kept in a folder.
    """
    place = folder / f"notes{number:05d}.npy"
    if place.exists():
        times, decibels = np.load(place)
        return times, decibels
    seen: list[tuple[np.ndarray, np.ndarray]] = []

    def noted(times: np.ndarray, powers: np.ndarray, total: np.ndarray) -> np.ndarray:
        seen.append((times, rises(times, powers, total)))
        return audible(times, powers, total)

    options: dict[str, Any] = dict(CORPORA["validation"])
    with mock.patch.object(mix, "audible", noted):
        make_piece(number, options.pop("seed"), seconds=SECONDS, synthesizer="mixed", **options)
    times, factors = (np.concatenate(values) for values in zip(*seen, strict=True))
    decibels = 10.0 * np.log10(np.maximum(factors, 1e-9))
    np.save(place, [times, decibels])
    return times, decibels


def matched(wanted: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which of the annotated onsets were found, and which of those found were annotated."""
    from mir_eval.util import match_events

    hit, right = np.zeros(len(wanted), bool), np.zeros(len(found), bool)
    for i, j in match_events(wanted, found, TOLERANCE):
        hit[i] = right[j] = True
    return hit, right


def loudest(times: np.ndarray, levels: np.ndarray, place: np.ndarray, reach: float) -> np.ndarray:
    """The highest level of the notes around each place; minus infinity where there are none."""
    near = np.abs(times[None, :] - place[:, None]) <= reach
    return np.where(near, levels[None, :], -np.inf).max(axis=1, initial=-np.inf)


def gaps(times: np.ndarray) -> np.ndarray:
    """Milliseconds from each onset to the nearest other one."""
    steps = np.concatenate([[np.inf], np.diff(times), [np.inf]])
    return np.asarray(1e3 * np.minimum(steps[1:], steps[:-1]))


def table(name: str, values: np.ndarray, hit: np.ndarray, limits: tuple[int, ...]) -> list[str]:
    """Number and share of the found onsets between limits."""
    lines = [f"| {name} | onsets | found |", "|---|---|---|"]
    for low, high in zip(limits, (*limits[1:], np.inf), strict=True):
        chosen = (values >= low) & (values < high)
        text = f"{low} to {high:g}" if np.isfinite(high) else f"{low} or more"
        if chosen.any():
            lines.append(f"| {text} | {chosen.sum()} | {hit[chosen].mean():.3f} |")
    return [*lines, ""]


def measure(recordings: list[Scored], work: Path) -> str:
    network = ictus.load(MODELS / "onsets.ictus")
    detector = OnsetDetector([network])
    hits, levels, distances, excess = [], [], [], []
    for recording in recordings:
        times, decibels = notes_of(int(recording.audio.stem.removeprefix("piece")), work)
        found = detector.decode(activations(network, "onsets", recording.audio, work)).times
        hit, right = matched(recording.times, found)
        hits.append(hit)
        levels.append(loudest(times, decibels, recording.times, SAME))
        distances.append(gaps(recording.times))
        excess.append(loudest(times, decibels, found[~right], TOLERANCE))
    hit, level, gap, false = (np.concatenate(v) for v in (hits, levels, distances, excess))
    below = (false >= 3) & (false < DECIBELS[0])
    return PAGE.format(
        pieces=len(recordings),
        onsets=len(hit),
        missed=int((~hit).sum()),
        faint=int((~hit & (level < 10)).sum()),
        close=int((~hit & (level >= 10) & (gap < 40)).sum()),
        false=len(false),
        below=int(below.sum()),
        displaced=int((false >= DECIBELS[0]).sum()),
        levels="\n".join(table("mix louder by, dB", level, hit, DECIBELS)),
        gaps="\n".join(table("next onset, ms", gap, hit, GAPS)),
    )


PAGE = """\
# Onsets: what is missed

The {pieces} validation pieces of the onset models have {onsets} annotated onsets. The generator
annotates a note that makes the mix 6 dB or more louder in two of 24 bands; nobody listened. The
model of the wheel misses {missed}: {faint} make the mix less than 10 dB louder, {close} of the
others have another onset within 40 ms (nearer than 30 ms two count as one). Of {false} onsets that
it finds too much, {below} are notes that raise the mix by 3 to 6 dB, which the rule leaves out, and
{displaced} are at annotated notes, further than 25 ms away or a second time.

{levels}
{gaps}
So two thirds of what is missed lies within 4 dB of the rule's limit, where the model finds about
half, and it finds some notes that lie as near below. Whether a listener would annotate these, and
both of two onsets 30 to 40 ms apart (often a drum and a note with a slow attack), nobody has tried.

Made by `python examples/onset_misses.py`.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("onset-models"))
    options = parser.parse_args()
    page = measure(validation(options.work), options.work)
    (RESULTS / "onset_misses.md").write_text(page)


if __name__ == "__main__":
    main()
