"""What a Boltzmann machine of melodies learns about keys, and how well it expects the next note.

    python examples/melody_tonality.py --data FOLDER

FOLDER (default $ICTUS_DATA) holds ``nottingham/`` (folk tunes in ABC notation, with their keys) and
``bach370_kern/`` (chorales in kern notation, with their keys). They are used for this measurement
alone; neither they nor the models are part of ictus. Writes docs/results/melody_tonality.json and
pictures; examples/melody_report.py makes the page.
"""

from __future__ import annotations

import argparse
import json
import re
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from chorales import kept
from numpy.typing import NDArray

import ictus
from ictus import datasets
from ictus.music.melody import (
    KRUMHANSL_KESSLER,
    CentroidKeyFinder,
    Key,
    KeyMap,
    Melody,
    MelodyNGram,
    MelodyRBM,
    ScoreError,
    SymbolicScore,
    expectation_profiles,
    find_key,
    hidden_features,
    key_map,
    mirex_score,
    partitura_key,
    pitch_class_durations,
    probe_tone_profiles,
    profile_correlations,
    profile_map,
    read_score,
    split_tunes,
)
from ictus.music.melody.abc_notation import parse_tune

Array = NDArray[Any]
KERN_KEY = re.compile(r"^\*([A-Ga-g])([#-]?):", re.MULTILINE)


def load_tunes(data: Path) -> list[Melody]:
    """The tunes that are one melody, repeats once, no tune twice."""
    tunes: dict[bytes, Melody] = {}
    with tarfile.open(data / "nottingham" / "nottingham_abc_midi.tar.gz") as files:
        for member in sorted(files.getmembers(), key=lambda m: m.name):
            if member.name.endswith(".abc"):
                stream = files.extractfile(member)
                assert stream is not None
                for text in split_tunes(stream.read().decode("utf8", "replace")):
                    try:
                        melody = parse_tune(text, repeats=False).melody()
                    except ScoreError:
                        continue
                    tunes.setdefault(melody.pitches.tobytes(), melody)
    return list(tunes.values())


def load_chorales(data: Path) -> list[SymbolicScore]:
    """The chorales, each with the key that its file names."""
    found = []
    archive = data / "bach370_kern" / "bach370_chor001-300.tar.gz"
    with tarfile.open(archive) as files, tempfile.TemporaryDirectory() as folder:
        for member in sorted(files.getmembers(), key=lambda m: m.name):
            stream = files.extractfile(member)
            if stream is None or not member.name.endswith(".krn"):
                continue
            text = stream.read()
            named = KERN_KEY.search(text.decode("utf8", "replace"))
            if named is None:
                continue
            path = Path(folder) / Path(member.name).name
            path.write_bytes(text)
            score = read_score(path)
            tonic = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}[named[1].lower()]
            tonic += {"#": 1, "-": -1, "": 0}[named[2]]
            score.key = Key(tonic % 12, "minor" if named[1].islower() else "major")
            found.append(score)
    return found


def split(tunes: list[Melody], seed: int) -> tuple[list[Melody], list[Melody], list[Melody]]:
    """Tunes for training, for validation (a tenth), and for the test (a tenth)."""
    order = np.random.default_rng(seed).permutation(len(tunes))
    tenth = len(tunes) // 10
    parts = order[2 * tenth :], order[tenth : 2 * tenth], order[:tenth]
    return tuple([tunes[i] for i in part] for part in parts)  # type: ignore[return-value]


# --- keys ----------------------------------------------------------------------------------------


def shares(melody: Melody) -> Array:
    """The share of each pitch class of the sounding time."""
    durations = pitch_class_durations(melody)
    return np.asarray(durations / durations.sum())


def judged(music: list[Any], find: Callable[[Any], Key]) -> dict[str, float]:
    """Share of the keys that are right, and the mean MIREX score."""
    found = [find(each) for each in music]
    return {
        "right": float(np.mean([f == m.key for f, m in zip(found, music, strict=True)])),
        "mirex": float(np.mean([mirex_score(f, m.key) for f, m in zip(found, music, strict=True)])),
    }


def described(found: KeyMap) -> dict[str, float]:
    return {name: getattr(found, name) for name in found.__dataclass_fields__ if name != "points"}


