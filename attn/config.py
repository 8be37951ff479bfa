"""Configurations as TOML, and from it: a field that is unknown or of a wrong form is named."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from attn.inputs import read_text

CONFIG = "config.toml"
Configuration = TypeVar("Configuration")


class ConfigError(ValueError):
    """A configuration that cannot be read; one sentence."""


def read_toml(path: Path, tables: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """The tables of a TOML file, an empty one for each that is missing.

    Raises ConfigError if the file cannot be read, is no TOML, or holds anything but `tables`.
    """
    try:
        content = tomllib.loads(read_text(Path(path)))
    except OSError as error:
        raise ConfigError(f"{path} could not be read: {error.strerror or error}") from error
    except RecursionError as error:
        raise ConfigError(f"{path} must be TOML: it nests too deeply") from error
    except ValueError as error:  # no TOML, or no UTF-8
        raise ConfigError(f"{path} must be TOML: {error}") from error
    wrong = [name for name, value in content.items() if name not in tables or not isinstance(value, dict)]
    if wrong:
        names = ", ".join(f"[{name}]" for name in tables)
        raise ConfigError(f"{path} may hold the tables {names}; got {', '.join(wrong)}")
    return {name: content.get(name, {}) for name in tables}


def to_toml(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Tables of texts, numbers, truth values, paths and lists of them as TOML; what is None is left out."""
    blocks = []
    for name, table in tables.items():
        lines = [f"{key} = {_to_toml(value)}\n" for key, value in table.items() if value is not None]
        blocks.append(f"[{name}]\n{''.join(lines)}")
    return "\n".join(blocks)


def _to_toml(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_to_toml, value))}]"
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    # the escapes of JSON are those of TOML, which wants the delete character escaped too
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def checked(kind: type[Configuration], values: Mapping[str, Any], title: str) -> Configuration:
    """The dataclass `kind` with `values`; raises ValueError for an unknown field or a wrong value.

    `title` is what stands before "has the fields" if one is unknown.
    """
    known = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(f"{title} has the fields {', '.join(sorted(known))}; got {', '.join(unknown)}")
    try:
        return TypeAdapter(kind).validate_python(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "value_error":  # a rule of the configuration itself
            raise ValueError(first["msg"].removeprefix("Value error, ")) from error
        field = first["loc"][0]
        raise ValueError(
            f"{field} has a wrong form ({first['msg']}); got {values.get(str(field))!r}"
        ) from error
