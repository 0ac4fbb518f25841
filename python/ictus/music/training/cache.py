"""Features of many recordings, extracted once and kept on disk."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.music.training.changes import Change
from ictus.train.distributed import Processes
from ictus.train.files import write_atomically

Array = NDArray[Any]
#: Takes the path of a recording and how it is played, returns features (frames, size).
Extractor = Callable[[str, Change], Array]
AS_IT_IS = Change()


class FeatureCache:
    """Features by recording, as half-precision files that are mapped into memory.

    Parameters
    ----------
    folder : path
        It is made if it does not exist; it can be deleted at any time.
    extract : callable
        ``extract(path, change)`` returns features, shape (frames, size); it must be importable
        where several processes work.
    name : str
        Of the kind of features and their settings: another name, other files.
    jobs : int
        Processes, by joblib; -1: one a processor.
    comm : mpi4py.MPI.Comm, optional
        Each process of MPI extracts its share of what is missing; all see the folder, and all call
        :meth:`load` with the same recordings.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        extract: Extractor,
        name: str,
        *,
        jobs: int = 1,
        comm: Any = None,
    ) -> None:
        self.folder, self.extract, self.name, self.jobs = Path(folder), extract, name, jobs
        self.processes = Processes(comm)
        self.folder.mkdir(parents=True, exist_ok=True)

    def place(self, path: str | os.PathLike[str], change: Change = AS_IT_IS) -> Path:
        """Return the file of a recording's features; a changed recording has another one."""
        state = os.stat(path)
        played = [round(change.tempo, 6), round(change.pitch, 6)]
        key = json.dumps(
            [os.path.abspath(path), state.st_size, state.st_mtime_ns, self.name, *played]
        )
        return self.folder / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.npy"

    def load(
        self, paths: Sequence[str | os.PathLike[str]], change: Change = AS_IT_IS
    ) -> list[Array]:
        """Return the features of recordings, float16 and mapped; extract those that are missing.

        Raises
        ------
        OSError, ValueError
            A recording cannot be read; the message names it.
        """
        places = [self.place(path, change) for path in paths]
        pairs = list(zip(paths, places, strict=True))[self.processes.share(len(paths))]
        missing = [(str(path), place) for path, place in pairs if not place.exists()]
        if missing and self.jobs != 1:
            from joblib import Parallel, delayed

            Parallel(n_jobs=self.jobs)(
                delayed(_extract)(self.extract, path, place, change) for path, place in missing
            )
        else:
            for path, place in missing:
                _extract(self.extract, path, place, change)
        self.processes.sum(0.0)  # until all have made theirs
        return [np.load(place, mmap_mode="r") for place in places]


def _extract(extract: Extractor, path: str, place: Path, change: Change) -> None:
    features = np.asarray(extract(path, change))
    if features.ndim != 2 or not np.isfinite(features).all():
        raise ValueError(f"{path}: features must be finite and of shape (frames, size)")
    with io.BytesIO() as file:
        np.save(file, features.astype(np.float16))
        write_atomically(place, file.getvalue())


def statistics(features: Sequence[Array]) -> tuple[Array, Array]:
    """Return mean and standard deviation of each feature over all frames.

    A feature that never changes has a standard deviation of 1.
    """
    count = 0
    total = square = np.zeros(1)
    for one in features:
        values = np.asarray(one, np.float64)
        count += len(values)
        total = total + values.sum(0)
        square = square + np.square(values).sum(0)
    mean = total / count
    deviation = np.sqrt(np.maximum(square / count - mean**2, 0.0))
    return mean, np.where(deviation <= 1e-4, 1.0, deviation)
