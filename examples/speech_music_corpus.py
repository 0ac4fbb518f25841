"""Recordings for speech/music detection: what trains the model of the wheel, and what tests it.

Used by ``examples/speech_music_models.py``. Training: speech by espeak-ng and flite (Debian) from
texts written here, two speakers of fsdd, one of LibriSpeech; pieces of ``ictus.music.synthesis``
and real music under free licences; noise, and a humpback whale. Test: other speakers, other pieces,
and what Debian's ``asterisk-core-sounds-*-wav`` and ``supertux-data`` have, where installed.
"""

from __future__ import annotations

import functools
import io
import itertools
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from ictus.io.audio import audio_blocks, read_audio, write_audio
from ictus.music.synthesis import write_corpus
from ictus.music.synthesis.effects import equalize

RATE = 16_000
Sounds = dict[str, np.ndarray]  # by name

TEXTS = {
    "en": (
        "Good evening, and here is the news at nine o'clock. The council will meet again on "
        "Thursday to talk about the new bridge over the river.",
        "I never thought that the old piano would still be in tune after such a winter, but there "
        "it was, and somebody had even polished the keys.",
        "Well, tomorrow we expect some rain in the north, a fresh wind from the west, and at "
        "night it may freeze in the valleys.",
        "Take the second road on the left, then go straight ahead until you see a small shop with "
        "a green door; we live just behind it.",
        "What a question! Of course she knew the answer, she just did not want to say it while "
        "everybody in the room was listening.",
        "Seven, twelve, thirty-four, ninety-nine, one hundred and six: these are the numbers, "
        "please check them carefully before you sign.",
    ),
    "de": (
        "Guten Abend, meine Damen und Herren. Der Zug nach Salzburg hat heute zwanzig Minuten "
        "Verspätung, wir bitten um Entschuldigung.",
        "Wenn es morgen nicht regnet, gehen wir mit den Kindern in den Wald und suchen Pilze, "
        "sonst bleiben wir zu Hause und spielen Karten.",
        "Das Orchester hat lange geprobt, aber der Dirigent war mit dem letzten Satz noch immer "
        "nicht zufrieden.",
    ),
    "fr": (
        "Bonsoir à tous, voici les nouvelles de la journée. Le marché sera fermé demain matin à "
        "cause de la neige.",
        "Je ne sais pas pourquoi elle est partie si vite, peut-être qu'elle avait oublié quelque "
        "chose chez son frère.",
    ),
    "es": (
        "Buenas tardes. El tiempo para mañana: sol en el sur, nubes en el norte y viento fuerte "
        "en la costa.",
        "No me acuerdo del nombre de aquella calle, pero había una fuente muy grande y muchos "
        "niños jugando alrededor.",
    ),
    "it": (
        "Buongiorno, il treno per Bologna parte dal binario quattro. Si prega di allontanarsi "
        "dalla linea gialla.",
        "Ieri sera abbiamo mangiato molto bene in una piccola trattoria vicino al mare.",
    ),
    "pt": (
        "Boa noite. Amanhã a biblioteca abre às dez horas e fecha às seis da tarde.",
        "Ele perdeu a chave outra vez e teve de esperar duas horas na rua.",
    ),
    "nl": ("Goedemorgen, het wordt vandaag een mooie dag met veel zon en weinig wind.",),
    "pl": ("Dzień dobry, pociąg do Krakowa odjedzie z peronu trzeciego o godzinie piątej.",),
    "sv": ("God kväll, i morgon blir det kallt i norr och snö på många håll i landet.",),
    "ru": ("Добрый вечер, сегодня в городе тепло, а завтра ожидается дождь и сильный ветер.",),  # noqa: RUF001
    "tr": ("İyi akşamlar, yarın hava açık olacak ve rüzgar batıdan esecek.",),  # noqa: RUF001
    "fi": ("Hyvää iltaa, huomenna sataa lunta ja tuuli kääntyy pohjoiseen.",),
}
VARIANTS = ("", "+m1", "+m2", "+m3", "+m4", "+m5", "+m7", "+f1", "+f2", "+f3", "+f4", "+f5",
            "+Alex", "+Andrea", "+Linda", "+Michael", "+Mike", "+steph", "+klatt", "+klatt4",
            "+croak", "+whisper")  # fmt: skip
