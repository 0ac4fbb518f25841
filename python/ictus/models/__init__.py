"""Models: estimators with the interface of scikit-learn, and the machines under them.

Names are loaded when first used: a machine needs no scikit-learn.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ictus.models.autoencoders.autoencoder import Autoencoder
    from ictus.models.autoencoders.convolutional_autoencoder import ConvolutionalAutoencoder
    from ictus.models.boltzmann.annealing import annealed_importance_sampling
    from ictus.models.boltzmann.bernoulli_rbm import BernoulliRBM
    from ictus.models.boltzmann.conditional_machine import ConditionalMachine
    from ictus.models.boltzmann.conditional_rbm import ConditionalRBM
    from ictus.models.boltzmann.convolutional_divergence import ConvolutionalTrainer
    from ictus.models.boltzmann.convolutional_machine import ConvolutionalMachine
    from ictus.models.boltzmann.convolutional_rbm import ConvolutionalRBM
    from ictus.models.boltzmann.divergence import DivergenceTrainer
    from ictus.models.boltzmann.gaussian_rbm import GaussianRBM
    from ictus.models.boltzmann.hybrid_divergence import HybridDivergenceTrainer
    from ictus.models.boltzmann.mean_covariance import MeanCovarianceMachine
    from ictus.models.boltzmann.mean_covariance_rbm import MeanCovarianceRBM
    from ictus.models.boltzmann.partition import log_likelihood, log_partition
    from ictus.models.boltzmann.rbm import RBM
    from ictus.models.boltzmann.softmax_rbm import SoftmaxRBM
    from ictus.models.boltzmann.tempered_divergence import TemperedTrainer
    from ictus.models.boltzmann.tempering import ParallelTempering
    from ictus.models.boltzmann.windows import Windows
    from ictus.models.deep_belief.dbn_classifier import DBNClassifier
    from ictus.models.deep_belief.deep_belief_machine import DeepBeliefMachine
    from ictus.models.deep_belief.deep_belief_net import DeepBeliefNet
    from ictus.models.deep_belief.wake_sleep import UpDownTrainer
    from ictus.models.mlp import MLPClassifier, MLPRegressor
    from ictus.models.pretraining.pretrain import PretrainedLayer, pretrain, unroll
    from ictus.models.recurrent.sequence import (
        SequenceClassifier,
        SequenceLabeler,
        SequenceRegressor,
    )
    from ictus.models.recurrent.sequence_generator import SequenceGenerator

# Where each name lives.
_LAZY = {
    "Autoencoder": "autoencoders.autoencoder",
    "BernoulliRBM": "boltzmann.bernoulli_rbm",
    "ConditionalMachine": "boltzmann.conditional_machine",
    "ConditionalRBM": "boltzmann.conditional_rbm",
    "ConvolutionalAutoencoder": "autoencoders.convolutional_autoencoder",
    "ConvolutionalMachine": "boltzmann.convolutional_machine",
    "ConvolutionalRBM": "boltzmann.convolutional_rbm",
    "ConvolutionalTrainer": "boltzmann.convolutional_divergence",
    "DBNClassifier": "deep_belief.dbn_classifier",
    "DeepBeliefMachine": "deep_belief.deep_belief_machine",
    "DeepBeliefNet": "deep_belief.deep_belief_net",
    "DivergenceTrainer": "boltzmann.divergence",
    "GaussianRBM": "boltzmann.gaussian_rbm",
    "HybridDivergenceTrainer": "boltzmann.hybrid_divergence",
    "MLPClassifier": "mlp",
    "MLPRegressor": "mlp",
    "MeanCovarianceMachine": "boltzmann.mean_covariance",
    "MeanCovarianceRBM": "boltzmann.mean_covariance_rbm",
    "ParallelTempering": "boltzmann.tempering",
    "PretrainedLayer": "pretraining.pretrain",
    "RBM": "boltzmann.rbm",
    "SequenceClassifier": "recurrent.sequence",
    "SequenceGenerator": "recurrent.sequence_generator",
    "SequenceLabeler": "recurrent.sequence",
    "SequenceRegressor": "recurrent.sequence",
    "SoftmaxRBM": "boltzmann.softmax_rbm",
    "TemperedTrainer": "boltzmann.tempered_divergence",
    "UpDownTrainer": "deep_belief.wake_sleep",
    "Windows": "boltzmann.windows",
    "annealed_importance_sampling": "boltzmann.annealing",
    "log_likelihood": "boltzmann.partition",
    "log_partition": "boltzmann.partition",
    "pretrain": "pretraining.pretrain",
    "unroll": "pretraining.pretrain",
}

__all__ = [
    "RBM",
    "Autoencoder",
    "BernoulliRBM",
    "ConditionalMachine",
    "ConditionalRBM",
    "ConvolutionalAutoencoder",
    "ConvolutionalMachine",
    "ConvolutionalRBM",
    "ConvolutionalTrainer",
    "DBNClassifier",
    "DeepBeliefMachine",
    "DeepBeliefNet",
    "DivergenceTrainer",
    "GaussianRBM",
    "HybridDivergenceTrainer",
    "MLPClassifier",
    "MLPRegressor",
    "MeanCovarianceMachine",
    "MeanCovarianceRBM",
    "ParallelTempering",
    "PretrainedLayer",
    "SequenceClassifier",
    "SequenceGenerator",
    "SequenceLabeler",
    "SequenceRegressor",
    "SoftmaxRBM",
    "TemperedTrainer",
    "UpDownTrainer",
    "Windows",
    "annealed_importance_sampling",
    "log_likelihood",
    "log_partition",
    "pretrain",
    "unroll",
]


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        value = getattr(import_module(f"ictus.models.{_LAZY[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'ictus.models' has no attribute {name!r}")
