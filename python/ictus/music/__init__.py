"""Music: features of audio, beats, downbeats and tempo."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ictus.music.beats import Beats, BeatTracker, OnlineBeatTracker
    from ictus.music.boundaries import lag_matrix, pick_boundaries, pooled_spectrogram
    from ictus.music.click import add_clicks
    from ictus.music.decoding import decode_beats, decode_downbeats
    from ictus.music.features import (
        Features,
        FeatureStream,
        Standardization,
        beat_features,
        boundary_features,
        downbeat_features,
        live_beat_features,
        max_pool,
        online_beat_features,
        online_onset_features,
        onset_features,
        recurrent_onset_features,
    )
    from ictus.music.filterbanks import logarithmic_filterbank, mel_filterbank
    from ictus.music.networks import load_networks, model_path
    from ictus.music.novelty import checkerboard_novelty
    from ictus.music.online import OnlineBeatDecoder
    from ictus.music.onnx_files import save_onnx
    from ictus.music.onset_detector import OnlineOnsetDetector, OnsetDetector, Onsets
    from ictus.music.onsets import decode_onsets
    from ictus.music.peaks import merge_events, pick_peaks
    from ictus.music.pitch_classes import chroma, semitone_features
    from ictus.music.report import report_page
    from ictus.music.segmenter import Segmenter, Segments, load_segmenter
    from ictus.music.spectral_flux import superflux, superflux_onsets
    from ictus.music.speech_music import (
        SpeechMusic,
        SpeechMusicDetector,
        speech_music_features,
    )
    from ictus.music.tempo import estimate_tempo, tempo_of_beats
    from ictus.music.time_stretch import stretch
    from ictus.music.timeline import timeline

# Where each name lives; modules are loaded when a name is first used.
_LAZY = {
    "BeatTracker": "beats",
    "Beats": "beats",
    "FeatureStream": "features",
    "Features": "features",
    "OnlineBeatDecoder": "online",
    "OnlineBeatTracker": "beats",
    "OnlineOnsetDetector": "onset_detector",
    "OnsetDetector": "onset_detector",
    "Onsets": "onset_detector",
    "Segmenter": "segmenter",
    "Segments": "segmenter",
    "SpeechMusic": "speech_music",
    "SpeechMusicDetector": "speech_music",
    "Standardization": "features",
    "add_clicks": "click",
    "beat_features": "features",
    "boundary_features": "features",
    "checkerboard_novelty": "novelty",
    "chroma": "pitch_classes",
    "decode_beats": "decoding",
    "decode_downbeats": "decoding",
    "decode_onsets": "onsets",
    "downbeat_features": "features",
    "estimate_tempo": "tempo",
    "lag_matrix": "boundaries",
    "live_beat_features": "features",
    "load_segmenter": "segmenter",
    "load_networks": "networks",
    "logarithmic_filterbank": "filterbanks",
    "max_pool": "features",
    "mel_filterbank": "filterbanks",
    "merge_events": "peaks",
    "model_path": "networks",
    "online_beat_features": "features",
    "online_onset_features": "features",
    "onset_features": "features",
    "pick_boundaries": "boundaries",
    "pick_peaks": "peaks",
    "pooled_spectrogram": "boundaries",
    "recurrent_onset_features": "features",
    "report_page": "report",
    "save_onnx": "onnx_files",
    "semitone_features": "pitch_classes",
    "speech_music_features": "speech_music",
    "stretch": "time_stretch",
    "superflux": "spectral_flux",
    "superflux_onsets": "spectral_flux",
    "tempo_of_beats": "tempo",
    "timeline": "timeline",
}

__all__ = [
    "BeatTracker",
    "Beats",
    "FeatureStream",
    "Features",
    "OnlineBeatDecoder",
    "OnlineBeatTracker",
    "OnlineOnsetDetector",
    "OnsetDetector",
    "Onsets",
    "Segmenter",
    "Segments",
    "SpeechMusic",
    "SpeechMusicDetector",
    "Standardization",
    "add_clicks",
    "beat_features",
    "boundary_features",
    "checkerboard_novelty",
    "chroma",
    "decode_beats",
    "decode_downbeats",
    "decode_onsets",
    "downbeat_features",
    "estimate_tempo",
    "lag_matrix",
    "live_beat_features",
    "load_networks",
    "load_segmenter",
    "logarithmic_filterbank",
    "max_pool",
    "mel_filterbank",
    "merge_events",
    "model_path",
    "online_beat_features",
    "online_onset_features",
    "onset_features",
    "pick_boundaries",
    "pick_peaks",
    "pooled_spectrogram",
    "recurrent_onset_features",
    "report_page",
    "save_onnx",
    "semitone_features",
    "speech_music_features",
    "stretch",
    "superflux",
    "superflux_onsets",
    "tempo_of_beats",
    "timeline",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        value = getattr(import_module(f"ictus.music.{_LAZY[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'ictus.music' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
