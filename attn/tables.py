"""Pairs from a table in long form, and the way back to its units.

The x axis is cut into windows of equal length; each window is a pair.  Two linear maps bring a table into
the range in which the models were trained, and `Table` undoes both:

    x of a window  ->  [x_low, x_high), at the same scale in every window
    y  ->  (y - centre) / spread, centre = mean of all y, spread = standard deviation of y around the mean
           of its window and series, over all windows: what varies within a window has variance 1, like f
           of a process, and the two levels of a pair stay where they are, like its shift

Both constants come from all points of the windows, those to be predicted included; where windows are held
out from training they come from the others alone (`is_split`).
"""

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self, TextIO

import numpy as np
import pandas as pd

from attn.holdout import num_training
from attn.longform import Points, TableError, quoted, read_points
from attn.real_pairs import named_real_pair
from attn.types import Bools, Floats, Ints, Pairs

# A point this fraction of a step before the end of its window belongs to the next: its x was rounded.
_STEP_TOLERANCE = 1e-3
# Windows beyond these, in units of x, would overflow or vanish in float64.
_SHORTEST, _LONGEST = 1e-100, 1e100


@dataclass(frozen=True, eq=False)
class Table:
    """Pairs that came from a table, one a window (B), and the way back to its units.

    pairs              series 0 is `series_names[0]`; its columns come first
    series_names       as they stand in the table: text from outside, to be escaped where it is shown
    x_name, y_name     what x and y are in units of the table, for the axes of plots
    window_labels      the start of each window, as text
    window_starts [B]  the start of each window in units of the table (hours since the first, for dates)
    x_low, x_scale     x of the table = window_starts + x_scale (x - x_low)
    y_centre, y_scale  y of the table = y_centre + y_scale y
    num_averaged       rows that had the x of another row of their series: y is the average of them
    num_left_out       points in windows that hold too few points of one series
    """

    pairs: Pairs
    series_names: tuple[str, str]
    x_name: str
    y_name: str
    window_labels: tuple[str, ...]
    window_starts: Floats
    x_low: float
    x_scale: float
    y_centre: float
    y_scale: float
    num_averaged: int
    num_left_out: int

    def rows(self, index: slice | Ints | Bools) -> Self:
        """The windows at `index`, in that order."""
        labels = tuple(np.array(self.window_labels)[index].tolist())
        starts = self.window_starts[index]
        return replace(self, pairs=self.pairs.rows(index), window_labels=labels, window_starts=starts)

    def to_x(self, x: Floats) -> Floats:
        """Positions [B,L] in units of the table; row b belongs to window b."""
        return self.window_starts[:, None] + self.x_scale * (x - self.x_low)

    def to_y(self, y: Floats) -> Floats:
        """Values, means or samples of any shape in units of the table."""
        return self.y_centre + self.y_scale * y

    def to_scale(self, scale: Floats) -> Floats:
        """Standard deviations or errors of any shape in units of the table."""
        return self.y_scale * scale

    def to_log_density(self, log_density: Floats) -> Floats:
        """Log densities of one y each, in nats, as log densities of y in units of the table."""
        return log_density - np.log(self.y_scale)


def read_csv(
    source: Path | TextIO,
    x_column: str,
    series_column: str,
    y_column: str,
    *,
    series_a: str | None = None,
    series_b: str | None = None,
    window: int = 50,
    num_context: int = 1,
    step: float | None = None,
    date_format: str | None = None,
    x_low: float = 5.0,
    x_high: float = 15.0,
    is_split: bool = False,
) -> Table:
    """Read a CSV file (UTF-8, commas, one header row) in long form and cut it into windows.

    x_column             numbers, or dates: ISO 8601, or all in the format of the first; month before day
                         in doubt, unless `date_format` (as for strptime) says other; UTC without an offset
    series_a, series_b   which series become 0 and 1; may be left out if there are only two: then in the
                         order in which they appear
    window, step         a window is `window` steps long: that many points of a series that has one a
                         step; None = the median distance of neighbours in a series, in units of x (hours,
                         for dates).  The first window starts where both series have begun.
    num_context          a window needs more points than that of each series, else it is left out
    x_low, x_high        where the models expect the start and the end of a window
    is_split             the scale of y is that of the windows that are learnt from (see `attn.holdout`)

    Points may come in any order and at any distance.  A row is padded (`valid` False) where its window
    holds fewer points of a series than the fullest one.  Raises TableError for a table or an argument
    that breaks a rule: the rule, then what was received.
    """
    _check_sizes(window, num_context, step, x_low, x_high)
    points = read_points(
        source,
        x_column,
        series_column,
        y_column,
        series_a=series_a,
        series_b=series_b,
        date_format=date_format,
    )
    _check_enough_points(points, num_context)
    neighbours = points.frame.groupby("series")["x"]
    length = window * (step or float(neighbours.diff().median()))
    if not _SHORTEST < length < _LONGEST:
        raise TableError(f"a window must be between {_SHORTEST} and {_LONGEST} long; got {length:g}")
    first = float(neighbours.min().max())
    kept = _cut(points.frame, first, length, length * _STEP_TOLERANCE / window, num_context)
    window_number, row = np.unique(kept["window"], return_inverse=True)
    starts = first + window_number * length
    x_scale = length / (x_high - x_low)
    num_windows = len(window_number)
    num_scaling = num_training(num_windows) if is_split and num_windows > 1 else num_windows
    y_centre, y_scale = _centre_and_spread(kept[row < num_scaling])
    return Table(
        pairs=_fill(
            row,
            kept["series"].to_numpy(),
            x_low + (kept["x"].to_numpy() - starts[row]) / x_scale,
            (kept["y"].to_numpy() - y_centre) / y_scale,
        ),
        series_names=points.series_names,
        x_name=x_column if points.origin is None else f"hours since {_date(points.origin)}",
        y_name=y_column,
        window_labels=tuple(_label(start, points.origin) for start in starts),
        window_starts=starts,
        x_low=x_low,
        x_scale=x_scale,
        y_centre=y_centre,
        y_scale=y_scale,
        num_averaged=points.num_averaged,
        num_left_out=len(points.frame) - len(kept),
    )