HELD_OUT_VARIANTS = ("+m6", "+m8", "+Annie", "+Max")  # validation
FLITE = ("kal16", "awb", "slt", "rms")
HELD_OUT_FLITE = "rms"
TRAINING_SPEAKERS, TEST_SPEAKERS = ("george", "theo"), ("jackson", "nicolas")
TRAINING_MUSIC = ("Karissa", "Sugar_Plum", "Vibe_Ace")
TEST_MUSIC = ("Hungarian", "trumpet")
ASTERISK = Path("/usr/share/asterisk/sounds")
# Signals among the prompts.
NOT_SPEECH = ("silence", "beep", "2tone", "glorious", "bridge-join", "bridge-leave", "tt-monkeys")
SUPERTUX = Path("/usr/share/games/supertux2")


# --- synthetic speech ----------------------------------------------------------------------------


def _program(command: list[str], text: str) -> np.ndarray:
    made = subprocess.run(command, input=text.encode(), capture_output=True, check=True)
    x, rate = soundfile.read(io.BytesIO(_whole(made.stdout)), dtype="float32")
    return np.asarray(soxr.resample(x, rate, RATE), np.float32)


def _whole(data: bytes) -> bytes:
    """A wave file from a pipe does not know its length: put it into the header."""
    place = data.index(b"data") + 4
    return data[:place] + (len(data) - place - 4).to_bytes(4, "little") + data[place + 4 :]


def _shuffled(text: str, generator: np.random.Generator) -> str:
    """Another text of the same words."""
    words = text.split()
    first = int(generator.integers(len(words)))
    return " ".join(words[first:] + words[:first])


def speak(number: int, *, validation: bool = False) -> np.ndarray:
    """Return utterance `number`: voice, language, speed and pitch by its number."""
    generator = np.random.default_rng([11, int(validation), number])
    language = str(generator.choice(list(TEXTS), p=_language_weights()))
    if number % 3 == 0 and shutil.which("flite"):
        names = (HELD_OUT_FLITE,) if validation else tuple(v for v in FLITE if v != HELD_OUT_FLITE)
        text = _shuffled(str(generator.choice(TEXTS["en"])), generator)
        command = ["flite", "-voice", str(generator.choice(names)), "--setf",
                   f"duration_stretch={generator.uniform(0.75, 1.3):.2f}", "--setf",
                   f"int_f0_target_mean={generator.uniform(80, 220):.0f}",
                   "-t", text, "-o", "/dev/stdout"]  # fmt: skip
        return _program(command, "")
    text = _shuffled(str(generator.choice(TEXTS[language])), generator)
    variants = HELD_OUT_VARIANTS if validation else VARIANTS
    command = ["espeak-ng", "-v", language + str(generator.choice(variants)), "-s",
               str(int(generator.uniform(115, 220))), "-p", str(int(generator.uniform(5, 90))),
               "--stdout"]  # fmt: skip
    return _program(command, text)


def spoken(work: Path, count: int, *, validation: bool = False) -> Sounds:
    """Return utterances 0 .. count - 1, which are kept in a folder."""
    folder = work / ("validation_speech" if validation else "speech")
    folder.mkdir(parents=True, exist_ok=True)
    made = {}
    for number in range(count):
        path = folder / f"spoken{number:04d}.flac"
        if not path.exists():
            write_audio(path, speak(number, validation=validation), RATE)
        made[path.stem] = read_audio(path, RATE)
    return made


def _language_weights() -> np.ndarray:
    weights = np.array([len(texts) for texts in TEXTS.values()], float)
    return weights / weights.sum()


# --- real recordings -----------------------------------------------------------------------------


def _resampled(x: np.ndarray, rate: int) -> np.ndarray:
    mono = x.mean(axis=1) if x.ndim == 2 else x
    return np.asarray(soxr.resample(mono, rate, RATE), np.float32)


def digits(data: Path, speakers: tuple[str, ...]) -> Sounds:
    """Return all digits of each speaker of fsdd, laid end to end with pauses."""
    spoken: dict[str, list[np.ndarray]] = {name: [] for name in speakers}
    archive_path = next(iter((data / "fsdd").glob("*.tar.gz")), None)
    if archive_path is None:
        return {}
    with tarfile.open(archive_path) as archive:
        for member in sorted(archive.getmembers(), key=lambda m: m.name):
            speaker = Path(member.name).stem.split("_")[1] if member.name.endswith(".wav") else ""
            content = archive.extractfile(member) if speaker in spoken else None
            if content is not None:
                spoken[speaker].append(_resampled(*soundfile.read(io.BytesIO(content.read()))))
    return {f"fsdd {name}": joined(parts, 7) for name, parts in spoken.items() if parts}


