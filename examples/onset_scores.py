"""Onset detectors and recordings to compare them on, for ``onset_models.py``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ictus.io.annotations import Events
from ictus.io.audio import read_audio
from ictus.music.evaluation import evaluate
from ictus.music.networks import load_networks
from ictus.music.onset_detector import OnsetDetector
from ictus.music.onsets import ONSET_MODELS
from ictus.music.peaks import merge_events
from ictus.music.spectral_flux import superflux_onsets
from ictus.music.training import Example

Finder = Callable[[Path], np.ndarray]
ANNOTATORS = ("A1", "A2")
INSTRUMENTS = ("bass", "drums", "piano")


@dataclass
class Scored:
    """A recording with its onsets, and the sets in whose means it counts."""

    name: str
    audio: Path
    times: np.ndarray
    sets: list[str] = field(default_factory=list)
    listed: bool = False

    def __post_init__(self) -> None:
        self.times = merge_events(self.times)


def synthetic_recordings(examples: list[Example]) -> list[Scored]:
    """Pieces of a corpus; those of drums, of one instrument and of voices are sets of their own."""
    made = []
    for example in examples:
        description = json.loads(example.audio.with_suffix(".json").read_text())
        roles = [part.split()[0] for part in description["parts"]]
        if roles == ["drums"]:
            kind = "synthetic drums"
        elif len(roles) <= 2 and "drums" not in roles and "voice" in roles:
            kind = "synthetic voices"
        else:
            kind = "synthetic solo" if len(roles) == 1 else "synthetic bands"
        sets = ["all synthetic", kind]
        made.append(Scored(example.name, example.audio, example.events.times, sets))
    return made


def _first_numbers(path: Path) -> np.ndarray:
    """The first number of each line."""
    lines = path.read_text().replace(",", " ").splitlines()
    return np.array([float(line.split()[0]) for line in lines if line.strip()])


def real_recordings(data: Path) -> list[Scored]:
    """The real recordings with onsets; none of them trains anything."""
    made = []
    for path in sorted((data / "mdb_drums").glob("*_class.txt")):
        name, times = path.name.removesuffix("_class.txt"), _first_numbers(path)
        mix = path.with_name(f"{name}_MIX.flac")
        mix = mix if mix.exists() else path.with_name(f"{name}_RAWSUM.flac")
        short = name.removeprefix("MusicDelta_")
        drums = path.with_name(f"{name}_Drum.flac")
        made.append(Scored(f"MDB {short} drums", drums, times, ["MDB drums alone"], True))
        made.append(Scored(f"MDB {short} full", mix, times, ["MDB full music"], True))
    trio = data / "beats_excerpts"
    if (trio / "jtd_mix.flac").exists():
        each = {name: _first_numbers(trio / f"jtd_{name}_onsets.csv") for name in INSTRUMENTS}
        for name, times in each.items():
            audio = trio / f"jtd_{name}.flac"
            made.append(Scored(f"jazz {name}", audio, times, [f"jazz {name}"]))
        mixed = np.concatenate(list(each.values()))
        made.append(Scored("jazz trio", trio / "jtd_mix.flac", mixed, ["jazz trio"]))
    singer = data / "vocadito" / "vocadito_1.flac"
    for annotator in ANNOTATORS if singer.exists() else ():
        times = _first_numbers(singer.with_name(f"vocadito_1_notes{annotator}.csv"))
        made.append(Scored(f"singing, {annotator}", singer, times, [f"singing, {annotator}"]))
    return made


def _kept(work: Path, network: Any, audio: Path) -> Path:
    """The file of a network's activations of a recording."""
    digest = hashlib.sha256(network.parameters.tobytes() + str(audio).encode()).hexdigest()
    folder = work / "activations"
    folder.mkdir(exist_ok=True)
    return folder / f"{digest[:32]}.npy"


def activations(network: Any, model: str, audio: Path, work: Path) -> np.ndarray:
    """Activations of a recording, computed once."""
    place = _kept(work, network, audio)
    if not place.exists():
        detector = OnsetDetector([network], model=model)
        np.save(place, detector.detect(audio).activations)
    return np.load(place)


