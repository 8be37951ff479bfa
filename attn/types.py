"""The values that pass between the parts: frozen, and checked where they are made.

Letters used everywhere: B pairs in a batch, L points in order, S samples, H heads,
Q query positions, K key positions.  Masks are boolean and True means "is valid", "is observed"
or "may see".
"""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]
Bools = NDArray[np.bool_]


def _require(condition: bool, rule: str, received: object) -> None:
    if not condition:
        raise ValueError(f"{rule}; got {received}")


def _check_array(name: str, array: object, shape: tuple[int, ...] | None, kind: str) -> None:
    """Check that `array` is a numpy array of the `shape` and dtype kind (`f`, `i` or `b`)."""
    words = {"f": "a float", "i": "an int", "b": "a bool"}
    _require(isinstance(array, np.ndarray), f"{name} must be a numpy array", type(array).__name__)
    assert isinstance(array, np.ndarray)
    _require(array.dtype.kind == kind, f"{name} must have {words[kind]} dtype", array.dtype)
    if shape is not None:
        _require(array.shape == shape, f"{name} must have shape {shape}", array.shape)


def _first_row(bad: Bools | np.bool_) -> int:
    return int(np.flatnonzero(bad)[0])


@dataclass(frozen=True, eq=False)
class _Points:
    """Points of B pairs: what `Pairs` and `Batch` share."""

    x: Floats
    series: Ints
    y: Floats
    valid: Bools

    def _check_points(self) -> None:
        _check_array("x", self.x, None, "f")
        _require(self.x.ndim == 2, "x must have two axes, pairs and points", f"shape {self.x.shape}")
        _check_array("series", self.series, self.x.shape, "i")
        _check_array("y", self.y, self.x.shape, "f")
        _check_array("valid", self.valid, self.x.shape, "b")
        wrong = self.valid & (self.series != 0) & (self.series != 1)
        _require(not wrong.any(), "series must be 0 or 1", np.unique(self.series[wrong])[:5].tolist())
        infinite = (self.valid & ~np.isfinite(self.x)).any(axis=1)
        if infinite.any():
            raise ValueError(
                f"x must be finite at every valid point; it is not in row {_first_row(infinite)}"
            )

    @property
    def num_pairs(self) -> int:
        """The number of pairs B."""
        return self.x.shape[0]

    @property
    def num_points(self) -> int:
        """The number of points L of a row, padding included."""
        return self.x.shape[1]


@dataclass(frozen=True, eq=False)
class Pairs(_Points):
    """Pairs of sequences as they come from a process or a file, in no order that matters.

    x [B,L] float, series [B,L] int (0/1), y [B,L] float, valid [B,L] bool (False = padding).
    Raises ValueError where a shape, a dtype or a value breaks the rule.
    """

    def __post_init__(self) -> None:
        self._check_points()
        bad = (self.valid & ~np.isfinite(self.y)).any(axis=1)
        if bad.any():
            raise ValueError(f"y must be finite at every valid point; it is not in row {_first_row(bad)}")

    def rows(self, index: slice | Ints | Bools) -> Self:
        """The pairs at `index`, in that order."""
        return replace(
            self, x=self.x[index], series=self.series[index], y=self.y[index], valid=self.valid[index]
        )


