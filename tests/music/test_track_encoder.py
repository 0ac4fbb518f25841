"""Features of tracks, encoders to codes, and the index of recordings."""

import numpy as np
import pytest
from scipy.fft import dct

import ictus
from ictus.music.features import Features, Resolution
from ictus.music.filterbanks import mel_filterbank
from ictus.music.retrieval import MusicIndex, StoreError, TrackFeatures, train_encoder
from ictus.music.retrieval.music_index import audio_files, build


def noise(seconds=2.0, seed=0):
    return np.random.default_rng(seed).normal(size=int(22_050 * seconds)).astype(np.float32) * 0.1


class TestTrackFeatures:
    def test_coefficients_are_a_cosine_transform_of_mel_spectra(self):
        features = TrackFeatures(coefficients=13)
        bank = mel_filterbank(1024, 22_050, 40, 50.0, 10_000.0)
        spectra = Features(
            (Resolution(1024, bank),), sample_rate=22_050, fps=features.fps, scale=1.0, add=1e-4
        )(noise())
        expected = dct(spectra.astype(np.float64), type=2, norm="ortho", axis=1)[:, :13]
        np.testing.assert_allclose(features.frames([noise()]), expected, atol=1e-5)

    def test_blocks_change_nothing(self):
        features = TrackFeatures()
        whole = features.frames([noise()])
        pieces = features.frames(np.array_split(noise(), [100, 5000, 5001]))
        np.testing.assert_allclose(pieces, whole, atol=1e-5)
        assert whole.shape == (87, 20)  # a frame for each hop that is begun

    def test_mean_and_covariance(self):
        features = TrackFeatures(coefficients=3)
        frames = np.random.default_rng(1).normal(size=(50, 3)).astype(np.float32)
        row = features.summarize(frames)
        assert row.shape == (features.width,) == (9,)
        np.testing.assert_allclose(row[:3], frames.mean(axis=0), atol=1e-6)
        centred = frames - frames.mean(axis=0)
        covariance = centred.T @ centred / 50
        np.testing.assert_allclose(row[3:], covariance[np.triu_indices(3)], atol=1e-6)

    def test_excerpts(self):
        features = TrackFeatures()
        frames = np.random.default_rng(2).normal(size=(200, 20)).astype(np.float32)
        rows = features.excerpts(frames, 1.0, 0.5)  # 43 frames, 22 apart
        assert rows.shape == (8, 230)
        np.testing.assert_array_equal(rows[3], features.summarize(frames[66:109]))
        short = features.excerpts(frames[:10], 1.0, 0.5)
        np.testing.assert_array_equal(short, features.summarize(frames[:10])[np.newaxis])

    def test_too_short(self):
        with pytest.raises(ValueError, match="at least 2 frames of 23 ms, got 1"):
            TrackFeatures().summarize(np.zeros((1, 20), np.float32))


def clusters(count, seed):
    """Rows of eight kinds, with features of very different size."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(9).normal(size=(8, 30))
    kind = rng.integers(0, 8, count)
    size = 10.0 ** np.linspace(-3, 3, 30)
    return (centres[kind] + 0.2 * rng.normal(size=(count, 30))) * size + 5 * size, kind


class TestEncoder:
    def test_near_rows_have_near_codes(self, tmp_path):
        x, kind = clusters(400, 0)
        encoder = train_encoder(x, 32, hidden_units=(24,), batch_size=20)
        codes = np.unpackbits(encoder.encode_bits(x.astype(np.float32)), axis=1).astype(int)
        distances = np.abs(codes[:, np.newaxis] - codes).sum(axis=2)
        same = kind[:, np.newaxis] == kind
        assert distances[same].mean() < 3
        assert distances[~same].mean() > 9
        ictus.save(tmp_path / "encoder.ictus", encoder)
        again = ictus.load(tmp_path / "encoder.ictus")
        y, _ = clusters(50, 1)
        rows = y.astype(np.float32)
        np.testing.assert_array_equal(again.encode_bits(rows), encoder.encode_bits(rows))

    def test_it_reconstructs_features_as_they_are(self):
        x, _ = clusters(400, 0)
        encoder = train_encoder(x, 64, hidden_units=(48,), batch_size=20, max_epochs=60)
        error = np.square(encoder.reconstruct(x.astype(np.float32)) - x).mean(axis=0)
        assert (error < 0.3 * x.var(axis=0)).all()

    @pytest.mark.parametrize(
        ("x", "bits", "message"),
        [
            (np.zeros((1, 4)), 8, r"shape \(n, width\) with n at least 2, got \(1, 4\)"),
            (np.full((3, 4), np.nan), 8, "features must be finite"),
            (np.zeros((3, 4)), 12, "bits must be a multiple of 8, got 12"),
        ],
    )
    def test_mistakes(self, x, bits, message):
        with pytest.raises(ValueError, match=message):
            train_encoder(x, bits)


class TestMusicIndex:
    def make(self, folder):
        x, kind = clusters(60, 0)
        options = {"hidden_units": (12,), "max_epochs": 3}
        return build(folder, [str(k) for k in kind], x.astype(np.float32), 16, **options), x, kind

    def test_reranked_by_features_in_units_of_their_deviation(self, tmp_path):
        index, x, kind = self.make(tmp_path / "i")
        with index:
            found = index.nearest(x[:20], 5, rerank=True, candidates=60)
            scaled = (x / x.std(axis=0)).astype(np.float32)
            full = np.linalg.norm(scaled[:20, np.newaxis] - scaled, axis=2)
            np.testing.assert_array_equal(found.numbers, np.argsort(full, axis=1)[:, :5])
            assert index.index.names(found.numbers[0]) == [str(kind[0])] * 5
            assert index.nearest(x[:20], 5).distances.dtype == np.int32

    def test_the_encoder_belongs_to_the_index(self, tmp_path):
        self.make(tmp_path / "i")[0].close()
        with pytest.raises(ValueError, match=r"features must have shape \(n, 30\)"):
            MusicIndex.open(tmp_path / "i").nearest(np.zeros((1, 29)))
        path = tmp_path / "i" / "encoder.ictus"
        other = train_encoder(np.random.default_rng(0).normal(size=(9, 4)), 8, max_epochs=1)
        ictus.save(path, other)
        with pytest.raises(StoreError, match="8 bits of 4 features, but the index has 16"):
            MusicIndex.open(tmp_path / "i")
        path.unlink()
        with pytest.raises(StoreError, match="the encoder is missing"):
            MusicIndex.open(tmp_path / "i", writable=True)
        ictus.save(path, other)

    def test_files_of_folders(self, tmp_path):
        for name in ("b.flac", "a.WAV", "notes.txt"):
            (tmp_path / name).touch()
        assert list(audio_files([tmp_path])) == [str(tmp_path / n) for n in ("a.WAV", "b.flac")]
