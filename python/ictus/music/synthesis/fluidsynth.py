"""Rendering by FluidSynth and a General MIDI sound font, where both are installed.

The library is called in this process: no MIDI file, no clock of its own. Notes begin at the block
of 64 samples that lies nearest, so within 0.73 ms of their time at 44.1 kHz.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.music.synthesis.score import Part

Array = NDArray[Any]

BLOCK = 64
DRUM_CHANNEL = 9
BEND_RANGE = 12
#: Where Debian puts its free sound fonts; FluidR3 is under the MIT licence.
SOUND_FONTS = (
    "/usr/share/sounds/sf2/FluidR3_GM.sf2",
    "/usr/share/soundfonts/FluidR3_GM.sf2",
)


def sound_font() -> Path | None:
    """Return the sound font that ``ICTUS_SOUND_FONT`` names, else Debian's FluidR3, else None."""
    named = os.environ.get("ICTUS_SOUND_FONT")
    for name in (named,) if named else SOUND_FONTS:
        if Path(name).is_file():
            return Path(name)
    return None


@lru_cache(maxsize=1)
def _library() -> Any:
    name = ctypes.util.find_library("fluidsynth") or "libfluidsynth.so.3"
    try:
        library = ctypes.CDLL(name)
    except OSError:
        return None
    pointer, text, integer = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "new_fluid_settings": (pointer, []),
        "new_fluid_synth": (pointer, [pointer]),
        "delete_fluid_synth": (None, [pointer]),
        "delete_fluid_settings": (None, [pointer]),
        "fluid_settings_setnum": (integer, [pointer, text, ctypes.c_double]),
        "fluid_settings_setint": (integer, [pointer, text, integer]),
        "fluid_synth_sfload": (integer, [pointer, text, integer]),
        "fluid_synth_get_sfont_by_id": (pointer, [pointer, integer]),
        "fluid_synth_add_sfont": (integer, [pointer, pointer]),
        "fluid_synth_remove_sfont": (integer, [pointer, pointer]),
        "fluid_synth_program_select": (integer, [pointer, integer, integer, integer, integer]),
        "fluid_synth_noteon": (integer, [pointer, integer, integer, integer]),
        "fluid_synth_noteoff": (integer, [pointer, integer, integer]),
        "fluid_synth_cc": (integer, [pointer, integer, integer, integer]),
        "fluid_synth_pitch_bend": (integer, [pointer, integer, integer]),
        "fluid_synth_all_sounds_off": (integer, [pointer, integer]),
        "fluid_synth_system_reset": (integer, [pointer]),
        "fluid_synth_set_log_function": (pointer, [integer, pointer, pointer]),
        "fluid_set_log_function": (pointer, [integer, pointer, pointer]),
        "fluid_synth_write_float": (
            integer,
            [pointer, integer, pointer, integer, integer, pointer, integer, integer],
        ),
    }
    for function, (result, arguments) in signatures.items():
        if hasattr(library, function):
            getattr(library, function).restype = result
            getattr(library, function).argtypes = arguments
    for level in range(5):
        library.fluid_set_log_function(level, None, None)
    return library


def is_available() -> bool:
    """Return whether FluidSynth and a sound font are installed."""
    return sound_font() is not None and _library() is not None


class _Font:
    """A sound font that was read once, for all synthesisers of this process."""

    def __init__(self, path: str) -> None:
        library = _library()
        # The font belongs to the synthesiser that read it, which stays as long as the process.
        self._settings = library.new_fluid_settings()
        library.fluid_settings_setint(self._settings, b"synth.dynamic-sample-loading", 1)
        self._reader = library.new_fluid_synth(self._settings)
        number = library.fluid_synth_sfload(self._reader, os.fsencode(path), 0)
        if number < 0:
            raise RuntimeError(f"FluidSynth cannot read the sound font {path}")
        self.address = library.fluid_synth_get_sfont_by_id(self._reader, number)


@lru_cache(maxsize=4)
def _font(path: str) -> _Font:
    return _Font(path)


