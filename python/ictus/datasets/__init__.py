"""Data sets: small real ones, and generators of sequence tasks with known answers."""

from ictus.datasets.curves import curves
from ictus.datasets.hochreiter import (
    adding,
    distractor_time_lag,
    multiplication,
    random_time_lag,
    regular_time_lag,
    temporal_order,
    two_sequence,
)
from ictus.datasets.images import (
    ImageData,
    data_folder,
    load_digits_or_mnist,
    load_mnist,
    load_small_digits,
)
from ictus.datasets.memorization import noiseless_memorization
from ictus.datasets.reber import embedded_reber, embedded_reber_strings

__all__ = [
    "ImageData",
    "adding",
    "curves",
    "data_folder",
    "distractor_time_lag",
    "embedded_reber",
    "embedded_reber_strings",
    "load_digits_or_mnist",
    "load_mnist",
    "load_small_digits",
    "multiplication",
    "noiseless_memorization",
    "random_time_lag",
    "regular_time_lag",
    "temporal_order",
    "two_sequence",
]
