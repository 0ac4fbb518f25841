"""Binary codes of music by stacked denoising autoencoders, beside LSH and PCA: recall by length.

    python examples/binary_codes.py collect   # render and analyse the collection (some minutes)
    python examples/binary_codes.py           # train, measure, write docs/results/binary_codes.*

The collection: excerpts of 5 s of pieces that ictus composed and rendered, and of recordings of the
shared data that may be redistributed. Encoders see excerpts of other pieces (of recordings: the
first two thirds) than the queries come from. The truth is the order of the full features.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.models.scaling import Scaling
from ictus.music.retrieval import HammingIndex, TrackFeatures, train_encoder

Array = NDArray[Any]

PIECES, SEED = 300, 2013
SECONDS, STEP = 5.0, 1.0
RECORDINGS = [  # class A of the shared data: music, speech, animals
    "librosa_audio/Kevin_MacLeod_-_Vibe_Ace.ogg",
    "librosa_audio/Kevin_MacLeod_-_P_I_Tchaikovsky_Dance_of_the_Sugar_Plum_Fairy.ogg",
    "librosa_audio/Karissa_Hobbs_-_Lets_Go_Fishin.ogg",
    "librosa_audio/Hungarian_Dance_number_5_-_Allegro_in_F_sharp_minor_(string_orchestra).ogg",
    "librosa_audio/sorohanro_-_solo-trumpet-06.ogg",
    "librosa_audio/198-209-0000.ogg",
    "librosa_audio/3436-172162-0000.ogg",
    "librosa_audio/glacier-bay-humpback.ogg",
    "vocadito/vocadito_1.flac",
]


def collect(folder: Path) -> None:
    """Write features of all excerpts; a piece that is there is not made again."""
    import soxr

    from ictus.io.audio import audio_blocks
    from ictus.music.synthesis import make_piece

    features = TrackFeatures()
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(PIECES):
        target = folder / f"piece_{number:04d}.npy"
        if target.exists():
            continue
        piece = make_piece(number, SEED, seconds=30.0)
        signal = soxr.resample(piece.audio, piece.sample_rate, features.sample_rate)
        np.save(target, features.excerpts(features.frames([signal]), SECONDS, STEP))
    data = Path(os.environ["ICTUS_DATA"])
    for number, name in enumerate(RECORDINGS):
        frames = features.frames(audio_blocks(data / name, features.sample_rate))
        np.save(folder / f"recording_{number}.npy", features.excerpts(frames, SECONDS, STEP))


LENGTHS = (32, 64, 128, 256, 512)
NEIGHBOURS = 10
SHARES = (0.001, 0.003, 0.01, 0.03, 0.1)  # of the collection, looked at in full


def load(folder: Path) -> tuple[Array, Array]:
    """The collection and the queries, full features."""
    pieces = [np.load(path) for path in sorted(folder.glob("piece_*.npy"))]
    held_out = len(pieces) // 5
    collection, queries = pieces[:-held_out], pieces[-held_out:]
    for path in sorted(folder.glob("recording_*.npy")):
        rows = np.load(path)
        cut = len(rows) * 2 // 3
        collection.append(rows[:cut])
        queries.append(rows[cut + round(SECONDS / STEP) :])  # no common second
    return np.concatenate(collection), np.concatenate(queries)[::3]


def autoencoder(x: Array, bits: int) -> Any:
    """230-512-bits, each layer pre-trained to take noise out, then all together."""
    encoder = train_encoder(x, bits)
    return encoder.encode_bits


def hyperplanes(x: Array, bits: int) -> Any:
    """Signs of random projections [Charikar, STOC 2002] of standardised features."""
    scaling = Scaling.of(x)
    planes = np.random.default_rng(0).normal(size=(x.shape[1], bits))
    return lambda rows: np.packbits(scaling.apply(rows) @ planes > 0, axis=1)


def components(x: Array, bits: int) -> Any:
    """Signs of principal components of standardised features; None where there are too few."""
    if bits > x.shape[1]:
        return None
    scaling = Scaling.of(x)
    _, _, axes = np.linalg.svd(scaling.apply(x), full_matrices=False)
    return lambda rows: np.packbits(scaling.apply(rows) @ axes[:bits].T > 0, axis=1)


METHODS = {
    "autoencoder": autoencoder,
    "signs of random projections (LSH)": hyperplanes,
    "signs of principal components": components,
}


def true_neighbours(x: Array, queries: Array) -> Array:
    """The nearest by Euclidean distance of standardised features, shape (queries, NEIGHBOURS)."""
    scaling = Scaling.of(x)
    a, b = scaling.apply(x), scaling.apply(queries)
    distances = np.square(a).sum(axis=1) - 2 * b @ a.T
    return np.argsort(distances, axis=1)[:, :NEIGHBOURS]


def recall(codes: Array, asked: Array, truth: Array) -> list[float]:
    """The share of true neighbours among the nearest codes, for each of SHARES."""
    index = HammingIndex(codes.shape[1] * 8)
    index.add(codes)
    counts = [max(NEIGHBOURS, round(share * len(codes))) for share in SHARES]
    found = index.nearest(asked, counts[-1]).numbers
    hits = [
        [np.isin(t, row[:count]).mean() for count in counts]
        for t, row in zip(truth, found, strict=True)
    ]
    return [float(each) for each in np.mean(hits, axis=0)]


def measure(folder: Path) -> dict[str, Any]:
    x, queries = load(folder)
    truth = true_neighbours(x, queries)
    result: dict[str, Any] = {"collection": len(x), "queries": len(queries), "recall": {}}
    for name, method in METHODS.items():
        for bits in LENGTHS:
            start = time.perf_counter()
            encode = method(x, bits)
            if encode is None:
                continue
            values = recall(encode(x), encode(queries), truth)
            result["recall"].setdefault(name, {})[bits] = values
            seconds = time.perf_counter() - start
            print(name, bits, *(f"{v:.3f}" for v in values), f"{seconds:.0f} s", flush=True)
    return result


def picture(result: dict[str, Any], path: Path) -> None:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.8), layout="constrained")
    place = SHARES.index(0.01)
    for name, by_length in result["recall"].items():
        lengths = [int(bits) for bits in by_length]
        axes[0].plot(lengths, [v[place] for v in by_length.values()], "o-", label=name)
    axes[0].set(xscale="log", xticks=LENGTHS, xticklabels=LENGTHS, ylim=(0, 1))
    axes[0].set(xlabel="bits", title="nearest 1 % of the codes")
    axes[0].set_ylabel(f"share of the {NEIGHBOURS} true neighbours")
    axes[0].minorticks_off()
    axes[0].legend(fontsize=8)
    for bits, values in result["recall"]["autoencoder"].items():
        axes[1].plot([100 * share for share in SHARES], values, "o-", label=f"{bits} bits")
    axes[1].set(xscale="log", ylim=(0, 1), xlabel="% of the codes", title="autoencoder")
    axes[1].legend(fontsize=8)
    figure.savefig(path, dpi=90)


def report(result: dict[str, Any], target: Path) -> None:
    shares = [f"{100 * share:g} %" for share in SHARES]
    lines = [
        "# Binary codes of music",
        "",
        "Made by `python examples/binary_codes.py collect`, then `python "
        f"examples/binary_codes.py`. The collection: {result['collection']} excerpts of "
        f"{SECONDS:g} s, a second apart, of pieces that ictus composed and rendered, and of the "
        "first two thirds of nine recordings of music, speech and animals that may be "
        "redistributed (the list is in the example). "
        f"{result['queries']} queries: excerpts of other pieces, and of the last "
        "thirds. Full features: mean and covariance of 20 cepstral coefficients, 230 numbers (920 "
        f"bytes); the {NEIGHBOURS} nearest by Euclidean distance after standardisation are the "
        "truth. The table has the share of them that is among the nearest so many per cent of the "
        "codes, which is what re-ranking by full features can find. There are no more principal "
        "components than features.",
        "",
        f"| codes | bits | {' | '.join(shares)} |",
        "|---|---|" + "---|" * len(shares),
    ]
    for name, by_length in result["recall"].items():
        for bits, values in by_length.items():
            best = max(r[bits][2] for r in result["recall"].values() if bits in r)
            cells = [f"{100 * v:.1f}" for v in values]
            if values[2] == best:
                cells[2] = f"**{cells[2]}**"
            lines.append(f"| {name} | {bits} | {' | '.join(cells)} |")
    lines += ["", f"![recall over bits]({target.name}.png)"]
    target.with_suffix(".md").write_text("\n".join(lines) + "\n")
    target.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
    picture(result, target.with_suffix(".png"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("step", nargs="?", choices=["collect", "measure"], default="measure")
    parser.add_argument("--collection", type=Path, default=Path("collection"))
    parser.add_argument("--output", type=Path, default=Path("docs/results/binary_codes"))
    options = parser.parse_args()
    if options.step == "collect":
        collect(options.collection)
        return
    report(json.loads(json.dumps(measure(options.collection))), options.output)


if __name__ == "__main__":
    main()
