"""A run on disk: what was trained, how, on what, how it went, and the weights.

    spec.json             model, training, data, seed, package versions, git commit
    history.json          one row an epoch
    checkpoints/          the last three, each whole in one file (weights, optimizer, step)
    weights.safetensors   the trained weights, with the configuration that they belong to
    tensorboard/          what `tensorboard --logdir` shows: the training as it went, projected layers

Loading executes nothing that a run contains: JSON and plain arrays only.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from attn.files import write_whole
from attn.models import ModelConfig, PairModel, build_model, model_config
from attn.processes import PairProcess
from attn.tensors import Arrays, TensorsError, load_tensors, save_tensors

SCHEMA_VERSION = 1
BOARD = "tensorboard"
PRETRAINED = Path(__file__).parent / "pretrained"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class RunError(ValueError):
    """A run that cannot be made, found, read or restored; one sentence."""


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


@dataclass(frozen=True, eq=False)
class RunSummary:
    """A run without its weights; `history` is empty where no epoch has ended yet."""

    name: str
    directory: Path
    spec: dict[str, Any]
    history: list[dict[str, float]]


def check_name(name: str) -> str:
    """The name, if it may be the name of a run: it becomes a directory."""
    if not _NAME.fullmatch(name):
        raise RunError(
            "the name of a run must be 1 to 100 letters, digits, dots, dashes or underscores and start with a"
            f" letter or digit; got {name[:100]!r}"
        )
    return name


def find_run(name: str) -> Path:
    """The directory of a run: the name of a shipped run, or a directory that holds a spec.

    Raises RunError if there is neither.
    """
    shipped = PRETRAINED / name
    if _NAME.fullmatch(name) and (shipped / "spec.json").is_file():
        return shipped
    try:
        if (Path(name) / "spec.json").is_file():
            return Path(name)
    except (OSError, ValueError):  # a name that no file can have
        pass
    shipped_names = ", ".join(run.name for run in list_runs(PRETRAINED)) or "none"
    raise RunError(
        f"a run must be one of the shipped runs ({shipped_names}) or a directory with a spec.json;"
        f" got {name[:200]!r}"
    )


def list_runs(root: Path) -> list[RunSummary]:
    """The runs in a directory, by name; directories that are no runs are passed over."""
    if not root.is_dir():
        return []
    return [read_summary(path.parent) for path in sorted(root.glob("*/spec.json"))]


def read_summary(directory: Path) -> RunSummary:
    """Spec and history of a run; raises RunError if either cannot be read."""
    spec = _read_json(directory / "spec.json")
    if not isinstance(spec, dict) or spec.get("schema_version") != SCHEMA_VERSION:
        got = spec.get("schema_version") if isinstance(spec, dict) else type(spec).__name__
        raise RunError(f"the schema version of {directory / 'spec.json'} must be {SCHEMA_VERSION}; got {got}")
    history_path = directory / "history.json"
    history = _read_json(history_path) if history_path.exists() else []
    if not isinstance(history, list):
        raise RunError(f"{history_path} must hold a list of epochs; got {type(history).__name__}")
    return RunSummary(directory.resolve().name, directory, spec, history)


def load_run(directory: Path) -> Run:
    """A trained run with its model.

    Raises RunError if a file is missing or damaged, if the spec does not match what the weights were
    trained with in any field of the configuration, or if a weight is missing or left over.
    """
    summary = read_summary(directory)
    try:
        model = build_model(model_config(summary.spec["model"]), seed=0)
        process = PairProcess(**summary.spec["process"]) if summary.spec["process"] else None
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{directory / 'spec.json'} must describe a model and a process: {error}") from error
    load_weights(model, directory / "weights.safetensors")
    return Run(summary.name, directory, summary.spec, summary.history, model, process)


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
    check_same_config(model.config, tensors.description.get("model", {}), path)
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
    for name, weight in weights.items():
        weight.assign(arrays[name])


def write_json(path: Path, value: Mapping[str, Any] | Sequence[Any]) -> None:
    """Write JSON so that `path` holds either what it held or all of the new text."""
    try:
        with write_whole(path) as file:
            file.write(json.dumps(value, indent=1).encode())
    except OSError as error:
        raise RunError(f"{path} could not be written: {error.strerror or error}") from error


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RunError(f"{path} could not be read: {error.strerror or error}") from error
    except ValueError as error:
        raise RunError(f"{path} is damaged: it is not JSON ({error})") from error
