"""Recordings played otherwise: at other tempi and pitches, with annotations that follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ictus.io.annotations import Events


@dataclass(frozen=True)
class Change:
    """A tempo and a pitch, as factors of those of the recording.

    Equal factors are those of a tape; others need :func:`ictus.music.time_stretch.change`.
    """

    tempo: float = 1.0
    pitch: float = 1.0

    def __post_init__(self) -> None:
        for name in ("tempo", "pitch"):
            if not 0.25 <= getattr(self, name) <= 4:
                raise ValueError(f"{name} must be between 0.25 and 4, got {getattr(self, name)!r}")

    def events(self, events: Events) -> Events:
        """Return the annotation of the changed recording."""
        ends = None if events.ends is None else events.ends / self.tempo
        return Events(events.times / self.tempo, events.labels, ends)


def changes(
    speeds: Sequence[float] = (1.0,),
    tempi: Sequence[float] = (),
    semitones: Sequence[float] = (),
) -> tuple[Change, ...]:
    """Return changes, the first of which is the recording as it is.

    Parameters
    ----------
    speeds : sequence of float
        As a tape would play it: tempo and pitch change.
    tempi : sequence of float
        The tempo changes alone.
    semitones : sequence of float
        The pitch changes alone.

    Raises
    ------
    ValueError
        A factor that is not between 0.25 and 4.
    """
    made = [Change()]
    made += [Change(speed, speed) for speed in speeds]
    made += [Change(tempo, 1.0) for tempo in tempi]
    made += [Change(1.0, 2.0 ** (semitone / 12.0)) for semitone in semitones]
    return tuple(dict.fromkeys(made))
