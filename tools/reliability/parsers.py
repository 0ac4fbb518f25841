"""Everything in ictus that reads a file, with small valid files to begin from."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import json
import pickle
import random
import shutil
import struct
import sys
import types
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mutations import dump, mutate, mutate_json

import ictus
from ictus import nn
from ictus.io import annotations, audio, madmom, model_file, onnx
from ictus.io.append_store import StoreError
from ictus.io.idx import read_idx
from ictus.io.midi_file import read_midi
from ictus.music.retrieval import HammingIndex
from ictus.train.checkpoint import CheckpointError, load_checkpoint, save_checkpoint


@dataclass(frozen=True)
class Parser:
    """A reader of files.

    Attributes
    ----------
    name, ending : str
    seeds : function of a folder that returns valid files as bytes
    parse : function of a path
    error : class of the errors that are right answers
    damage : function of (file, other files, generator) that returns a damaged one
    """

    name: str
    ending: str
    seeds: Callable[[Path], list[bytes]]
    parse: Callable[[Path], Any]
    error: type[Exception] | tuple[type[Exception], ...]
    damage: Callable[[bytes, Sequence[bytes], random.Random], bytes] = mutate


def _saved(folder: Path, models: Sequence[Any], save: Callable[[Path, Any], Any]) -> list[bytes]:
    files = []
    for model in models:
        save(folder / "seed", model)
        files.append((folder / "seed").read_bytes())
    return files


def _networks() -> list[Any]:
    dense = nn.Network(4, [nn.Dense(3, activation="relu"), nn.Dense(2)])
    sequence = nn.SequenceNetwork(3, [nn.LSTM(2, directions=2), nn.Dense(2)])
    return [dense, sequence]


def _models() -> list[Any]:
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(20, 4)).astype(np.float32)
    labels = np.arange(20) % 2
    small: dict[str, Any] = {"max_epochs": 1, "random_state": 0}
    return [
        *_networks(),
        ictus.MLPClassifier((3,), **small).fit(x, labels),
        ictus.MLPRegressor((2,), **small).fit(x, x[:, 0]),
        ictus.BernoulliRBM(3, n_iter=1, random_state=0).fit(x),
        ictus.Autoencoder((3, 2), **small).fit(x),
        ictus.SoftmaxRBM(3, n_iter=1, random_state=0).fit((3 * x).astype(int)),
        ictus.DBNClassifier((3, 2), n_iter=1, fine_tune_epochs=1, random_state=0).fit(x, labels),
        ictus.ConvNetClassifier((2,), (2,), image_shape=(2, 2), **small).fit(x, labels),
        ictus.SequenceLabeler((2,), **small).fit([x[:9], x[9:]], [labels[:9], labels[9:]]),
    ]


# --- model files: bytes, and values of the description under right lengths and checksums ----------


def _damage_model(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    if rng.random() < 0.4:
        return mutate(data, others, rng)
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    description = json.loads(header["__metadata__"]["ictus"])
    description = mutate_json(description, rng)
    tensors = bytearray(data[8 + length :])
    if rng.random() < 0.3 and tensors:  # other weights, NaN among them, whose checksums are right
        place = rng.randrange(len(tensors))
        tensors[place : place + 4] = rng.choice((b"\x00\x00\xc0\x7f", b"\xff\xff\xff\xff"))
    if rng.random() < 0.3:
        entries = {k: v for k, v in header.items() if k != "__metadata__"}
        header = mutate_json(entries, rng) | {"__metadata__": header["__metadata__"]}
    if isinstance(description, dict) and isinstance(description.get("sha256"), dict):
        for name in description["sha256"]:
            entry = header.get(name)
            if isinstance(entry, dict) and isinstance(entry.get("data_offsets"), list):
                part = entry["data_offsets"]
                if len(part) == 2 and all(isinstance(p, int) for p in part):
                    digest = hashlib.sha256(tensors[part[0] : part[1]]).hexdigest()
                    description["sha256"][name] = digest
    header["__metadata__"]["ictus"] = dump(description).decode()
    text = dump(header)
    return struct.pack("<Q", len(text)) + text + tensors


def _use_model(path: Path) -> None:
    """Load, and compute with what was loaded: a model that loads must work or say what is wrong."""
    model = ictus.load(path)
    warnings.simplefilter("ignore")  # scikit-learn on names of features
    width = getattr(model, "n_features_in_", None)
    if isinstance(width, int) and 0 < width < 100:
        x: Any = np.zeros((2, width), np.float32)
        x = [x] if isinstance(model, ictus.SequenceLabeler) else x
        for method in ("predict", "transform"):
            if hasattr(model, method):
                with contextlib.suppress(ValueError):  # says which parameter is wrong
                    getattr(model, method)(x)
                break


def _checkpoints(folder: Path) -> list[bytes]:
    tensors = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(4, np.int64)}
    save_checkpoint(folder / "seed", tensors, {"epoch": 3, "losses": [0.5, 0.25]})
    return [(folder / "seed").read_bytes()]


# --- files of others ------------------------------------------------------------------------------


def _madmom(_: Path) -> list[bytes]:
    """A pickle of madmom's classes, which exist here only while it is made."""
    names = {
        "madmom.ml.nn": ["NeuralNetwork"],
        "madmom.ml.nn.layers": [
            "BidirectionalLayer",
            "LSTMLayer",
            "Gate",
            "Cell",
            "FeedForwardLayer",
        ],
        "madmom.ml.nn.activations": ["sigmoid", "tanh"],
    }
    made: dict[str, Any] = {}
    for module_name in ("madmom", "madmom.ml", *names):
        module = sys.modules[module_name] = types.ModuleType(module_name)
        for name in names.get(module_name, []):
            member: Any = type(name, (), {})
            if module_name.endswith("activations"):
                member = types.FunctionType((lambda x: x).__code__, {}, name)
            member.__module__, member.__qualname__ = module_name, name
            setattr(module, name, member)
            made[name] = member

    def one(kind: str, **state: Any) -> Any:
        instance = made[kind]()
        instance.__dict__.update(state)
        return instance

    def part(kind: str, function: str, inputs: int, units: int, recurrent: bool = True) -> Any:
        arrays = {
            "weights": np.ones((inputs, units), np.float32),
            "bias": np.ones(units, np.float32),
        }
        if recurrent:
            arrays["recurrent_weights"] = np.ones((units, units), np.float32)
        if kind == "Gate":
            arrays["peephole_weights"] = np.ones(units, np.float32)
        return one(kind, activation_fn=made[function], **arrays)

    def lstm(inputs: int) -> Any:
        gates = {
            f"{g}_gate": part("Gate", "sigmoid", inputs, 2) for g in ("input", "forget", "output")
        }
        return one(
            "LSTMLayer", activation_fn=made["tanh"], cell=part("Cell", "tanh", inputs, 2), **gates
        )

    both = one("BidirectionalLayer", fwd_layer=lstm(3), bwd_layer=lstm(3))
    last = part("FeedForwardLayer", "sigmoid", 4, 1, recurrent=False)
    network = one("NeuralNetwork", layers=[both, last])
    files = [pickle.dumps(network, protocol) for protocol in range(4)]
    for module_name in ("madmom", "madmom.ml", *names):
        del sys.modules[module_name]
    return files


