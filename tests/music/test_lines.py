"""Lines that are sung, bowed or blown: their pitch is the notes', and they need no attacks."""

import numpy as np
import pytest

from ictus.music.synthesis import compose_for, render
from ictus.music.synthesis.audible import audible, band_powers, present
from ictus.music.synthesis.builtin import WIDE_KINDS, render_part
from ictus.music.synthesis.drum_sounds import DrumKit
from ictus.music.synthesis.lines import KINDS, render_line
from ictus.music.synthesis.score import Part, notes
from ictus.music.synthesis.tones import Timbre, render_note

RATE = 22_050


def melody(pitches, length=0.4):
    begins = 0.2 + length * np.arange(len(pitches))
    return notes(begins, length, np.asarray(pitches), 90)


def pitch_in(sound, begin, end):
    """The period of a part of a sound, by autocorrelation, as a MIDI pitch."""
    part = sound[int(begin * RATE) : int(end * RATE)].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(part, 1 << 15)) ** 2
    correlation = np.fft.irfft(spectrum)[: RATE // 60]
    shortest = RATE // 1200
    best = correlation[shortest:].max()
    # The first of the periods that fit nearly as well.
    peaks = np.flatnonzero(
        (correlation[1:-1] > correlation[:-2])
        & (correlation[1:-1] >= correlation[2:])
        & (correlation[1:-1] > 0.85 * best)
    )
    period = peaks[peaks + 1 >= shortest][0] + 1
    return 69 + 12 * np.log2(RATE / period / 440)


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_has_the_pitches_of_its_notes(kind):
    wanted = np.array([60, 64, 62, 67, 65, 60])
    for seed in range(4):
        sound, delays = render_line(melody(wanted), 3.0, RATE, np.random.default_rng(seed), kind)
        assert sound.shape == (3 * RATE,) and np.isfinite(sound).all()
        assert np.abs(sound).max() <= 2.0 and len(delays) == len(wanted)
        assert (delays >= 0).all() and (delays < 0.05).all()
        found = [pitch_in(sound, 0.2 + 0.4 * i + 0.12, 0.2 + 0.4 * i + 0.3) for i in range(6)]
        # Octaves of the whole line are drawn; vibrato and drift move a note by less than a tone.
        steps = np.mod(np.array(found) - wanted + 6.0, 12.0) - 6.0
        assert np.abs(steps).max() < 1.0, (seed, found)


def test_nothing_sounds_before_the_first_note_and_of_no_notes():
    sound, _ = render_line(melody([60]), 1.0, RATE, np.random.default_rng(3), "bowed")
    assert np.abs(sound[: int(0.19 * RATE)]).max() < 1e-3 and np.abs(sound).max() > 0.5
    sound, delays = render_line(melody([]), 1.0, RATE, np.random.default_rng(3))
    assert not sound.any() and not len(delays)
    with pytest.raises(ValueError, match="kind must be one of sung, bowed, blown"):
        render_line(melody([60]), 1.0, RATE, np.random.default_rng(3), "whistled")


def test_notes_that_begin_together_are_heard_together():
    both = notes([0.1, 0.1, 0.6], 0.3, [55, 60, 62], 80)
    _, delays = render_line(both, 1.2, RATE, np.random.default_rng(5), "sung")
    assert len(delays) == 3 and delays[0] == delays[1]


def test_legato_is_present_although_it_does_not_get_louder():
    time = np.arange(RATE) / RATE
    steady = np.sin(2 * np.pi * 440 * time) + 0.3 * np.sin(2 * np.pi * 880 * time)
    noise = np.random.default_rng(0).standard_normal(RATE)
    own = band_powers(steady, RATE)
    at = np.array([0.5])
    soft = band_powers(steady + 1e-3 * noise, RATE)
    assert present(at, own, soft) and not audible(at, own, soft)
    assert not present(at, own, band_powers(steady + 30 * noise, RATE))
    assert not len(present(np.zeros(0), own, soft))


def test_wide_timbres_are_another_piece_with_onsets_where_notes_are():
    score = compose_for("voice", np.random.SeedSequence(4), seconds=6.0)
    plain = render(score, 2, synthesizer="builtin")
    wide = render(score, 2, synthesizer="builtin", timbres="wide")
    same = render(score, 2, synthesizer="builtin", timbres="wide")
    assert wide.audio.tobytes() == same.audio.tobytes() != plain.audio.tobytes()
    begins = score.times(np.concatenate([part.notes["start"] for part in score.parts]))
    assert len(wide.onsets) > 4
    late = wide.onsets[:, None] - begins[None, :]
    assert np.abs(late).min(axis=1).max() < 0.25  # players deviate, attacks are slow
    with pytest.raises(ValueError, match="timbres must be plain or wide"):
        render(score, timbres="narrow")


def test_wide_timbres_and_drums_are_finite_and_sound():
    for kind in sorted({kind for kinds in WIDE_KINDS.values() for kind in kinds}):
        for seed in range(6):
            generator = np.random.default_rng(seed)
            timbre = Timbre.draw_widely(kind, generator)
            sound = render_note(timbre, 30.0 + 9 * seed, 0.5, RATE, generator)
            assert np.isfinite(sound).all() and 0.01 < np.abs(sound).max() < 20, (kind, seed)
    brushed = 0
    for seed in range(12):
        kit = DrumKit(RATE, np.random.default_rng(seed), wide=True)
        brushed += kit.brushes
        for key in range(31, 83):
            sound = kit.stroke(key, 0)
            assert np.isfinite(sound).all() and np.abs(sound).max() == pytest.approx(1.0)
    assert brushed
    line = Part("voice", melody([60, 62]))
    delays = np.zeros(2)
    made = render_part(
        line, line.notes, 1.2, RATE, np.random.default_rng(0), delays, wide=True, line=True
    )
    assert np.abs(made).max() > 0.5 and delays[0] > 0


@pytest.mark.parametrize(
    "ensemble, roles", [("bass", {"bass"}), ("trio", {"bass", "drums", "chords"})]
)
def test_basses_and_trios(ensemble, roles):
    for seed in range(3):
        score = compose_for(ensemble, np.random.SeedSequence(seed), seconds=5.0)
        assert {part.role for part in score.parts} == roles
        assert all(part.notes["velocity"].min() >= 1 for part in score.parts)
