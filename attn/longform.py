"""Points from a CSV file in long form: one row a point, with its x or date, its series, and its y.

What the file says is data and never trusted: every value is checked here, and an error names the row as a
spreadsheet counts it (the header is row 1).
"""

import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO

import numpy as np
import pandas as pd

from attn.inputs import open_regular
from attn.memory import require_memory

_MOST_COLUMNS = 1000
_LONGEST_HEADER = 1 << 20
_MISSING = ("", "na", "n/a", "nan", "null", "none")


class TableError(ValueError):
    """A table that cannot be read, or from which no pairs can be made; one sentence."""


@dataclass(frozen=True, eq=False)
class Points:
    """The points of two series.

    frame          columns `series` (0/1), `x` and `y` (finite floats), sorted by series, then x; no two
                   points of a series share an x
    series_names   what the file calls series 0 and 1
    origin         the date at which x is 0 (x then counts hours), None where x is a number in the file
    num_averaged   rows that had the x of another row of their series: y is the average of them
    """

    frame: pd.DataFrame
    series_names: tuple[str, str]
    origin: pd.Timestamp | None
    num_averaged: int


def read_points(
    source: Path | TextIO,
    x_column: str,
    series_column: str,
    y_column: str,
    *,
    series_a: str | None = None,
    series_b: str | None = None,
    date_format: str | None = None,
) -> Points:
    """Read the points of two series; see `attn.tables.read_csv` for what each argument means.

    Raises TableError: the rule, then what was received.
    """
    text = _select(_read_text(source), {"x": x_column, "series": series_column, "y": y_column})
    names = _series_names(text["series"], series_a, series_b)
    text = text[text["series"].isin(names)]
    origin, x = _parse_x(text["x"], x_column, date_format)
    y = _parse_numbers(text["y"], y_column)
    rows = pd.DataFrame({"series": (text["series"] == names[1]).astype(int), "x": x, "y": y})
    frame = rows.groupby(["series", "x"])[["y"]].mean().reset_index()  # sorted by both
    return Points(frame, names, origin, len(rows) - len(frame))


