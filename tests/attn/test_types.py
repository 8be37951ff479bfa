import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attn.types import Attention, Batch, Pairs, Prediction, Rollout


def points(**changes):
    """Two rows of three points; the last of row 1 is padding, and its content is nonsense on purpose."""
    fields = {
        "x": np.array([[5.0, 6.0, 7.0], [5.5, 6.5, np.nan]]),
        "series": np.array([[0, 1, 1], [1, 0, 9]]),
        "y": np.array([[0.1, 0.2, 0.3], [1.1, 1.2, np.nan]]),
        "valid": np.array([[True, True, True], [True, True, False]]),
    }
    return {**fields, **changes}


def batch(**changes):
    return Batch(**points(**{"num_context": np.array([2, 1]), **changes}))


def put(array, row, column, value):
    changed = array.copy()
    changed[row, column] = value
    return changed


def raises(sentence):
    return pytest.raises(ValueError, match="^" + re.escape(sentence) + "$")


@pytest.mark.parametrize(
    "build", [lambda **changes: Pairs(**points(**changes)), batch], ids=["Pairs", "Batch"]
)
class TestRulesOfPoints:
    def test_nonsense_in_padding_is_no_error(self, build):
        assert build().num_pairs == 2
        assert build().num_points == 3

    def test_x_is_a_numpy_array(self, build):
        with raises("x must be a numpy array; got list"):
            build(x=[[1.0]])

    def test_x_is_float(self, build):
        with raises("x must have a float dtype; got int64"):
            build(x=np.ones((2, 3), np.int64))

    def test_x_has_two_axes(self, build):
        with raises("x must have two axes, pairs and points; got shape (3,)"):
            build(x=np.ones(3))

    @pytest.mark.parametrize("field", ["series", "y", "valid"])
    def test_all_have_the_shape_of_x(self, build, field):
        with raises(f"{field} must have shape (2, 3); got (2, 2)"):
            build(**{field: points()[field][:, :2]})

    @pytest.mark.parametrize(
        ("field", "dtype", "word"),
        [("series", float, "an int"), ("y", int, "a float"), ("valid", int, "a bool")],
    )
    def test_dtypes(self, build, field, dtype, word):
        with raises(f"{field} must have {word} dtype; got {np.dtype(dtype)}"):
            build(**{field: np.zeros((2, 3), dtype)})

    @pytest.mark.parametrize("label", [2, -1])
    def test_series_is_0_or_1_at_valid_points(self, build, label):
        with raises(f"series must be 0 or 1; got [{label}]"):
            build(series=put(points()["series"], 1, 0, label))

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_x_is_finite_at_valid_points(self, build, value):
        with raises("x must be finite at every valid point; it is not in row 1"):
            build(x=put(points()["x"], 1, 1, value))


class TestPairs:
    @pytest.mark.parametrize("value", [np.nan, -np.inf])
    def test_y_is_finite_at_valid_points(self, value):
        with raises("y must be finite at every valid point; it is not in row 0"):
            Pairs(**points(y=put(points()["y"], 0, 2, value)))

    @pytest.mark.parametrize("index", [slice(1, 2), np.array([1]), np.array([False, True])])
    def test_rows_picks_whole_rows(self, index):
        picked = Pairs(**points()).rows(index)
        for name, array in points().items():
            np.testing.assert_array_equal(getattr(picked, name), array[1:])

    def test_rows_keeps_the_order_of_the_index(self):
        assert Pairs(**points()).rows(np.array([1, 0, 1])).x[:, 0].tolist() == [5.5, 5.0, 5.5]


