"""Spectra and decoding in the native module; _core.pyi has them in its name."""

from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]

# spectrogram
def spectrogram(
    signal: Array,
    starts: Array,
    window: Array,
    size: int,
    twiddles: Array,
    positions: Array,
    first: Array,
    offsets: Array,
    weights: Array,
    power: bool,
    scale: float,
    mul: float,
    add: float,
    out: Array,
    /,
) -> None: ...

# viterbi
def viterbi_advance(
    lengths: Array,
    beat_states: Array,
    beat_columns: Array,
    transitions: Array,
    densities: Array,
    scores: Array,
    origins: Array,
    /,
) -> None: ...
def viterbi_trace(
    lengths: Array,
    beat_states: Array,
    beat_columns: Array,
    transitions: Array,
    origins: Array,
    states: Array,
    path: Array | None,
    /,
) -> None: ...
def viterbi_forward(
    lengths: Array,
    beat_states: Array,
    beat_columns: Array,
    transitions: Array,
    densities: Array,
    probabilities: Array,
    states: Array,
    /,
) -> None: ...