def joined(parts: list[np.ndarray], seed: int) -> np.ndarray:
    """Return the parts in a drawn order with pauses of 0.1 to 0.5 s."""
    generator = np.random.default_rng(seed)
    pieces: list[np.ndarray] = []
    for i in generator.permutation(len(parts)):
        pieces += [parts[i], np.zeros(int(generator.uniform(0.1, 0.5) * RATE), np.float32)]
    return np.concatenate(pieces).astype(np.float32)


def _files(paths: Iterator[Path] | list[Path]) -> Sounds:
    return {path.stem: read_audio(path, RATE) for path in sorted(paths)}


def _named(folder: Path, names: tuple[str, ...]) -> Sounds:
    return _files([p for p in folder.glob("*.ogg") if any(name in p.name for name in names)])


# --- neither -------------------------------------------------------------------------------------


def noises(count: int, seed: int, seconds: float = 6.0) -> Sounds:
    """Return sounds that are neither: coloured noise, wind, rain, hum, engines, clicks, blows."""
    made = {}
    for number in range(count):
        generator = np.random.default_rng([12, seed, number])
        kind = NOISES[number % len(NOISES)]
        sound = kind(int(seconds * RATE), generator)
        sound = equalize(sound.astype(np.float32), RATE, 5.0, generator)
        made[f"{kind.__name__[1:]} {number}"] = np.asarray(sound / np.abs(sound).max(), np.float32)
    return made


def _noise(n: int, generator: np.random.Generator) -> np.ndarray:
    spectrum = np.fft.rfft(generator.standard_normal(n))
    frequency = np.maximum(np.fft.rfftfreq(n), 1e-3)
    return np.fft.irfft(spectrum * frequency ** -generator.uniform(0, 1.2), n)


def _slow(n: int, rate: float, generator: np.random.Generator) -> np.ndarray:
    """A curve that changes about `rate` times a second, between 0 and 1."""
    points = generator.random(max(2, int(n / RATE * rate) + 2))
    return np.interp(np.linspace(0, len(points) - 1, n), np.arange(len(points)), points)


def _wind(n: int, generator: np.random.Generator) -> np.ndarray:
    return _noise(n, generator) * _slow(n, generator.uniform(0.3, 4), generator) ** 2


def _rain(n: int, generator: np.random.Generator) -> np.ndarray:
    drops = generator.standard_normal(n) * (generator.random(n) < generator.uniform(0.001, 0.05))
    decay = np.exp(-np.arange(400) / generator.uniform(8, 80))
    return np.convolve(drops, decay * generator.standard_normal(400), "same")


def _engine(n: int, generator: np.random.Generator) -> np.ndarray:
    speed = generator.uniform(20, 140) * (1 + 0.2 * _slow(n, 0.5, generator))
    phase = 2 * np.pi * np.cumsum(speed) / RATE
    weights = generator.random(25) / np.arange(1, 26) ** 0.7
    tones = sum(w * np.sin(k * phase) for k, w in enumerate(weights, 1))
    return np.asarray(tones + generator.uniform(0.3, 2) * _noise(n, generator))


def _blows(n: int, generator: np.random.Generator) -> np.ndarray:
    """Steps, knocks, doors: short bursts of filtered noise at uneven times."""
    out = np.zeros(n)
    for start in generator.integers(0, n, int(n / RATE * generator.uniform(1, 6))):
        length = int(generator.uniform(0.01, 0.4) * RATE)
        burst = _noise(length + 2, generator) * np.exp(-np.arange(length + 2) / (length / 5))
        burst = burst[: n - start]
        out[start : start + len(burst)] += burst * generator.uniform(0.2, 1)
    return out + 1e-4 * generator.standard_normal(n)


def _chirps(n: int, generator: np.random.Generator) -> np.ndarray:
    """Whistles that glide, as of birds and machines, at uneven times."""
    out = 1e-3 * _noise(n, generator)
    for start in generator.integers(0, n, int(n / RATE * generator.uniform(0.5, 5))):
        length = int(generator.uniform(0.03, 0.6) * RATE)
        ends = generator.uniform(600, 7000) * np.exp([0, generator.normal(0, 0.4)])
        pitch = np.linspace(*np.minimum(ends, 7500), length)
        pitch *= 1 + 0.1 * np.sin(np.arange(length) * generator.uniform(0, 60) / RATE * 6.28)
        tone = np.sin(2 * np.pi * np.cumsum(pitch) / RATE) * np.hanning(length)
        tone = tone[: n - start]
        out[start : start + len(tone)] += generator.uniform(0.1, 1) * tone
    return out


