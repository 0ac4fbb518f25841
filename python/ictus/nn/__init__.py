"""Layers, losses, initialisation, and the network that chains them over one flat vector."""

from ictus.nn.affine import Affine
from ictus.nn.batch_normalization import BatchNorm, SpatialDropout
from ictus.nn.convolution import Conv1D, Conv2D
from ictus.nn.curvature import GaussNewton
from ictus.nn.dense import Dense
from ictus.nn.dropout import Dropout
from ictus.nn.elementwise import Activation
from ictus.nn.embedding import Embedding
from ictus.nn.initialization import INITIALIZATIONS, initialize_weights
from ictus.nn.layer import Cache, Draws, Layer
from ictus.nn.layer_normalization import LayerNorm, LocalResponseNorm
from ictus.nn.losses import LOSSES, Loss
from ictus.nn.lstm import LSTM
from ictus.nn.mean_covariance import MeanCovariance
from ictus.nn.network import Network
from ictus.nn.noise import Noise
from ictus.nn.passes import part_outputs
from ictus.nn.pooling import AveragePool, Flatten, MaxPool
from ictus.nn.recurrent import GRU, Bidirectional, Recurrent
from ictus.nn.sequence_network import SequenceNetwork
from ictus.nn.sequences import SequenceBatch
from ictus.nn.standardize import Standardize
from ictus.nn.stream import Stream
from ictus.nn.subsampling import Subsampling
from ictus.nn.tied import TiedDense
from ictus.nn.transposed_convolution import ConvTranspose2D, Upsample

__all__ = [
    "GRU",
    "INITIALIZATIONS",
    "LOSSES",
    "LSTM",
    "Activation",
    "Affine",
    "AveragePool",
    "BatchNorm",
    "Bidirectional",
    "Cache",
    "Conv1D",
    "Conv2D",
    "ConvTranspose2D",
    "Dense",
    "Draws",
    "Dropout",
    "Embedding",
    "Flatten",
    "GaussNewton",
    "Layer",
    "LayerNorm",
    "LocalResponseNorm",
    "Loss",
    "MaxPool",
    "MeanCovariance",
    "Network",
    "Noise",
    "Recurrent",
    "SequenceBatch",
    "SequenceNetwork",
    "SpatialDropout",
    "Standardize",
    "Stream",
    "Subsampling",
    "TiedDense",
    "Upsample",
    "initialize_weights",
    "part_outputs",
]
