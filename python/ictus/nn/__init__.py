"""Layers, losses, initialisation, and the network that chains them over one flat vector."""

from ictus.nn.dense import Dense
from ictus.nn.dropout import Dropout
from ictus.nn.initialization import INITIALIZATIONS, initialize_weights
from ictus.nn.layer import Cache, Draws, Layer
from ictus.nn.losses import LOSSES, Loss
from ictus.nn.network import Network

__all__ = [
    "INITIALIZATIONS",
    "LOSSES",
    "Cache",
    "Dense",
    "Draws",
    "Dropout",
    "Layer",
    "Loss",
    "Network",
    "initialize_weights",
]
