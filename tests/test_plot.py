"""Pictures of machines: what is drawn is what was given; wrong shapes are refused."""

import numpy as np
import pytest

from ictus import plot

pytest.importorskip("matplotlib")


def test_update_histograms_name_the_ratio():
    weights = np.random.default_rng(0).normal(size=(20, 10))
    figure = plot.update_histograms(weights, 2e-3 * weights)
    left, right = figure.axes
    assert sum(bar.get_height() for bar in left.patches) == 200
    assert sum(bar.get_height() for bar in right.patches) == 200
    assert "2.0e-03" in right.get_title(loc="left")
    plot.update_histograms(weights * 0, weights * 0)


def test_free_energy_gap():
    figure = plot.free_energy_gap({"free_energy_gap": [0.1, 0.2, 0.4]})
    np.testing.assert_array_equal(figure.axes[0].lines[0].get_ydata(), [0.1, 0.2, 0.4])
    with pytest.raises(ValueError, match="no free_energy_gap: train with validation examples"):
        plot.free_energy_gap({})


def test_image_rows_lay_images_out_and_leave_the_unknown_blank():
    given = np.linspace(0, 1, 5 * 6).reshape(5, 6)
    known = given.copy()
    known[:, :3] = np.nan
    figure = plot.image_rows({"known": known[:2], "all": given}, (2, 3), columns=2, upright=True)
    (axes,) = figure.axes
    sheet = axes.images[0].get_array()
    # Rows of 1 + 2 + 1 strips, each 2 high, and columns of 2 images, each 3 wide, with a line.
    assert sheet.shape == (4 * 3 + 1, 2 * 4 + 1)
    np.testing.assert_array_equal(sheet[1, 1:4], known[0, 3:])  # upright: the last row on top
    assert sheet.mask[2, 1:4].all()
    np.testing.assert_array_equal(sheet[4:6, 1:4], given[0].reshape(2, 3)[::-1])
    assert sheet.mask[10:12, 5:8].all()  # five images fill two and a half strips
    assert [label.get_text() for label in axes.get_yticklabels()] == ["known", "all", "", ""]


def test_image_rows_refuse_another_size():
    with pytest.raises(ValueError, match=r"images must have 6 values, got \(2, 5\)"):
        plot.image_rows({"": np.zeros((2, 5))}, (2, 3))


def test_curves_have_names():
    figure = plot.curves({"gap": [1.0, 2.0, 1.5]}, y="nats")
    (axes,) = figure.axes
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), [1, 2, 3])
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["gap"]


def test_every_curve_is_drawn_in_a_color_of_its_own():
    axes = plot.curves({str(i): [1.0, 0.5] for i in range(5)}).figure.axes[0]
    assert len({line.get_color() for line in axes.lines}) == 5


def test_code_map_tells_labels_apart():
    codes = np.random.default_rng(0).random((30, 2))
    figure = plot.code_map(codes, np.arange(30) % 12)
    axes = figure.axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        str(i) for i in range(12)
    ]
    points = np.concatenate([each.get_offsets() for each in axes.collections])
    assert sorted(map(tuple, points)) == sorted(map(tuple, codes))
    assert len(plot.code_map(codes).axes[0].collections) == 1


def test_beats_are_drawn_in_rows():
    activations = np.random.default_rng(0).random((2500, 2)) / 2
    times = np.arange(0.5, 25, 0.5)
    figure = plot.beats(activations, times, downbeats=times[::4])
    assert len(figure.axes) == 3
    lines = [axes.collections[0].get_segments() for axes in figure.axes]
    assert sum(map(len, lines)) == len(times)
    assert [axes.get_xlim() for axes in figure.axes][1] == (10, 20)
    assert len(plot.beats(np.zeros(60_000), np.empty(0)).axes) == 12
    assert len(plot.beats(np.zeros(0), np.empty(0)).axes) == 1
