"""From audio to beats, measured: exactness, time, memory, damaged files. Writes a page of results.

    python examples/music_pipeline.py --data DATA [--madmom MODELS] [--parts speed decoder ...]

Parts keep what earlier runs measured. Times are processor times of one thread.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import tarfile
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import ictus
from ictus import music
from ictus.nn import LSTM, Bidirectional, Dense, SequenceNetwork

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results"
RATE, HOUR = 44_100, 3600


def resident() -> float:
    """Memory of this process now, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def cpu_seconds(run: Any, repeats: int = 5) -> float:
    """The median processor time of a call."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return float(np.median(times))


def random_network(features: int, directions: int) -> SequenceNetwork:
    """3 x 25 LSTM units with random weights: as much work as a trained one."""
    layers: list[Any] = [LSTM(25, peepholes=True) for _ in range(3)]
    if directions == 2:
        layers = [Bidirectional(layer) for layer in layers]
    return SequenceNetwork(features, [*layers, Dense(1)], "binary_cross_entropy", seed=1)


def noise(seconds: float, block: float = 10.0) -> Iterator[np.ndarray]:
    """Blocks of changing loudness."""
    generator = np.random.default_rng(0)
    base = 0.1 * generator.standard_normal(int(block * RATE)).astype(np.float32)
    for _ in range(int(seconds / block)):
        yield base * np.float32(generator.random())


def speed(options: argparse.Namespace) -> dict[str, Any]:
    """Processor seconds for a second of audio of each part of the way."""
    seconds = 180
    signal = np.concatenate(list(noise(seconds)))
    result = {}
    for name in ("beat", "downbeat", "online_beat", "onset", "boundary"):
        features = getattr(music, f"{name}_features")()
        result[f"{name} features, {features.width} wide"] = cpu_seconds(
            lambda f=features: f(signal)
        )
    x = music.beat_features()(signal)
    network = random_network(266, 2)
    result["BLSTM 3x25"] = cpu_seconds(lambda: network.predict([x]))
    a = 0.05 * np.random.default_rng(0).random(100 * seconds)
    a[10::50] = 0.8
    result["decoding of beats"] = cpu_seconds(lambda: music.decode_beats(a))
    pair = np.column_stack([a, 0.05 * np.ones(len(a))])
    result["decoding of downbeats, 3/4 and 4/4"] = cpu_seconds(lambda: music.decode_downbeats(pair))
    tracker = music.BeatTracker([network])
    result["samples to beats"] = cpu_seconds(lambda: tracker.track_signal(signal))
    return {name: value / seconds for name, value in result.items()}


def decoder(options: argparse.Namespace) -> dict[str, Any]:
    """Published activations to beats, beside the published detections."""
    from ictus.music.bar_pointer import bar_pointer

    path = options.data / "beat_activations" / "ismir2019_activations.tar.gz"
    with tarfile.open(path) as archive:
        files = {m.name: archive.extractfile(m).read() for m in archive if m.isfile()}  # type: ignore[union-attr]
    equal, total, seconds, spent = Counter(), Counter(), 0.0, 0.0
    for name in files:
        if "/activations/" not in name:
            continue
        a = np.load(io.BytesIO(files[name]))
        text = files[name.replace("/activations/", "/detections/").replace(".npy", ".txt")]
        start = time.process_time()
        beats = music.decode_beats(a)
        spent += time.process_time() - start
        seconds += len(a) / 100
        collection = name.split("/")[0]
        total[collection] += 1
        expected = [line.split()[0] for line in text.decode().splitlines()]
        digits = len(expected[0].partition(".")[2])
        equal[collection] += [f"{beat:.{digits}f}" for beat in beats] == expected
    intervals = bar_pointer(60 * 100 / 215, 60 * 100 / 55).shape[1]
    return {
        "equal": dict(equal),
        "tracks": dict(total),
        "cpu_per_second": spent / seconds,
        "hours": seconds / HOUR,
        "back_pointers_of_3_minutes_mb": 18_000 * intervals * 2 / 2**20,
    }


def long(options: argparse.Namespace) -> dict[str, Any]:
    """A recording of three hours, block by block."""
    tracker = music.BeatTracker([random_network(266, 2)])
    before = resident()
    start, frames, top = time.process_time(), 0, 0.0
    for block in tracker.features.blocks(noise(3 * HOUR)):
        frames, top = frames + len(block), max(top, resident())
    features = time.process_time() - start
    start = time.process_time()
    a = tracker.activations(noise(3 * HOUR))
    after_network = resident()
    beats = tracker.decode(a)
    import resource

    return {
        "frames": frames,
        "start_mb": before,
        "features_mb": top,
        "features_cpu": features,
        "network_mb": after_network,
        "all_peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "all_cpu": time.process_time() - start,
        "beats": len(beats.times),
    }


def live(options: argparse.Namespace) -> dict[str, Any]:
    """A day of live input, a tenth of a second at a time: a recording again and again."""
    from ictus.io.audio import read_audio
    from ictus.music.networks import load_networks, model_path

    audio = Path(__file__).resolve().parent / "audio" / "vibe_ace.ogg"
    signal = read_audio(audio, RATE)
    pieces = len(signal) * 10 // RATE
    blocks = np.split(signal[: pieces * (RATE // 10)], pieces)
    networks = load_networks([model_path("online")])
    tracker = music.OnlineBeatTracker(networks)
    memory, beats, last = {}, {}, 0
    times = np.ones(36_000)  # of the first hour, in memory that is there already
    start = time.process_time()
    for number in range(1, options.hours * 36_000 + 1):
        begun = time.process_time()
        last += len(tracker.push(blocks[number % pieces]))
        if number <= len(times):
            times[number - 1] = time.process_time() - begun
        if number % 36_000 == 0:
            hour = f"{number // 36_000} h"
            memory[hour], beats[hour], last = resident(), last, 0
            print(hour, f"{memory[hour]:.1f} MB, {beats[hour]} beats", flush=True)
    return {
        "hours": options.hours,
        "network": [layer.units for layer in networks[0].layers[:-1]],
        "features": tracker.features.width,
        "resident_mb": memory,
        "beats": beats,
        "cpu_share": (time.process_time() - start) / (options.hours * HOUR),
        "push_ms": [float(np.percentile(times, p)) * 1e3 for p in (50, 99.9)],
        "latency_ms": tracker.latency * 1e3,
    }


def damage(options: argparse.Namespace) -> dict[str, Any]:
    """Files cut off or with wrong bytes: what comes of them."""
    from ictus.io.audio import AudioFileError, AudioWarning, read_audio, write_audio

    generator = np.random.default_rng(0)
    outcomes: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for ending in ("wav", "flac", "ogg", "mp3"):
            path = Path(folder) / f"x.{ending}"
            write_audio(path, generator.uniform(-0.5, 0.5, 20_000))
            whole = path.read_bytes()
            for kind in ("cut off", "200 wrong bytes"):
                count = outcomes.setdefault(f"{ending}, {kind}", Counter())
                for _ in range(options.files):
                    data = bytearray(whole)
                    if kind == "cut off":
                        data = data[: generator.integers(1, len(data))]
                    else:
                        for place in generator.integers(0, len(data), 200):
                            data[place] = generator.integers(0, 256)
                    path.write_bytes(data)
                    with warnings.catch_warnings(record=True) as said:
                        warnings.simplefilter("always")
                        try:
                            read_audio(path)
                        except AudioFileError:
                            count["error"] += 1
                            continue
                    warned = any(issubclass(one.category, AudioWarning) for one in said)
                    count["samples and a warning" if warned else "samples"] += 1
    return {name: dict(count) for name, count in outcomes.items()}


def madmom(options: argparse.Namespace) -> dict[str, Any]:
    """madmom's networks on its test recording, and scores of its beat ensembles."""
    import mir_eval

    from ictus.io.audio import read_audio

    if options.madmom is None:
        raise SystemExit("--madmom names the folder of its models")
    folder = options.data / "madmom_testdata"
    signal = read_audio(folder / "audio" / "sample.wav")
    differences = {}
    for features, pattern, name, columns in (
        ("beat_features", "beats/2015/beats_blstm_*.pkl", "beats_blstm", [0]),
        ("online_beat_features", "beats/2016/beats_lstm_*.pkl", "beats_lstm", [0]),
        ("downbeat_features", "downbeats/2016/downbeats_blstm_*.pkl", "downbeats_blstm", [1, 2]),
        ("recurrent_onset_features", "onsets/2013/onsets_brnn_?.pkl", "onsets_brnn", [0]),
    ):
        networks = music.load_networks(sorted(options.madmom.glob(pattern)))
        stored = np.load(folder / "activations" / f"sample.{name}.npz")["activations"]
        for scale in (1.0, 32768 / 32767):
            x = getattr(music, features)()(signal * np.float32(scale))
            mean = np.mean([n.predict([x])[0] for n in networks], axis=0)[:, columns]
            differences.setdefault(name, []).append(float(np.abs(np.squeeze(mean) - stored).max()))
    networks = music.load_networks(sorted(options.madmom.glob("beats/2015/*.pkl")))
    # As madmom decodes by default, and as ictus does: no beats in silence at the ends.
    trackers = [music.BeatTracker(networks, threshold=t) for t in (0.0, 0.05)]
    online = music.load_networks(sorted(options.madmom.glob("beats/2016/*.pkl")))
    scores = {}
    for audio, annotation in recordings(options.data):
        reference = np.loadtxt(annotation, ndmin=2)[:, 0]
        signal = read_audio(audio)
        heard = music.OnlineBeatTracker(online).push(signal, last=True)
        scores[audio.stem] = [
            float(mir_eval.beat.f_measure(reference, found))
            for found in (*(t.track_signal(signal).times for t in trackers), heard)
        ]
    return {"differences": differences, "f": scores}


