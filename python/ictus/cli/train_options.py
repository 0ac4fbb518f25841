"""The options of ``ictus train``, with their ranges and what they mean."""

from __future__ import annotations

import argparse
from typing import Any

from ictus.cli import arguments as allowed
from ictus.cli.data import HELP

EPILOG = f"""\
{HELP}

examples:
  ictus train digits --plot digits.png
  ictus train genres.npz --hidden 300 300 --dropout 0.5 --output genres.ictus
  ictus train tempo.csv --task regression --early-stopping
  ictus train digits --model autoencoder --hidden 200 50 2 --plot codes.png
  ictus train digits --model rbm --hidden 500 --plot rbm.png --output rbm.ictus
  ictus train digits --model dbn --hidden 500 500 --plot dbn.png
"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``ictus train`` takes."""
    add = parser.add_argument
    add("data", metavar="DATA", help="what to train on; see below")
    add("--targets", metavar="FILE", help="file of the targets, where DATA has none")
    add("--test", metavar="FILE", help="test data; if not given, a fifth of DATA is held out")
    add("--test-targets", metavar="FILE", help="file of the test data's targets")
    add(
        "--model",
        metavar="KIND",
        default="network",
        help="network (default), rbm, gaussian-rbm, softmax-rbm, dbn, autoencoder or "
        "denoising-autoencoder; any other word is taken as the model file to write",
    )
    add("--output", metavar="FILE", help="model file to write; default: model.ictus")
    add("--plot", metavar="FILE", help="picture of the learning curve to write (.png, .pdf, .svg)")
    add("--json", action="store_true", help="print the result as JSON")
    add(
        "--task",
        choices=["auto", "classification", "regression"],
        default="auto",
        help="default: classification where targets are text, truth values, or few whole numbers",
    )
    add(
        "--standardize",
        action=argparse.BooleanOptionalAction,
        help="train on features (and numbers to predict) scaled to mean 0 and deviation 1; the "
        "model takes and gives raw ones all the same; default: unless they are images",
    )
    _network_options(parser.add_argument_group("network"))
    _training_options(parser.add_argument_group("training"))
    _hessian_free_options(parser.add_argument_group("hessian-free training"))
    _autoencoder_options(parser.add_argument_group("autoencoders and pre-training"))
    _machine_options(parser.add_argument_group("Boltzmann machines"))
    _deep_options(parser.add_argument_group("deep belief nets"))


def _network_options(group: Any) -> None:
    add = group.add_argument
    add(
        "--hidden",
        type=allowed.positive_integer,
        nargs="+",
        metavar="N",
        help="units of each hidden layer; default: 100; of a machine 200; of a dbn 300 300",
    )
    add(
        "--activation",
        choices=["relu", "sigmoid", "tanh", "softplus"],
        help="of the hidden units; default: relu; of an autoencoder sigmoid",
    )
    add("--dropout", type=allowed.probability, metavar="P", help="of hidden units; default: 0")
    add("--input-dropout", type=allowed.probability, metavar="P", help="of inputs; default: 0")


def _training_options(group: Any) -> None:
    add = group.add_argument
    add(
        "--optimizer",
        choices=["sgd", "adam", "rmsprop", "hessian-free"],
        help="default: adam; for digits, sgd; hessian-free takes curvature into account, an epoch "
        "is one iteration over all examples, without dropout",
    )
    add(
        "--learning-rate",
        type=allowed.positive,
        metavar="R",
        help="default: 0.001; for sgd 0.1; for rbm and softmax-rbm 0.05",
    )
    add("--learning-rate-decay", type=allowed.positive, metavar="F", help="factor for each epoch")
    add(
        "--momentum",
        type=allowed.probability,
        metavar="M",
        help="of sgd, rmsprop and machines; default: 0.9; with persistent chains 0, with others "
        "0.5, then 0.9",
    )
    add(
        "--batch-size",
        type=allowed.positive_integer,
        default=100,
        metavar="N",
        help="examples in a minibatch; default: 100",
    )
    add("--epochs", type=allowed.count, metavar="N", help="default: 100; of each machine 20")
    add("--max-norm", type=allowed.positive, metavar="L", help="bound of a unit's weight vector")
    add("--l1", type=allowed.not_negative, default=0.0, metavar="C", help="penalty on |weight|")
    add("--l2", type=allowed.not_negative, default=0.0, metavar="C", help="penalty on weight^2 / 2")
    add(
        "--early-stopping",
        action="store_true",
        help="hold out a tenth of the training data, keep the weights that are best on it",
    )
    add(
        "--patience",
        type=allowed.positive_integer,
        default=10,
        metavar="N",
        help="epochs without improvement before early stopping; default: 10",
    )
    add(
        "--seed", type=allowed.seed, default=0, metavar="N", help="same seed, same bits; default: 0"
    )
    add("--threads", type=allowed.thread_count, metavar="N", help="default: all processors")
    add("--checkpoint", metavar="FILE", help="written each epoch; gone on from if it exists")
    add("--quiet", action="store_true", help="no progress bar")


