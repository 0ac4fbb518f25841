"""Music rendered from scores, with exact times of beats, downbeats, onsets and segments."""

from ictus.music.synthesis.composer import compose
from ictus.music.synthesis.corpus import make_piece, pieces, write_corpus, write_piece
from ictus.music.synthesis.ensembles import ENSEMBLES, compose_for
from ictus.music.synthesis.midi_score import read_score
from ictus.music.synthesis.mix import Recording, render
from ictus.music.synthesis.score import Part, Score, perform
from ictus.music.synthesis.songs import compose_song
from ictus.music.synthesis.styles import STYLES

__all__ = [
    "ENSEMBLES",
    "STYLES",
    "Part",
    "Recording",
    "Score",
    "compose",
    "compose_for",
    "compose_song",
    "make_piece",
    "perform",
    "pieces",
    "read_score",
    "render",
    "write_corpus",
    "write_piece",
]