def _found_once(name: str, find: Finder) -> Any:
    """The finder, whose onsets of a recording are kept in the work folder."""

    def found(audio: Path, work: Path) -> np.ndarray:
        digest = hashlib.sha256(f"{name} {audio}".encode()).hexdigest()
        place = work / "activations" / f"{name}-{digest[:32]}.npy"
        if not place.exists():
            place.parent.mkdir(exist_ok=True)
            np.save(place, find(audio))
        return np.load(place)

    return found


def best_threshold(network: Any, model: str, recordings: list[Scored], work: Path) -> float:
    """The threshold with the highest mean F, of a grid of 0.02."""
    detector = OnsetDetector([network], model=model)
    grid = np.round(np.arange(0.1, 0.8, 0.02), 2)
    means = []
    for threshold in grid:
        detector.threshold = float(threshold)
        rows = [
            score(r, detector.decode(activations(network, model, r.audio, work)).times)["F"]
            for r in recordings
        ]
        means.append(np.mean(rows))
    return float(grid[int(np.argmax(means))])


def score(recording: Scored, found: np.ndarray) -> dict[str, float]:
    return evaluate(Events(recording.times), Events(found), "onsets")


def detectors(
    networks: dict[str, Any],
    thresholds: dict[str, float],
    *,
    others: bool = False,
    madmom: Path | None = None,
) -> dict[str, Any]:
    """Functions of recording and work folder to onsets, by name; `others`: those without us."""
    made: dict[str, Any] = {}
    for model, network in networks.items():

        def find(audio: Path, work: Path, model: str = model, network: Any = network) -> np.ndarray:
            detector = OnsetDetector([network], model=model, threshold=thresholds[model])
            return detector.decode(activations(network, model, audio, work)).times

        made[model] = find
    if others:
        made["SuperFlux"] = _found_once("SuperFlux", lambda a: superflux_onsets(read_audio(a)))
        try:
            import librosa
        except ImportError:
            pass
        else:
            made["librosa"] = _found_once(
                "librosa",
                lambda a: librosa.onset.onset_detect(y=read_audio(a), sr=44_100, units="time"),
            )
    if madmom is not None:
        (network,) = load_networks([madmom / "onsets/2013/onsets_cnn.pkl"], patches=True)

        def theirs(audio: Path, work: Path) -> np.ndarray:
            detector = OnsetDetector([network], threshold=0.54)
            return detector.decode(activations(network, "onsets", audio, work)).times

        made["madmom CNN"] = theirs
    assert set(networks) <= set(ONSET_MODELS)
    return made


def scores(
    finders: dict[str, Any], recordings: list[Scored], work: Path
) -> dict[str, dict[str, dict[str, float]]]:
    """Measures of each detector: the mean of each set, and each recording that is listed."""
    result: dict[str, dict[str, dict[str, float]]] = {}
    for name, find in finders.items():
        rows = [(r, score(r, find(r.audio, work))) for r in recordings]
        sets = list(dict.fromkeys(s for r, _ in rows for s in r.sets))
        result[name] = {
            s: {
                key: float(np.mean([row[key] for r, row in rows if s in r.sets]))
                for key in ("F", "precision", "recall")
            }
            for s in sets
        }
        result[name] |= {r.name: row for r, row in rows if r.listed}
    return result


def picture(
    network: Any, threshold: float, recordings: list[Scored], work: Path, path: Path
) -> None:
    """Draw four seconds of activations with annotated and found onsets."""
    from matplotlib.figure import Figure

    figure = Figure((9, 1.5 * len(recordings)), layout="constrained")
    detector = OnsetDetector([network], threshold=threshold)
    for axis, recording in zip(
        figure.subplots(len(recordings), 1, squeeze=False)[:, 0], recordings, strict=True
    ):
        a = activations(network, "onsets", recording.audio, work)
        begin = min(5.0, max(len(a) / 100 - 4.0, 0.0))
        seconds = np.arange(len(a)) / 100
        axis.vlines(recording.times, 0, 1, color="0.8", lw=3, label="annotated")
        axis.plot(seconds, a, color="C0", lw=1, label="activation")
        found = detector.decode(a).times
        axis.plot(found, np.full(len(found), 1.06), "v", color="C3", ms=4, label="found")
        axis.set(xlim=(begin, begin + 4.0), ylim=(0, 1.18), yticks=[0, 1])
        axis.set_title(recording.name, fontsize=8)
    figure.axes[0].legend(loc="upper right", fontsize=7, ncols=3)
    figure.axes[-1].set_xlabel("seconds")
    figure.savefig(path, dpi=80)