NOISES: tuple[Any, ...] = (_noise, _wind, _rain, _engine, _blows, _chirps)


def cut(sounds: Sounds, seconds: float = 15.0, copies: int = 1) -> Sounds:
    """Return long recordings in parts, so that chance takes them as often as short ones."""
    size = int(seconds * RATE)
    return {
        f"{name} {first // size} {copy}": x[first : first + size]
        for name, x in sounds.items()
        for first in range(0, len(x), size)
        for copy in range(copies)
        if first == 0 or len(x) - first > RATE
    }


# --- corpora -------------------------------------------------------------------------------------


def training_sounds(data: Path, work: Path, utterances: int, pieces: int) -> dict[str, Sounds]:
    """Return the recordings of training, by class, without those that only validate."""
    if not shutil.which("espeak-ng"):
        raise SystemExit("espeak-ng is needed: apt-get install espeak-ng flite")
    speech = spoken(work, utterances)
    speech |= cut(digits(data, TRAINING_SPEAKERS))
    speech |= cut(_named(data / "librosa_audio", ("198-209",)), copies=10)
    music = _composed(work, pieces)
    real = _named(data / "librosa_audio", TRAINING_MUSIC)
    real |= _files(list((data / "vocadito").glob("*.flac")))
    real |= _files(list((data / "madmom_testdata" / "audio").glob("*sample*.*")))
    music |= cut(real, copies=3)
    other = noises(1200, 0, 4.0) | cut(_named(data / "librosa_audio", ("humpback",)))
    return {"speech": speech, "music": music, "other": other}


def validation_sounds(work: Path) -> dict[str, Sounds]:
    """Return voices, pieces and noises of our own that are not in the training."""
    return {"speech": spoken(work, 40, validation=True), "music": _composed(work, 24, first=900),
            "other": noises(20, 1)}  # fmt: skip


def _composed(work: Path, count: int, first: int = 0) -> Sounds:
    """Pieces for bands, drums alone, one instrument, and voices."""
    paths = write_corpus(work / "pieces", count, 4711, first=first, seconds=20.0, format="ogg",
                         instruments="training", ensemble="mixed", synthesizer="mixed",
                         sample_rate=22_050)  # fmt: skip
    return _files(paths)


@functools.lru_cache(maxsize=1)
def test_sounds(data: Path) -> dict[str, Sounds]:
    """Return the held-out recordings of the shared data."""
    speech = digits(data, TEST_SPEAKERS) | _named(data / "librosa_audio", ("3436-",))
    music = _named(data / "librosa_audio", TEST_MUSIC)
    music |= _files([*(data / "mdb_drums").glob("*_MIX.flac"),
                     *(data / "mdb_drums").glob("*_RAWSUM.flac"),
                     *(data / "beats_excerpts").glob("ballroom*.flac"),
                     *(data / "beats_excerpts").glob("simac*.flac"),
                     *(data / "beats_excerpts").glob("jtd_mix.flac")])  # fmt: skip
    other = noises(20, 2) | _named(data / "librosa_audio", ("robin",))
    return {"speech": speech, "music": music, "other": other}


def debian_sounds(seconds: float = 60.0) -> dict[str, Sounds]:
    """Return real speech in five languages and music of a game; empty where not installed."""
    speech: Sounds = {}
    for folder in sorted(p for p in ASTERISK.glob("*_*_*") if p.is_dir()):
        parts, total = [], 0.0
        paths = sorted(folder.rglob("*.wav"))
        for i in np.random.default_rng(5).permutation(len(paths)):
            one = read_audio(paths[i], RATE)
            if any(name in str(paths[i]) for name in NOT_SPEECH) or len(one) < RATE // 4:
                continue
            parts.append(one)
            total += len(one) / RATE
            if total >= seconds:
                break
        speech[folder.name] = joined(parts, 8)
    music = {}
    for path in sorted((SUPERTUX / "music").rglob("*.ogg")):
        blocks = itertools.islice(audio_blocks(path, RATE, 10.0), 3)
        music[path.stem] = np.concatenate(list(blocks))
    return {"speech": speech, "music": music, "other": {}}
