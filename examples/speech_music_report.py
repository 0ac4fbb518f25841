"""Scores of speech/music detectors beside MFCC baselines: tables, pictures, and the page.

Used by ``examples/speech_music_models.py``.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.fft import dct
from speech_music_corpus import RATE, Sounds, debian_sounds, test_sounds
from speech_music_page import (
    CLIP_SECONDS,
    CLIPS,
    LEVELS,
    draw_broadcast,
    draw_filters,
    draw_levels,
    page,
    speed,
)

import ictus
from ictus.music.speech_music import (
    BANDS,
    CLASSES,
    EXCERPT,
    SpeechMusicDetector,
    excerpts,
    smooth,
    speech_music_features,
)
from ictus.music.training.programmes import activity, at_level, excerpt
from ictus.music.training.speech_music import Annotated

NETWORKS = {
    "mean-covariance": "mcRBM and RBM, fine-tuned",
    "gaussian": "Gaussian RBM and RBM, fine-tuned",
    "none": "the first network, no pre-training",
}
SHIFTS = np.linspace(0, 3, 13)
FORESTS_ROWS = 60_000  # of the training examples, for the random forest


@dataclass
class Scored:
    """What gives probabilities of speech and music for excerpts, shape (rows, 960)."""

    predict: Callable[[np.ndarray], np.ndarray]
    shifts: np.ndarray | float = 0.0  # taken from the log-odds

    @classmethod
    def of_network(cls, network: Any) -> Scored:
        return cls(network.predict)

    def decide(self, features: np.ndarray) -> np.ndarray:
        """Decisions with the detector's smoothing, bool, shape (frames, 2)."""
        return DECISIONS.decide(shifted(self.probabilities(features), self.shifts))

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Probabilities of each frame, not shifted."""
        return np.asarray(self.predict(excerpts(np.asarray(features, np.float32), EXCERPT)))

    def judge(self, one: Annotated) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where the decisions are wrong, the smoothed probabilities, and what is there."""
        p = shifted(self.probabilities(one.features), self.shifts)
        frames = round(DECISIONS.smoothing * DECISIONS.features.fps)
        return DECISIONS.decide(p) != one.active, smooth(p, frames), one.active

    def calibrated(self, validation: list[Annotated]) -> Scored:
        """The same with the shifts that validation material asks for.

        Those with the fewest errors where not both speech and music are there: in mixtures the
        softer of both has no threshold of its own.
        """
        outputs = [self.probabilities(one.features) for one in validation]
        active = np.concatenate([one.active for one in validation])
        alone = ~active.all(axis=1)
        wrong = []
        for shift in SHIFTS:
            decided = [DECISIONS.decide(shifted(each, shift)) for each in outputs]
            wrong.append((np.concatenate(decided) != active)[alone].mean(axis=0))
        return Scored(self.predict, SHIFTS[np.argmin(wrong, axis=0)])


def shifted(probabilities: np.ndarray, shifts: np.ndarray | float) -> np.ndarray:
    """Probabilities with something taken from their log-odds."""
    p = np.clip(np.asarray(probabilities, np.float64), 1e-9, 1 - 1e-9)
    return np.asarray(1 / (1 + (1 - p) / p * np.exp(shifts)))


class _Decisions(SpeechMusicDetector):
    """The decisions of the detector, of anybody's probabilities."""

    def __init__(self) -> None:
        network = ictus.Network(EXCERPT * BANDS, [ictus.Dense(2)], "binary_cross_entropy")
        super().__init__([network])


DECISIONS = _Decisions()


def frame_scores(model: Scored, material: list[Annotated]) -> dict[str, float]:
    """Share of frames that are wrong, of each class."""
    wrong = np.concatenate([model.decide(one.features) != one.active for one in material])
    return dict(zip(CLASSES, wrong.mean(axis=0).tolist(), strict=True))


# --- the baselines -------------------------------------------------------------------------------


def mfcc(rows: np.ndarray) -> np.ndarray:
    """Mean and deviation over an excerpt of 20 MFCC and of their differences: 80 numbers."""
    spectra = rows.reshape(len(rows), EXCERPT, BANDS)
    cepstra = dct(spectra, axis=2, norm="ortho")[:, :, :20]
    moved = np.diff(cepstra, axis=1)
    parts = [f(x, axis=1) for x in (cepstra, moved) for f in (np.mean, np.std)]
    return np.concatenate(parts, axis=1).astype(np.float32)


