"""Beats while the music plays, and tempo."""

import numpy as np
import pytest

from ictus import music
from ictus.music import online
from tests.music import reference
from tests.music.test_decoding import INTERVALS, TEMPO, pulses


def textbook(a, fps=25.0):
    """The forward algorithm with a full matrix, and the decision of each frame."""
    _, _, zone = reference.beat_states(INTERVALS, 16, 1)
    matrix = reference.full_transitions(INTERVALS, 100, 1)
    p = np.full(len(matrix), 1 / len(matrix))
    beats, last = [], 0.0
    for frame, value in enumerate(a):
        p = (p @ matrix) * np.where(zone, value, (1 - value) / 15)
        p /= p.sum()
        if zone[np.argmax(p)] and frame / fps >= last + 60 / TEMPO[1]:
            last = frame / fps
            beats.append(last)
    return np.array(beats)


@pytest.mark.parametrize("seed", range(5))
def test_decisions_are_those_of_the_forward_algorithm(seed):
    a = pulses(300, 7 + seed % 3, seed).astype(np.float64)
    expected = textbook(a)
    assert len(expected) > 20
    decoder = music.OnlineBeatDecoder(tempo=TEMPO, fps=25)
    np.testing.assert_allclose(decoder.push(a), expected)
    assert decoder.frames == 300
    assert decoder.tempo == pytest.approx(60 / (expected[-1] - expected[-2]))


def test_the_cut_of_the_stream_does_not_matter():
    a = pulses(400, 50)
    whole = music.OnlineBeatDecoder().push(a)
    rng = np.random.default_rng(0)
    decoder, got, at = music.OnlineBeatDecoder(), [], 0
    while at < len(a):
        n = int(rng.integers(0, 30))
        got.append(decoder.push(a[at : at + n]))
        at += n
    np.testing.assert_array_equal(np.concatenate(got), whole)
    decoder.reset()
    np.testing.assert_array_equal(decoder.push(a), whole)


def test_a_long_piece_is_decoded_in_parts_and_an_interruption_leaves_the_state(monkeypatch):
    a = pulses(400, 50)
    whole = music.OnlineBeatDecoder().push(a)
    kernel, calls = online.viterbi_forward, []

    def interrupted(*arguments):
        calls.append(len(arguments[1]))
        if len(calls) == 3:
            raise KeyboardInterrupt
        return kernel(*arguments)

    monkeypatch.setattr(online, "AT_ONCE", 70)
    monkeypatch.setattr(online, "viterbi_forward", interrupted)
    decoder = music.OnlineBeatDecoder()
    with pytest.raises(KeyboardInterrupt):
        decoder.push(a)
    np.testing.assert_array_equal(decoder.push(a), whole)
    assert calls == [70] * 3 + [70] * 5 + [50]


def test_a_steady_pulse_is_found_when_it_is_heard():
    a = np.full(1500, 0.02)
    a[20::50] = 0.9
    beats = music.OnlineBeatDecoder().push(a)
    late = beats[beats > 5]
    assert len(late) == 20
    assert (np.round(late * 100 - 20) % 50 <= 2).all()


def test_silence_has_no_beats():
    a = np.full(3000, 0.02)
    a[1000:1600:50] = 0.9
    beats = music.OnlineBeatDecoder(threshold=0.05).push(a)
    assert beats.min() >= 10
    assert beats.max() <= 16 + 2 * 60 / 55
    parts = music.OnlineBeatDecoder(threshold=0.05)
    cut = [parts.push(part) for part in np.split(a, [3, 900, 901, 1590, 1700, 1750])]
    np.testing.assert_array_equal(np.concatenate(cut), beats)


def test_certain_activations_do_no_harm():
    decoder = music.OnlineBeatDecoder()
    decoder.push(np.ones(300))
    decoder.push(np.zeros(300))
    a = np.zeros(1000)
    a[0::50] = 1
    assert len(decoder.push(a)) >= 15


def test_wrong_activations_leave_the_state():
    decoder = music.OnlineBeatDecoder()
    with pytest.raises(ValueError, match="probabilities"):
        decoder.push([2.0])
    assert decoder.frames == 0


class TestTempo:
    @pytest.mark.parametrize("period", [30, 50, 75])
    def test_of_a_pulse(self, period):
        a = np.zeros(3000)
        a[::period] = 1
        tempi = music.estimate_tempo(a)
        assert tempi[0, 0] == pytest.approx(6000 / period)
        assert tempi[:, 1].sum() == pytest.approx(1)
        assert (np.diff(tempi[:, 1]) <= 0).all()

    def test_comb_filters_against_the_recursion(self):
        from ictus.music.tempo import comb_filter_histogram

        x = np.random.default_rng(0).random(200)
        intervals = np.arange(7, 15)
        y = np.zeros((200, len(intervals)))
        for t in range(200):
            for i, n in enumerate(intervals):
                y[t, i] = x[t] + 0.7 * (y[t - n, i] if t >= n else 0)
        best = y.max(axis=1, keepdims=True)
        expected = np.where(y == best, y, 0).sum(axis=0)
        np.testing.assert_allclose(comb_filter_histogram(x, intervals, 0.7), expected)

    def test_of_beats(self):
        assert music.tempo_of_beats([0.0, 0.5, 1.0, 2.0]) == 120
        assert np.isnan(music.tempo_of_beats([1.0]))
        assert music.tempo_of_beats([[0.0, 1], [0.6, 2]]) == pytest.approx(100)

    def test_silence_and_mistakes(self):
        assert music.estimate_tempo(np.zeros(100)).shape == (0, 2)
        with pytest.raises(ValueError, match="alpha must be in"):
            music.estimate_tempo([0.5], alpha=1.0)
