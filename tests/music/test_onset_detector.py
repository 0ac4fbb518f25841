"""Onsets of clicks by networks with given weights: files, blocks, live input, bad input."""

import numpy as np
import pytest

import ictus
from ictus import music
from ictus.music import onset_detector
from ictus.music.networks import load_networks
from ictus.music.onsets import ONSET_MODELS, decode_onsets, slide_patches
from ictus.nn import Dense, Flatten, Network, SequenceNetwork, Standardize
from tests.music.sounds import clicks, recurrent


def click_patches(now=7, before=5, spectrum=0):
    """A network of patches that reacts to any increase of one of the spectra."""
    network = Network((15, 80, 3), [Standardize(), Flatten(), Dense(1)], "binary_cross_entropy")
    weights, bias = network.layer_views[2]
    weights[...] = 0
    places = weights.reshape(15, 80, 3)
    places[now, 10:, spectrum], places[before, 10:, spectrum] = 0.05, -0.05
    bias[...] = -5.0
    return network


def live_patches():
    return click_patches(14, 11, 1)


def random_patches(seed):
    network = Network((15, 80, 3), [Flatten(), Dense(1)], "binary_cross_entropy", seed=seed)
    network.parameters[...] *= 0.1
    return network


def sequences(seed=0):
    return SequenceNetwork(266, [ictus.Recurrent(4, directions=2), Dense(1)],
                           "binary_cross_entropy", seed=seed)  # fmt: skip


