"""A run on disk: what was trained, how, on what, how it went, and the weights.

    spec.json             model, training, data, seed, package versions, git commit
    config.toml           model, training and data alone, for `attn train --config`
    history.json          one row an epoch
    checkpoints/          the last three, each whole in one file (weights, optimizer, step)
    weights.safetensors   the trained weights, with the configuration that they belong to
    SHA256SUMS            what the files above must contain; `sha256sum --check` reads it
    tensorboard/          what `tensorboard --logdir` shows: the training as it went, projected layers

Loading executes nothing that a run contains: JSON and plain arrays only.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from attn.catalogue import (
    BOARD,
    PRETRAINED,
    SCHEMA_VERSION,
    WEIGHTS,
    RunError,
    RunSummary,
    check_name,
    find_run,
    list_runs,
    read_spec,
    read_summary,
    write_json,
)
from attn.config import checked
from attn.inputs import open_regular
from attn.models import ModelConfig, PairModel, build_model, model_config
from attn.processes import PairProcess
from attn.tensors import Arrays, TensorsError, load_tensors, save_tensors

__all__ = [
    "BOARD",
    "PRETRAINED",
    "SCHEMA_VERSION",
    "WEIGHTS",
    "Run",
    "RunError",
    "RunSummary",
    "check_name",
    "find_run",
    "list_runs",
    "load_run",
    "load_weights",
    "read_spec",
    "read_summary",
    "save_weights",
    "write_json",
]


@dataclass(frozen=True, eq=False)
class Run:
    """A trained run: `spec` and `history` as on disk, and the model with its weights.

    process   what the training data were drawn from; None where they came from a file
    """

    name: str
    directory: Path
    spec: dict[str, Any]
    history: list[dict[str, float]]
    model: PairModel
    process: PairProcess | None


def load_run(directory: Path) -> Run:
    """A trained run with its model.

    Raises RunError if a file is missing or damaged, if the spec does not match what the weights were
    trained with in any field of the configuration, or if a weight is missing or left over.
    """
    summary = read_summary(directory)
    try:
        model = build_model(model_config(summary.spec["model"]), seed=0)
        process = _process(summary.spec["process"])
    except KeyError as error:
        raise RunError(f"{directory / 'spec.json'} must have an entry {error}; it has none") from error
    except (TypeError, ValueError) as error:
        raise RunError(f"{directory / 'spec.json'} must describe a model and a process: {error}") from error
    load_weights(model, directory / WEIGHTS)
    return Run(summary.name, directory, summary.spec, summary.history, model, process)


def _process(fields: object) -> PairProcess | None:
    if fields is None:
        return None
    if not isinstance(fields, dict):
        raise ValueError(f"a process must be an object with its fields; got {type(fields).__name__}")
    return checked(PairProcess, fields, "a process")


def origin_of(directory: Path) -> dict[str, str]:
    """What tells one trained run from another wherever it lies: its name, and the sha256 of its weights.

    Raises RunError if it has no weights that can be read.
    """
    path = directory / WEIGHTS
    try:
        with open_regular(path) as file:
            weights = hashlib.file_digest(file, "sha256")
    except OSError as error:
        raise RunError(f"{path} could not be read: {error.strerror or error}") from error
    return {
        "starting_run": directory.resolve().name,
        "starting_weights": weights.hexdigest(),
    }


def save_weights(model: PairModel, path: Path) -> None:
    """Write the weights together with the configuration that they belong to."""
    try:
        save_tensors(path, weights_of(model), {"model": asdict(model.config)})
    except TensorsError as error:
        raise RunError(str(error)) from error


def load_weights(model: PairModel, path: Path) -> None:
    """Restore `model` from what `save_weights` wrote; raises RunError where anything does not match."""
    try:
        tensors = load_tensors(path)
    except TensorsError as error:
        raise RunError(str(error)) from error
    trained = tensors.description.get("model")
    if not isinstance(trained, dict):
        raise RunError(f"{path} must say which model it belongs to; it does not")
    check_same_config(model.config, trained, path)
    assign_weights(model, tensors.arrays, path)


def check_same_config(config: ModelConfig, trained: Mapping[str, Any], path: Path) -> None:
    """Raise RunError naming the first field in which a configuration differs from the trained one."""
    wanted = json.loads(json.dumps(asdict(config)))
    for field in ("kind", *sorted({*wanted, *trained})):  # of another kind, all other fields differ too
        if wanted.get(field) != trained.get(field):
            raise RunError(
                f"{field} must be {trained.get(field)}, as when {path} was trained; got {wanted.get(field)}"
            )


def weights_of(model: PairModel) -> Arrays:
    """The weights of a model by their path within it; raises RunError if two share a path."""
    return {path: weight.numpy() for path, weight in _by_path(model).items()}


def _by_path(model: PairModel) -> dict[str, Any]:
    weights = {weight.path: weight for weight in model.trainable_variables}
    if len(weights) < len(model.trainable_variables):
        paths = [weight.path for weight in model.trainable_variables]
        shared = sorted({path for path in paths if paths.count(path) > 1})
        raise RunError(
            f"every weight of a model needs a path of its own; several are called {', '.join(shared)}"
        )
    return weights


def assign_weights(model: PairModel, arrays: Arrays, path: Path) -> None:
    """Set every weight of the model; raises RunError if one is missing, left over or of another shape."""
    weights = _by_path(model)
    for name in sorted({*weights, *arrays}):
        if name not in arrays:
            raise RunError(f"{path} must hold every weight of the model; {name} is missing")
        if name not in weights:
            raise RunError(f"every weight in {path} must belong to the model; {name} does not")
        if tuple(weights[name].shape) != arrays[name].shape:
            raise RunError(
                f"{name} must have shape {tuple(weights[name].shape)}; got {arrays[name].shape} in {path}"
            )
        if arrays[name].dtype != np.float32 or not np.isfinite(arrays[name]).all():
            raise RunError(f"{name} must hold finite float32 numbers; it does not in {path}")
    for name, weight in weights.items():
        weight.assign(arrays[name])
