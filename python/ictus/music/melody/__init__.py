"""Melodies and chorales: scores read and written, what models learn of them, new music."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ictus.music.melody.abc_notation import read_abc, split_tunes
    from ictus.music.melody.chord_sequence import ChordSequenceLSTM
    from ictus.music.melody.conditional_harmonizer import ConditionalHarmonizer
    from ictus.music.melody.deep_harmonizer import DeepHarmonizer
    from ictus.music.melody.drawing import piano_roll
    from ictus.music.melody.encoding import MelodyEncoding, transpositions
    from ictus.music.melody.keys import (
        KRUMHANSL_KESSLER,
        find_key,
        key_distances,
        key_profiles,
        key_scores,
        mirex_score,
        partitura_key,
        pitch_class_durations,
    )
    from ictus.music.melody.melody_rbm import MelodyRBM
    from ictus.music.melody.ngram import MelodyNGram, NGram
    from ictus.music.melody.part_writing import agreement, writing_measures
    from ictus.music.melody.reading import read_melodies, read_melody, read_score, read_scores
    from ictus.music.melody.recurrent_harmonizer import RecurrentHarmonizer
    from ictus.music.melody.rendering import render_score, to_synthesis
    from ictus.music.melody.score import (
        REST,
        Key,
        Melody,
        ScoreError,
        SymbolicScore,
        from_steps,
        make_notes,
    )
    from ictus.music.melody.tonality import (
        CentroidKeyFinder,
        KeyMap,
        expectation_profiles,
        find_key_by_expectation,
        hidden_features,
        key_map,
        probe_tone_profiles,
        profile_correlations,
        profile_map,
    )
    from ictus.music.melody.voices import VoiceStates, soprano_of
    from ictus.music.melody.writing import write_score

# Where each name lives; modules are loaded when a name is first used.
_LAZY = {
    name: module
    for module, names in {
        "abc_notation": ("read_abc", "split_tunes"),
        "chord_sequence": ("ChordSequenceLSTM",),
        "conditional_harmonizer": ("ConditionalHarmonizer",),
        "deep_harmonizer": ("DeepHarmonizer",),
        "drawing": ("piano_roll",),
        "encoding": ("MelodyEncoding", "transpositions"),
        "keys": (
            "KRUMHANSL_KESSLER",
            "find_key",
            "key_distances",
            "key_profiles",
            "key_scores",
            "mirex_score",
            "partitura_key",
            "pitch_class_durations",
        ),
        "melody_rbm": ("MelodyRBM",),
        "ngram": ("MelodyNGram", "NGram"),
        "part_writing": ("agreement", "writing_measures"),
        "reading": ("read_melodies", "read_melody", "read_score", "read_scores"),
        "recurrent_harmonizer": ("RecurrentHarmonizer",),
        "rendering": ("render_score", "to_synthesis"),
        "score": (
            "REST",
            "Key",
            "Melody",
            "ScoreError",
            "SymbolicScore",
            "from_steps",
            "make_notes",
        ),
        "tonality": (
            "CentroidKeyFinder",
            "KeyMap",
            "expectation_profiles",
            "find_key_by_expectation",
            "hidden_features",
            "key_map",
            "probe_tone_profiles",
            "profile_correlations",
            "profile_map",
        ),
        "voices": ("VoiceStates", "soprano_of"),
        "writing": ("write_score",),
    }.items()
    for name in names
}

__all__ = [
    "KRUMHANSL_KESSLER",
    "REST",
    "CentroidKeyFinder",
    "ChordSequenceLSTM",
    "ConditionalHarmonizer",
    "DeepHarmonizer",
    "Key",
    "KeyMap",
    "Melody",
    "MelodyEncoding",
    "MelodyNGram",
    "MelodyRBM",
    "NGram",
    "RecurrentHarmonizer",
    "ScoreError",
    "SymbolicScore",
    "VoiceStates",
    "agreement",
    "expectation_profiles",
    "find_key",
    "find_key_by_expectation",
    "from_steps",
    "hidden_features",
    "key_distances",
    "key_map",
    "key_profiles",
    "key_scores",
    "make_notes",
    "mirex_score",
    "partitura_key",
    "piano_roll",
    "pitch_class_durations",
    "probe_tone_profiles",
    "profile_correlations",
    "profile_map",
    "read_abc",
    "read_melodies",
    "read_melody",
    "read_score",
    "read_scores",
    "render_score",
    "soprano_of",
    "split_tunes",
    "to_synthesis",
    "transpositions",
    "write_score",
    "writing_measures",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        value = getattr(import_module(f"ictus.music.melody.{_LAZY[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'ictus.music.melody' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
