"""Decoding of a bar pointer against a hidden Markov model with a full transition matrix."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ictus
from ictus.kernels.viterbi import BarPointer, viterbi_advance, viterbi_forward, viterbi_trace
from tests.tolerance import assert_within, epsilon


def random_model(beats, lengths, dtype, seed, logarithms):
    rng = np.random.default_rng(seed)
    lengths = np.array(lengths, np.int32)
    zones = rng.integers(1, lengths + 3, (beats, len(lengths))).astype(np.int32)
    columns = rng.integers(0, 3, beats).astype(np.int32)
    p = rng.random((len(lengths), len(lengths))) * (rng.random((len(lengths),) * 2) < 0.7)
    p += np.eye(len(lengths)) * 0.1  # from every interval there is a way on
    p /= p.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore"):
        transitions = np.log(p) if logarithms else p
    return BarPointer(lengths, zones, columns, transitions.astype(dtype))


def full_model(model, nothing):
    """The transition matrix (from, to) and the column that each state observes."""
    beats, intervals = model.shape
    in_beat = int(model.lengths.sum())
    first = np.concatenate([[0], np.cumsum(model.lengths)[:-1]])
    matrix = np.full((beats * in_beat,) * 2, nothing)
    column = np.zeros(beats * in_beat, int)
    for b in range(beats):
        for i in range(intervals):
            start = b * in_beat + first[i]
            for p in range(model.lengths[i] - 1):
                matrix[start + p, start + p + 1] = 1.0 if nothing == 0 else 0.0
            column[start : start + min(model.beat_states[b, i], model.lengths[i])] = (
                model.beat_columns[b]
            )
            last = start + model.lengths[i] - 1
            following = (b + 1) % beats * in_beat
            for j in range(intervals):
                matrix[last, following + first[j]] = model.transitions[i, j]
    return matrix, column


shapes = st.tuples(
    st.integers(1, 4),
    st.lists(st.integers(1, 23), min_size=1, max_size=21),
    st.integers(1, 40),
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 10**6),
)


@pytest.mark.usefixtures("each_level")
class TestViterbi:
    @given(shapes)
    def test_scores_are_those_of_the_full_model_to_the_bit(self, shape):
        beats, lengths, frames, dtype, seed = shape
        model = random_model(beats, lengths, dtype, seed, True)
        matrix, column = full_model(model, -np.inf)
        rng = np.random.default_rng(seed + 1)
        densities = np.log(rng.random((frames, 3))).astype(dtype)
        scores = np.log(rng.random(model.states)).astype(dtype)
        expected = scores.copy()
        for density in densities:
            candidates = (expected[:, np.newaxis] + matrix.astype(dtype)) + density[column]
            expected = candidates.max(axis=0)
        origins = viterbi_advance(model, densities, scores)
        np.testing.assert_array_equal(scores, expected)
        assert origins.shape == (frames, *model.shape)

    @given(shapes)
    def test_the_path_is_possible_and_has_the_score(self, shape):
        beats, lengths, frames, _, seed = shape
        model = random_model(beats, lengths, np.float64, seed, True)
        matrix, column = full_model(model, -np.inf)
        rng = np.random.default_rng(seed + 1)
        densities = np.log(rng.random((frames, 3)))
        start = np.log(rng.random(model.states))
        scores = start.copy()
        origins = viterbi_advance(model, densities, scores)
        path = np.empty(frames, np.int32)
        best = int(np.argmax(scores))
        (before,) = viterbi_trace(model, origins, np.array([best], np.int32), path)
        assert path[-1] == best
        score, state = start[before], int(before)
        for t, following in enumerate(path):
            score = (score + matrix[state, following]) + densities[t, column[following]]
            state = int(following)
        assert score == scores[best]

    def test_all_states_can_be_traced_at_once(self):
        model = random_model(2, [3, 5, 4], np.float64, 3, True)
        densities = np.log(np.random.default_rng(0).random((30, 3)))
        origins = viterbi_advance(model, densities, np.zeros(model.states))
        together = viterbi_trace(model, origins, np.arange(model.states, dtype=np.int32))
        for state in range(model.states):
            alone = viterbi_trace(model, origins, np.array([state], np.int32))
            assert alone[0] == together[state]

    @given(shapes)
    def test_forward_probabilities(self, shape):
        beats, lengths, frames, dtype, seed = shape
        model = random_model(beats, lengths, dtype, seed, False)
        matrix, column = full_model(model, 0.0)
        rng = np.random.default_rng(seed + 1)
        densities = (0.1 + rng.random((frames, 3))).astype(dtype)
        p = rng.random(model.states).astype(dtype)
        expected, best = p.astype(np.float64), []
        for density in densities.astype(np.float64):
            expected = (expected @ matrix.astype(np.float64)) * density[column]
            expected /= expected.sum()
            best.append(expected)
        states = viterbi_forward(model, densities, p)
        slack = frames * (len(lengths) + model.states + 6) * epsilon(dtype)
        assert_within(p, expected, slack * expected + 1e-37, "probabilities")
        for state, row in zip(states, best, strict=True):  # the likeliest, or as likely
            assert row[state] >= row.max() * (1 - 2 * slack)

    def test_an_impossible_observation_makes_all_states_equal(self):
        model = random_model(1, [3, 4], np.float64, 0, False)
        p = np.full(7, 1 / 7)
        viterbi_forward(model, np.zeros((1, 3)), p)
        np.testing.assert_array_equal(p, 1 / 7)

    def test_the_first_of_equal_ways_counts(self):
        lengths = np.array([2, 2, 2], np.int32)
        model = BarPointer(
            lengths, np.ones((1, 3), np.int32), np.array([1], np.int32), np.zeros((3, 3))
        )
        origins = viterbi_advance(model, np.zeros((4, 2)), np.zeros(6))
        np.testing.assert_array_equal(origins, 0)


def test_same_bits_at_every_level():
    model = random_model(4, range(20, 60), np.float64, 5, True)
    densities = np.log(np.random.default_rng(0).random((200, 3)))
    results = []
    before = ictus.instruction_set()
    for level in ictus.instruction_sets():
        ictus.set_instruction_set(level)
        scores = np.zeros(model.states)
        results.append((viterbi_advance(model, densities, scores), scores))
    ictus.set_instruction_set(before)
    for origins, scores in results[1:]:
        np.testing.assert_array_equal(origins, results[0][0])
        np.testing.assert_array_equal(scores, results[0][1])


MODEL = random_model(2, [3, 4], np.float64, 0, True)


def changed(**fields):
    names = ("lengths", "beat_states", "beat_columns", "transitions")
    return BarPointer(**{n: fields.get(n, getattr(MODEL, n)) for n in names})


@pytest.mark.parametrize(
    ("model", "densities", "scores", "error", "message"),
    [
        (MODEL, np.zeros((5, 3)), np.zeros(13), ValueError, r"scores must have shape \(14,\)"),
        (MODEL, np.zeros((5, 3)), np.zeros(14, np.float32), TypeError, r"scores must have dtype"),
        (MODEL, np.zeros(5), np.zeros(14), ValueError, r"densities must have shape \(any, any\)"),
        (
            changed(beat_columns=np.array([0, 3], np.int32)),
            np.zeros((5, 3)),
            np.zeros(14),
            ValueError,
            "beat_columns must be columns of the densities, got 3",
        ),
        (
            changed(lengths=np.array([0, 4], np.int32)),
            np.zeros((5, 3)),
            np.zeros(8),
            ValueError,
            "lengths must be at least 1, got 0",
        ),
        (
            changed(transitions=np.zeros((3, 3))),
            np.zeros((5, 3)),
            np.zeros(14),
            ValueError,
            r"transitions must have shape \(2, 2\)",
        ),
    ],
)
def test_bad_arguments(model, densities, scores, error, message):
    with pytest.raises(error, match=message):
        viterbi_advance(model, densities, scores)


def test_bad_traces():
    origins = viterbi_advance(MODEL, np.zeros((5, 3)), np.zeros(14))
    with pytest.raises(ValueError, match="states must be states of the model, got 14"):
        viterbi_trace(MODEL, origins, np.array([14], np.int32))
    origins[2, 1, 0] = 9
    with pytest.raises(ValueError, match="origins must be intervals of the model, got 9"):
        viterbi_trace(MODEL, origins, np.array([0], np.int32))
