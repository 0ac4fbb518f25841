"""Features against their definitions in plain NumPy, whole, in blocks and as a stream."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ictus import music
from ictus.io.audio import read_audio
from ictus.music.features import Resolution, difference_frames
from tests.music import reference

RATE, HOP = 44_100, 441.0


def noise(samples, seed=0):
    rng = np.random.default_rng(seed)
    return (0.3 * rng.standard_normal(samples) * rng.random(samples)).astype(np.float32)


def logarithmic(signal, size, per_octave, causal=False, mul=1.0):
    frequencies = reference.octave_frequencies(per_octave, 30.0, 17_000.0)
    filters = reference.triangular_matrix(size, RATE, frequencies, True)
    s = reference.short_time_magnitudes(signal, size, HOP, causal)
    return np.log10(mul * (s @ filters) + 1)


def with_increase(parts, distances):
    return np.hstack(
        [np.hstack([s, reference.increase(s, d)]) for s, d in zip(parts, distances, strict=True)]
    )


class TestDefinitions:
    signal = noise(9000)

    def test_beats(self):
        parts = [logarithmic(self.signal, n, 6) for n in (1024, 2048, 4096)]
        expected = with_increase(parts, [1, 1, 2])
        got = music.beat_features()(self.signal)
        assert got.shape == (21, 266)
        np.testing.assert_allclose(got, expected, atol=2e-6)

    def test_downbeats(self):
        parts = [logarithmic(self.signal, n, b) for n, b in ((1024, 3), (2048, 6), (4096, 12))]
        got = music.downbeat_features()(self.signal)
        assert got.shape == (21, 314)
        np.testing.assert_allclose(got, with_increase(parts, [1, 1, 2]), atol=2e-6)

    def test_online_beats(self):
        expected = with_increase([logarithmic(self.signal, 2048, 12, causal=True)], [1])
        got = music.online_beat_features()(self.signal)
        assert got.shape == (21, 162)
        np.testing.assert_allclose(got, expected, atol=2e-6)

    def test_live_beats_see_three_frames_ahead(self):
        later = np.concatenate([self.signal, np.zeros(1323, np.float32)])
        parts = [logarithmic(later, n, 12, causal=True)[3:] for n in (1024, 2048)]
        features = music.live_beat_features()
        got = features(self.signal)
        assert got.shape == (21, 300) and features.reach == 1324
        np.testing.assert_allclose(got, with_increase(parts, [1, 1]), atol=2e-6)

    def test_recurrent_onsets(self):
        parts = [logarithmic(self.signal, n, 6, mul=5.0) for n in (1024, 2048, 4096)]
        got = music.recurrent_onset_features()(self.signal)
        np.testing.assert_allclose(got, with_increase(parts, [1, 2, 3]), atol=5e-6)

    def test_onsets(self):
        parts = []
        for size in (1024, 2048, 4096):
            filters = reference.triangular_matrix(
                size, RATE, reference.mel_scale(82, 27.5, 16_000.0), False
            )
            s = reference.short_time_magnitudes(self.signal, size, HOP)
            parts.append(np.log(s @ filters + np.spacing(1.0)))
        got = music.onset_features()(self.signal)
        assert got.shape == (21, 240)
        np.testing.assert_allclose(got, np.hstack(parts), atol=2e-4)  # logarithms of small numbers

    def test_boundaries(self):
        features = music.boundary_features()
        filters = reference.triangular_matrix(
            2048, RATE, reference.mel_scale(82, 80.0, 16_000.0), False
        )
        s = reference.short_time_magnitudes(self.signal, 2048, 1024)
        got = features(self.signal)
        np.testing.assert_allclose(got, np.log(s @ filters + np.spacing(1.0)), atol=2e-4)
        pooled = music.max_pool(got, 4)
        assert pooled.shape == (3, 80)
        np.testing.assert_array_equal(pooled[2], got[8:].max(axis=0))

    def test_distances_of_differences(self):
        sizes = (1024, 2048, 4096)
        assert [difference_frames(n, 0.5, HOP) for n in sizes] == [1, 1, 2]
        assert [difference_frames(n, 0.25, HOP) for n in sizes] == [1, 2, 3]


class TestStreams:
    @given(
        samples=st.integers(0, 9000),
        causal=st.booleans(),
        look_ahead=st.integers(0, 3000),
        seed=st.integers(0, 10**6),
        fps=st.sampled_from([100.0, 70.3]),
    )
    def test_any_cut_gives_the_same_bits(self, samples, causal, look_ahead, seed, fps):
        signal, rng = noise(samples, seed), np.random.default_rng(seed)
        base = music.online_beat_features() if causal else music.beat_features()
        features = music.Features(
            base.resolutions,
            fps=fps,
            difference_ratio=0.5,
            causal=causal,
            look_ahead=look_ahead if causal else 0,
        )
        whole = features(signal)
        assert whole.shape == (int(np.ceil(samples / (RATE / fps))), features.width)
        stream, parts, at = features.stream(), [], 0
        while at < samples:
            n = int(rng.choice([0, 1, int(rng.integers(0, 300)), int(rng.integers(0, 6000))]))
            parts.append(stream.push(signal[at : at + n]))
            at += n
            complete = sum(map(len, parts))
            # Nothing is held back: the next frame still lacks samples, or is not begun.
            heard = min(at, samples)
            assert int(complete * features.hop) + features.reach > heard or complete == len(whole)
        parts.append(stream.finish())
        np.testing.assert_array_equal(np.concatenate(parts), whole)

    def test_blocks(self):
        signal = noise(20_000)
        features = music.downbeat_features()
        blocks = list(features.blocks(np.split(signal, [7, 5000, 12_345])))
        np.testing.assert_array_equal(np.concatenate(blocks), features(signal))

    def test_memory_is_bounded(self):
        stream = music.beat_features().stream()
        block = noise(44_100)
        for _ in range(30):
            stream.push(block)
        assert len(stream._signal) < 3 * 4096

    def test_mistakes(self):
        stream = music.beat_features().stream()
        with pytest.raises(ValueError, match="must be finite"):
            stream.push([np.nan])
        with pytest.raises(ValueError, match=r"must have shape \(samples,\)"):
            stream.push(np.zeros((4, 2)))
        stream.finish()
        with pytest.raises(ValueError, match="has ended"):
            stream.push([0.0])
        with pytest.raises(ValueError, match="factor must be at least 1"):
            music.max_pool(np.zeros((4, 2)), 0)

    def test_silence_and_few_samples(self):
        features = music.beat_features()
        assert features([]).shape == (0, 266)
        np.testing.assert_array_equal(features(np.zeros(1000)), 0)
        assert features([0.5]).shape == (1, 266)


class TestFilterbanks:
    def test_a_filter_sums_to_one_and_bands_are_counted(self):
        assert [
            music.logarithmic_filterbank(n, bands_per_octave=6).bands for n in (1024, 2048, 4096)
        ] == [39, 45, 49]
        filters = music.mel_filterbank(2048)
        assert filters.bands == 80
        np.testing.assert_allclose(filters.matrix(1025).sum(axis=0), 1, atol=1e-6)

    def test_without_normalisation_the_top_is_one(self):
        filters = music.logarithmic_filterbank(4096, normalize=False)
        np.testing.assert_array_equal(filters.matrix(2049).max(axis=0), 1)

    def test_mistakes(self):
        with pytest.raises(ValueError, match="0 < lowest < highest"):
            music.mel_filterbank(2048, lowest=500.0, highest=100.0)
        with pytest.raises(ValueError, match="needs three bins"):
            music.logarithmic_filterbank(16, lowest=40.0, highest=50.0)


def test_standardization_over_blocks():
    rng = np.random.default_rng(0)
    x = (5 + 3 * rng.standard_normal((500, 4))).astype(np.float32)
    x[:, 3] = 2
    running = music.Standardization(4)
    for block in np.split(x, [0, 1, 100, 380]):
        running.update(block)
    np.testing.assert_allclose(running.mean, x.mean(axis=0, dtype=np.float64), rtol=1e-12)
    expected = x.astype(np.float64).std(axis=0)
    np.testing.assert_allclose(running.deviation[:3], expected[:3], rtol=1e-9)
    assert running.deviation[3] == 1
    z = running(x)
    assert z.dtype == np.float32
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-5)
    with pytest.raises(ValueError, match="features must have shape"):
        running.update(np.zeros((3, 5)))


def test_spectral_flux_that_the_reference_stored(data_folder):
    """Sums of increases of its filters without normalisation, from its test recording."""
    pytest.importorskip("soundfile")
    folder = data_folder / "madmom_testdata"
    stored = np.load(folder / "activations" / "sample.log_filt_spec_flux.npz")["activations"]
    signal = read_audio(folder / "audio" / "sample.wav") * np.float32(32768 / 32767)
    filters = music.logarithmic_filterbank(2048, normalize=False)
    features = music.Features((Resolution(2048, filters),), difference_ratio=0.5)
    flux = features(signal)[:, filters.bands :].sum(axis=1)
    assert stored.max() > 30
    np.testing.assert_allclose(flux, stored, rtol=2e-6, atol=1e-5)


def test_look_ahead_is_of_causal_features():
    resolutions = music.beat_features().resolutions
    for causal, samples in ((False, 1), (True, -1)):
        with pytest.raises(ValueError, match="look_ahead must be 0, or positive in causal"):
            music.Features(resolutions, causal=causal, look_ahead=samples)
