"""A symptom that was measured on a table, in the units of that table."""

import math

import numpy as np

from attn.tables import Table
from diagnostics.result import Curve, Example, Measure, Row, Symptom


def in_units_of(table: Table, symptom: Symptom) -> Symptom:
    """Undo the standardisation of `table`: errors and values in units of y, x from the start of a window.

    Drift fractions, R^2, coverage, z and ratios have no unit and stay as they are; log densities gain the
    logarithm of the scale, because a density of y in other units is another density.
    """
    return symptom.model_copy(
        update={
            "measures": tuple(_measure(table, measure) for measure in symptom.measures),
            "curves": tuple(_curve(table, curve) for curve in symptom.curves),
            "examples": tuple(_example(table, example) for example in symptom.examples),
        }
    )


def _measure(table: Table, measure: Measure) -> Measure:
    if measure.name.startswith("rmse"):
        factor, shift = table.y_scale, 0.0
    elif measure.name == "nll":
        factor, shift = 1.0, math.log(table.y_scale)
    else:
        return measure
    moved = {end: factor * getattr(measure, end) + shift for end in ("value", "low", "high")}
    return measure.model_copy(update=moved)


def _curve(table: Table, curve: Curve) -> Curve:
    if not curve.name.startswith("rmse"):
        return curve
    return curve.model_copy(
        update={end: _scaled(table, getattr(curve, end)) for end in ("value", "low", "high")}
    )


def _example(table: Table, example: Example) -> Example:
    return example.model_copy(
        update={
            "x": [float(x) for x in table.x_scale * (np.array(example.x) - table.x_low)],
            "y": _values(table, example.y),
            "mean": _values(table, example.mean),
            "scale": _scaled(table, example.scale),
            "samples": [_values(table, sample) for sample in example.samples],
            # the title states an error in standardised units
            "title": example.title.partition(":")[0],
        }
    )


def _values(table: Table, values: Row) -> Row:
    return [float(value) for value in table.to_y(np.array(values))]


def _scaled(table: Table, values: Row) -> Row:
    return [float(value) for value in table.to_scale(np.array(values))]