class FluidSynth:
    """A synthesiser with a sound font loaded.

    The same notes give the same samples from a new one; later ones depend on what was played.

    Parameters
    ----------
    sample_rate : int
    font : path, optional
        See :func:`sound_font`.

    Raises
    ------
    RuntimeError
        FluidSynth or the sound font is missing or cannot be used.
    """

    def __init__(
        self, sample_rate: int = 44100, font: str | os.PathLike[str] | None = None
    ) -> None:
        library = _library()
        if library is None:
            raise RuntimeError("FluidSynth is not installed (Debian: apt-get install fluidsynth)")
        chosen = sound_font() if font is None else Path(font)
        if chosen is None or not chosen.is_file():
            raise RuntimeError(
                f"no sound font at {chosen or SOUND_FONTS[0]} (Debian: apt-get install "
                "fluid-soundfont-gm); ICTUS_SOUND_FONT may name another"
            )
        self.sample_rate = int(sample_rate)
        self._library = library
        self._settings = library.new_fluid_settings()
        for name, value in (("synth.sample-rate", float(sample_rate)), ("synth.gain", 0.3)):
            library.fluid_settings_setnum(self._settings, name.encode(), value)
        # Reverberation and chorus are added in the mix, where they are random.
        for name, number in (
            ("synth.reverb.active", 0),
            ("synth.chorus.active", 0),
            ("synth.dynamic-sample-loading", 1),
            ("synth.polyphony", 128),
        ):
            library.fluid_settings_setint(self._settings, name.encode(), number)
        self._shared = _font(os.fspath(chosen))
        self._synth = library.new_fluid_synth(self._settings)
        self._font = library.fluid_synth_add_sfont(self._synth, self._shared.address)

    def __del__(self) -> None:
        if getattr(self, "_synth", None):
            self._library.fluid_synth_remove_sfont(self._synth, self._shared.address)
            self._library.delete_fluid_synth(self._synth)
            self._library.delete_fluid_settings(self._settings)

    def render(self, parts: Sequence[Part], events: Sequence[Array], seconds: float) -> Array:
        """Return the sound of parts, shape (samples, 2), float32.

        Parameters
        ----------
        parts : sequence of Part
            At most 15 that are not drums, and drums.
        events : sequence of arrays of NOTE
            Their notes in seconds; see :func:`ictus.music.synthesis.score.perform`.
        seconds : float
        """
        library, synth = self._library, self._synth
        library.fluid_synth_system_reset(synth)
        free = iter([c for c in range(16) if c != DRUM_CHANNEL])
        rows = []
        for part, notes in zip(parts, events, strict=True):
            channel = DRUM_CHANNEL if part.role == "drums" else next(free)
            self._select(channel, part)
            rows.append(self._messages(channel, notes))
        blocks = int(np.ceil(seconds * self.sample_rate / BLOCK))
        out = np.zeros((blocks * BLOCK, 2), np.float32)
        messages = np.concatenate(rows) if rows else np.zeros((0, 4), np.int64)
        messages = messages[np.lexsort((messages[:, 3] > 0, messages[:, 0]))]
        messages = messages[messages[:, 0] < blocks]
        done = 0
        for block, channel, pitch, velocity in messages.tolist():
            if block > done:
                self._write(out, done, block)
                done = block
            if velocity:
                library.fluid_synth_noteon(synth, channel, pitch, velocity)
            else:
                library.fluid_synth_noteoff(synth, channel, pitch)
        self._write(out, done, blocks)
        for channel in range(16):
            library.fluid_synth_all_sounds_off(synth, channel)
        return out

    def _select(self, channel: int, part: Part) -> None:
        bank = 128 if channel == DRUM_CHANNEL else 0
        library, synth = self._library, self._synth
        failed = library.fluid_synth_program_select(
            synth, channel, self._font, bank, int(part.program)
        )
        if failed:
            library.fluid_synth_program_select(synth, channel, self._font, bank, 0)
        library.fluid_synth_cc(synth, channel, 7, 100)
        library.fluid_synth_cc(synth, channel, 10, 64)
        if part.tuning:
            # The range of the bender in semitones is registered parameter 0.
            for controller, value in ((101, 0), (100, 0), (6, BEND_RANGE), (38, 0)):
                library.fluid_synth_cc(synth, channel, controller, value)
            bend = 8192 * (1.0 + part.tuning / BEND_RANGE)
            library.fluid_synth_pitch_bend(synth, channel, int(np.clip(round(bend), 0, 16383)))

    def _messages(self, channel: int, notes: Array) -> Array:
        """Rows of block, channel, pitch, velocity; velocity 0 ends a note."""
        begin = np.round(notes["start"] * self.sample_rate / BLOCK).astype(np.int64)
        end = np.round((notes["start"] + notes["duration"]) * self.sample_rate / BLOCK)
        end = np.maximum(end.astype(np.int64), begin + 1)
        made = np.zeros((2 * len(notes), 4), np.int64)
        made[:, 0] = np.concatenate([begin, end])
        made[:, 1] = channel
        made[:, 2] = np.tile(np.clip(notes["pitch"], 0, 127), 2)
        made[: len(notes), 3] = np.clip(notes["velocity"], 1, 127)
        return made

    def _write(self, out: Array, first: int, last: int) -> None:
        if last <= first:
            return
        address = out.ctypes.data + first * BLOCK * 8
        self._library.fluid_synth_write_float(
            self._synth, (last - first) * BLOCK, address, 0, 2, address, 1, 2
        )
