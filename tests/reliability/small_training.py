"""A training that takes no time, as a command, and what it must come to."""

import shlex
from pathlib import Path

import numpy as np

from attn.catalogue import read_summary
from attn.tensors import load_tensors
from tests.reliability import children
from tests.reliability.kills import hidden

TRAIN = shlex.split(
    "attn train --run r --model historic --kernel rbf_const_2D --num-points 5 --width 4 --heads 1"
    " --layer-dims 4,4,4 --steps-per-epoch 2 --batch-size 2 --context 2 --num-test-pairs 4"
)
RUN = Path("runs/r")
# Without pictures a step is most of it; without compiling it takes no longer than the first operations.
PREPARE = (children.without_pictures, children.without_compiling)


def losses(run):
    return np.array([(row["step"], row["train_loss"], row["test_loss"]) for row in read_summary(run).history])


def resumed(folder, arguments):
    return [*arguments, "--resume"] if (folder / RUN).exists() else arguments


def is_same_training(folder, whole):
    """The same losses to 1e-6, the same weights, and nothing left of what was killed."""
    mine, other = (load_tensors(place / RUN / "weights.safetensors").arrays for place in (folder, whole))
    return (
        np.allclose(losses(folder / RUN), losses(whole / RUN), rtol=1e-6, atol=0)
        and all(np.allclose(mine[name], other[name], rtol=0, atol=1e-6) for name in other)
        and hidden(folder) == []
    )
