"""The report page: complete in itself, and in a browser where there is one."""

import base64
import html.parser
import json
import re
import shutil

import numpy as np
import pytest

from ictus import music
from ictus.io.audio import read_audio, write_audio
from ictus.music.report import report_page
from tests.music.sounds import clicks, detector

pytest.importorskip("soundfile")


class Page(html.parser.HTMLParser):
    """The parts of a page, and everything that it would load."""

    def __init__(self, text):
        super().__init__()
        self.open, self.parts, self.loads, self.kinds = [], {}, [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.open.append(tag)
        self.kinds.append(tag)
        self.loads += [v for k, v in attributes.items() if k in ("src", "href")]

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if self.open:
            self.parts.setdefault(self.open[-1], []).append(data)


def make(path, seconds=6.0):
    signal, _ = clicks(seconds)
    write_audio(path, signal)
    signal = read_audio(path)
    found = music.BeatTracker([detector()]).track_signal(signal)
    return report_page(path, signal, found).decode(), found, signal


@pytest.mark.parametrize("ending", ["flac", "wav", "mp3"])
def test_nothing_is_loaded_from_elsewhere(tmp_path, ending):
    text, found, signal = make(tmp_path / f"song.{ending}")
    page = Page(text)
    assert page.kinds.count("script") == 2
    (sound,) = page.loads
    kind, encoded = sound.removeprefix("data:").split(";base64,")
    assert kind == {"flac": "audio/flac", "wav": "audio/ogg", "mp3": "audio/mpeg"}[ending]
    copy = tmp_path / f"copy.{kind.split('/')[1].replace('mpeg', 'mp3')}"
    copy.write_bytes(base64.b64decode(encoded))
    assert abs(len(read_audio(copy)) - len(signal)) < 3000
    assert not re.search(r"https?://|@import|url\(", text)
    data = json.loads(page.parts["script"][0])
    np.testing.assert_allclose(data["times"], found.times, atol=1e-4)
    assert data["duration"] == pytest.approx(len(signal) / 44_100)


def test_the_columns_lie_at_their_times(tmp_path):
    text, found, _ = make(tmp_path / "song.flac")
    data = json.loads(Page(text).parts["script"][0])
    wave = np.frombuffer(base64.b64decode(data["waveform"]), np.uint8)
    activations = np.frombuffer(base64.b64decode(data["activations"]), np.uint8)
    spectrum = np.frombuffer(base64.b64decode(data["spectrogram"]), np.uint8)
    assert len(wave) == len(activations) == 600
    assert spectrum.size == 600 * data["bands"]
    np.testing.assert_array_equal(activations, np.round(255 * found.activations))
    assert len(found.times) > 10
    for time in found.times:
        near = slice(int(time * 100) - 3, int(time * 100) + 4)
        assert wave[near].max() > 60
        assert spectrum.reshape(600, -1)[near].max() > 60


def test_a_name_cannot_break_the_page(tmp_path):
    signal, _ = clicks(1.0)
    path = tmp_path / "a&<b>'$title.flac"
    write_audio(path, signal)
    found = music.BeatTracker([detector()]).track_signal(signal)
    page = Page(report_page(path, signal, found).decode())
    assert page.parts["h1"] == ["Beats of a&<b>'$title.flac"]


def test_silence_and_nothing(tmp_path):
    for samples in (0, 1, 5000):
        signal = np.zeros(samples, np.float32)
        write_audio(tmp_path / "x.wav", signal)
        found = music.BeatTracker([detector()]).track_signal(signal)
        data = Page(report_page(tmp_path / "x.wav", signal, found).decode()).parts["script"][0]
        assert json.loads(data)["times"] == []


def test_long_recordings_have_fewer_columns(tmp_path, monkeypatch):
    from ictus.music import report

    monkeypatch.setattr(report, "COLUMNS", 100)
    text, found, _ = make(tmp_path / "song.flac")
    data = json.loads(Page(text).parts["script"][0])
    assert len(base64.b64decode(data["waveform"])) == 100
    levels = np.frombuffer(base64.b64decode(data["activations"]), np.uint8)
    expected = found.activations.reshape(100, 6).max(axis=1)
    np.testing.assert_array_equal(levels, np.round(255 * expected))


class TestInABrowser:
    @pytest.fixture
    def page(self, tmp_path):
        playwright = pytest.importorskip("playwright.sync_api")
        browser_path = shutil.which("chromium") or shutil.which("chromium-browser")
        if browser_path is None:
            pytest.skip("there is no Chromium")
        text, self.found, _ = self.content(tmp_path / "song.flac")
        (tmp_path / "r.html").write_text(text)
        with playwright.sync_playwright() as engine:
            browser = engine.chromium.launch(
                executable_path=browser_path,
                args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"],
            )
            page = browser.new_page(viewport={"width": 1200, "height": 700})
            self.errors = []
            page.on("pageerror", lambda error: self.errors.append(str(error)))
            page.on("console", lambda m: m.type == "error" and self.errors.append(m.text))
            page.on("request", lambda r: r.url.startswith("http") and self.errors.append(r.url))
            page.goto((tmp_path / "r.html").as_uri())
            yield page
            assert self.errors == []
            browser.close()

    @staticmethod
    def content(path):
        return make(path, 30.0)

    @staticmethod
    def view(page):
        return [float(x) for x in page.evaluate("document.body.dataset.view").split()]

    def test_zoom_and_move(self, page):
        assert self.view(page) == [0, 20]
        page.keyboard.press("0")
        assert self.view(page) == pytest.approx([0, 30], abs=0.01)
        box = page.locator("canvas").bounding_box()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 100)
        page.mouse.wheel(0, -100)
        page.wait_for_function("document.body.dataset.view.split(' ')[0] > 1")
        begin, end = self.view(page)
        assert end - begin == pytest.approx(24, abs=0.05)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] / 2 - 200, box["y"] + 100, steps=4)
        page.mouse.up()
        assert self.view(page)[0] > begin + 1
        for _ in range(40):
            page.keyboard.press("+")
        begin, end = self.view(page)
        assert end - begin == pytest.approx(0.5, abs=0.01)
        page.click("#all")
        assert self.view(page) == pytest.approx([0, 30], abs=0.01)

    def test_the_picture_shows_beats(self, page):
        red = page.evaluate(
            """() => { const c = document.getElementById('picture');
            const d = c.getContext('2d').getImageData(0, c.height * 0.5, c.width, 1).data;
            let n = 0, on = false;
            for (let i = 0; i < d.length; i += 4) {
              const is = d[i] > 180 && d[i + 1] < 120 && d[i + 2] < 110;
              if (is && !on) n++;
              on = is; }
            return n; }"""
        )
        assert red == np.count_nonzero(self.found.times <= 20)

    def test_playing_moves_and_clicks(self, page):
        page.keyboard.press(" ")
        page.wait_for_function("document.getElementById('audio').currentTime > 1.5", timeout=60_000)
        assert int(page.evaluate("document.body.dataset.clicked")) >= 2
        page.keyboard.press("c")
        assert not page.is_checked("#clicks")
        page.keyboard.press(" ")
        assert page.evaluate("document.getElementById('audio').paused")
        before = page.evaluate("document.getElementById('audio').currentTime")
        page.keyboard.press("ArrowRight")
        page.wait_for_function(f"document.getElementById('audio').currentTime > {before + 1}")


