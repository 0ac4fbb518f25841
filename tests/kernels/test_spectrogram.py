"""Filtered short-time spectra against NumPy's Fourier transform in double precision."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ictus
from ictus.kernels.spectrogram import PER_TEN, Filterbank, spectrogram
from tests.tolerance import assert_within, epsilon


def every_bin(size, dtype):
    bins = size // 2 + 1
    return Filterbank(
        np.arange(bins, dtype=np.int32), np.arange(bins + 1, dtype=np.int32), np.ones(bins, dtype)
    )


def frames_of(signal, starts, length):
    inside = np.concatenate([signal.astype(np.float64), [0.0]])
    at = starts[:, np.newaxis] + np.arange(length)
    return inside[np.where((at >= 0) & (at < len(signal)), at, len(signal))]


def magnitudes(signal, starts, window, size):
    return np.abs(np.fft.rfft(frames_of(signal, starts, len(window)) * window, size))


def random_filters(bins, bands, dtype, rng):
    first = rng.integers(0, bins, bands).astype(np.int32)
    counts = [int(rng.integers(0, bins - f + 1)) for f in first]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return Filterbank(first, offsets, rng.random(int(offsets[-1])).astype(dtype))


@pytest.mark.usefixtures("each_level")
class TestSpectrogram:
    @given(
        log_size=st.integers(2, 12),
        shorter=st.integers(0, 3),
        frames=st.integers(0, 35),
        samples=st.integers(0, 3000),
        dtype=st.sampled_from([np.float32, np.float64]),
        seed=st.integers(0, 10**6),
    )
    def test_magnitudes(self, log_size, shorter, frames, samples, dtype, seed):
        size, rng = 2**log_size, np.random.default_rng(seed)
        signal = rng.standard_normal(samples).astype(dtype)
        window = rng.random(max(1, size - shorter)).astype(dtype)
        starts = rng.integers(-size - 5, samples + 5, frames)
        got = spectrogram(signal, starts, window, every_bin(size, dtype), size=size, scale=0.0)
        expected = magnitudes(signal, starts, window.astype(np.float64), size)
        # Higham, "Accuracy and stability of numerical algorithms", theorem 24.2: the error of a
        # transform is some epsilons for each stage, relative to the norm of the frame.
        norm = np.linalg.norm(frames_of(signal, starts, len(window)) * window, axis=1)
        bound = 8 * (log_size + 2) * epsilon(dtype) * np.sqrt(size) * norm[:, np.newaxis]
        assert_within(got, expected, np.broadcast_to(bound + 1e-40, expected.shape))

    @given(
        bands=st.integers(1, 40),
        frames=st.integers(1, 20),
        power=st.booleans(),
        scale=st.sampled_from([0.0, 1.0, PER_TEN]),
        dtype=st.sampled_from([np.float32, np.float64]),
        seed=st.integers(0, 10**6),
    )
    def test_filters_and_logarithm(self, bands, frames, power, scale, dtype, seed):
        size, rng = 64, np.random.default_rng(seed)
        signal = rng.standard_normal(500).astype(dtype)
        window = np.hanning(size).astype(dtype)
        starts = rng.integers(-size, 500, frames)
        filters = random_filters(size // 2 + 1, bands, dtype, rng)
        padded = np.full((frames, bands + 3), np.nan, dtype)
        out = padded[:, 1 : bands + 1]
        got = spectrogram(
            signal, starts, window, filters, power=power, scale=scale, mul=5.0, add=0.5, out=out
        )
        assert got is out
        assert np.isnan(padded[:, [0, bands + 1, bands + 2]]).all()
        spectrum = magnitudes(signal, starts, window.astype(np.float64), size)
        spectrum = spectrum**2 if power else spectrum
        filtered = spectrum @ filters.matrix(size // 2 + 1).astype(np.float64)
        norm = np.linalg.norm(frames_of(signal, starts, size) * window, axis=1)[:, np.newaxis]
        largest = 8 * norm * (2 * 8 * norm if power else 1) * (size // 2 + 1)
        slack = 100 * epsilon(dtype) * (largest + filtered)
        if scale == 0:
            assert_within(got, filtered, slack + 1e-40)
        else:
            expected = scale * np.log(5.0 * filtered + 0.5)
            bound = scale * (5.0 * slack / 0.5) + 4 * epsilon(dtype) * (np.abs(expected) + 1)
            assert_within(got, expected, bound)

    def test_a_frame_does_not_depend_on_its_company(self):
        rng = np.random.default_rng(0)
        signal = rng.standard_normal(9000).astype(np.float32)
        window = np.hanning(1024).astype(np.float32)
        starts = np.arange(-512, 8700, 441)
        filters = random_filters(513, 30, np.float32, rng)
        together = spectrogram(signal, starts, window, filters)
        for i in range(len(starts)):
            alone = spectrogram(signal, starts[i : i + 1], window, filters)
            np.testing.assert_array_equal(alone[0], together[i])

    @pytest.mark.usefixtures("keep_threads")
    def test_same_bits_for_any_number_of_threads(self):
        rng = np.random.default_rng(0)
        signal = rng.standard_normal(60_000).astype(np.float32)
        window = np.hanning(2048).astype(np.float32)
        starts = np.arange(0, 60_000, 441)
        filters = random_filters(1025, 30, np.float32, rng)
        results = []
        for threads in (1, 2, 3):
            ictus.set_num_threads(threads)
            results.append(spectrogram(signal, starts, window, filters))
        np.testing.assert_array_equal(results[0], results[1])
        np.testing.assert_array_equal(results[0], results[2])

    def test_the_largest_size(self):
        signal = np.random.default_rng(0).standard_normal(20_000).astype(np.float32)
        window = np.ones(16384, np.float32)
        starts = np.array([-100, 3000])
        got = spectrogram(signal, starts, window, every_bin(16384, np.float32), scale=0.0)
        expected = magnitudes(signal, starts, window.astype(np.float64), 16384)
        assert_within(got, expected, np.full(expected.shape, 1e-6 * expected.max()))


X = np.zeros(100, np.float32)
STARTS = np.array([0, 5])
WINDOW = np.ones(16, np.float32)
FILTERS = every_bin(16, np.float32)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((X, STARTS, np.ones(12, np.float32), FILTERS), {}, ValueError, "power of two in"),
        ((X, STARTS, WINDOW, FILTERS), {"size": 8}, ValueError, "window must be no longer"),
        ((X, STARTS, WINDOW, FILTERS), {"size": 32768}, ValueError, "power of two in"),
        ((X[::2], STARTS, WINDOW, FILTERS), {}, ValueError, "signal must be C-contiguous"),
        ((X, STARTS.astype(float), WINDOW, FILTERS), {}, TypeError, "starts must have dtype int64"),
        ((X, STARTS, WINDOW.astype(float), FILTERS), {}, TypeError, "window must have dtype"),
        ((X, np.array([2**61]), WINDOW, FILTERS), {}, ValueError, r"starts must be within 2\^60"),
        (
            (X, STARTS, WINDOW, every_bin(32, np.float32)),
            {},
            ValueError,
            "first must be such that each band lies within the bins",
        ),
        (
            (X, STARTS, WINDOW, FILTERS),
            {"out": np.zeros((2, 8), np.float32)},
            ValueError,
            r"out must have shape \(2, 9\)",
        ),
    ],
)
def test_bad_arguments(arguments, options, error, message):
    with pytest.raises(error, match=message):
        spectrogram(*arguments, **options)