def recordings(data: Path) -> list[tuple[Path, Path]]:
    """Real recordings of full music with annotated beats."""
    found = []
    for annotation in sorted((data / "mdb_drums").glob("*_MIX.beats")):
        stem = annotation.name.removesuffix("_MIX.beats")
        mixes = [annotation.with_name(f"{stem}_{kind}.flac") for kind in ("MIX", "RAWSUM")]
        found.append((next(path for path in mixes if path.is_file()), annotation))
    for annotation in sorted((data / "beats_excerpts").glob("*.beats")):
        found.append((annotation.with_suffix(".flac"), annotation))
    return found


PARTS = {p.__name__: p for p in (speed, decoder, long, live, damage, madmom)}


def main() -> None:
    """Measure, and write the page."""
    from music_pipeline_report import page

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = os.environ.get("ICTUS_DATA", "../shared/data")
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--madmom", type=Path, help="the folder of madmom's models")
    parser.add_argument("--parts", nargs="*", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--hours", type=int, default=24, help="of live input")
    parser.add_argument("--files", type=int, default=100, help="damaged ones of each kind")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    ictus.set_num_threads(1)
    place = options.output / "music_pipeline.json"
    results = json.loads(place.read_text()) if place.is_file() else {}
    for name in options.parts:
        results[name] = PARTS[name](options)
        place.write_text(json.dumps(results, indent=1) + "\n")
        print(name, json.dumps(results[name]), flush=True)
    (options.output / "music_pipeline.md").write_text(page(results))


if __name__ == "__main__":
    main()
