"""Deep learning for music and audio research in one small wheel.

Names are loaded when first used: ``import ictus`` costs little more than ``import numpy``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ictus import _interpreters  # noqa: F401  before the native module
from ictus._core import (
    instruction_set,
    instruction_sets,
    num_threads,
    set_instruction_set,
    set_num_threads,
)

if TYPE_CHECKING:
    from ictus import datasets, kernels, models, music, nn, optim, plot, train
    from ictus.io.model_file import ModelFileError, load, read_card, save
    from ictus.kernels._threadpool import register_threadpool_controller
    from ictus.models import (
        RBM,
        Autoencoder,
        BernoulliRBM,
        ConditionalRBM,
        ConvNetClassifier,
        ConvNetRegressor,
        ConvolutionalAutoencoder,
        ConvolutionalRBM,
        DBNClassifier,
        DeepBeliefNet,
        DivergenceTrainer,
        GaussianRBM,
        MeanCovarianceRBM,
        MLPClassifier,
        MLPRegressor,
        SequenceClassifier,
        SequenceGenerator,
        SequenceLabeler,
        SequenceRegressor,
        SoftmaxRBM,
    )
    from ictus.nn import (
        GRU,
        LSTM,
        Activation,
        Affine,
        AveragePool,
        BatchNorm,
        Bidirectional,
        Conv1D,
        Conv2D,
        ConvTranspose2D,
        Dense,
        Dropout,
        Embedding,
        Flatten,
        LayerNorm,
        LocalResponseNorm,
        MaxPool,
        MeanCovariance,
        Network,
        Noise,
        Recurrent,
        SequenceNetwork,
        SpatialDropout,
        Standardize,
        Subsampling,
        TiedDense,
        Upsample,
    )
    from ictus.optim import SGD, Adam, HessianFree, RMSprop
    from ictus.train import DivergenceError, EarlyStopping, History, SequenceTrainer, Trainer

__version__ = "0.1.0"

# Where each name lives; modules stand for themselves.
_LAZY = {
    "Activation": "ictus.nn",
    "Adam": "ictus.optim",
    "Affine": "ictus.nn",
    "Autoencoder": "ictus.models",
    "AveragePool": "ictus.nn",
    "BatchNorm": "ictus.nn",
    "BernoulliRBM": "ictus.models",
    "Bidirectional": "ictus.nn",
    "ConditionalRBM": "ictus.models",
    "Conv1D": "ictus.nn",
    "Conv2D": "ictus.nn",
    "ConvNetClassifier": "ictus.models",
    "ConvNetRegressor": "ictus.models",
    "ConvTranspose2D": "ictus.nn",
    "ConvolutionalAutoencoder": "ictus.models",
    "ConvolutionalRBM": "ictus.models",
    "DBNClassifier": "ictus.models",
    "DeepBeliefNet": "ictus.models",
    "Dense": "ictus.nn",
    "DivergenceError": "ictus.train",
    "DivergenceTrainer": "ictus.models",
    "Dropout": "ictus.nn",
    "EarlyStopping": "ictus.train",
    "Embedding": "ictus.nn",
    "Flatten": "ictus.nn",
    "GRU": "ictus.nn",
    "GaussianRBM": "ictus.models",
    "HessianFree": "ictus.optim",
    "History": "ictus.train",
    "LSTM": "ictus.nn",
    "LayerNorm": "ictus.nn",
    "LocalResponseNorm": "ictus.nn",
    "MLPClassifier": "ictus.models",
    "MLPRegressor": "ictus.models",
    "MaxPool": "ictus.nn",
    "MeanCovariance": "ictus.nn",
    "MeanCovarianceRBM": "ictus.models",
    "ModelFileError": "ictus.io.model_file",
    "Network": "ictus.nn",
    "Noise": "ictus.nn",
    "RBM": "ictus.models",
    "RMSprop": "ictus.optim",
    "Recurrent": "ictus.nn",
    "SGD": "ictus.optim",
    "SequenceClassifier": "ictus.models",
    "SequenceGenerator": "ictus.models",
    "SequenceLabeler": "ictus.models",
    "SequenceNetwork": "ictus.nn",
    "SequenceRegressor": "ictus.models",
    "SequenceTrainer": "ictus.train",
    "SoftmaxRBM": "ictus.models",
    "SpatialDropout": "ictus.nn",
    "Standardize": "ictus.nn",
    "Subsampling": "ictus.nn",
    "TiedDense": "ictus.nn",
    "Trainer": "ictus.train",
    "Upsample": "ictus.nn",
    "load": "ictus.io.model_file",
    "read_card": "ictus.io.model_file",
    "register_threadpool_controller": "ictus.kernels._threadpool",
    "save": "ictus.io.model_file",
}
_MODULES = ("datasets", "io", "kernels", "models", "music", "nn", "optim", "plot", "train")

__all__ = [
    "GRU",
    "LSTM",
    "RBM",
    "SGD",
    "Activation",
    "Adam",
    "Affine",
    "Autoencoder",
    "AveragePool",
    "BatchNorm",
    "BernoulliRBM",
    "Bidirectional",
    "ConditionalRBM",
    "Conv1D",
    "Conv2D",
    "ConvNetClassifier",
    "ConvNetRegressor",
    "ConvTranspose2D",
    "ConvolutionalAutoencoder",
    "ConvolutionalRBM",
    "DBNClassifier",
    "DeepBeliefNet",
    "Dense",
    "DivergenceError",
    "DivergenceTrainer",
    "Dropout",
    "EarlyStopping",
    "Embedding",
    "Flatten",
    "GaussianRBM",
    "HessianFree",
    "History",
    "LayerNorm",
    "LocalResponseNorm",
    "MLPClassifier",
    "MLPRegressor",
    "MaxPool",
    "MeanCovariance",
    "MeanCovarianceRBM",
    "ModelFileError",
    "Network",
    "Noise",
    "RMSprop",
    "Recurrent",
    "SequenceClassifier",
    "SequenceGenerator",
    "SequenceLabeler",
    "SequenceNetwork",
    "SequenceRegressor",
    "SequenceTrainer",
    "SoftmaxRBM",
    "SpatialDropout",
    "Standardize",
    "Subsampling",
    "TiedDense",
    "Trainer",
    "Upsample",
    "__version__",
    "datasets",
    "instruction_set",
    "instruction_sets",
    "kernels",
    "load",
    "models",
    "music",
    "nn",
    "num_threads",
    "optim",
    "plot",
    "read_card",
    "register_threadpool_controller",
    "save",
    "set_instruction_set",
    "set_num_threads",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"ictus.{name}")
    if name in _LAZY:
        value = getattr(import_module(_LAZY[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'ictus' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