def baselines(training: list[Annotated], step: int) -> dict[str, Scored]:
    """Logistic regression (one a class) and a random forest on MFCC."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    x = np.concatenate([mfcc(excerpts(np.float32(one.features))[::step]) for one in training])
    y = np.concatenate([one.active[::step] for one in training])
    some = np.random.default_rng(0).permutation(len(x))[:FORESTS_ROWS]
    with threadpool_limits(1):
        logistic = [
            make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)).fit(x, y[:, i])
            for i in range(2)
        ]
    forest = RandomForestClassifier(100, min_samples_leaf=4, random_state=0).fit(x[some], y[some])

    def by_logistic(rows: np.ndarray) -> np.ndarray:
        return np.column_stack([one.predict_proba(mfcc(rows))[:, 1] for one in logistic])

    def by_forest(rows: np.ndarray) -> np.ndarray:
        return np.column_stack([p[:, 1] for p in forest.predict_proba(mfcc(rows))])

    return {
        "MFCC, logistic regression": Scored(by_logistic),
        "MFCC, random forest": Scored(by_forest),
    }


# --- the tests -----------------------------------------------------------------------------------


def clean_test(sounds: dict[str, Sounds]) -> Iterator[tuple[str, str, Annotated]]:
    """Yield kind, name and features of each recording, at -20 decibels of full scale."""
    features = speech_music_features()
    for kind, each in sounds.items():
        for name, x in each.items():
            signal = at_level(x, -20.0)
            spectrum = features(signal)
            active = np.zeros((len(spectrum), 2), bool)
            if kind in CLASSES:
                active[:, CLASSES.index(kind)] = activity(signal, RATE, features.fps)
            yield kind, name, Annotated(spectrum, active)


def mixed_test(sounds: dict[str, Sounds], level: float) -> list[Annotated]:
    """Clips of speech over music, `level` decibels louder; both are there all the time."""
    generator = np.random.default_rng(77)
    features = speech_music_features()
    speech, music = ([at_level(x, 0.0) for x in sounds[k].values()] for k in CLASSES)
    made = []
    for number in range(CLIPS):
        size = int(CLIP_SECONDS * RATE)
        voice = at_level(excerpt([speech[number % len(speech)]], size, RATE, generator), level)
        band = at_level(excerpt([music[number % len(music)]], size, RATE, generator), 0.0)
        active = [activity(x, RATE, features.fps) for x in (voice, band)]
        spectrum = features(at_level(voice + band, -20.0))
        made.append(Annotated(spectrum, np.column_stack(active)[: len(spectrum)]))
    return made


def measure(models: dict[str, Scored], sets: dict[str, dict[str, Sounds]]) -> dict[str, Any]:
    """All scores: by set, model and kind of recording, in per cent of frames."""
    facts: dict[str, Any] = {}
    for place, sounds in sets.items():
        recordings = list(clean_test(sounds))
        mixtures = {level: mixed_test(sounds, level) for level in LEVELS}
        for name, model in models.items():
            started = time.perf_counter()
            rows, judged = [], []
            for kind, recording, one in recordings:
                judged.append(model.judge(one))
                rows.append((kind, recording, one, judged[-1][0]))
            entry: dict[str, Any] = {"clean": _share([wrong for *_, wrong in rows])}
            for kind in sounds:
                if chosen := [wrong for k, *_, wrong in rows if k == kind]:
                    entry[f"on {kind}"] = _share(chosen)
            entry["recordings"] = {r: _share([wrong]) for _, r, _, wrong in rows}
            entry["mixed"] = {}
            for level, each in mixtures.items():
                found = [model.judge(one) for one in each]
                entry["mixed"][str(level)] = _share([wrong for wrong, *_ in found])
                judged += found if abs(level) <= 10 else []
            entry["area"] = area(judged)
            facts.setdefault(place, {})[name] = entry
            shown = {k: entry["clean"][k] for k in CLASSES}
            print(f"{place}: {name} {shown}, {time.perf_counter() - started:.0f} s", flush=True)
    return facts


def area(judged: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> dict[str, float]:
    """Area under the curve of hits over false alarms, of each class: no threshold counts."""
    from sklearn.metrics import roc_auc_score

    p, active = (np.concatenate([each[i] for each in judged]) for i in (1, 2))
    areas = (roc_auc_score(active[:, i], p[:, i]) for i in range(len(CLASSES)))
    return {k: round(float(a), 4) for k, a in zip(CLASSES, areas, strict=True)}


def _share(wrong: list[np.ndarray]) -> dict[str, float]:
    mean = np.concatenate(wrong).mean(axis=0)
    return {k: round(100 * float(v), 2) for k, v in zip(CLASSES, mean, strict=True)}


# --- all of it ----------------------------------------------------------------------------------


def write_report(
    options: argparse.Namespace,
    training: list[Annotated],
    validation: list[Annotated],
    step: int,
) -> None:
    """Measure all models, draw, and write the page."""
    options.output.mkdir(parents=True, exist_ok=True)
    networks = {
        name: ictus.load(options.work / f"{name}.ictus")
        for name in NETWORKS
        if (options.work / f"{name}.ictus").exists()
    }
    models = {NETWORKS[name]: Scored.of_network(each) for name, each in networks.items()}
    models |= {n: m.calibrated(validation) for n, m in baselines(training, step).items()}
    sets = {"Shared data": test_sounds(options.data)}
    debian = debian_sounds()
    if debian["speech"] and debian["music"]:
        sets["Debian"] = debian
    else:
        print("without asterisk-core-sounds-*-wav and supertux-data: no second test", flush=True)
    facts = measure(models, sets)
    best = networks["mean-covariance"]
    drawn = sets.get("Debian", sets["Shared data"])
    draw_levels(facts, options.output / "speech_music_levels.png")
    draw_broadcast(best, drawn, options.output / "speech_music_broadcast.png")
    draw_filters(best, options.output / "speech_music_filters.png")
    facts["speed"] = speed(best, options.data)
    facts["made on"] = {
        "ictus": ictus.__version__,
        "instruction_set": ictus.instruction_set(),
        "machine": platform.machine(),
        "examples of the forest": FORESTS_ROWS,
        "minutes of training": round(sum(len(o.features) for o in training) / 25 / 60),
    }
    text = json.dumps(facts, indent=1) + "\n"
    (options.output / "speech_music.json").write_text(text)
    (options.output / "speech_music.md").write_text(page(facts))
