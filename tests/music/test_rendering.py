"""Rendered sound begins where the annotation says; the same seed gives the same samples."""

import numpy as np
import pytest

from ictus.music.synthesis import effects, fluidsynth
from ictus.music.synthesis.builtin import render_part
from ictus.music.synthesis.composer import compose
from ictus.music.synthesis.mix import distinct, render
from ictus.music.synthesis.score import Part, Score, notes
from ictus.music.synthesis.tones import KINDS, Timbre, render_note

RATE = 44100


def first_sounds(audio, times, rate, before=0.02):
    """Seconds from each time to where the level rises most within 0.5 ms."""
    found = []
    step = rate // 2000
    for time in times:
        begin = round((time - before) * rate)
        part = np.abs(audio[begin : begin + int(0.05 * rate)])
        level = np.lib.stride_tricks.sliding_window_view(part, step).max(1)
        rise = level[step:] - level[:-step]
        found.append((np.argmax(rise > 0.9 * rise.max()) + step) / rate - before)
    return np.array(found)


def clicks(swing=0.5):
    beats = np.arange(24) / 2
    part = Part("drums", notes(beats, 0.1, 37, 110))
    seconds = np.linspace(0.7, 0.35, 12)
    return Score([part], [4, 4, 4], seconds, swing=swing, lead_in=0.3)


def test_a_click_track_of_the_built_in_synthesizer_is_exact():
    made = clicks(swing=0.63)
    recording = render(made, 3, synthesizer="builtin", effect=0.0)
    late = first_sounds(recording.audio, recording.onsets, RATE)
    assert np.abs(late).max() < 0.002
    np.testing.assert_allclose(recording.onsets, made.times(np.arange(24) / 2))
    np.testing.assert_allclose(recording.beats[:, 0], recording.onsets[::2])


@pytest.mark.skipif(not fluidsynth.is_available(), reason="FluidSynth or its sound font is missing")
def test_drums_of_fluidsynth_are_tuned():
    machine = fluidsynth.FluidSynth(22050)
    stroke = notes([0.1], 0.3, 56, 100)  # a cowbell
    pitches = []
    for tuning in (-5.0, 0.0, 5.0, 0.0):
        part = Part("drums", stroke, 0, tuning=tuning)
        sound = machine.render([part], [stroke], 0.6).mean(1)
        spectrum = np.abs(np.fft.rfft(sound, 1 << 16))
        pitches.append(np.argmax(spectrum) * 22050 / (1 << 16))
    assert pitches[3] == pytest.approx(pitches[1], rel=0.01)  # the bender is where it was
    steps = 12.0 * np.log2(np.array(pitches) / pitches[1])
    np.testing.assert_allclose(steps[[0, 2]], [-5.0, 5.0], atol=0.5)


@pytest.mark.skipif(not fluidsynth.is_available(), reason="FluidSynth or its sound font is missing")
def test_fluidsynth_plays_the_same_whatever_was_played_before():
    score = compose(5, seconds=3.0, style="rock")
    first = render(score, 1, synthesizer="fluidsynth").audio
    render(compose(6, seconds=3.0, style="samba"), 2, synthesizer="fluidsynth")
    assert render(score, 1, synthesizer="fluidsynth").audio.tobytes() == first.tobytes()


@pytest.mark.skipif(not fluidsynth.is_available(), reason="FluidSynth or its sound font is missing")
def test_a_click_track_of_fluidsynth_is_exact():
    made = clicks()
    made.parts[0].notes["pitch"] = 42  # a closed hat; the stick's sample begins 3 ms late
    recording = render(made, 3, synthesizer="fluidsynth", effect=0.0)
    assert np.abs(first_sounds(recording.audio, recording.onsets, RATE)).max() < 0.002


def test_effects_do_not_move_the_click():
    made = clicks()
    for seed in range(6):
        recording = render(made, seed, synthesizer="builtin")
        late = first_sounds(recording.audio, recording.onsets, RATE)
        assert np.abs(np.median(late)) < 0.002, seed


