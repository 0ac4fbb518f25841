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
from pathlib import Path
from typing import Any

import numpy as np
from scipy.fft import dct
from speech_music_corpus import RATE, Sounds, debian_sounds, test_sounds

import ictus
from ictus import plot
from ictus.music.speech_music import (
    BANDS,
    CLASSES,
    EXCERPT,
    SpeechMusicDetector,
    excerpts,
    speech_music_features,
)
from ictus.music.timeline import timeline
from ictus.music.training.programmes import activity, at_level, excerpt
from ictus.music.training.speech_music import Annotated

LEVELS = (-20, -15, -10, -5, 0, 5, 10, 15, 20)
CLIPS, CLIP_SECONDS = 16, 15.0
NETWORKS = {
    "mean-covariance": "mcRBM and RBM, fine-tuned",
    "gaussian": "Gaussian RBM and RBM, fine-tuned",
    "none": "the first network, no pre-training",
}
SHIFTS = np.array(sorted(np.linspace(-2, 3, 21), key=abs))  # the smallest of equals is taken
FORESTS_ROWS = 20_000  # of the training examples, for the random forest


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

    def calibrated(self, validation: list[Annotated]) -> Scored:
        """The same with the shifts that make the fewest errors where not both are there."""
        outputs = [self.probabilities(one.features) for one in validation]
        active = np.concatenate([one.active for one in validation])
        alone = ~active.all(axis=1)
        wrong = []
        for shift in SHIFTS:
            decided = [DECISIONS.decide(shifted(each, shift)) for each in outputs]
            wrong.append((np.concatenate(decided) != active)[alone].mean(axis=0))
        return Scored(self.predict, SHIFTS[np.argmin(np.array(wrong), axis=0)])


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
    """Logistic regression and a random forest on MFCC, one for each class."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x = np.concatenate([mfcc(excerpts(np.float32(one.features))[::step]) for one in training])
    y = np.concatenate([one.active[::step] for one in training])
    some = np.random.default_rng(0).permutation(len(x))[:FORESTS_ROWS]
    logistic = [
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=300)).fit(x, y[:, i])
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
            rows = [
                (kind, recording, one, model.decide(one.features) != one.active)
                for kind, recording, one in recordings
            ]
            entry: dict[str, Any] = {"clean": _share([wrong for *_, wrong in rows])}
            for kind in sounds:
                if chosen := [wrong for k, *_, wrong in rows if k == kind]:
                    entry[f"on {kind}"] = _share(chosen)
            entry["recordings"] = {r: _share([wrong]) for _, r, _, wrong in rows}
            entry["mixed"] = {
                str(level): {k: 100 * v for k, v in frame_scores(model, each).items()}
                for level, each in mixtures.items()
            }
            facts.setdefault(place, {})[name] = entry
            shown = {k: entry["clean"][k] for k in CLASSES}
            print(f"{place}: {name} {shown}, {time.perf_counter() - started:.0f} s", flush=True)
    return facts


def _share(wrong: list[np.ndarray]) -> dict[str, float]:
    mean = np.concatenate(wrong).mean(axis=0)
    return {k: round(100 * float(v), 2) for k, v in zip(CLASSES, mean, strict=True)}


# --- pictures and the page -----------------------------------------------------------------------


def draw_levels(facts: dict[str, Any], path: Path) -> None:
    """Error of each class over the level of speech above music."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.6), layout="constrained")
    place = "Debian" if "Debian" in facts else next(iter(facts))
    for axes, name in zip(figure.subplots(1, 2, sharey=True), CLASSES, strict=True):
        for model, entry in facts[place].items():
            values = [entry["mixed"][str(level)][name] for level in LEVELS]
            axes.plot(LEVELS, values, marker="o", markersize=3, label=model)
        axes.set_title(f"{name}, where both are there", loc="left", fontsize=11)
        axes.set_xlabel("speech over music, decibels")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(True, axis="y", color="#dde2e8", linewidth=0.8)
        axes.set_ylim(0, 100)
    figure.axes[0].set_ylabel("frames missed, %")
    figure.axes[1].legend(fontsize=8, frameon=False)
    figure.savefig(path, dpi=100)


def draw_broadcast(model: Any, sounds: dict[str, Sounds], path: Path) -> None:
    """Speech, music, speech over music, silence, and noise, twelve seconds each."""
    generator = np.random.default_rng(3)
    size = 12 * RATE
    voice, band = ([max(sounds[k].values(), key=len)] for k in CLASSES)
    speech = [at_level(excerpt(voice, size, RATE, generator), -20.0) for _ in range(2)]
    music = [at_level(excerpt(band, size, RATE, generator), -20.0) for _ in range(2)]
    noise = 0.02 * generator.standard_normal(size).astype(np.float32)
    over = speech[1] + at_level(music[1], -30.0)
    signal = np.concatenate([speech[0], music[0], over, np.zeros(size, np.float32), noise])
    found = SpeechMusicDetector([model]).detect_signal(signal)
    title = "12 s each: speech, music, speech over music (10 dB softer), silence, noise"
    timeline(found, title=title).savefig(path, dpi=100)


