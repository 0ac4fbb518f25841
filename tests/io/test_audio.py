"""Audio files: formats, resampling, and everything that can be wrong with one."""

import os
import warnings

import numpy as np
import pytest

from ictus.io.audio import (
    AudioFile,
    AudioFileError,
    AudioWarning,
    audio_blocks,
    read_audio,
    write_audio,
)

soundfile = pytest.importorskip("soundfile")
soxr = pytest.importorskip("soxr")


def tone(samples, rate=44_100, frequency=440.0):
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(samples) / rate)).astype(np.float32)


@pytest.mark.parametrize(("ending", "tolerance"), [("wav", 4e-5), ("flac", 4e-5), ("ogg", 0.05)])
def test_formats(tmp_path, ending, tolerance):
    path = tmp_path / f"tone.{ending}"
    write_audio(path, tone(50_000))
    with AudioFile(path) as audio:
        assert (audio.sample_rate, audio.channels, audio.frames) == (44_100, 1, 50_000)
    signal = read_audio(path)
    assert signal.dtype == np.float32
    assert signal.shape == (50_000,)
    np.testing.assert_allclose(signal[1000:-1000], tone(50_000)[1000:-1000], atol=tolerance)


def test_mp3(tmp_path):
    path = tmp_path / "tone.mp3"
    write_audio(path, tone(44_100))
    signal = read_audio(path)
    assert abs(len(signal) - 44_100) < 3000
    middle = signal[10_000:30_000]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) * 44_100 / len(middle) == pytest.approx(440, abs=3)


@pytest.mark.parametrize("channels", [2, 8])
def test_channels_are_averaged(tmp_path, channels):
    x = np.random.default_rng(0).uniform(-0.9, 0.9, (1000, channels)).astype(np.float32)
    write_audio(tmp_path / "x.wav", x)
    np.testing.assert_allclose(read_audio(tmp_path / "x.wav"), x.mean(axis=1), atol=4e-5)
    with AudioFile(tmp_path / "x.wav") as audio:
        (block,) = audio.blocks(mono=False)
    assert block.shape == (1000, channels)


@pytest.mark.parametrize("rate", [8_000, 22_050, 48_000, 192_000])
def test_resampling(tmp_path, rate):
    write_audio(tmp_path / "x.wav", tone(2 * rate, rate), rate)
    signal = read_audio(tmp_path / "x.wav")
    assert abs(len(signal) - 88_200) <= 1
    np.testing.assert_allclose(signal[500:-500], tone(len(signal))[500:-500], atol=1e-3)
    blocks = np.concatenate(list(audio_blocks(tmp_path / "x.wav", seconds=0.0371)))
    assert len(blocks) == len(signal)
    np.testing.assert_allclose(blocks, signal, atol=1e-6)


def test_blocks_are_bounded_and_the_same_bits(tmp_path):
    x = np.random.default_rng(0).uniform(-0.5, 0.5, 100_000).astype(np.float32)
    write_audio(tmp_path / "x.flac", x)
    blocks = list(audio_blocks(tmp_path / "x.flac", seconds=0.1))
    assert max(map(len, blocks)) == 4410
    np.testing.assert_array_equal(np.concatenate(blocks), read_audio(tmp_path / "x.flac"))


@pytest.mark.parametrize("samples", [0, 1])
def test_hardly_any_samples(tmp_path, samples):
    write_audio(tmp_path / "x.wav", np.full(samples, 0.5))
    assert len(read_audio(tmp_path / "x.wav")) == samples


class TestBadFiles:
    def test_empty(self, tmp_path):
        (tmp_path / "x.wav").touch()
        with pytest.raises(AudioFileError, match=r"x\.wav: the file is empty"):
            read_audio(tmp_path / "x.wav")

    @pytest.mark.parametrize("name", ["notes.txt", "x.wav", "x.mp3", "x.raw", "x"])
    def test_no_audio(self, tmp_path, name):
        (tmp_path / name).write_text("These are words, not sounds. " * 99)
        with pytest.raises(AudioFileError, match="not an audio file that can be decoded"):
            read_audio(tmp_path / name)

    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"x\.wav"):
            read_audio(tmp_path / "x.wav")

    def test_folder(self, tmp_path):
        with pytest.raises(IsADirectoryError):
            read_audio(tmp_path)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
    def test_unreadable(self, tmp_path):
        write_audio(tmp_path / "x.wav", tone(100))
        (tmp_path / "x.wav").chmod(0)
        with pytest.raises(PermissionError):
            read_audio(tmp_path / "x.wav")

    @pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
    def test_cut_off(self, tmp_path, ending):
        x = np.random.default_rng(0).uniform(-0.5, 0.5, 100_000)
        path = tmp_path / f"x.{ending}"
        write_audio(path, x)
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])
        with pytest.warns(AudioWarning, match=r"cut off after \d\.\d\d s|damaged after|could be"):
            signal = read_audio(path)
        assert 30_000 < len(signal) < 60_000
        if ending in ("wav", "flac"):
            np.testing.assert_allclose(signal, x[: len(signal)], atol=4e-5)

    @pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
    def test_whole_files_give_no_warning(self, tmp_path, ending):
        write_audio(tmp_path / f"x.{ending}", np.random.default_rng(0).uniform(-0.5, 0.5, 30_000))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            read_audio(tmp_path / f"x.{ending}")

    def test_a_file_written_to_a_pipe_is_whole(self, tmp_path):
        write_audio(tmp_path / "x.wav", tone(1000))
        data = bytearray((tmp_path / "x.wav").read_bytes())
        at = data.index(b"data") + 4
        data[at : at + 4] = b"\xff\xff\xff\xff"
        (tmp_path / "x.wav").write_bytes(data)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert len(read_audio(tmp_path / "x.wav")) == 1000

    def test_samples_that_are_no_numbers(self, tmp_path):
        x = tone(1000)
        x[700] = np.nan
        soundfile.write(tmp_path / "x.wav", x, 44_100, subtype="FLOAT")
        with pytest.raises(AudioFileError, match="not finite"):
            read_audio(tmp_path / "x.wav")

    def test_far_beyond_full_scale(self, tmp_path):
        soundfile.write(tmp_path / "x.wav", 1e6 * tone(1000), 44_100, subtype="FLOAT")
        with pytest.warns(AudioWarning, match="where full scale is 1"):
            read_audio(tmp_path / "x.wav")

    @pytest.mark.parametrize("ending", ["wav", "flac", "ogg", "mp3"])
    def test_random_damage(self, tmp_path, ending):
        """Wherever the bytes are wrong: samples, or one of our errors; nothing else."""
        rng = np.random.default_rng(0)
        path = tmp_path / f"x.{ending}"
        write_audio(path, rng.uniform(-0.5, 0.5, 20_000))
        whole = path.read_bytes()
        outcomes = set()
        for trial in range(25):
            data = bytearray(whole)
            places = rng.integers(0, len(data) if trial % 2 else 60, 200)
            for place in places:
                data[place] = rng.integers(0, 256)
            path.write_bytes(data)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", AudioWarning)
                try:
                    signal = read_audio(path)
                except AudioFileError:
                    outcomes.add("error")
                else:
                    assert np.isfinite(signal).all()
                    outcomes.add("samples")
        assert ending == "mp3" or "error" in outcomes  # an MP3 file has no header to destroy


def test_wrong_arguments_of_writing(tmp_path):
    with pytest.raises(ValueError, match="unknown audio format"):
        write_audio(tmp_path / "x.xyz", tone(10))
    with pytest.raises(ValueError, match="must be finite"):
        write_audio(tmp_path / "x.wav", [np.inf])
