"""Beats and downbeats: against the textbook, and against published detections."""

import io
import tarfile

import numpy as np
import pytest

from ictus import music
from ictus.music.bar_pointer import bar_pointer, beat_intervals, beat_log_densities
from ictus.music.best_path import best_path
from tests.music import reference

TEMPO = (150.0, 260.0)  # at 25 frames per second: 6 .. 10 frames
INTERVALS = [6, 7, 8, 9, 10]


def pulses(frames=200, period=8, seed=0, noise=0.2):
    rng = np.random.default_rng(seed)
    a = noise * rng.random(frames)
    a[3::period] = 0.6 + 0.3 * rng.random(len(a[3::period]))
    return a.astype(np.float32)


def test_the_state_space_of_the_paper():
    model = bar_pointer(60 * 100 / 215, 60 * 100 / 55)
    assert model.lengths[0] == 28
    assert model.lengths[-1] == 109
    assert model.states == 5617
    assert bar_pointer(28, 109, beats=4).states == 4 * 5617


def test_fewer_tempi_are_spaced_logarithmically():
    intervals = beat_intervals(27.9, 109.09, 60)
    assert len(intervals) >= 60
    assert (np.diff(intervals) >= 1).all()
    assert intervals[0] == 28
    assert intervals[-1] == 109
    assert len(beat_intervals(27.9, 109.09, 500)) == 82


@pytest.mark.parametrize("seed", range(6))
def test_beats_are_those_of_the_textbook(seed):
    a = pulses(150, [6, 7, 8, 9, 10, 13][seed], seed)
    _, _, zone = reference.beat_states(INTERVALS, 16, 1)
    d = np.where(zone, a.astype(float)[:, None], (1 - a.astype(float)[:, None]) / 15)
    path, score = reference.viterbi(reference.full_transitions(INTERVALS, 100, 1), d)
    model = bar_pointer(60 * 25 / 260, 60 * 25 / 150)
    assert model.lengths.tolist() == INTERVALS
    got, got_score = best_path(model, beat_log_densities(a.astype(np.float64), 16.0))
    np.testing.assert_array_equal(got, path)
    assert got_score == pytest.approx(score, rel=1e-12)
    frames = np.flatnonzero(zone[path])
    expected = [
        int(r[np.argmax(a[r])]) for r in np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1)
    ]
    beats = music.decode_beats(a.astype(np.float64), tempo=TEMPO, fps=25)
    np.testing.assert_allclose(beats, np.array(expected) / 25)
    positions = np.concatenate([np.arange(n) for n in INTERVALS])[path]
    uncorrected = music.decode_beats(a.astype(np.float64), tempo=TEMPO, fps=25, correct=False)
    inner = uncorrected[(uncorrected > 0) & (uncorrected < (len(a) - 1) / 25)]
    starts = np.flatnonzero(positions == 0) / 25
    np.testing.assert_allclose(inner, starts[(starts > 0) & (starts < (len(a) - 1) / 25)])


@pytest.mark.parametrize("period", [3, 4])
def test_downbeats_are_those_of_the_textbook(period):
    a = np.zeros((160, 2))
    beat = pulses(160, 8, 1).astype(np.float64)
    a[:, 0] = beat
    downbeats = np.arange(3, 160, 8 * period)
    a[downbeats] = a[downbeats][:, ::-1]
    a[:, 1] += 0.01
    best = None
    for beats in (3, 4):
        number, _, zone = reference.beat_states(INTERVALS, 16, beats)
        d = np.where(number == 0, a[:, 1:], a[:, :1])
        d = np.where(zone, d, (1 - a.sum(axis=1, keepdims=True)) / 15)
        matrix = reference.full_transitions(INTERVALS, 100, beats)
        path, score = reference.viterbi(matrix, d)
        if best is None or score > best[0]:
            best = score, number[path], zone[path]
    _, number, zone = best
    frames = np.flatnonzero(zone)
    runs = np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1)
    peaks = [int(r[np.argmax(a[r].max(axis=1))]) for r in runs]
    got = music.decode_downbeats(a, tempo=TEMPO, fps=25, tempi=None, threshold=0)
    np.testing.assert_allclose(got, np.column_stack([np.array(peaks) / 25, number[peaks] + 1]))
    found = got[got[:, 1] == 1, 0] * 25
    assert set(downbeats[1:-1]) <= set(np.round(found).astype(int))
    # Beats of the model itself: the frames where its number changes.
    changes = music.decode_downbeats(a, tempo=TEMPO, fps=25, tempi=None, threshold=0, correct=False)
    np.testing.assert_allclose(changes[:, 0] * 25, np.flatnonzero(np.diff(number)) + 1)


