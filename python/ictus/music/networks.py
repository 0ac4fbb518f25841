"""The networks of the music models: those that ictus brings, the user's, and madmom's."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

MODEL_FOLDER = Path(__file__).with_name("pretrained")


def model_path(name: str) -> Path:
    """Return the file of a model that ictus brings.

    Parameters
    ----------
    name : str
        For example "beats": the name without its ending.

    Raises
    ------
    FileNotFoundError
        This installation has no such model.
    """
    path = MODEL_FOLDER / f"{name}.ictus"
    if not path.is_file():
        raise FileNotFoundError(
            f"no model for {name} is installed; give a model file (--model FILE), trained by "
            f"'ictus train' or madmom's"
        )
    return path


def load_networks(
    paths: Sequence[str | os.PathLike[str]], kind: str = "beats", *, patches: bool | None = False
) -> list[Any]:
    """Return the networks in model files of ictus, or of madmom (``.pkl``).

    Parameters
    ----------
    paths : sequence of paths
    kind : {"beats", "onsets", "segments"}
        What they find, for messages.
    patches : bool, optional
        Whether they must be networks of patches (:class:`ictus.nn.Network`) or of sequences; None:
        all of the one kind or all of the other.

    Raises
    ------
    ValueError
        A file holds something else.
    OSError
        A file cannot be read.
    """
    from ictus.io.madmom import load_madmom
    from ictus.io.model_file import load
    from ictus.nn import Network, SequenceNetwork

    allowed: tuple[type, ...] = (SequenceNetwork, Network)
    if patches is not None:
        allowed = (Network,) if patches else (SequenceNetwork,)
    networks: list[Any] = []
    for path in paths:
        model = load_madmom(path) if Path(path).suffix == ".pkl" else load(path)
        # A network of sequences is no network of patches, though it is made of the same parts.
        found = SequenceNetwork if isinstance(model, SequenceNetwork) else type(model)
        if found not in allowed:
            article = "an" if kind[0] in "aeiou" else "a"
            raise ValueError(
                f"{os.fspath(path)} holds a {type(model).__name__}, not {article} "
                f"{kind.removesuffix('s')} model"
            )
        networks.append(model)
    return networks
