"""Named arrays in one file, without code: safetensors, with a checksum and a description beside them."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save

from attn.files import write_whole
from attn.inputs import open_regular, parse_json
from attn.memory import MemoryLimitError, require_memory

Arrays = Mapping[str, NDArray[Any]]


class TensorsError(ValueError):
    """A file of tensors that cannot be read or written; one sentence that names the file."""


@dataclass(frozen=True, eq=False)
class Tensors:
    """Arrays by name, and the JSON description that was saved with them."""

    arrays: dict[str, NDArray[Any]]
    description: dict[str, Any]


def save_tensors(path: Path, arrays: Arrays, description: Mapping[str, Any]) -> None:
    """Write arrays and a JSON description; `path` holds either what it held or all of it.

    Raises TensorsError if the disk does not take it.
    """
    plain = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    text = json.dumps(description, sort_keys=True)
    content = save(plain, {"description": text, "sha256": _checksum(plain, text)})
    try:
        with write_whole(path) as file:
            file.write(content)
    except OSError as error:
        raise TensorsError(f"{path} could not be written: {error.strerror or error}") from error


def load_tensors(path: Path) -> Tensors:
    """Read what `save_tensors` wrote; raises TensorsError if it is missing, cut or changed."""
    try:
        with open_regular(path) as opened:
            require_memory(2 * os.fstat(opened.fileno()).st_size, f"to read {path}")
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except FileNotFoundError as error:
        raise TensorsError(f"{path} must exist; it does not") from error
    except MemoryLimitError:
        raise
    except OSError as error:
        raise TensorsError(f"{path} could not be read: {error.strerror or error}") from error
    # what names a dtype that numpy lacks fails in ways that safetensors does not say
    except Exception as error:
        raise TensorsError(f"{path} is damaged or no file of weights: {error}") from error
    text = metadata.get("description", "")
    if metadata.get("sha256") != _checksum(arrays, text):
        raise TensorsError(f"{path} is damaged: its arrays do not have the checksum that was saved with them")
    return Tensors(arrays, _parse_description(text, path))


def _parse_description(text: str, path: Path) -> dict[str, Any]:
    try:
        description = parse_json(text)
    except ValueError:
        description = None
    if not isinstance(description, dict):
        raise TensorsError(f"the description in {path} must be a JSON object; it is none")
    return description


def _checksum(arrays: Arrays, text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"|{name} {array.dtype.str} {array.shape}|".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