def tonality(
    options: argparse.Namespace, model: MelodyRBM, train: list[Melody], test: list[Melody]
) -> dict[str, Any]:
    """Keys found, profiles and maps."""
    taught = train[: options.taught]
    means: dict[int, Array] = {}

    def expected(melody: Melody) -> Array:
        """The mean expectation, as find_key_by_expectation takes it, found once."""
        if id(melody) not in means:
            means[id(melody)] = model.expectation(melody).mean(0)
        return means[id(melody)]

    own = expectation_profiles(model, taught)
    finders = {
        "hidden": CentroidKeyFinder(hidden_features(model)).fit(taught),
        "classes": CentroidKeyFinder(shares).fit(taught),
    }
    blank = MelodyRBM(**model.get_params() | {"n_iter": 1, "learning_rate": 1e-9})
    blank.fit(taught[:20])
    blank.encoding_, blank.rbm_ = model.encoding_, ictus.RBM(**model.rbm_.config())
    finders["blank"] = CentroidKeyFinder(hidden_features(blank)).fit(taught)
    maps = {
        "hidden units": key_map(finders["hidden"].centroids),
        "hidden units, not trained": key_map(finders["blank"].centroids),
        "shares of pitch classes": key_map(finders["classes"].centroids),
        "profiles of Krumhansl & Kessler": profile_map(),
    }
    ways: dict[str, Callable[[Any], Key]] = {
        "Krumhansl-Schmuckler, ictus": find_key,
        "Krumhansl-Schmuckler, partitura": partitura_key,
    }
    learned: dict[str, Callable[[Any], Key]] = {
        "RBM: expectation, profiles of Krumhansl & Kessler": lambda m: find_key(expected(m)),
        "RBM: expectation, its own profiles": lambda m: find_key(expected(m), own),
        "RBM: centroids of hidden units": finders["hidden"].find,
        "RBM, not trained: centroids of hidden units": finders["blank"].find,
        "centroids of shares of pitch classes": finders["classes"].find,
    }
    chorales = load_chorales(options.data)
    sopranos = []
    for score in chorales:
        try:
            melody = score.melody(0)
        except ScoreError:
            continue
        if model.encoding_.fits(melody):
            sopranos.append(melody)
    keys = {
        "tunes": {name: judged(test, find) for name, find in (ways | learned).items()},
        "sopranos": {name: judged(sopranos, find) for name, find in (ways | learned).items()},
        "chorales": {name: judged(chorales, find) for name, find in ways.items()},
    }
    frequencies = {
        mode: np.mean([np.roll(shares(m), -m.key.tonic) for m in test if m.key.mode == mode], 0)
        for mode in ("major", "minor")
    }
    profiles = {
        "expectation over test tunes": expectation_profiles(model, test),
        "probe tones after contexts": probe_tone_profiles(model),
        "durations in test tunes": frequencies,
    }
    draw_profiles(options.output / "melody_profiles.png", profiles)
    draw_map(options.output / "melody_keys.png", maps["hidden units"])
    return {
        "keys": keys,
        "pieces": {"tunes": len(test), "sopranos": len(sopranos), "chorales": len(chorales)},
        "taught": len(taught),
        "profiles": {name: profile_correlations(p) for name, p in profiles.items()},
        "maps": {name: described(found) for name, found in maps.items()},
    }


def draw_profiles(path: Path, profiles: dict[str, dict[str, Array]]) -> None:
    """Draw the profiles beside Krumhansl and Kessler's, each with mean 0 and deviation 1."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    for axes, mode in zip(figure.subplots(1, 2, sharey=True), ("major", "minor"), strict=True):
        for name, values in ({"Krumhansl & Kessler": KRUMHANSL_KESSLER} | profiles).items():
            line = values[mode]
            style = {"color": "black", "linewidth": 2} if values is KRUMHANSL_KESSLER else {}
            axes.plot((line - line.mean()) / line.std(), marker=".", label=name, **style)
        axes.set(title=mode, xlabel="semitones above the tonic", xticks=range(12))
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("standardised")
    lines, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    figure.savefig(path, dpi=75)


def draw_map(path: Path, found: KeyMap) -> None:
    """Draw the keys in the plane of the major ones."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.8, 4.8), layout="constrained")
    axes = figure.subplots()
    circle = found.points[[7 * n % 12 for n in range(13)]]
    axes.plot(*circle.T, color="0.8", zorder=0)
    for number, (x, y) in enumerate(found.points):
        if np.isfinite(x):
            key = Key.from_number(number)
            name, mode = str(key).split()
            minor = mode == "minor"
            axes.plot(x, y, "o", color="tab:orange" if minor else "tab:blue", markersize=4)
            axes.annotate(
                name.lower() if minor else name, (x, y), xytext=(4, 4), textcoords="offset points"
            )
    axes.set(aspect="equal", xticks=[], yticks=[], title="Keys among the hidden units")
    figure.savefig(path, dpi=110)


