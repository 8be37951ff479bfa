import math
from types import SimpleNamespace

import numpy as np

from diagnostics.result import Curve, Example, Measure, Symptom
from diagnostics.units import in_units_of

# y of the table = 50 + 4 y, x of the table = 2 (x - 5) from the start of a window
TABLE = SimpleNamespace(
    x_low=5.0, x_scale=2.0, y_scale=4.0, to_y=lambda y: 50 + 4 * y, to_scale=lambda scale: 4 * scale
)


def measure(name):
    return Measure(name=name, value=1.0, low=0.5, high=1.5, num_pairs=3, meaning="m")


def test_the_standardisation_is_undone_where_there_is_a_unit_and_only_there():
    curves = [
        Curve(name=n, at=[1.0], value=[1.0], low=[0.5], high=[2.0]) for n in ("rmse_free_running", "drift")
    ]
    example = Example(
        rank="best",
        pair=0,
        title="worst of 3 pairs: free-running error 1.00", x=[5.0, 15.0], series=[1, 1], y=[0.0, 1.0],
        num_context=1, mean=[0.0, 2.0], scale=[0.0, 0.5], samples=[[0.0, 3.0]],
    )  # fmt: skip
    measures = tuple(map(measure, ("rmse_free_running", "nll", "drift_first", "z_square")))
    moved = in_units_of(
        TABLE, Symptom(subject="s", data="d", measures=measures, curves=tuple(curves), examples=(example,))
    )
    assert [(m.value, m.low, m.high) for m in moved.measures] == [
        (4.0, 2.0, 6.0),
        (1 + math.log(4), 0.5 + math.log(4), 1.5 + math.log(4)),
        (1.0, 0.5, 1.5),
        (1.0, 0.5, 1.5),
    ]
    assert [(c.value, c.low, c.high, c.at) for c in moved.curves] == [
        ([4.0], [2.0], [8.0], [1.0]),
        ([1.0], [0.5], [2.0], [1.0]),
    ]
    shown = moved.examples[0]
    np.testing.assert_allclose(
        [shown.x, shown.y, shown.mean, shown.scale], [[0, 20], [50, 54], [50, 58], [0, 2]]
    )
    assert shown.samples == [[50.0, 62.0]]
    assert shown.title == "worst of 3 pairs"