def _idx(_: Path) -> list[bytes]:
    plain = struct.pack(">BBBBIII", 0, 0, 8, 3, 2, 3, 3) + bytes(18)
    return [plain, gzip.compress(plain), struct.pack(">BBBBI", 0, 0, 0x0D, 1, 2) + bytes(8)]


def _events(format: str, kind: str) -> Callable[[Path], list[bytes]]:
    def seeds(_: Path) -> list[bytes]:
        beats = annotations.Events(np.array([0.5, 1.0, 1.5, 2.25]), labels=["1", "2", "3", "1"])
        sections = annotations.Events(
            np.array([0.0, 7.5]), ends=np.array([7.5, 12.0]), labels=["A", "B"]
        )
        events = sections if kind == "segments" else beats
        return [annotations.format_annotation(events, format, kind=kind, duration=12.0)]

    return seeds


def _annotation(format: str, kind: str) -> Parser:
    return Parser(
        f"{format} {kind}",
        "",
        _events(format, kind),
        lambda path: annotations.read_annotation(path, format, kind=kind),
        annotations.AnnotationError,
        _damage_json if format in ("json", "jams") else mutate,
    )


def _damage_json(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    if rng.random() < 0.5:
        return mutate(data, others, rng)
    return dump(mutate_json(json.loads(data), rng))


def _midi(folder: Path) -> list[bytes]:
    return [_events("midi", "beats")(folder)[0], _events("midi", "segments")(folder)[0]]


def _abc(_: Path) -> list[bytes]:
    return [b"X:1\nT:a\nM:6/8\nL:1/8\nK:G\n|:G2B d2B|c2A (3FGA F:|\nX:2\nK:C\n[1 CEG c3|[2 C6|]\n"]


def _read_scores(path: Path) -> None:
    from ictus.music.melody.reading import read_scores

    read_scores(path)


def _tables(_: Path) -> list[bytes]:
    return [b"a,b,y\n1,2,yes\n3,4.5,no\n", b"1;2\n3;4\n", b'"x y",y\n1e3,a\n']


def _arrays(_: Path) -> list[bytes]:
    files = []
    for array in (np.arange(6.0).reshape(2, 3), np.array([[1, 2]], np.uint8)):
        buffer = io.BytesIO()
        np.save(buffer, array)
        files.append(buffer.getvalue())
    return files


def _archives(_: Path) -> list[bytes]:
    buffer = io.BytesIO()
    np.savez(buffer, x=np.arange(6.0).reshape(3, 2), y=np.array([0, 1, 0]))
    return [buffer.getvalue()]


def _load_table(path: Path) -> None:
    from ictus.cli.data import load_table

    load_table(str(path), need_targets=False)


# --- the search index: a folder, whose files are damaged one at a time ----------------------------


def _index(folder: Path) -> list[bytes]:
    """The files of an index, one after another, each behind its name and length."""
    path = folder / "index"
    shutil.rmtree(path, ignore_errors=True)
    rng = np.random.default_rng(0)
    with HammingIndex.create(path, 64, features=3) as index:
        for _ in range(2):
            codes = rng.integers(0, 256, (4, 8), dtype=np.uint8)
            index.add(codes, names=["a", "b", "c", "d"], features=rng.normal(size=(4, 3)))
    files = {p.name: p.read_bytes() for p in path.iterdir()}
    return [json.dumps({name: data.hex() for name, data in files.items()}).encode()]


def _damage_index(data: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    files = json.loads(data)
    name = rng.choice(sorted(files))
    files[name] = mutate(bytes.fromhex(files[name]), [b"\x00\xff"], rng).hex()
    return json.dumps(files).encode()


def _open_index(path: Path) -> None:
    folder = path.with_suffix(".folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, data in json.loads(path.read_bytes()).items():
        (folder / name).write_bytes(bytes.fromhex(data))
    for verify, writable in ((False, False), (True, True)):
        with HammingIndex.open(folder, verify=verify, writable=writable) as index:
            found = index.nearest(np.zeros((1, 8), np.uint8), 3)
            index.names(found.numbers[0])


# --- audio ----------------------------------------------------------------------------------------


def _sounds(folder: Path) -> list[bytes]:
    import soundfile

    rng = np.random.default_rng(0)
    time = np.arange(6000) / 8000
    signal = 0.4 * np.sin(2 * np.pi * 440 * time) + 0.01 * rng.standard_normal(time.size)
    files = []
    for format, subtype in (
        ("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAV", "PCM_24"), ("FLAC", "PCM_16"),
        ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III"), ("AIFF", "PCM_16"),
    ):  # fmt: skip
        soundfile.write(
            folder / "seed", np.stack([signal, -signal], 1), 8000, subtype, format=format
        )
        files.append((folder / "seed").read_bytes())
    return files


def _read_audio(path: Path) -> None:
    """Read; what is read must be finite, and shorter than announced only with a warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with audio.AudioFile(path) as file:
            announced, rate = file.frames, file.sample_rate
            blocks = [len(block) for block in file.blocks()]
    short = sum(blocks) < announced - rate // 10
    if short and announced < 2**62 and not any(w.category is audio.AudioWarning for w in caught):
        raise AssertionError(f"{announced} samples announced, {sum(blocks)} read, no warning")


PARSERS = [
    Parser(
        "model file", ".ictus",
        lambda folder: _saved(folder, _models(), ictus.save),
        _use_model, model_file.ModelFileError, _damage_model,
    ),
    Parser("checkpoint", ".checkpoint", _checkpoints, load_checkpoint, CheckpointError),
    Parser(
        "ONNX", ".onnx",
        lambda folder: _saved(folder, _networks(), onnx.save),
        onnx.load, onnx.OnnxError,
    ),
    Parser("madmom model", ".pkl", _madmom, madmom.load_madmom, madmom.MadmomModelError),
    Parser("idx", ".idx", _idx, read_idx, ValueError),
    *(_annotation(f, "beats") for f in ("txt", "sonic-visualiser", "json", "jams", "midi")),
    _annotation("txt", "segments"), _annotation("jams", "segments"),
    Parser("MIDI", ".mid", _midi, read_midi, ValueError),
    Parser("ABC", ".abc", _abc, _read_scores, ValueError),
    Parser("CSV", ".csv", _tables, _load_table, ValueError),
    Parser("NPY", ".npy", _arrays, _load_table, ValueError),
    Parser("NPZ", ".npz", _archives, _load_table, ValueError),
    Parser("search index", ".index", _index, _open_index, (StoreError, ValueError), _damage_index),
    Parser("audio", ".audio", _sounds, _read_audio, audio.AudioFileError),
]  # fmt: skip