class TestOffline:
    def test_clicks_are_found(self):
        signal, times = clicks(6.0, 0.21)
        found = music.OnsetDetector([click_patches()]).detect_signal(signal)
        np.testing.assert_allclose(found.times, times, atol=0.011)
        assert found.activations.shape == (600,) and found.fps == 100
        assert found.kind == "onsets" and found.numbers is found.downbeats is None
        np.testing.assert_array_equal(found.events.times, found.times)
        found = music.OnsetDetector([live_patches()], model="onsets_online").detect_signal(signal)
        np.testing.assert_allclose(found.times, times, atol=0.021)

    def test_sliding_is_patch_by_patch(self):
        network = random_patches(3)
        x = np.random.default_rng(0).standard_normal((40, 240)).astype(np.float32)
        for surroundings in ((7, 7), (14, 0)):
            out = slide_patches(network, x, surroundings, 3)
            padded = np.pad(x, (surroundings, (0, 0)), mode="edge")
            patches = np.stack([padded[i : i + 15] for i in range(40)])
            patches = patches.reshape(40, 15, 3, 80).transpose(0, 1, 3, 2)
            np.testing.assert_allclose(out, network.predict(patches), atol=1e-5)
        assert slide_patches(network, x[:0], (7, 7), 3).shape == (0, 1)

    def test_several_networks_are_a_mean(self):
        signal, _ = clicks(2.0)
        for make in (random_patches, sequences):
            networks = [make(seed) for seed in (0, 1)]
            together = music.OnsetDetector(networks).activations([signal])
            alone = [music.OnsetDetector([n]).activations([signal]) for n in networks]
            np.testing.assert_allclose(together, np.mean(alone, axis=0), atol=1e-6)

    def test_long_recordings_in_parts(self, monkeypatch):
        signal, _ = clicks(20.0)
        blocks = np.split(signal, np.sort(np.random.default_rng(0).integers(0, len(signal), 40)))
        networks = (random_patches(0), sequences())
        whole = [music.OnsetDetector([n]).activations([signal]) for n in networks]
        monkeypatch.setattr(onset_detector, "PART", 450)
        monkeypatch.setattr(onset_detector, "CONTEXT", 300)
        for network, expected in zip(networks, whole, strict=True):
            got = music.OnsetDetector([network]).activations(blocks)
            np.testing.assert_allclose(got, expected, atol=1e-5)

    def test_options(self):
        a = np.zeros(40)
        a[[10, 12, 20, 30]] = 0.8, 0.9, 0.4, 0.6
        times = decode_onsets(a, "onsets_online", threshold=0.3, combine=0.0)
        np.testing.assert_allclose(times, [0.1, 0.12, 0.2, 0.3])
        np.testing.assert_allclose(decode_onsets(a, "onsets_online", threshold=0.5), [0.1, 0.3])
        assert len(decode_onsets(a[:, None], "onsets", threshold=0.99)) == 0

    @pytest.mark.parametrize("samples", [0, 1, 441, 442, 5000])
    def test_hardly_any_sound(self, samples):
        quiet = sequences()
        quiet.views(quiet.parameters)[-1][1][...] = -5.0
        for network in (click_patches(), quiet):
            found = music.OnsetDetector([network]).detect_signal(np.zeros(samples))
            assert len(found.activations) == -(-samples // 441)
            assert len(found.times) == 0
        assert len(music.superflux(np.zeros(samples))) == -(-samples * 200 // 44_100)
        assert len(music.superflux_onsets(np.zeros(samples))) == 0

    def test_silence_has_no_onsets(self):
        signal, times = clicks(3.0)
        quiet = np.zeros(2 * 44_100, np.float32)
        detector = music.OnsetDetector([click_patches()])
        assert len(detector.detect_signal(quiet).times) == 0
        found = detector.detect_signal(np.concatenate([quiet, signal + 0, quiet])).times
        # Where noise begins and ends in absolute silence, there is a change, too.
        inside = found[(found > 2.1) & (found < 4.9)]
        np.testing.assert_allclose(inside, times + 2, atol=0.011)

    @pytest.mark.parametrize("bad", [np.zeros((10, 2)), [0.0, np.nan], [np.inf] * 3])
    def test_bad_signals_are_refused(self, bad):
        detector = music.OnsetDetector([click_patches()])
        with pytest.raises(ValueError, match="signal must"):
            detector.detect_signal(bad)
        with pytest.raises(ValueError, match="signal must"):
            music.superflux(bad)


class TestFiles:
    def test_any_rate_and_damage(self, tmp_path):
        pytest.importorskip("soundfile")
        import soundfile

        from ictus.io.audio import AudioFileError, AudioWarning

        signal, times = clicks(4.0, 0.4)
        detector = music.OnsetDetector([click_patches()])
        for rate in (8000, 22_050, 48_000):
            soxr = pytest.importorskip("soxr")
            soundfile.write(tmp_path / "x.wav", soxr.resample(signal, 44_100, rate), rate)
            found = detector.detect(tmp_path / "x.wav").times
            hits = [np.abs(found - time).min() < 0.025 for time in times]
            assert np.mean(hits) > 0.8, rate
        whole = (tmp_path / "x.wav").read_bytes()
        (tmp_path / "x.wav").write_bytes(whole[: len(whole) // 2])
        with pytest.warns(AudioWarning, match="cut off"):
            assert len(detector.detect(tmp_path / "x.wav").times) in (4, 5, 6)
        (tmp_path / "x.wav").write_bytes(b"")
        with pytest.raises(AudioFileError, match="the file is empty"):
            detector.detect(tmp_path / "x.wav")
        (tmp_path / "x.wav").write_bytes(b"no audio" * 50)
        with pytest.raises(AudioFileError, match="not an audio file"):
            detector.detect(tmp_path / "x.wav")


class TestOnline:
    def test_clicks_are_heard_within_the_latency(self):
        signal, times = clicks(6.0, 0.3)
        detector = music.OnlineOnsetDetector([live_patches()])
        assert detector.latency == pytest.approx(0.04, abs=1e-4)
        heard = []
        for begin in range(0, len(signal), 441):
            for time in detector.push(signal[begin : begin + 441]):
                said = (begin + 441) / 44_100
                assert said - 0.02 <= time + detector.latency <= said + 1e-9
                heard.append(time)
        np.testing.assert_allclose(heard, times, atol=0.021)

    def test_cuts_do_not_matter_and_reset_forgets(self):
        signal, _ = clicks(4.0, 0.13)
        networks = [live_patches(), random_patches(1)]
        detector = music.OnlineOnsetDetector(networks, threshold=0.4)
        whole = detector.push(signal, last=True)
        offline = music.OnsetDetector(networks, model="onsets_online", threshold=0.4)
        np.testing.assert_allclose(offline.detect_signal(signal).times, whole)
        assert len(whole) > 10
        for cuts in (3, 50, 400):
            detector.reset()
            parts = [detector.push(part) for part in np.array_split(signal, cuts)]
            parts.append(detector.push([], last=True))
            np.testing.assert_allclose(np.concatenate(parts), whole)

    def test_nothing(self):
        detector = music.OnlineOnsetDetector([live_patches()])
        assert len(detector.push([])) == 0 and len(detector.push([], last=True)) == 0


class TestMistakes:
    def test_networks(self, tmp_path):
        with pytest.raises(ValueError, match="at least one network"):
            music.OnsetDetector([])
        with pytest.raises(ValueError, match=r"patches of \(15, 80, 3\) and 1 output, got one of"):
            music.OnsetDetector([Network((9, 80, 3), [Flatten(), Dense(1)])])
        with pytest.raises(ValueError, match="266 inputs and 1 output, got one of 162 and 1"):
            music.OnsetDetector([recurrent(162)])
        with pytest.raises(ValueError, match="the model onsets has patches"):
            music.OnsetDetector([click_patches(), sequences()])
        with pytest.raises(ValueError, match="model must be one of onsets, onsets_online, onse"):
            music.OnsetDetector([click_patches()], model="beats")
        with pytest.raises(ValueError, match=r"threshold must be in \[0, 1\), got 1.5"):
            music.OnsetDetector([click_patches()], threshold=1.5)
        with pytest.raises(ValueError, match="combine must not be negative"):
            music.OnsetDetector([click_patches()], combine=-1)
        ictus.save(tmp_path / "s.ictus", sequences(), {})
        ictus.save(tmp_path / "p.ictus", click_patches(), {})
        both = [tmp_path / "s.ictus", tmp_path / "p.ictus"]
        assert len(load_networks(both, "onsets", patches=None)) == 2
        with pytest.raises(ValueError, match="holds a SequenceNetwork, not an onset model"):
            load_networks(both, "onsets", patches=True)
        assert set(ONSET_MODELS) == {"onsets", "onsets_online", "onsets_rnn"}


def test_superflux_ignores_vibrato():
    t = np.arange(3 * 44_100) / 44_100
    steady, wide = (
        music.superflux(0.5 * np.sin(2 * np.pi * 880 * t + depth * np.sin(2 * np.pi * 6 * t)))
        for depth in (0.0, 2.0)
    )
    signal, times = clicks(3.0, 0.3)
    struck = music.superflux(signal)
    assert np.median(wide[100:500]) < 0.05 * struck.max() and steady[100:500].max() < 0.5
    np.testing.assert_allclose(music.superflux_onsets(signal), times, atol=0.016)


def test_superflux_is_that_of_the_reference(data_folder):
    from ictus.io.audio import read_audio

    folder = data_folder / "madmom_testdata"
    # The reference scales 16-bit samples by 1/32767.
    signal = read_audio(folder / "audio" / "sample.wav") * np.float32(32768 / 32767)
    stored = np.load(folder / "activations" / "sample.super_flux.npz")["activations"]
    np.testing.assert_allclose(music.superflux(signal), stored, atol=1e-4)
    detected = np.loadtxt(folder / "detections" / "sample.super_flux.txt")
    np.testing.assert_allclose(music.superflux_onsets(signal), detected, atol=1e-6)