@pytest.mark.parametrize("kind", KINDS)
def test_tones_have_their_pitch(kind):
    generator = np.random.default_rng(4)
    timbre = Timbre.draw(kind, generator)
    timbre.noise, timbre.vibrato, timbre.ratio, timbre.decay = 0.0, 0.0, 1.0, 1.0
    sound = render_note(timbre, 69.0, 1.0, RATE, generator)
    assert np.isfinite(sound).all() and np.abs(sound).max() > 0.05
    part = sound[4000:40000] * np.hanning(36000)
    spectrum = np.abs(np.fft.rfft(part, 1 << 18))
    # The strongest partial is a harmonic of 440 Hz within 10 cents.
    frequency = np.argmax(spectrum) * RATE / (1 << 18)
    harmonic = max(round(frequency / 440.0), 1)
    assert abs(1200 * np.log2(frequency / (440.0 * harmonic))) < 10


def test_the_seed_determines_the_samples():
    made = compose(11, seconds=6.0)
    one, same = (render(made, 5, synthesizer="builtin", sample_rate=22050) for _ in range(2))
    assert one.audio.tobytes() == same.audio.tobytes()
    other = render(made, 6, synthesizer="builtin", sample_rate=22050)
    assert other.audio.tobytes() != one.audio.tobytes()
    assert np.isfinite(one.audio).all() and 0.1 < np.abs(one.audio).max() <= 1.0


def test_every_stroke_of_a_part_sounds():
    part = Part("drums", notes(np.zeros(1)))
    for key in range(31, 83):
        made = render_part(
            part, notes([0.1], 0.1, key, 100), 0.6, 22050, np.random.default_rng(key)
        )
        assert np.abs(made[: int(0.1 * 22050) - 1]).max() == 0.0
        assert np.abs(made).max() > 0.1, key


def test_compression_lowers_the_loud_and_keeps_the_soft():
    time = np.arange(RATE) / RATE
    sound = np.where(time < 0.5, 0.05, 1.0).astype(np.float32)
    made = effects.compress(sound, RATE, -12.0, 4.0, 0.1)
    np.testing.assert_allclose(made[: RATE // 3], 0.05, rtol=1e-5)
    # 12 dB over the threshold become 3 dB over it.
    np.testing.assert_allclose(20 * np.log10(made[-1]), -9.0, atol=0.1)


def test_filters_and_convolution_against_numpy():
    frequency = np.array([20.0, 20000.0])
    for high in (False, True):
        b0, b1, b2, _, a1, a2 = effects.shelf(6.0, 1000.0, RATE, high=high)
        z = np.exp(-2j * np.pi * frequency / RATE)
        gain = np.abs((b0 + b1 * z + b2 * z * z) / (1 + a1 * z + a2 * z * z))
        np.testing.assert_allclose(20 * np.log10(gain), [0, 6] if high else [6, 0], atol=0.05)
    generator = np.random.default_rng(0)
    for length, response in ((1000, 50), (40000, 900), (10, 300)):
        x, h = (generator.standard_normal(n).astype(np.float32) for n in (length, response))
        wanted = np.convolve(x.astype(np.float64), h)[:length]
        np.testing.assert_allclose(effects.convolve(x, h), wanted, atol=2e-3)


def test_lossy_coding_keeps_length_and_time():
    pytest.importorskip("soundfile")
    sound = np.zeros(RATE, np.float32)
    sound[20000:20400] = np.hanning(400) * np.sin(np.arange(400) * 0.4)
    made = effects.lossy(sound, RATE, 0.5)
    assert made.shape == sound.shape
    lag = np.argmax(np.correlate(made, sound[19900:20500], "valid")) - 19900
    assert abs(lag) <= 2


def test_onsets_that_begin_together_are_one():
    np.testing.assert_array_equal(
        distinct(np.array([0.0, 0.005, 0.013, 0.02]), 0.012), [0.0, 0.013]
    )


def test_mistakes_are_explained(monkeypatch):
    with pytest.raises(ValueError, match="synthesizer must be auto"):
        render(clicks(), synthesizer="moog")
    with pytest.raises(ValueError, match="kind must be one of plucked"):
        Timbre.draw("kazoo", np.random.default_rng(0))
    monkeypatch.setenv("ICTUS_SOUND_FONT", "/nowhere.sf2")
    assert not fluidsynth.is_available()
    with pytest.raises(RuntimeError, match=r"FluidSynth|sound font"):
        fluidsynth.FluidSynth()