@dataclass(frozen=True, eq=False)
class Batch(_Points):
    """Pairs arranged: points in the order in which the model sees them.

    x [B,L] float, series [B,L] int (0/1), y [B,L] float, valid [B,L] bool, num_context [B] int.
    The first `num_context` positions of a row are observed, the rest are to be predicted.  `y` may be
    NaN at targets (a future that nobody knows yet); a rollout never reads it there.
    Raises ValueError where a shape, a dtype or a value breaks the rule.
    """

    num_context: Ints

    def __post_init__(self) -> None:
        self._check_points()
        _check_array("num_context", self.num_context, (self.num_pairs,), "i")
        outside = (self.num_context < 1) | (self.num_context > self.num_points)
        if outside.any():
            row = _first_row(outside)
            raise ValueError(
                f"num_context must be between 1 and {self.num_points} (L);"
                f" got {self.num_context[row]} in row {row}"
            )
        unobserved = ~self.is_context.any(axis=1)
        if unobserved.any():
            raise ValueError(
                "every row needs at least one valid point among its context;"
                f" row {_first_row(unobserved)} has none"
            )
        bad = (self.is_context & ~np.isfinite(self.y)).any(axis=1)
        if bad.any():
            raise ValueError(f"y must be finite at every context point; it is not in row {_first_row(bad)}")

    @property
    def is_context(self) -> Bools:
        """Valid points that are observed [B,L]."""
        return self.valid & (np.arange(self.num_points) < self.num_context[:, None])

    @property
    def is_target(self) -> Bools:
        """Valid points that are to be predicted [B,L]."""
        return self.valid & (np.arange(self.num_points) >= self.num_context[:, None])

    def rows(self, index: slice | Ints | Bools) -> Self:
        """The rows at `index`, in that order."""
        return replace(
            self,
            x=self.x[index],
            series=self.series[index],
            y=self.y[index],
            valid=self.valid[index],
            num_context=self.num_context[index],
        )

    def first(self, num_points: int) -> Self:
        """The first `num_points` positions of every row; `num_context` is cut to them."""
        return replace(
            self,
            x=self.x[:, :num_points],
            series=self.series[:, :num_points],
            y=self.y[:, :num_points],
            valid=self.valid[:, :num_points],
            num_context=np.minimum(self.num_context, num_points),
        )


@dataclass(frozen=True, eq=False)
class Prediction:
    """One normal distribution a position: mean [B,L], scale [B,L] (scale = standard deviation).

    Position t is conditioned on positions < t only.  Values at positions that are not targets are
    NaN.  Raises ValueError where shapes or dtypes differ or a scale is negative.
    """

    mean: Floats
    scale: Floats

    def __post_init__(self) -> None:
        _check_array("mean", self.mean, None, "f")
        _require(self.mean.ndim == 2, "mean must have two axes, pairs and points", f"shape {self.mean.shape}")
        _check_array("scale", self.scale, self.mean.shape, "f")
        negative = self.scale[self.scale < 0]
        _require(not negative.size, "scale must not be negative", negative[:5].tolist())


@dataclass(frozen=True, eq=False)
class Rollout:
    """Trajectories that a model wrote by itself: samples, mean, scale, each [S,B,L].

    `samples` is what was fed back; `mean` and `scale` are the prediction that it came from.  Context
    positions repeat the observed y with scale 0; padding after the last target is NaN.
    """

    samples: Floats
    mean: Floats
    scale: Floats

    def __post_init__(self) -> None:
        _check_array("samples", self.samples, None, "f")
        _require(
            self.samples.ndim == 3,
            "samples must have three axes, samples, pairs and points",
            f"shape {self.samples.shape}",
        )
        _check_array("mean", self.mean, self.samples.shape, "f")
        _check_array("scale", self.scale, self.samples.shape, "f")


@dataclass(frozen=True, eq=False)
class Attention:
    """What each prediction looked at: weights [layers,B,H,Q,K], query_positions [Q], key_positions [K].

    The row of a target sums to 1 over the keys; rows of positions that are not targets are 0.
    """

    weights: Floats
    query_positions: Ints
    key_positions: Ints

    def __post_init__(self) -> None:
        _check_array("weights", self.weights, None, "f")
        _require(
            self.weights.ndim == 5,
            "weights must have five axes, layers, pairs, heads, queries and keys",
            f"shape {self.weights.shape}",
        )
        _check_array("query_positions", self.query_positions, (self.weights.shape[3],), "i")
        _check_array("key_positions", self.key_positions, (self.weights.shape[4],), "i")