class TestSectionsInABrowser:
    page = TestInABrowser.page

    @staticmethod
    def content(path):
        signal, _ = clicks(30.0)
        write_audio(path, signal)
        found = music.Segments(
            np.array([0.0, 6.0, 15.0]), np.array([6.0, 15.0, 30.0]), ["A", "B", "A"], np.zeros(215)
        )
        return report_page(path, read_audio(path), found).decode(), found, signal

    def test_bands_have_the_colour_of_their_letter(self, page):
        assert TestInABrowser.view(page) == pytest.approx([0, 30], abs=0.01)
        assert "bands are sections" in page.inner_text("body")
        row = page.evaluate(
            """() => { const c = document.getElementById('picture');
            const d = c.getContext('2d').getImageData(0, 3, c.width, 1).data;
            return [0.1, 0.15, 0.3, 0.45, 0.6, 0.9].map(
              x => Array.from(d.slice(4 * Math.round(x * c.width)).slice(0, 3))); }"""
        )
        assert row[0] == row[1] == row[4] == row[5] and row[2] == row[3]
        assert row[0] != row[2] and [255, 255, 255] not in row
        lines = page.evaluate(
            """() => { const c = document.getElementById('picture');
            const d = c.getContext('2d').getImageData(0, c.height * 0.5, c.width, 1).data;
            const at = [];
            for (let i = 0; i < d.length; i += 4)
              if (d[i] > 180 && d[i + 1] < 120 && d[i + 2] < 110) at.push(30 * i / d.length);
            return at; }"""
        )
        for wanted in (6.0, 15.0):
            assert min(abs(x - wanted) for x in lines) < 0.1
