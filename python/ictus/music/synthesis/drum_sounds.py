"""Drums and percussion of the built-in synthesiser, with parameters drawn anew for each kit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.music.synthesis.tones import filtered_noise

Array = NDArray[Any]

#: What kind of sound a note of General MIDI's percussion map is.
SOUNDS: dict[int, str] = (
    dict.fromkeys((35, 36), "kick")
    | dict.fromkeys((37, 31, 75, 76, 77, 85), "wood")
    | dict.fromkeys((38, 40), "snare")
    | {39: "clap"}
    | dict.fromkeys((41, 43, 45, 47, 48, 50, 65, 66), "tom")
    | dict.fromkeys((60, 61, 62, 63, 64), "hand drum")
    | dict.fromkeys((42, 44), "closed hat")
    | {46: "open hat"}
    | dict.fromkeys((49, 52, 55, 57), "crash")
    | dict.fromkeys((51, 59), "ride")
    | dict.fromkeys((53, 56, 67, 68, 80, 81), "bell")
    | dict.fromkeys((54, 69, 70, 73, 74, 82), "shaker")
)


class DrumKit:
    """A kit whose sounds are made when they are first struck, in a few takes each.

    Parameters
    ----------
    rate : int
        Sample rate.
    generator : numpy.random.Generator
    takes : int
        How many different strokes a drum has.
    wide : bool
        Whether parameters come from wider ranges; some kits are then played with brushes.
    """

    def __init__(
        self, rate: int, generator: np.random.Generator, takes: int = 3, *, wide: bool = False
    ) -> None:
        self.rate, self.generator, self.takes, self.wide = rate, generator, takes, wide
        self.brushes = bool(wide and generator.random() < 0.25)
        self.parameters: dict[str, dict[str, float]] = {}
        self.sounds: dict[tuple[int, int], Array] = {}

    def stroke(self, key: int, take: int) -> Array:
        """Return the sound of one stroke, float32, peak about 1."""
        take %= self.takes
        if (key, take) not in self.sounds:
            kind = SOUNDS.get(key, "wood")
            if kind not in self.parameters:
                self.parameters[kind] = _parameters(kind, self.generator)
                if self.wide:
                    _widen(self.parameters[kind], self.generator)
                if self.brushes and kind in BRUSHED:
                    self.parameters[kind]["brush"] = float(self.generator.uniform(0.002, 0.02))
            sound = _make(kind, key, self.parameters[kind], self.rate, self.generator)
            peak = max(float(np.abs(sound).max()), 1e-9)
            self.sounds[key, take] = np.asarray(sound / peak, np.float32)
        return self.sounds[key, take]


#: Drums that brushes are for.
BRUSHED = ("snare", "tom", "ride", "crash", "closed hat", "open hat")


def _widen(parameters: dict[str, float], generator: np.random.Generator) -> None:
    """Spread decays and frequencies beyond the usual ranges, in place."""
    spread = {"decay": 0.5, "pitch": 0.25, "scale": 0.2, "low": 0.3, "noise": 0.5, "sweep": 0.5}
    for name in spread.keys() & parameters.keys():
        parameters[name] *= float(np.exp(generator.normal(0.0, spread[name])))
    if "low" in parameters:
        parameters["low"] = min(parameters["low"], 9000.0)


def _parameters(kind: str, generator: np.random.Generator) -> dict[str, float]:
    u = generator.uniform
    ranges = {
        "kick": {"pitch": (40, 75), "sweep": (30, 300), "fall": (0.01, 0.06), "decay": (0.06, 0.4)},
        "snare": {
            "pitch": (150, 260),
            "decay": (0.06, 0.22),
            "noise": (0.4, 1.0),
            "low": (700, 2500),
        },
        "clap": {"decay": (0.05, 0.2), "low": (700, 1200), "high": (2500, 7000)},
        "tom": {"scale": (0.8, 1.25), "sweep": (10, 60), "decay": (0.1, 0.5)},
        "hand drum": {"scale": (0.8, 1.25), "sweep": (5, 40), "decay": (0.04, 0.2)},
        "closed hat": {"low": (4000, 9000), "decay": (0.012, 0.07), "metal": (0.0, 0.8)},
        "open hat": {"low": (4000, 8500), "decay": (0.12, 0.45), "metal": (0.0, 0.8)},
        "crash": {"low": (1500, 5000), "decay": (0.5, 1.6), "metal": (0.0, 0.5)},
        "ride": {"low": (2500, 6000), "decay": (0.2, 1.0), "metal": (0.3, 1.0)},
        "bell": {"pitch": (500, 1400), "decay": (0.05, 0.5), "ratio": (1.35, 1.7)},
        "wood": {"pitch": (500, 2400), "decay": (0.008, 0.06), "noise": (0.0, 0.5)},
        "shaker": {"low": (3000, 8000), "decay": (0.015, 0.08), "attack": (0.001, 0.02)},
    }[kind]
    return {name: float(u(*limits)) for name, limits in ranges.items()}


def _make(
    kind: str, key: int, p: dict[str, float], rate: int, generator: np.random.Generator
) -> Array:
    decay = p["decay"] * float(np.exp(generator.normal(0, 0.05)))
    count = int(rate * min(decay * 5 + 0.02, 3.0))
    time = np.arange(count) / rate
    fade = np.exp(-time / decay)
    if "brush" in p:  # many wires, which do not strike together
        noise = filtered_noise(count, 600, 14000, rate, generator)
        return noise * fade * np.minimum(time / p["brush"], 1.0) + 0.1 * noise * (time < 0.001)
    if kind == "kick":
        phase = p["pitch"] * time + p["sweep"] * p["fall"] * (1 - np.exp(-time / p["fall"]))
        click = generator.standard_normal(count) * np.exp(-time / 0.002) * 0.3
        return np.sin(2 * np.pi * phase) * fade + click
    if kind in ("tom", "hand drum"):
        pitch = p["scale"] * (70 + 12 * (key - 41)) * (1.5 if kind == "hand drum" else 1.0)
        pitch = min(pitch, 600.0)
        phase = pitch * time + p["sweep"] * 0.03 * (1 - np.exp(-time / 0.03))
        click = generator.standard_normal(count) * np.exp(-time / 0.004) * 0.2
        return np.sin(2 * np.pi * phase) * fade + click
    if kind == "snare":
        body = np.sin(2 * np.pi * p["pitch"] * time) + 0.6 * np.sin(3.3 * np.pi * p["pitch"] * time)
        noise = filtered_noise(count, p["low"], 12000, rate, generator)
        return body * np.exp(-time / (0.5 * decay)) * 0.7 + p["noise"] * 2 * noise * fade
    if kind == "clap":
        noise = filtered_noise(count, min(p["low"], 0.6 * p["high"]), p["high"], rate, generator)
        bursts = sum(
            np.exp(-np.maximum(time - d, 0) / 0.004) * (time >= d) for d in (0, 0.009, 0.02)
        )
        return noise * (0.6 * bursts + fade * (time > 0.02))
    if kind == "bell":
        pitch = p["pitch"] * (1.0 + 0.3 * (key % 2))
        return (
            np.sin(2 * np.pi * pitch * time) + 0.8 * np.sin(2 * np.pi * p["ratio"] * pitch * time)
        ) * fade
    if kind == "wood":
        pitch = p["pitch"] * (1.0 + 0.07 * (key % 5))
        noise = filtered_noise(count, 500, 8000, rate, generator)
        return np.sin(2 * np.pi * pitch * time) * fade + p["noise"] * noise * np.exp(-time / 0.004)
    noise = filtered_noise(count, p["low"], 17000, rate, generator)
    if kind == "shaker":
        return noise * fade * np.minimum(time / p["attack"], 1.0)
    metal = np.zeros(count)
    for ratio in (1.0, 1.342, 1.2312, 1.6532, 1.9523, 2.1523):
        metal += np.sign(np.sin(2 * np.pi * 0.6 * p["low"] * ratio * time))
    metal = np.diff(metal, prepend=0.0) / 3.0
    stroke = np.exp(-time / 0.01) * (0.6 if kind == "ride" else 0.0)
    return (noise * (1 - 0.5 * p["metal"]) + p["metal"] * metal) * (fade * 0.7 + stroke)