def test_the_path_does_not_depend_on_what_is_settled():
    a = pulses(3000, 40, 2)
    model = bar_pointer(28.0, 60.0)
    densities = beat_log_densities(a, 16.0)
    whole, score = best_path(model, densities, block=3000)
    for block in (151, 20, 7):
        path, other = best_path(model, densities, block=block)
        np.testing.assert_array_equal(path, whole)
        assert other == score


def test_blocks_are_settled(monkeypatch):
    from ictus.music import best_path as module

    kept = []
    settle = module._settle

    def watched(model, scores, waiting, settled):
        settle(model, scores, waiting, settled)
        kept.append(len(waiting))

    monkeypatch.setattr(module, "_settle", watched)
    model = bar_pointer(28.0, 60.0)
    best_path(model, beat_log_densities(pulses(6000, 40, 2), 16.0), block=100)
    assert len(kept) > 3
    assert max(kept) < 20
    kept.clear()
    flat, _ = best_path(model, beat_log_densities(np.full(3000, 0.01), 16.0), block=50)
    assert len(flat) == 3000
    assert len(kept) <= 4  # where all tempi stay possible it is hardly tried again


class TestOddInput:
    def test_silence_has_no_beats(self):
        assert len(music.decode_beats(np.zeros(500))) == 0
        assert music.decode_downbeats(np.zeros((500, 2))).shape == (0, 2)
        assert len(music.decode_beats(np.empty(0))) == 0

    def test_certain_activations_contradict_each_other_and_are_decoded(self):
        a = np.zeros(400)
        a[10::50] = 1
        a[11::50] = 1
        a[200:230] = 1  # no state stays in a beat that long
        beats = music.decode_beats(a)
        assert len(beats) >= 7
        assert np.isin(np.round(beats * 100) % 50, [10, 11]).mean() > 0.6

    def test_a_threshold_cuts_the_ends(self):
        a = np.concatenate([np.full(300, 0.01), pulses(600, 50), np.full(300, 0.01)])
        beats = music.decode_beats(a, threshold=0.3)
        assert beats.min() >= 3
        assert beats.max() <= 9
        assert len(music.decode_beats(a, threshold=0.99)) == 0

    def test_one_frame(self):
        np.testing.assert_array_equal(music.decode_beats([0.9]), [0.0])

    @pytest.mark.parametrize(
        ("activations", "options", "message"),
        [
            ([0.1, 1.5], {}, r"must be probabilities in \[0, 1\], got 1.5 in frame 1"),
            ([0.1, np.nan], {}, "got nan in frame 1"),
            (np.zeros((3, 2)), {}, r"must have shape \(frames,\), got \(3, 2\)"),
            ([0.1], {"tempo": (100, 50)}, "tempo must be"),
            ([0.1], {"tempo": (0, 50)}, "tempo must be"),
            ([0.1], {"fps": 0}, "fps must be positive"),
            ([0.1], {"fps": 1}, "lasts less than a frame"),
            ([0.1], {"tempi": 0}, "number must be at least 1"),
        ],
    )
    def test_errors(self, activations, options, message):
        with pytest.raises(ValueError, match=message):
            music.decode_beats(activations, **options)

    def test_bars_of_two_where_four_fit_as_well(self):
        # All second beats are stronger downbeats than beats: two, or a network that is not sure.
        a = np.full((1600, 2), 0.02)
        a[25::50, 0] = 0.9
        a[25::100] = [0.4, 0.5]
        meters = (2, 3, 4)
        plain = music.decode_downbeats(a, beats_per_bar=meters)
        assert plain[:, 1].max() == 2
        same = music.decode_downbeats(a, beats_per_bar=meters, bar_weights=(1.0, 1.0, 1.0))
        np.testing.assert_array_equal(same, plain)
        wary = music.decode_downbeats(a, beats_per_bar=meters, bar_weights=(0.1, 1.0, 1.0))
        np.testing.assert_array_equal(wary, music.decode_downbeats(a, beats_per_bar=(4,)))

    @pytest.mark.parametrize("weights", [(1.0,), (0.5, 0.0), (1.0, np.inf)])
    def test_errors_of_weights(self, weights):
        with pytest.raises(ValueError, match="bar_weights must be 2 positive numbers"):
            music.decode_downbeats(np.zeros((5, 2)), bar_weights=weights)

    def test_errors_of_downbeats(self):
        with pytest.raises(ValueError, match=r"must have shape \(frames, 2\)"):
            music.decode_downbeats(np.zeros(5))
        with pytest.raises(ValueError, match="beats_per_bar"):
            music.decode_downbeats(np.zeros((5, 2)), beats_per_bar=(1,))


