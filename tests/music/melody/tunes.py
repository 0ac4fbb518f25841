"""Small scores of our own for the tests of melodies."""

import numpy as np

from ictus.music.melody import Key, Melody

#: A tune with an upbeat, a repeat with two endings, a tuplet, a tie and a chord symbol.
ABC = """X:1
T:Up and down
M:3/4
L:1/4
K:G
D|:"G"GAB|c2d|1 e3-|e2D:|2 (3def g2|]
X:2
T:Flat
M:4/4
L:1/8
K:Gm
G>A B<c =e2 ^f2|[Bd]4 z4|
"""

KERN = """**kern\t**kern
*M4/4\t*M4/4
*k[]\t*k[]
*C:\t*C:
=1\t=1
2C\t4e
.\t4f
2G\t2g
=2\t=2
1C\t1e
==\t==
*-\t*-
"""


def tune(seed, notes=30, key=None):
    """A random walk on a major scale in quarter and eighth notes."""
    key = key or Key(0)
    generator = np.random.default_rng(seed)
    scale = np.array([0, 2, 4, 5, 7, 9, 11])
    steps = np.clip(np.cumsum(generator.integers(-2, 3, notes)), -3, 10)
    pitches = 60 + key.tonic + 12 * (steps // 7) + scale[steps % 7]
    return Melody(pitches, generator.choice([0.5, 1.0], notes), key)


def chorales(count, seed=0):
    """Triads below a soprano: arrays (steps, 4)."""
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        roots = generator.choice([0, 5, 7], 12)
        rows = [[72 + r - (12 if r > 4 else 0), 67 + r - 7, 60 + r - 7, 48 + r - 7] for r in roots]
        rows[-1] = [72, 67, 64, 48]
        found.append(np.array(rows))
    return found