def draw_filters(network: Any, path: Path) -> None:
    """What excites the covariance filters: each an excerpt, time across, mel bands upwards."""
    views = [each for each in network.views(network.parameters) if len(each)]
    whitening, filters = views[0][0].astype(np.float64), views[1][0].astype(np.float64)
    patterns = np.linalg.pinv(whitening).T @ filters  # through the inverse of the whitening
    strongest = np.argsort(-np.abs(patterns).max(axis=0))[:40]
    shown = patterns[:, strongest].reshape(EXCERPT, BANDS, -1)[:, ::-1].transpose(1, 0, 2)
    figure = plot.weight_images(
        shown.reshape(EXCERPT * BANDS, -1), (BANDS, EXCERPT), count=40, title="Covariance filters"
    )
    figure.savefig(path, dpi=90)


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
    facts["speed"] = speed(best, options)
    facts["made on"] = {
        "ictus": ictus.__version__,
        "instruction_set": ictus.instruction_set(),
        "machine": platform.machine(),
        "minutes of training": round(sum(len(o.features) for o in training) / 25 / 60),
    }
    text = json.dumps(facts, indent=1) + "\n"
    (options.output / "speech_music.json").write_text(text)
    (options.output / "speech_music.md").write_text(page(facts))


def speed(network: Any, options: argparse.Namespace) -> dict[str, float]:
    """Processor seconds for each second of audio, on one thread."""
    from ictus.io.audio import audio_blocks

    files = sorted((options.data / "mdb_drums").glob("*_RAWSUM.flac"))
    detector = SpeechMusicDetector([network])
    threads = ictus.num_threads()
    ictus.set_num_threads(1)
    spent, heard = {"in all": 0.0, "reading and resampling": 0.0}, 0.0
    for path in files:
        started = time.process_time()
        heard += detector.detect(path).duration
        middle = time.process_time()
        list(audio_blocks(path, RATE))
        spent["in all"] += middle - started
        spent["reading and resampling"] += time.process_time() - middle
    ictus.set_num_threads(threads)
    return {name: round(value / max(heard, 1e-9), 6) for name, value in spent.items()}


PAGE = """# Speech and music

Frame errors (frames of 40 ms) of the speech/music model of the wheel, of the same network
without pre-training, of one that begins with a Gaussian RBM, and of two classifiers on MFCC
(mean and deviation over the same 0.96 s of 20 coefficients and of their differences). All
learned from the same {minutes} minutes of material and are smoothed alike: a second's mean,
0.5, nothing shorter than 0.6 s. The log-odds of each are shifted so that other synthetic voices,
pieces and noises, where not both are there, have the fewest errors.

No recording, speaker or piece of the tests is in the material. "Shared data": another
LibriSpeech speaker, two other speakers of fsdd, 13 recordings of music (MDB Drums mixes,
ballroom, SIMAC, JTD, two of librosa's), noises, a robin. "Debian": spoken prompts of
`asterisk-core-sounds` by five voices in five languages (8 kHz), and the first 30 s of each piece
of music of SuperTux. An earlier state of the model was scored on both sets before the mixing of the
material was settled; nothing was trained on them. A frame is speech (or music) where the recording
is not silent for more than 0.6 s.

The material: synthetic speech (espeak-ng, flite) and music (`ictus.music.synthesis`), and as
little real speech under free licences as there was: two fsdd speakers and 14 s of one reader.
So the networks with more freedom fit the synthetic voices; what would help most is more real
speech.

## Recordings of one thing alone
{clean}
"on speech": errors of the recordings of speech, where the error of music is its false alarms;
likewise on music. {verdict}

## Speech over music

Speech and music all the time, {clips} clips of {seconds:.0f} s; level of speech over music in
decibels. Per cent of frames in which the model misses what is there.
{mixed}
![missed frames over the level](speech_music_levels.png)

## What it looks like

![a broadcast of five parts](speech_music_broadcast.png)

Covariance filters of the fine-tuned network, through the inverse of the whitening: time across,
40 mel bands upwards.

![covariance filters](speech_music_filters.png)

## Speed

On one thread {speed:.5f} processor seconds for a second of audio ({times:.0f} times faster than
real time), of which {reading:.5f} go into decoding FLAC at 44.1 kHz and resampling.

Made by `python examples/speech_music_models.py` (its first lines have the commands) with ictus
{version}, {instructions}, {machine}. All numbers, by recording: `speech_music.json`.
"""


def page(facts: dict[str, Any]) -> str:
    """The results as Markdown."""
    places = [name for name in facts if name in ("Shared data", "Debian")]
    clean, mixed = "", ""
    for place in places:
        rows = facts[place]
        clean += f"\n### {place}\n\n| model | speech | music | on speech: speech, music | "
        clean += "on music: speech, music |\n|---|---|---|---|---|\n"
        for model, entry in rows.items():
            pairs = [" , ".join(f"{entry[f'on {k}'][c]:.1f}" for c in CLASSES) for k in CLASSES]
            both = " | ".join(f"**{entry['clean'][c]:.2f}**" for c in CLASSES)
            clean += f"| {model} | {both} | {' | '.join(pairs)} |\n"
        for name in CLASSES:
            mixed += f"\n### {place}: {name}\n\n| model | {' | '.join(map(str, LEVELS))} |\n"
            mixed += "|---" * (len(LEVELS) + 1) + "|\n"
            for model, entry in rows.items():
                cells = " | ".join(f"{entry['mixed'][str(level)][name]:.1f}" for level in LEVELS)
                mixed += f"| {model} | {cells} |\n"
    spent, made = facts["speed"], facts["made on"]
    return PAGE.format(
        minutes=made["minutes of training"],
        clean=clean,
        mixed=mixed,
        verdict=facts.get("verdict", ""),
        clips=CLIPS,
        seconds=CLIP_SECONDS,
        speed=spent["in all"],
        times=1 / max(spent["in all"], 1e-9),
        reading=spent["reading and resampling"],
        version=made["ictus"],
        instructions=made["instruction_set"],
        machine=made["machine"],
    )
