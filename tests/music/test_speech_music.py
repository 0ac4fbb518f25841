"""Speech and music: excerpts, decisions, segments, streams; mixing, training and folders."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import ictus
from ictus.io.annotations import FORMATS, Events, read_annotation, write_annotation
from ictus.io.audio import write_audio
from ictus.music.features import Features
from ictus.music.speech_music import (
    BANDS,
    EXCERPT,
    SpeechMusicDetector,
    active_segments,
    excerpts,
    load_detector_networks,
    smooth,
    speech_music_features,
)
from ictus.nn import Dense, Network

RATE = 16_000


def level_network(outputs=2):
    """Speech where the middle frame is loud, music where it is very loud."""
    network = Network(EXCERPT * BANDS, [Dense(outputs)], "binary_cross_entropy")
    weights, bias = network.views(network.parameters)[0]
    weights[...] = 0
    weights[EXCERPT // 2 * BANDS : (EXCERPT // 2 + 1) * BANDS] = 4 / BANDS
    bias[...] = np.array([12.0, -4.0, 0.0])[:outputs]
    return network


def detector(**options):
    return SpeechMusicDetector([level_network()], **options)


def loud_then_quiet(seconds=(4, 3, 5)):
    generator = np.random.default_rng(0)
    levels = np.repeat([0.5, 0.0, 0.01], np.array(seconds) * RATE)
    return (levels * generator.standard_normal(len(levels))).astype(np.float32)


def test_features_are_finite_and_silence_is_the_floor():
    features = speech_music_features()
    assert isinstance(features, Features)
    assert features.width == BANDS
    silent = features(np.zeros(RATE, np.float32))
    assert silent.shape == (25, BANDS)
    np.testing.assert_allclose(silent, np.log(1e-3), rtol=1e-6)


@pytest.mark.parametrize("length", [1, 2, 5, 24])
def test_excerpts_are_what_is_around_each_frame(length):
    x = np.arange(21, dtype=np.float32).reshape(7, 3)
    made = excerpts(x, length)
    assert made.shape == (7, 3 * length)
    for t in range(7):
        for k in range(length):
            place = t - length // 2 + k
            expected = x[place] if 0 <= place < 7 else np.full(3, np.log(1e-3), np.float32)
            np.testing.assert_array_equal(made[t, 3 * k : 3 * k + 3], expected)


@pytest.mark.parametrize("frames", [1, 2, 3, 8, 50])
def test_smoothing_is_the_mean_of_what_is_there(frames):
    a = np.random.default_rng(1).random((20, 2))
    made = smooth(a, frames)
    for t in range(20):
        window = a[max(0, t - frames // 2) : t - frames // 2 + frames]
        np.testing.assert_allclose(made[t], window.mean(axis=0), atol=1e-12)
    assert smooth(np.empty((0, 2)), frames).shape == (0, 2)


def test_segments_close_short_gaps_and_drop_short_runs():
    active = np.array([int(c) for c in "0111101110000100111111"], bool)
    assert active_segments(active, 1).tolist() == [[1, 5], [6, 9], [13, 14], [16, 22]]
    assert active_segments(active, 2).tolist() == [[1, 9], [16, 22]]
    assert active_segments(active, 3).tolist() == [[1, 9], [13, 22]]
    assert active_segments(np.zeros(4, bool), 1).shape == (0, 2)
    assert active_segments(np.zeros(0, bool), 1).shape == (0, 2)
    assert active_segments(np.ones(3, bool), 1).tolist() == [[0, 3]]


def test_segments_are_where_the_network_says():
    found = detector().detect_signal(loud_then_quiet())
    assert found.duration == pytest.approx(12.0)
    assert found.activations.shape == (300, 2)
    np.testing.assert_allclose(found.music, [[0, 4]], atol=0.2)
    np.testing.assert_allclose(found.speech, [[0, 4], [7, 12]], atol=0.2)
    assert found.speech[-1, 1] == found.duration
    events = found.events()
    assert events.labels == ["speech", "music", "speech"] or events.labels[0] == "music"
    assert found.shares()["music"] == pytest.approx(4 / 12, abs=0.02)


def test_a_long_signal_in_blocks_gives_the_bits_of_the_whole(monkeypatch):
    import ictus.music.speech_music as module

    signal = loud_then_quiet()
    whole = detector().detect_signal(signal)
    monkeypatch.setattr(module, "ROWS_AT_ONCE", 37)
    cut = np.split(signal, np.sort(np.random.default_rng(2).integers(0, len(signal), 40)))
    np.testing.assert_array_equal(detector().activations(cut), whole.activations)


def test_threads_share_a_detector():
    generator = np.random.default_rng(3)
    layers = [Dense(64, "tanh"), Dense(2)]
    network = Network(EXCERPT * BANDS, layers, "binary_cross_entropy", seed=1)
    shared = SpeechMusicDetector([network])
    signals = [generator.standard_normal(n * RATE).astype(np.float32) for n in range(5, 13)]
    alone = [shared.activations([x]) for x in signals]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda x: shared.activations([x]), signals))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("samples", [0, 1, 100, 640, 641])
def test_short_signals_have_answers(samples):
    found = detector().detect_signal(np.ones(samples, np.float32))
    assert len(found.activations) == -(-samples // 640)
    assert found.duration == samples / RATE
    assert (found.speech <= found.duration).all()
    assert set(found.shares()) == {"speech", "music"}


def test_bad_signals_networks_and_settings_are_refused(tmp_path):
    with pytest.raises(ValueError, match="finite"):
        detector().detect_signal([0.0, np.nan])
    with pytest.raises(ValueError, match="shape"):
        detector().detect_signal(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="2 outputs"):
        SpeechMusicDetector([level_network(3)])
    with pytest.raises(ValueError, match="one size"):
        SpeechMusicDetector([level_network(2), level_network(3)])
    for options in ({"threshold": 1.0}, {"smoothing": -1}, {"shortest": np.inf}):
        with pytest.raises(ValueError, match=next(iter(options))):
            detector(**options)
    ictus.save(tmp_path / "other.ictus", Network(4, [Dense(3)]))
    with pytest.raises(ValueError, match="no speech/music"):
        load_detector_networks([tmp_path / "other.ictus"])


@pytest.mark.parametrize("format", sorted(FORMATS))
def test_every_format_keeps_the_segments(format, tmp_path):
    found = detector().detect_signal(loud_then_quiet())
    ending = {"txt": "segments", "audacity": "txt", "sonic-visualiser": "csv", "midi": "mid"}
    path = tmp_path / f"a.{ending.get(format, format)}"
    write_annotation(path, found.events(), format, kind="segments", duration=found.duration)
    read = read_annotation(path, format, kind="segments")
    np.testing.assert_allclose(read.times, found.events().times, atol=0.01)
    np.testing.assert_allclose(read.ends, found.events().ends, atol=0.01)
    assert read.labels == found.events().labels


def test_files_of_odd_rates_and_damaged_ones(tmp_path):
    from ictus.io.audio import AudioFileError

    write_audio(tmp_path / "odd.wav", loud_then_quiet()[:RATE], 11_111)
    found = detector().detect(tmp_path / "odd.wav")
    assert found.duration == pytest.approx(RATE / 11_111, abs=1e-3)
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "noise.wav").write_bytes(bytes(range(256)) * 20)
    for name in ("empty.wav", "noise.wav"):
        with pytest.raises(AudioFileError, match=name):
            detector().detect(tmp_path / name)


def test_timeline_draws_both():
    pytest.importorskip("matplotlib")
    from ictus.music.timeline import timeline

    figure = timeline(detector().detect_signal(loud_then_quiet()))
    assert [axes.get_ylabel() for axes in figure.axes] == ["speech", "music"]
    assert len(figure.axes[0].patches) == 2
    timeline(detector().detect_signal([]))  # an empty recording has a picture too


def test_events_may_be_none():
    found = detector().detect_signal(np.zeros(RATE, np.float32))
    assert isinstance(found.events(), Events)
    assert len(found.events()) == 0