# --- likelihood ----------------------------------------------------------------------------------


def likelihood(
    options: argparse.Namespace, model: MelodyRBM, parts: tuple[list[Melody], ...]
) -> dict[str, Any]:
    """Bits a note of the test tunes, the ends included, by model."""
    encoding = model.encoding_
    train, valid, test = ([encoding.codes(m) for m in part] for part in parts)
    bits = lambda rows: float(np.concatenate(rows).mean() / np.log(2))  # noqa: E731
    table = MelodyNGram((1, 2, 3, 4, 6)).fit(train, valid)
    unigram = MelodyNGram((1,)).fit(train, valid)
    symbols = lambda codes: [int(p * 100 + d) for p, d in codes]  # noqa: E731
    seen = {s for codes in train for s in symbols(codes)}
    network = kept(
        options,
        "tunes_lstm",
        lambda: ictus.SequenceGenerator(
            (200,),
            embedding_units=64,
            dropout=0.5,
            learning_rate=0.003,
            batch_size=16,
            max_epochs=options.lstm_epochs,
            random_state=options.seed,
        ).fit([symbols(codes) for codes in train]),
        options.seconds,
    )
    known = [codes for codes in test if set(symbols(codes)) <= seen]
    rows = {
        "Boltzmann machine": bits([model.surprise(m) for m in parts[2]]),
        "n-grams": bits([table.surprise(codes) for codes in test]),
        "frequencies of pitches and durations": bits([unigram.surprise(codes) for codes in test]),
        "LSTM, tunes whose notes it knows": float(
            -network.score([symbols(codes) for codes in known]) / np.log(2)
        ),
        "n-grams, the same tunes": bits([table.surprise(codes) for codes in known]),
    }
    orders = [table.joint_.order, table.pitch_.order, table.duration_.order]
    return {"bits": rows, "orders": orders, "weight": table.weight_, "known": len(known)}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    default = datasets.data_folder()
    parser.add_argument("--data", type=Path, default=default, required=default is None)
    parser.add_argument("--models", type=Path, default=Path("melody_models"))
    parser.add_argument("--window", type=int, default=8)
    parser.add_argument("--hidden", type=int, default=250)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--lstm-epochs", type=int, default=15)
    parser.add_argument("--taught", type=int, default=120, help="tunes with keys for centroids")
    parser.add_argument("--seed", type=int, default=0)
    output = Path(__file__).resolve().parents[1] / "docs" / "results"
    parser.add_argument("--output", type=Path, default=output)
    return parser.parse_args()


def main() -> None:
    options = parse()
    options.seconds = {}
    options.output.mkdir(parents=True, exist_ok=True)
    tunes = load_tunes(options.data)
    train, valid, test = split(tunes, options.seed)
    model = kept(
        options,
        "tunes_rbm",
        lambda: MelodyRBM(
            options.window,
            options.hidden,
            n_iter=options.epochs,
            l2=5e-5,
            random_state=options.seed,
        ).fit(train),
        options.seconds,
    )
    started = time.process_time()
    facts: dict[str, Any] = {
        "tunes": [len(train), len(valid), len(test)],
        "notes": sum(map(len, tunes)),
        "window": model.window,
        "hidden": model.n_components,
        "epochs": model.n_iter,
        "group_size": model.encoding_.group_size,
        "likelihood": likelihood(options, model, (train, valid, test)),
        "tonality": tonality(options, model, train, test),
        "processor_seconds": options.seconds,
    }
    print(json.dumps(facts, indent=1), f"{time.process_time() - started:.0f} s", flush=True)
    (options.output / "melody_tonality.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