class TestPublished:
    """Activations and detections of the reference implementation, with its default settings."""

    def test_546_tracks(self, data_folder):
        path = data_folder / "beat_activations" / "ismir2019_activations.tar.gz"
        if not path.is_file():
            pytest.skip("the published activations are not there")
        archive = tarfile.open(path)  # noqa: SIM115
        files = {m.name: archive.extractfile(m).read() for m in archive if m.isfile()}
        tracks = [name for name in files if "/activations/" in name]
        assert len(tracks) == 546
        for name in tracks:
            detections = name.replace("/activations/", "/detections/").replace(".npy", ".txt")
            expected = [line.split()[0] for line in files[detections].decode().splitlines()]
            beats = music.decode_beats(np.load(io.BytesIO(files[name])))
            digits = len(expected[0].partition(".")[2])
            assert [f"{beat:.{digits}f}" for beat in beats] == expected, name

    @pytest.mark.parametrize("name", ["ballroom_Media-105901", "simac_greek_01_H_mikri_Rallou"])
    def test_excerpts(self, data_folder, name):
        folder = data_folder / "beats_excerpts"
        beats = music.decode_beats(np.load(folder / f"{name}.activations.npy"))
        np.testing.assert_allclose(beats, np.loadtxt(folder / f"{name}.detections.txt"), atol=1e-6)

    def test_programs_of_the_reference(self, data_folder):
        folder = data_folder / "madmom_testdata"

        def activations(name):
            return np.load(folder / "activations" / f"sample.{name}.npz")["activations"]

        def detections(name):
            return np.loadtxt(folder / "detections" / f"sample.{name}.txt")

        beats = music.decode_beats(activations("beats_blstm"))
        np.testing.assert_allclose(beats, detections("dbn_beat_tracker"), atol=1e-6)
        downbeats = music.decode_downbeats(activations("downbeats_blstm"))
        np.testing.assert_allclose(downbeats, detections("dbn_downbeat_tracker"), atol=1e-6)
        first, second, strength = detections("tempo_detector")
        tempi = music.estimate_tempo(activations("beats_blstm"))
        np.testing.assert_allclose(tempi[:2, 0], [first, second], atol=0.005)
        assert tempi[0, 1] / tempi[:2, 1].sum() == pytest.approx(strength, abs=0.005)
