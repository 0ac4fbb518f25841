"""Pictures and the page of the results of speech/music detection.

Used by ``examples/speech_music_report.py``.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from speech_music_corpus import RATE, Sounds

import ictus
from ictus import plot
from ictus.music.speech_music import BANDS, CLASSES, EXCERPT, SpeechMusicDetector
from ictus.music.timeline import timeline
from ictus.music.training.programmes import at_level, excerpt

LEVELS = (-20, -15, -10, -5, 0, 5, 10, 15, 20)  # of speech over music, decibels
CLIPS, CLIP_SECONDS = 16, 15.0


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
    strongest = np.argsort(-np.abs(patterns).max(axis=0))[:42]
    shown = patterns[:, strongest].reshape(EXCERPT, BANDS, -1)[:, ::-1].transpose(1, 0, 2)
    figure = plot.weight_images(
        shown.reshape(EXCERPT * BANDS, -1), (BANDS, EXCERPT), count=42, title="Covariance filters"
    )
    figure.savefig(path, dpi=90, bbox_inches="tight")


def speed(network: Any, data: Path) -> dict[str, float]:
    """Processor seconds for each second of audio, on one thread."""
    from ictus.io.audio import audio_blocks

    files = sorted((data / "mdb_drums").glob("*_RAWSUM.flac"))
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
0.5, nothing shorter than 0.6 s. The log-odds of each are lowered by what gives the
fewest errors on other synthetic voices, pieces and noises, where not both are there. The forest
learned from {forest} examples drawn at random, the others from all.
{summary}
Means over both classes and both tests. "Area" is that under the curve of hits over false alarms,
recordings of one thing and mixtures at -10 to 10 decibels together: no threshold counts.

Over all thresholds together the network that learned features without labels first separates both
classes best, and it errs least on one thing alone. The same network from random weights errs
several times as often there and misses less in mixtures, which is the other side of its threshold.

No recording, speaker or piece of the tests is in the material. "Shared data": another
LibriSpeech speaker, two other speakers of fsdd, 13 recordings of music (MDB Drums mixes,
ballroom, SIMAC, JTD, two of librosa's), noises, a robin. "Debian": spoken prompts of
`asterisk-core-sounds` by five voices in five languages (8 kHz), and the first 30 s of each piece
of music of SuperTux. Earlier states of the model were scored on both sets before the mixing and
the amount of the material, the settings (by validation loss) and the rule of the shifts were
settled; nothing was trained on them. A frame is speech (or music) where the recording is not
silent for more than 0.6 s.

The material: synthetic speech (espeak-ng, flite) and music (`ictus.music.synthesis`), three pieces
of real music, a singer and some seconds of others, and the real speech there was under free
licences: two fsdd speakers, and 14 s of one reader.

## Recordings of one thing alone
{clean}
"on speech": errors of the recordings of speech, where the error of music is its false alarms;
likewise on music. Shared data has noises too, which count in the errors of all.

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


def summary(facts: dict[str, Any], places: list[str]) -> str:
    """A table of means over both classes and all tests."""
    text = "\n| model | error, one thing alone | missed at -10 to 10 decibels "
    text += "| area: speech | area: music |\n"
    text += "|---|---|---|---|---|\n"
    for model in facts[places[0]]:
        entries = [facts[place][model] for place in places]
        clean = np.mean([entry["clean"][c] for entry in entries for c in CLASSES])
        levels = [str(level) for level in LEVELS if abs(level) <= 10]
        mixed = np.mean([e["mixed"][k][c] for e in entries for k in levels for c in CLASSES])
        areas = [f"{np.mean([e['area'][c] for e in entries]):.4f}" for c in CLASSES]
        text += f"| {model} | {clean:.2f} % | {mixed:.1f} % | {' | '.join(areas)} |\n"
    return text


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
        forest=f"{made['examples of the forest']:,}",
        clean=clean,
        mixed=mixed,
        summary=summary(facts, places),
        clips=CLIPS,
        seconds=CLIP_SECONDS,
        speed=spent["in all"],
        times=1 / max(spent["in all"], 1e-9),
        reading=spent["reading and resampling"],
        version=made["ictus"],
        instructions=made["instruction_set"],
        machine=made["machine"],
    )
