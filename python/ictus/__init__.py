"""Deep learning for music and audio research in one small wheel.

Names are loaded when first used: ``import ictus`` costs little more than ``import numpy``.
"""

from ictus._core import (
    instruction_set,
    instruction_sets,
    num_threads,
    set_instruction_set,
    set_num_threads,
)

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "instruction_set",
    "instruction_sets",
    "num_threads",
    "set_instruction_set",
    "set_num_threads",
]
