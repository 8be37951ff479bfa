"""Runs on disk as far as no model is needed: their names, where they are, their spec and their history."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attn.checksums import ChecksumError, check_sum
from attn.files import write_whole
from attn.inputs import read_json

SCHEMA_VERSION = 1
WEIGHTS = "weights.safetensors"
BOARD = "tensorboard"
PRETRAINED = Path(__file__).parent / "pretrained"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class RunError(ValueError):
    """A run that cannot be made, found, read or restored; one sentence."""


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
    return [read_summary(directory) for directory in run_directories(root)]


def run_directories(root: Path) -> list[Path]:
    """The directories of the runs in a directory, by name; one that is being made is none yet."""
    return [path.parent for path in sorted(root.glob("*/spec.json")) if not path.parent.name.startswith(".")]


def read_summary(directory: Path) -> RunSummary:
    """Spec and history of a run; raises RunError if either cannot be read, or is not what was written."""
    spec = read_spec(directory)
    history_path = directory / "history.json"
    _check_sum(history_path)
    history = _read_json(history_path) if history_path.exists() else []
    if not isinstance(history, list):
        raise RunError(f"{history_path} must hold a list of epochs; got {type(history).__name__}")
    return RunSummary(directory.resolve().name, directory, spec, history)


def read_spec(directory: Path) -> dict[str, Any]:
    """What a run is; raises RunError if that cannot be read, or is not what was written."""
    _check_sum(directory / "spec.json")
    spec = _read_json(directory / "spec.json")
    if not isinstance(spec, dict) or spec.get("schema_version") != SCHEMA_VERSION:
        got = spec.get("schema_version") if isinstance(spec, dict) else type(spec).__name__
        raise RunError(f"the schema version of {directory / 'spec.json'} must be {SCHEMA_VERSION}; got {got}")
    return spec


def write_json(path: Path, value: Mapping[str, Any] | Sequence[Any]) -> None:
    """Write JSON so that `path` holds either what it held or all of the new text."""
    try:
        with write_whole(path) as file:
            file.write(json.dumps(value, indent=1).encode())
    except OSError as error:
        raise RunError(f"{path} could not be written: {error.strerror or error}") from error


def _check_sum(path: Path) -> None:
    try:
        check_sum(path)
    except ChecksumError as error:
        raise RunError(str(error)) from error


def _read_json(path: Path) -> Any:
    try:
        return read_json(path)
    except OSError as error:
        raise RunError(f"{path} could not be read: {error.strerror or error}") from error
    except ValueError as error:
        raise RunError(f"{path} is damaged: it is not JSON ({error})") from error
