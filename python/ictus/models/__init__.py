"""Models: estimators with the interface of scikit-learn, and the machines under them.

Names are loaded when first used: a machine needs no scikit-learn.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ictus.models.annealing import annealed_importance_sampling
    from ictus.models.autoencoder import Autoencoder
    from ictus.models.bernoulli_rbm import BernoulliRBM
    from ictus.models.conditional_machine import ConditionalMachine
    from ictus.models.conditional_rbm import ConditionalRBM
    from ictus.models.dbn_classifier import DBNClassifier
    from ictus.models.deep_belief import DeepBeliefMachine
    from ictus.models.deep_belief_net import DeepBeliefNet
    from ictus.models.divergence import DivergenceTrainer
    from ictus.models.gaussian_rbm import GaussianRBM
    from ictus.models.hybrid_divergence import HybridDivergenceTrainer
    from ictus.models.mean_covariance import MeanCovarianceMachine
    from ictus.models.mean_covariance_rbm import MeanCovarianceRBM
    from ictus.models.mlp import MLPClassifier, MLPRegressor
    from ictus.models.partition import log_likelihood, log_partition
    from ictus.models.pretraining import PretrainedLayer, pretrain, unroll
    from ictus.models.rbm import RBM
    from ictus.models.sequence import SequenceClassifier, SequenceLabeler, SequenceRegressor
    from ictus.models.sequence_generator import SequenceGenerator
    from ictus.models.softmax_rbm import SoftmaxRBM
    from ictus.models.tempered_divergence import TemperedTrainer
    from ictus.models.tempering import ParallelTempering
    from ictus.models.wake_sleep import UpDownTrainer
    from ictus.models.windows import Windows

# Where each name lives.
_LAZY = {
    "Autoencoder": "autoencoder",
    "BernoulliRBM": "bernoulli_rbm",
    "ConditionalMachine": "conditional_machine",
    "ConditionalRBM": "conditional_rbm",
    "DBNClassifier": "dbn_classifier",
    "DeepBeliefMachine": "deep_belief",
    "DeepBeliefNet": "deep_belief_net",
    "DivergenceTrainer": "divergence",
    "GaussianRBM": "gaussian_rbm",
    "HybridDivergenceTrainer": "hybrid_divergence",
    "MLPClassifier": "mlp",
    "MLPRegressor": "mlp",
    "MeanCovarianceMachine": "mean_covariance",
    "MeanCovarianceRBM": "mean_covariance_rbm",
    "ParallelTempering": "tempering",
    "PretrainedLayer": "pretraining",
    "RBM": "rbm",
    "SequenceClassifier": "sequence",
    "SequenceGenerator": "sequence_generator",
    "SequenceLabeler": "sequence",
    "SequenceRegressor": "sequence",
    "SoftmaxRBM": "softmax_rbm",
    "TemperedTrainer": "tempered_divergence",
    "UpDownTrainer": "wake_sleep",
    "Windows": "windows",
    "annealed_importance_sampling": "annealing",
    "log_likelihood": "partition",
    "log_partition": "partition",
    "pretrain": "pretraining",
    "unroll": "pretraining",
}

__all__ = [
    "RBM",
    "Autoencoder",
    "BernoulliRBM",
    "ConditionalMachine",
    "ConditionalRBM",
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