def _hessian_free_options(group: Any) -> None:
    add = group.add_argument
    add("--damping", type=allowed.positive, metavar="L", help="the first lambda; default: 1")
    add(
        "--curvature-examples",
        type=allowed.positive_integer,
        metavar="N",
        help="of the Gauss-Newton matrix of an iteration; default: a tenth, no fewer than 1000",
    )


def _autoencoder_options(group: Any) -> None:
    add = group.add_argument
    add(
        "--code-activation",
        choices=["identity", "relu", "sigmoid", "tanh", "softplus"],
        help="of the code, the last layer of --hidden; default: --activation",
    )
    add("--tied", action="store_true", help="the decoder has the encoder's weights, transposed")
    add(
        "--corruption",
        choices=["masking", "gaussian", "salt_and_pepper"],
        help="noise on the inputs in training; default of a denoising-autoencoder: masking",
    )
    add(
        "--corruption-level",
        type=allowed.not_negative,
        metavar="P",
        help="probability of an input to be hit, or standard deviation; default: 0.3",
    )
    add(
        "--contraction",
        type=allowed.not_negative,
        metavar="C",
        help="contractive penalty of the encoder; default: 0",
    )
    add(
        "--code-noise",
        type=allowed.not_negative,
        metavar="S",
        help="deviation of noise before a sigmoid code, which drives it to bits; default: 0",
    )
    add(
        "--pretrain",
        choices=["rbm", "autoencoder", "supervised"],
        help="pre-train hidden layers one by one, of a network or (not supervised) an autoencoder",
    )
    add(
        "--pretraining-epochs",
        type=allowed.count,
        metavar="N",
        help="of each layer; default: 10",
    )


def _machine_options(group: Any) -> None:
    add = group.add_argument
    add(
        "--gibbs-steps",
        type=allowed.positive_integer,
        default=1,
        metavar="K",
        help="steps of the chain for each update (CD-k); default: 1",
    )
    add(
        "--persistent",
        action=argparse.BooleanOptionalAction,
        help="chains go on from update to update (PCD) instead of starting at the data (CD); "
        "default: unless it is a gaussian-rbm",
    )
    add(
        "--hidden-type",
        choices=["bernoulli", "rectified", "gaussian"],
        default="bernoulli",
        help="of the hidden units; default: bernoulli",
    )
    add(
        "--sparsity-target",
        type=allowed.probability,
        default=0.1,
        metavar="P",
        help="mean activity of a hidden unit, also of an autoencoder; default: 0.1",
    )
    add(
        "--sparsity-cost",
        type=allowed.not_negative,
        default=0.0,
        metavar="C",
        help="how strongly activities are drawn to the target; default: 0",
    )
    add("--learn-variance", action="store_true", help="of the visible units of a gaussian-rbm")
    add(
        "--categories",
        type=allowed.positive_integer,
        metavar="N",
        help="of each feature of a softmax-rbm; default: the largest code + 1",
    )
    add("--all-columns", action="store_true", help="the last column of a .csv file is a feature")


def _deep_options(group: Any) -> None:
    add = group.add_argument
    add(
        "--fine-tune",
        choices=["backpropagation", "up-down", "none"],
        help="how all layers are trained together after each was trained for itself; default: "
        "backpropagation where there are targets, else none",
    )
    add("--fine-tune-epochs", type=allowed.count, metavar="N", help="default: 20")
    add(
        "--fine-tune-learning-rate",
        type=allowed.positive,
        metavar="R",
        help="default: 0.1; of up-down 0.01",
    )
