"""Beat trackers: features, networks and decoding together."""

import numpy as np
import pytest

import ictus
from ictus import music
from ictus.music import beats as beats_module
from ictus.music.networks import load_networks, model_path
from ictus.music.parts import parts_with_context
from tests.music.sounds import clicks, detector, recurrent


def test_clicks_are_beats():
    signal, times = clicks()
    found = music.BeatTracker([detector()]).track_signal(signal)
    assert found.numbers is None
    assert found.downbeats is None
    np.testing.assert_allclose(found.times, times, atol=0.025)
    assert found.tempi()[0, 0] == pytest.approx(120, abs=1)


def test_downbeats_have_numbers():
    signal, times = clicks()
    network = detector(314, 3)
    found = music.BeatTracker([network], beats_per_bar=(4,)).track_signal(signal)
    assert found.activations.shape == (800, 2)
    assert len(found.times) >= len(times) - 1
    assert set(found.numbers) <= {1, 2, 3, 4}
    assert (np.diff(found.numbers) % 4 == 1).all()
    np.testing.assert_array_equal(found.downbeats, found.times[found.numbers == 1])


def test_networks_are_averaged():
    signal, _ = clicks(2.0)
    networks = [detector(), recurrent()]
    together = music.BeatTracker(networks).activations([signal])
    alone = [music.BeatTracker([network]).activations([signal]) for network in networks]
    np.testing.assert_allclose(together, np.mean(alone, axis=0), atol=1e-7)


def test_long_recordings_in_parts(monkeypatch):
    signal, _ = clicks(30.0)
    blocks = np.split(signal, np.sort(np.random.default_rng(0).integers(0, len(signal), 40)))
    whole = {n: music.BeatTracker([n]).activations([signal]) for n in (detector(), recurrent())}
    monkeypatch.setattr(beats_module, "PART", 700)
    monkeypatch.setattr(beats_module, "CONTEXT", 300)
    for network, expected in whole.items():
        got = music.BeatTracker([network]).activations(blocks)
        assert got.shape == (3000,)
        np.testing.assert_allclose(got, expected, atol=1e-6)


@pytest.mark.parametrize("frames", [0, 1, 699, 700, 1000, 1001, 2100, 2400])
def test_parts_cover_every_frame_once(frames):
    x = np.arange(frames, dtype=np.float32)[:, np.newaxis]
    parts = list(parts_with_context(np.array_split(x, 7), 700, 300))
    covered = [features[first:last] for features, first, last in parts]
    np.testing.assert_array_equal(np.concatenate([*covered, x[:0]]), x)
    assert all(len(features) <= 700 + 2 * 300 + frames // 7 + 1 for features, _, _ in parts)


@pytest.mark.parametrize("samples", [0, 1, 441, 5000])
def test_hardly_any_sound(samples):
    found = music.BeatTracker([detector()]).track_signal(np.zeros(samples))
    assert len(found.activations) == -(-samples // 441)
    assert len(found.times) <= 1


def test_silence_has_no_beats():
    signal, times = clicks(6.0)
    quiet = np.zeros(5 * 44_100, np.float32)
    tracker = music.BeatTracker([detector()])
    assert len(tracker.track_signal(quiet).times) == 0
    found = tracker.track_signal(np.concatenate([quiet, signal, quiet])).times
    np.testing.assert_allclose(found, times + 5, atol=0.025)
    assert len(music.OnlineBeatTracker([detector(162)]).push(quiet, last=True)) == 0


class TestOnline:
    def test_clicks_are_heard(self):
        signal, times = clicks(12.0)
        tracker = music.OnlineBeatTracker([detector(162)])
        assert tracker.latency == pytest.approx(1 / 44_100)
        heard, at, rng = [], 0, np.random.default_rng(0)
        while at < len(signal):
            n = int(rng.integers(0, 5000))
            new = tracker.push(signal[at : at + n])
            at += n
            assert (new <= at / 44_100).all()
            heard += list(new)
        late, expected = np.array(heard), times[times > 4]
        np.testing.assert_allclose(late[late > 3.9], expected, atol=0.045)
        assert tracker.bpm == pytest.approx(120, abs=6)

    def test_cuts_do_not_matter_and_reset_forgets(self):
        signal, _ = clicks(5.0)
        networks = [recurrent(162, 1, seed) for seed in (0, 1)]
        tracker = music.OnlineBeatTracker([*networks, detector(162)])
        whole = tracker.push(signal, last=True)
        tracker.reset()
        parts = [tracker.push(part) for part in np.array_split(signal, 100)]
        parts.append(tracker.push([], last=True))
        np.testing.assert_array_equal(np.concatenate(parts), whole)

    def test_two_directions_cannot(self):
        with pytest.raises(ValueError, match="directions"):
            music.OnlineBeatTracker([recurrent(162)])


class TestModels:
    def test_files(self, tmp_path):
        ictus.save(tmp_path / "a.ictus", detector(), {})
        (network,) = load_networks([tmp_path / "a.ictus"])
        assert network.input_size == 266

    def test_mistakes(self, tmp_path):
        from ictus.nn import Network

        ictus.save(tmp_path / "a.ictus", Network(3, [ictus.Dense(1)]), {})
        with pytest.raises(ValueError, match="holds a Network, not a beat model"):
            load_networks([tmp_path / "a.ictus"])
        with pytest.raises(
            ValueError, match="266, 314, 300, 162 inputs and 1 or 3 outputs, got 7 and 1"
        ):
            music.BeatTracker([recurrent(7)])
        with pytest.raises(ValueError, match="one size"):
            music.BeatTracker([detector(), detector(162)])
        with pytest.raises(FileNotFoundError, match="no model for waltzes is installed"):
            model_path("waltzes")


class TestClicks:
    def test_where_and_how(self):
        signal = np.zeros(44_100, np.float32)
        mixed = music.add_clicks(signal, [0.1, 0.5, 0.999, 2.0], [1, 2, 3, 4])
        assert mixed.shape == signal.shape
        assert not mixed[:4410].any()
        assert mixed[4410:4600].any()
        assert not mixed[8000:22_050].any()

        def pitch(start):
            return np.argmax(np.abs(np.fft.rfft(mixed[start : start + 2205]))) * 20

        assert pitch(4410) == pytest.approx(1600, abs=60)
        assert pitch(22_050) == pytest.approx(1000, abs=60)

    def test_the_music_stays(self):
        signal = 0.2 * np.ones(4410, np.float32)
        np.testing.assert_allclose(music.add_clicks(signal, []), 0.1)
