"""``ictus index build|add|query|info``: recordings found by what they sound like."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ictus.cli import arguments as allowed

if TYPE_CHECKING:
    from ictus.music.retrieval.music_index import MusicIndex
    from ictus.music.retrieval.track_features import TrackFeatures

Array = NDArray[Any]

KINDS = ("build", "add", "query", "info")
TABLES = (".npy", ".npz", ".csv", ".tsv")
ADDED_AT_ONCE = 16  # recordings that are written, and reported, together

EPILOG = """\
FILE is a recording, a folder with recordings, or a table of features (.npy, .npz, .csv) with a row
for each track; an index is of the one or of the other.

examples:
  ictus index build my-index music/ --bits 64
  ictus index add my-index new.flac
  ictus index query my-index song.ogg -k 5 --rerank
  ictus index info my-index --verify
"""


def add_parser(subparsers: Any) -> None:
    """Add the commands to the command line."""
    descriptions = {
        "build": "Computes features of recordings, trains an encoder of binary codes, and makes an "
        "index of them in a new folder.",
        "add": "Adds recordings to an index. What is reported as added is on the disk.",
        "query": "Finds the recordings of an index that sound like those given.",
        "info": "Says what an index holds.",
    }
    # "ictus index" alone, or with a word that is none of them.
    parser = subparsers.add_parser(
        "index",
        help="similar recordings: index build, add, query, info",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run_nothing)
    parser.add_argument("words", nargs="*", help="build, add, query or info, and what they take")
    for kind, description in descriptions.items():
        parser = subparsers.add_parser(
            f"index {kind}",
            help=description.split(",")[0].split(". ")[0].lower().rstrip("."),
            description=description,
            epilog=EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.set_defaults(run=globals()[f"run_{kind}"])
        parser.add_argument("index", metavar="INDEX", help="the folder of the index")
        if kind != "info":
            parser.add_argument("files", nargs="+", metavar="FILE", help="see below")
            parser.add_argument(
                "-j",
                "--jobs",
                type=allowed.thread_count,
                default=1,
                metavar="N",
                help="files at once",
            )
            parser.add_argument("--threads", type=allowed.thread_count, metavar="N")
        globals()[f"_add_{kind}"](parser.add_argument)


def _add_build(add: Any) -> None:
    add("--bits", type=allowed.positive_integer, default=64, metavar="N", help="default: 64")
    add("--hidden", type=allowed.positive_integer, nargs="+", default=[512], metavar="N")
    add("--epochs", type=allowed.positive_integer, metavar="N", help="default: 30, or more for few")
    add("--seed", type=allowed.seed, default=0, metavar="N", help="default: 0")


def _add_add(add: Any) -> None:
    pass


def _add_query(add: Any) -> None:
    add("-k", type=allowed.positive_integer, default=10, metavar="N", help="results, default: 10")
    add("--rerank", action="store_true", help="order candidates by their full features")
    add("--candidates", type=allowed.positive_integer, metavar="N", help="default: 10 times -k")
    add("--json", action="store_true", help="print as JSON")


def _add_info(add: Any) -> None:
    add("--verify", action="store_true", help="compare all data with their checksums")
    add("--json", action="store_true", help="print as JSON")


def run_nothing(options: argparse.Namespace) -> int:
    """Say what is missing."""
    got = options.words[0] if options.words else "nothing"
    raise ValueError(f"the word after index must be one of {', '.join(KINDS)}, got {got}")


def _split(files: Sequence[str]) -> tuple[list[str], list[str]]:
    """Recordings and tables among the files; ValueError where there are both."""
    from ictus.music.retrieval.music_index import audio_files

    tables = [path for path in files if path.lower().endswith(TABLES)]
    others = [path for path in files if path not in tables]
    if tables and others:
        raise ValueError("FILE must be recordings or tables of features, got both")
    return list(audio_files(others)), tables


def _table(path: str) -> tuple[list[str], Array]:
    """The rows of a table, and a name for each."""
    from ictus.cli.data import load_table

    x = load_table(path, need_targets=False).x
    return [f"{path}:{row}" for row in range(len(x))], x


def _tracks(
    files: Sequence[str], features: TrackFeatures, jobs: int, *, excerpts: bool = False
) -> Iterator[tuple[str, Any]]:
    """Yield path and features of each recording, in their order."""
    from ictus.music.retrieval.music_index import training_rows

    def work(path: str) -> Any:
        try:
            return training_rows(path, features) if excerpts else features.track(path)
        except ValueError as error:
            raise ValueError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from error

    with ThreadPoolExecutor(jobs) as pool:
        yield from zip(files, pool.map(work, files), strict=True)


def run_build(options: argparse.Namespace) -> int:
    """Train an encoder and make an index."""
    from ictus.music.retrieval.music_index import build
    from ictus.music.retrieval.track_features import TrackFeatures

    if Path(options.index).is_file() or (
        Path(options.index).is_dir() and any(Path(options.index).iterdir())
    ):
        raise FileExistsError(f"{options.index}: a new index needs a new or empty folder")
    if options.bits % 8:
        raise ValueError(f"--bits must be a multiple of 8, got {options.bits}")
    recordings, tables = _split(options.files)
    training = {
        "hidden_units": tuple(options.hidden),
        "max_epochs": options.epochs,
        "random_state": options.seed,
    }
    if tables:
        parts = [_table(path) for path in tables]
        names = [name for part, _ in parts for name in part]
        rows = np.concatenate([x for _, x in parts])
        index = build(options.index, names, rows, options.bits, **training)
    else:
        features = TrackFeatures()
        found = list(_tracks(recordings, features, options.jobs, excerpts=True))
        names = [name for name, _ in found]
        rows = np.stack([track for _, (track, _) in found])
        examples = np.concatenate([rows, *(each for _, (_, each) in found)])
        index = build(
            options.index,
            names,
            rows,
            options.bits,
            features=features,
            examples=examples,
            **training,
        )
    with index:
        print(f"{options.index}: {len(index.index)} tracks, codes of {index.index.bits} bits")
    return 0


def run_add(options: argparse.Namespace) -> int:
    """Add recordings or rows; a line for each, once it is on the disk."""
    from ictus.music.retrieval.music_index import MusicIndex

    recordings, tables = _split(options.files)
    with MusicIndex.open(options.index, writable=True) as index:
        features = _kind(index, options.index, recordings)
        for path in tables:
            names, rows = _table(path)
            _report(index.add(names, rows), names)
        if features is None:
            return 0
        waiting: list[tuple[str, Array]] = []
        for track in _tracks(recordings, features, options.jobs):
            waiting.append(track)
            if len(waiting) == ADDED_AT_ONCE:
                _add_waiting(index, waiting)
        _add_waiting(index, waiting)
    return 0


def _add_waiting(index: MusicIndex, waiting: list[tuple[str, Array]]) -> None:
    if waiting:
        names = [name for name, _ in waiting]
        _report(index.add(names, np.stack([row for _, row in waiting])), names)
        waiting.clear()


def _report(numbers: Array, names: Sequence[str]) -> None:
    for number, name in zip(numbers, names, strict=True):
        print(f"{number}\t{name}", flush=True)


def _kind(index: MusicIndex, name: str, recordings: Sequence[str]) -> TrackFeatures | None:
    """The features of an index of recordings; ValueError where the files are of the other kind."""
    if recordings and index.features is None:
        raise ValueError(f"{name} is an index of rows of features: name tables, not recordings")
    if not recordings and index.features is not None:
        raise ValueError(f"{name} is an index of recordings: name recordings, not tables")
    return index.features


def run_query(options: argparse.Namespace) -> int:
    """Print the nearest of each file, or of each row of a table."""
    from ictus.music.retrieval.music_index import MusicIndex

    recordings, tables = _split(options.files)
    with MusicIndex.open(options.index) as index:
        features = _kind(index, options.index, recordings)
        names: list[str] = []
        parts: list[Array] = []
        for path in tables:
            rows_names, x = _table(path)
            names += rows_names
            parts.append(x)
        if features is not None:
            for path, row in _tracks(recordings, features, options.jobs):
                names.append(path)
                parts.append(row[np.newaxis])
        found = index.nearest(
            np.concatenate(parts), options.k, rerank=options.rerank, candidates=options.candidates
        )
        results = {}
        for name, distances, numbers in zip(names, found.distances, found.numbers, strict=True):
            known = numbers[numbers >= 0]
            results[name] = [
                {"distance": round(float(d), 4), "number": int(n), "name": track}
                for d, n, track in zip(distances, known, index.index.names(known), strict=False)
            ]
    if options.json:
        print(json.dumps(results))
        return 0
    for name, tracks in results.items():
        for each in tracks:
            prefix = f"{name}\t" if len(results) > 1 else ""
            print(f"{prefix}{each['distance']:g}\t{each['number']}\t{each['name']}")
    return 0


def run_info(options: argparse.Namespace) -> int:
    """Print what an index holds."""
    from ictus.music.retrieval.music_index import MusicIndex

    with MusicIndex.open(options.index, verify=options.verify) as opened:
        index = opened.index
        facts = {
            "tracks": len(index),
            "removed": index.removed_count,
            "bits": index.bits,
            "features": index.features,
            "of": "rows of features" if opened.features is None else "recordings",
            "bytes": sum(p.stat().st_size for p in Path(options.index).iterdir()),
            "checked": bool(options.verify),
        }
    if options.json:
        print(json.dumps(facts))
    else:
        for name, value in facts.items():
            print(f"{name:<10}{value}")
    return 0
