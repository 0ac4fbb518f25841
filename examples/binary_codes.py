"""Binary codes of music by stacked denoising autoencoders, beside LSH and PCA: recall by length.

    python examples/binary_codes.py collect   # render and analyse the collection (some minutes)
    python examples/binary_codes.py           # train, measure, write docs/results/binary_codes.*

The collection: excerpts of 5 s of pieces that ictus composed and rendered, and of recordings of the
shared data that may be redistributed. Encoders see excerpts of other pieces (of recordings: the
first two thirds) than the queries come from. The truth is the order of the full features.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ictus.music.retrieval.track_features import TrackFeatures

Array = NDArray[Any]

PIECES, SEED = 300, 2013
SECONDS, STEP = 5.0, 1.0
RECORDINGS = [  # class A of the shared data: music, speech, animals
    "librosa_audio/Kevin_MacLeod_-_Vibe_Ace.ogg",
    "librosa_audio/Kevin_MacLeod_-_P_I_Tchaikovsky_Dance_of_the_Sugar_Plum_Fairy.ogg",
    "librosa_audio/Karissa_Hobbs_-_Lets_Go_Fishin.ogg",
    "librosa_audio/Hungarian_Dance_number_5_-_Allegro_in_F_sharp_minor_(string_orchestra).ogg",
    "librosa_audio/sorohanro_-_solo-trumpet-06.ogg",
    "librosa_audio/198-209-0000.ogg",
    "librosa_audio/3436-172162-0000.ogg",
    "librosa_audio/glacier-bay-humpback.ogg",
    "vocadito/vocadito_1.flac",
]


def collect(folder: Path) -> None:
    """Write features of all excerpts; a piece that is there is not made again."""
    import soxr

    from ictus.io.audio import audio_blocks
    from ictus.music.synthesis import make_piece

    features = TrackFeatures()
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(PIECES):
        target = folder / f"piece_{number:04d}.npy"
        if target.exists():
            continue
        piece = make_piece(number, SEED, seconds=30.0)
        signal = soxr.resample(piece.audio, piece.sample_rate, features.sample_rate)
        np.save(target, features.excerpts(features.frames([signal]), SECONDS, STEP))
    data = Path(os.environ["ICTUS_DATA"])
    for number, name in enumerate(RECORDINGS):
        frames = features.frames(audio_blocks(data / name, features.sample_rate))
        np.save(folder / f"recording_{number}.npy", features.excerpts(frames, SECONDS, STEP))