def real_pair(
    window: int = 50, num_context: int = 13, name: str = "temperatures", *, is_split: bool = False
) -> Table:
    """The windows of one of the pairs of `attn.real_pairs`, by name, in its units.

    Raises TableError for an unknown name, or if the package that ships the pair is not installed.
    """
    pair = named_real_pair(name)
    text = io.StringIO(pair.read().to_csv(index=False))
    return read_csv(text, *pair.columns, window=window, num_context=num_context, is_split=is_split)


def _check_sizes(window: int, num_context: int, step: float | None, x_low: float, x_high: float) -> None:
    if window < 2:
        raise TableError(f"window must be at least 2; got {window}")
    if not 1 <= num_context < window:
        raise TableError(f"num_context must be between 1 and {window - 1} (window - 1); got {num_context}")
    if step is not None and not 0 < step < np.inf:
        raise TableError(f"step must be finite and above 0; got {step}")
    if not -np.inf < x_low < x_high < np.inf:
        raise TableError(f"x_low must be below x_high, both finite; got {x_low} and {x_high}")


def _check_enough_points(points: Points, num_context: int) -> None:
    counts = points.frame["series"].value_counts()
    fewest = min((0, 1), key=counts.__getitem__)
    if counts[fewest] <= num_context:
        raise TableError(
            f"each series needs at least {num_context + 1} points (num_context + 1);"
            f" {quoted([points.series_names[fewest]])} has {counts[fewest]}"
        )


def _cut(
    frame: pd.DataFrame, first: float, length: float, tolerance: float, num_context: int
) -> pd.DataFrame:
    """The points of the windows that hold enough of both series; a column `window` with its number."""
    cut = frame.assign(window=(frame["x"] - first + tolerance) // length)
    counts = cut.groupby(["window", "series"]).size().unstack(fill_value=0)
    fewest = counts.min(axis=1)
    if fewest.max() <= num_context:
        raise TableError(
            f"a window needs at least {num_context + 1} points of each series (num_context + 1);"
            f" the fullest of length {length:g} holds {fewest.max()}"
        )
    return cut[cut["window"].isin(fewest.index[fewest > num_context])]


def _centre_and_spread(points: pd.DataFrame) -> tuple[float, float]:
    within = points["y"] - points.groupby(["window", "series"])["y"].transform("mean")
    with np.errstate(over="ignore"):
        centre, spread = float(points["y"].mean()), float(np.sqrt((within**2).mean()))
    rounding = 16 * np.finfo(float).eps * float(points["y"].abs().max())
    if not rounding < spread < np.inf:
        raise TableError(
            f"y must vary within a window, by a finite amount; its standard deviation is {spread:g}"
        )
    return centre, spread


def _fill(row: Ints, series: Ints, x: Floats, y: Floats) -> Pairs:
    """One row a window from its points, sorted by series and x; columns of series 0, then of series 1."""
    num_rows = int(row.max()) + 1
    group = row * 2 + series
    counts = np.bincount(group, minlength=2 * num_rows).reshape(num_rows, 2)
    widths = counts.max(axis=0)
    place = pd.Series(group).groupby(group).cumcount().to_numpy()
    at = (row, place + series * widths[0])
    shape = (num_rows, int(widths.sum()))
    pairs = Pairs(
        np.zeros(shape),
        np.tile(np.repeat([0, 1], widths), (num_rows, 1)),
        np.zeros(shape),
        np.zeros(shape, bool),
    )
    pairs.x[at], pairs.y[at], pairs.valid[at] = x, y, True
    return pairs


def _label(start: float, origin: pd.Timestamp | None) -> str:
    if origin is None:
        return f"{start:.10g}"
    # in microseconds: nanoseconds, which pandas would count, end after 292 years
    return _date(origin.as_unit("us") + np.timedelta64(round(start * 3600e6), "us"))


def _date(date: pd.Timestamp) -> str:
    return date.round("s").strftime("%Y-%m-%d %H:%M:%S").removesuffix(":00")
