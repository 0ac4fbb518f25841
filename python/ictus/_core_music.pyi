"""Spectra, decoding and search in codes in the native module; _core.pyi has them in its name."""

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

# hamming
def hamming_nearest_keys(count: int, queries: int, k: int, /) -> int: ...
def hamming_nearest(
    codes: Array,
    queries: Array,
    k: int,
    radius: int,
    removed: Array | None,
    keys: Array,
    distances: Array,
    numbers: Array,
    /,
) -> None: ...
def hamming_within_parts(count: int, queries: int, /) -> int: ...
def hamming_within(
    codes: Array,
    queries: Array,
    radius: int,
    removed: Array | None,
    offsets: Array,
    keys: Array,
    counts: Array,
    /,
) -> None: ...

# multi_index
def multi_index_build(
    codes: Array,
    bits: int,
    parts: int,
    starts: Array,
    numbers: Array,
    bucket_codes: Array | None,
    /,
) -> None: ...
def multi_index_nearest(
    codes: Array,
    bits: int,
    parts: int,
    starts: Array,
    numbers: Array,
    bucket_codes: Array | None,
    queries: Array,
    k: int,
    radius: int,
    budget: int,
    removed: Array | None,
    keys: Array,
    complete: Array,
    distances: Array,
    found: Array,
    /,
) -> None: ...
def multi_index_within(
    codes: Array,
    bits: int,
    parts: int,
    starts: Array,
    numbers: Array,
    bucket_codes: Array | None,
    queries: Array,
    radius: int,
    budget: int,
    removed: Array | None,
    offsets: Array,
    keys: Array,
    complete: Array,
    counts: Array,
    /,
) -> None: ...