def _read_text(source: Path | TextIO) -> pd.DataFrame:
    """The whole file as strings, the header as row 1; rows without any content are left out."""
    name = source if isinstance(source, Path) else "the table"
    try:
        text = _parse(source)
    except OSError as error:
        raise TableError(f"{name} could not be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise TableError(f"a CSV file must be UTF-8 text; {name} is not") from error
    except pd.errors.EmptyDataError as error:
        raise TableError(f"a CSV file must have a header and a row a point; {name} is empty") from error
    except pd.errors.ParserError as error:
        reason = str(error).removeprefix("Error tokenizing data. C error: ").strip()
        raise TableError(f"a CSV file must have as many fields in every row; in {name}: {reason}") from error
    text.index += 1
    text = text.apply(lambda column: column.str.strip())
    text = text[(text != "").any(axis=1)]
    if text.empty:
        raise TableError(f"a CSV file must have a header and a row a point; {name} is empty")
    return text


def _parse(source: Path | TextIO) -> pd.DataFrame:
    if isinstance(source, Path):
        with open_regular(source) as file:
            require_memory(2 * os.fstat(file.fileno()).st_size, f"to read {source}")
            _check_width(file, source)
            return _parse_open(file)
    return _parse_open(source)


def _check_width(file: BinaryIO, source: Path) -> None:
    """Every column costs about a millisecond, whatever it holds: of a million, pandas would not come back."""
    head = (file.read(_LONGEST_HEADER).splitlines() or [b""])[0]
    file.seek(0)
    num_columns = head.count(b",") + 1
    if num_columns > _MOST_COLUMNS:
        raise TableError(f"a CSV file may have {_MOST_COLUMNS} columns; {source} has {num_columns} or more")


def _parse_open(file: BinaryIO | TextIO) -> pd.DataFrame:
    return pd.read_csv(
        file,
        compression=None,
        header=None,
        dtype=str,
        keep_default_na=False,
        skip_blank_lines=False,
        skipinitialspace=True,
        encoding="utf-8-sig",
    )


def _select(text: pd.DataFrame, columns: dict[str, str]) -> pd.DataFrame:
    """The three columns, renamed to x, series and y, below the header."""
    header = text.iloc[0].tolist()
    if len(set(columns.values())) < len(columns):
        raise TableError(f"x, series and y must be three columns; got {quoted(columns.values())}")
    for column in columns.values():
        if header.count(column) != 1:
            raise TableError(f"the header must have one column {quoted([column])}; got {quoted(header)}")
    if len(text) < 2:
        raise TableError("a CSV file must have a row a point; below the header there is none")
    places = [header.index(column) for column in columns.values()]
    return text.iloc[1:, places].set_axis(list(columns), axis=1)


def _series_names(labels: "pd.Series[str]", series_a: str | None, series_b: str | None) -> tuple[str, str]:
    """Which series are 0 and 1: those named, the rest in the order in which they appear."""
    unnamed = labels.index[labels == ""]
    if len(unnamed):
        raise TableError(f"every row must name its series; row {unnamed[0]} does not")
    found = labels.unique().tolist()
    named = [name for name in (series_a, series_b) if name is not None]
    for name in named:
        if name not in found:
            raise TableError(f"{quoted([name])} is no series of the table; the series are {quoted(found)}")
    if len(found) < 2 or len(set(named)) < len(named):
        raise TableError(f"a pair needs two series; got {quoted(named if len(found) > 1 else found)}")
    others = [name for name in found if name not in named]
    if len(named) + len(others) > 2 and len(named) < 2:
        raise TableError(
            f"of more than two series the two of the pair must be named (series_a, series_b);"
            f" got {quoted(found)}"
        )
    return series_a or others.pop(0), series_b or others.pop(0)


def _parse_x(
    text: "pd.Series[str]", column: str, date_format: str | None
) -> tuple[pd.Timestamp | None, "pd.Series[float]"]:
    """Numbers as they are; dates as hours since the first of them, which is returned before them."""
    first_is_number = bool(pd.to_numeric(text.iloc[:1], errors="coerce").notna().all())
    if date_format is None and first_is_number:
        return None, _parse_numbers(text, column)
    dates = _parse_dates(text, column, date_format)
    origin = dates.min()
    return origin, (dates - origin) / pd.Timedelta(hours=1)


def _parse_dates(text: "pd.Series[str]", column: str, date_format: str | None) -> "pd.Series[pd.Timestamp]":
    """Dates in UTC, all in one format: the one given, else ISO 8601, else that of the first row."""
    try:
        with warnings.catch_warnings():
            # Without a format that it knows, pandas would guess each date alone, with a warning.
            warnings.simplefilter("error", UserWarning)
            style = date_format or _style_of(text.iloc[:1])
            dates = pd.to_datetime(text, format=style, utc=True, errors="coerce")
    except (ValueError, UserWarning) as error:
        if date_format is not None:
            raise TableError(f"date_format must be one for strptime; got {date_format!r}") from error
        dates = pd.Series(pd.NaT, text.index)
    bad = dates.index[dates.isna()]
    if len(bad):
        rule = f"{column} must be a number in every row, or a date of one format"
        raise TableError(f"{rule}; got {quoted([text[bad[0]]])} in row {bad[0]}")
    return dates


def _style_of(first: "pd.Series[str]") -> str | None:
    """ISO8601 if the first date is of that kind; None = let pandas find the format."""
    return "ISO8601" if pd.to_datetime(first, format="ISO8601", errors="coerce").notna().all() else None


def _parse_numbers(text: "pd.Series[str]", column: str) -> "pd.Series[float]":
    numbers = pd.to_numeric(text, errors="coerce").astype(float)
    bad = text.index[~np.isfinite(numbers)]
    if len(bad):
        received = text[bad[0]]
        is_missing = received.lower() in _MISSING
        problem = f"it is missing ({received!r})" if is_missing else f"got {quoted([received])}"
        raise TableError(f"{column} must be a finite number in every row; {problem} in row {bad[0]}")
    return numbers


def quoted(texts: Iterable[str], most: int = 10, longest: int = 60) -> str:
    """Text from outside, made safe to print and short: at most `most` items of `longest` characters."""
    items = [repr(text if len(text) <= longest else text[: longest - 3] + "...") for text in texts]
    return ", ".join(items[:most]) + (f" and {len(items) - most} more" if len(items) > most else "")