class TestBatch:
    @pytest.mark.parametrize(("num_context", "row"), [([2, 0], 1), ([4, 1], 0), ([1, -3], 1)])
    def test_num_context_lies_in_the_row(self, num_context, row):
        got = num_context[row]
        with raises(f"num_context must be between 1 and 3 (L); got {got} in row {row}"):
            batch(num_context=np.array(num_context))

    def test_num_context_has_an_entry_a_row(self):
        with raises("num_context must have shape (2,); got (3,)"):
            batch(num_context=np.array([1, 1, 1]))

    def test_num_context_is_int(self):
        with raises("num_context must have an int dtype; got float64"):
            batch(num_context=np.array([1.0, 1.0]))

    def test_context_that_is_all_padding(self):
        with raises("every row needs at least one valid point among its context; row 1 has none"):
            batch(
                valid=np.array([[True, True, True], [False, True, True]]),
                x=np.ones((2, 3)),
                series=np.ones((2, 3), int),
            )

    def test_y_is_finite_in_the_context(self):
        with raises("y must be finite at every context point; it is not in row 0"):
            batch(y=put(points()["y"], 0, 1, np.nan))

    def test_y_may_be_unknown_at_targets(self):
        assert np.isnan(batch(y=put(points()["y"], 0, 2, np.nan)).y[0, 2])

    def test_context_and_targets_by_hand(self):
        assert batch().is_context.tolist() == [[True, True, False], [True, False, False]]
        assert batch().is_target.tolist() == [[False, False, True], [False, True, False]]

    @given(st.data())
    def test_every_valid_point_is_either_context_or_target(self, data):
        rows, length = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 6))
        num_context = data.draw(st.lists(st.integers(1, length), min_size=rows, max_size=rows))
        bits = data.draw(st.lists(st.booleans(), min_size=rows * length, max_size=rows * length))
        valid = np.reshape(bits, (rows, length))
        valid[:, 0] = True
        zeros = np.zeros((rows, length))
        made = Batch(zeros, zeros.astype(int), zeros, valid, np.array(num_context))
        np.testing.assert_array_equal(made.is_context ^ made.is_target, valid)
        for row, observed in enumerate(num_context):
            assert not made.is_context[row, observed:].any()
            assert not made.is_target[row, :observed].any()

    def test_rows_takes_num_context_along(self):
        picked = batch().rows(np.array([1]))
        assert picked.num_context.tolist() == [1]
        assert picked.y[0, :2].tolist() == [1.1, 1.2]

    def test_first_cuts_points_and_num_context(self):
        cut = batch(num_context=np.array([3, 1])).first(2)
        assert cut.x.tolist() == [[5.0, 6.0], [5.5, 6.5]]
        assert cut.num_context.tolist() == [2, 1]
        assert cut.valid.all()

    def test_is_frozen(self):
        with pytest.raises(AttributeError):
            batch().x = np.zeros((2, 3))


class TestPrediction:
    def test_has_two_axes(self):
        with raises("mean must have two axes, pairs and points; got shape (2, 3, 1)"):
            Prediction(np.zeros((2, 3, 1)), np.ones((2, 3, 1)))

    def test_scale_has_the_shape_of_mean(self):
        with raises("scale must have shape (2, 3); got (2, 1)"):
            Prediction(np.zeros((2, 3)), np.ones((2, 1)))

    def test_scale_is_not_negative(self):
        with raises("scale must not be negative; got [-0.5]"):
            Prediction(np.zeros((1, 3)), np.array([[np.nan, 1.0, -0.5]]))

    @pytest.mark.filterwarnings("error")
    @pytest.mark.parametrize("shape", [(1, 2), (0, 2)])
    def test_may_be_all_nan_or_empty(self, shape):
        assert Prediction(np.full(shape, np.nan), np.full(shape, np.nan)).scale.shape == shape


class TestRollout:
    def test_has_three_axes(self):
        with raises("samples must have three axes, samples, pairs and points; got shape (2, 3)"):
            Rollout(np.zeros((2, 3)), np.zeros((2, 3)), np.zeros((2, 3)))

    @pytest.mark.parametrize("field", ["mean", "scale"])
    def test_all_have_the_shape_of_samples(self, field):
        arrays = {name: np.zeros((4, 2, 3)) for name in ("samples", "mean", "scale")}
        with raises(f"{field} must have shape (4, 2, 3); got (1, 2, 3)"):
            Rollout(**{**arrays, field: np.zeros((1, 2, 3))})


class TestAttention:
    def test_has_five_axes(self):
        with raises(
            "weights must have five axes, layers, pairs, heads, queries and keys; got shape (1, 2, 3, 4)"
        ):
            Attention(np.zeros((1, 2, 3, 4)), np.arange(3), np.arange(4))

    @pytest.mark.parametrize(("field", "length"), [("query_positions", 3), ("key_positions", 4)])
    def test_positions_belong_to_the_axes(self, field, length):
        positions = {"query_positions": np.arange(3), "key_positions": np.arange(4)}
        with raises(f"{field} must have shape ({length},); got (7,)"):
            Attention(np.zeros((1, 2, 5, 3, 4)), **{**positions, field: np.arange(7)})
