"""The directory of a run while it is trained: made whole, taken up only as what it was, sealed in the end."""

import json
import logging
import platform
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from attn.checksums import SUMS, ChecksumError, record_sums
from attn.config import CONFIG, to_toml
from attn.files import sha256_of, write_whole
from attn.locks import being_made
from attn.models import ModelConfig, model_config
from attn.processes import PairProcess
from attn.runs import (
    SCHEMA_VERSION,
    WEIGHTS,
    Run,
    RunError,
    load_run,
    origin_of,
    read_spec,
    read_summary,
    write_json,
)
from attn.shards import Shards
from attn.stream import TrainingData
from attn.trainer import Restored, TrainConfig
from attn.types import Pairs

_LOG = logging.getLogger(__name__)
# A run goes on, and workers train together, only if these parts of their specs are the same.
FIXED_PARTS = ("model", "training", "process", "pairs", "shards", "start_from")
_SUMMED = ("spec.json", CONFIG, "history.json", WEIGHTS)
_PACKAGES = ("attn-diagnostics", "tensorflow", "keras", "numpy", "scipy")


def spec_of(
    model: ModelConfig,
    config: TrainConfig,
    source: TrainingData,
    data: Mapping[str, Any] | None,
    start_from: Path | None,
) -> dict[str, Any]:
    """What spec.json says of a training of these."""
    return {
        "schema_version": SCHEMA_VERSION,
        "model": asdict(model),
        "training": asdict(config),
        "process": asdict(source) if isinstance(source, PairProcess) else None,
        "data": None if data is None else dict(data),
        "pairs": {"pairs_sha256": sha256_of(source)} if isinstance(source, Pairs) else None,
        "shards": source.spec if isinstance(source, Shards) else None,
        "start_from": None if start_from is None else origin_of(start_from),
        "seed": config.seed,
        "packages": {"python": platform.python_version(), **_versions()},
        "git_commit": _git_commit(),
    }


def open_directory(directory: Path, spec: dict[str, Any], resume: bool) -> None:
    """Make the directory of a run, or see that the one that exists is a run of the same spec.

    Raises RunError if it exists and `resume` is off, if its spec differs, or if the disk fails.
    """
    if directory.exists():
        if not resume:
            raise RunError(
                f"a new run needs a directory that does not exist; {directory} does (resume it, or rename)"
            )
        _check_same_spec(directory, spec)
        return
    partial = being_made(directory)
    try:
        partial.mkdir(parents=True)
        write_json(partial / "spec.json", spec)
        _write_config(partial / CONFIG, spec)
        record_sums(partial, _SUMMED)
        partial.replace(directory)
    except OSError as error:
        raise RunError(f"{directory} could not be made: {error.strerror or error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def finished_run(directory: Path) -> Run | None:
    """The run, if it is finished and undamaged; with a warning if only the latter is wanting."""
    if not (directory / WEIGHTS).exists():
        return None
    try:
        run = load_run(directory)
    except RunError as error:
        _LOG.warning("%s (it is made again from the last whole checkpoint)", error)
        return None
    seal(directory)  # it may have been killed just before
    return run


def history_before(num_epochs: int, directory: Path, restored: Restored) -> list[dict[str, float]]:
    """The figures of the first epochs.

    Those that a checkpoint keeps stand above history.json, which may be damaged or hold an epoch more.
    """
    kept = read_summary(directory).history if restored.history is None else restored.history
    return kept[:num_epochs]


def seal(directory: Path) -> None:
    """Keep the checksums of a finished run; raises RunError if the disk fails or the old ones are damaged."""
    try:
        record_sums(directory, _SUMMED, changed=("history.json", WEIGHTS))
    except ChecksumError as error:
        raise RunError(str(error)) from error
    except OSError as error:
        raise RunError(f"{directory / SUMS} could not be written: {error.strerror or error}") from error


def _write_config(path: Path, spec: dict[str, Any]) -> None:
    """The parts of a spec that `attn train --config` makes the same run from."""
    names = ("model", "training", "process", "data", "start_from")
    parts = {name: spec[name] for name in names if spec[name]}
    with write_whole(path) as file:
        file.write(to_toml(parts).encode())


def _check_same_spec(directory: Path, spec: dict[str, Any]) -> None:
    """A run goes on only as what it was begun as, in every field of model, training and data.

    Data are compared by what they are, not by where they lie.
    """
    begun = _in_full(read_spec(directory), directory)
    wanted = json.loads(json.dumps(spec))
    for part in FIXED_PARTS:
        if part not in begun:  # an earlier version did not write it down
            continue
        old, new = begun[part] or {}, wanted[part] or {}
        for field in sorted({*old, *new}):
            if old.get(field) != new.get(field):
                raise RunError(
                    f"{field} must be {old.get(field)}, as when {directory} was begun; got {new.get(field)}"
                )


def _in_full(spec: dict[str, Any], directory: Path) -> dict[str, Any]:
    """The spec with the fields that the version that wrote it did not have, at their defaults."""
    try:
        now = {
            "model": asdict(model_config(spec["model"])),
            "training": asdict(TrainConfig(**spec["training"])),
            "process": asdict(PairProcess(**spec["process"])) if spec["process"] else None,
        }
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{directory / 'spec.json'} must describe a model and a training: {error}") from error
    return json.loads(json.dumps({**spec, **now}))


def _versions() -> dict[str, str]:
    versions = {}
    for name in _PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _git_commit() -> str | None:
    """The commit of the code, where it runs from a checkout."""
    try:
        asked = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=5
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return asked.stdout.strip() or None
