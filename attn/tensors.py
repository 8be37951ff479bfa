"""Named arrays in one file, without code: safetensors, with a checksum and a description beside them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from attn.files import write_whole

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
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except FileNotFoundError as error:
        raise TensorsError(f"{path} must exist; it does not") from error
    except (SafetensorError, OSError, ValueError) as error:
        raise TensorsError(f"{path} is damaged or no file of weights: {error}") from error
    text = metadata.get("description", "")
    if metadata.get("sha256") != _checksum(arrays, text):
        raise TensorsError(f"{path} is damaged: its arrays do not have the checksum that was saved with them")
    return Tensors(arrays, json.loads(text))


def _checksum(arrays: Arrays, text: str) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"|{name} {array.dtype.str} {array.shape}|".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
