import io
import re
import sys
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn.arrange import forecast
from attn.longform import TableError
from attn.tables import read_csv, real_pair


def csv(frame):
    return io.StringIO(frame.to_csv(index=False))


def frame(x_a, y_a, x_b, y_b):
    """A table in long form of two series, a and b."""
    return pd.DataFrame({"t": [*x_a, *x_b], "who": ["a"] * len(x_a) + ["b"] * len(x_b), "y": [*y_a, *y_b]})


def read(table, **options):
    return read_csv(csv(table), "t", "who", "y", **{"window": 4, **options})


def regular(num_points=12, step=1.0, first=0.0):
    """Both series at the same equal steps; every y is another number."""
    x = first + step * np.arange(num_points)
    return frame(x, np.arange(num_points) % 5 + 0.5, x, 20.0 - np.arange(num_points) ** 2 % 7)


def raises(sentence):
    return pytest.raises(TableError, match="^" + re.escape(sentence) + "$")


def in_units(table):
    """The points of a Table in units of the file: (series, x, y), sorted."""
    valid = table.pairs.valid
    x, y = table.to_x(table.pairs.x), table.to_y(table.pairs.y)
    columns = (table.pairs.series[valid].tolist(), x[valid].tolist(), y[valid].tolist())
    return sorted(zip(*columns, strict=True))


class TestWindows:
    def test_regular_steps_by_hand(self):
        table = read(regular())
        assert table.pairs.x.shape == (3, 8)
        assert table.pairs.valid.all()
        assert table.pairs.series.tolist() == [[0, 0, 0, 0, 1, 1, 1, 1]] * 3
        np.testing.assert_allclose(table.pairs.x, [[5, 7.5, 10, 12.5] * 2] * 3)
        assert table.window_starts.tolist() == [0, 4, 8]
        assert table.window_labels == ("0", "4", "8")
        assert (table.num_averaged, table.num_left_out) == (0, 0)

    @pytest.mark.parametrize("step", [0.1, 1 / 3, 0.7, 1e-6, 3600e9])
    @pytest.mark.parametrize("first", [0.0, -17.3, 1e4])
    def test_rounding_moves_no_point_to_another_window(self, step, first):
        table = read(regular(4 * 25, step, first))
        assert table.pairs.x.shape == (25, 8)
        np.testing.assert_allclose(table.pairs.x, [[5, 7.5, 10, 12.5] * 2] * 25, atol=1e-4)

    def test_x_range_is_a_parameter(self):
        table = read(regular(), x_low=-1.0, x_high=3.0)
        np.testing.assert_allclose(table.pairs.x, [[-1, 0, 1, 2] * 2] * 3, atol=1e-12)

    def test_a_missing_stretch_is_padded(self):
        full = regular()
        table = read(full[~((full.who == "b") & full.t.between(5, 6))])
        expected = np.ones((3, 8), bool)
        expected[1, 6:] = False
        np.testing.assert_array_equal(table.pairs.valid, expected)
        np.testing.assert_allclose(table.pairs.x[1, 4:6], [5, 12.5])

    def test_windows_with_too_few_points_of_one_series_are_left_out_and_counted(self):
        full = regular()
        holed = full[~((full.who == "b") & full.t.between(5, 6))]
        table = read(holed, num_context=2)
        assert table.window_labels == ("0", "8")
        assert table.num_left_out == 4 + 2

    def test_the_last_window_may_be_short(self):
        table = read(regular(10))
        assert table.pairs.valid.sum(axis=1).tolist() == [8, 8, 4]

    def test_windows_begin_where_both_series_have_begun(self):
        x = np.arange(20.0)
        table = read(frame(x[3:], x[3:] % 3, x[:15], x[:15] % 4))
        assert table.window_labels == ("3", "7", "11")
        assert table.pairs.valid.all()
        assert table.num_left_out == 3 + 5

    def test_a_dense_stretch_widens_the_row(self):
        x = [0, 1, 1.2, 1.4, 1.6, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
        table = read(frame(x, x, range(12), range(12)))
        assert table.pairs.valid[:, :7].sum(axis=1).tolist() == [7, 4, 4]

    def test_step_may_be_given(self):
        table = read(regular(12, step=1.0), step=0.5)
        assert table.window_starts.tolist() == [0, 2, 4, 6, 8, 10]
        assert table.x_scale == pytest.approx(0.2)

    def test_series_at_different_times(self):
        table = read(frame(np.arange(8.0), np.arange(8), np.arange(8) + 0.5, np.arange(8) ** 2))
        assert table.window_starts.tolist() == [0.5, 4.5]
        assert table.pairs.valid[0].sum() == 8

    def test_dates_may_span_a_thousand_years(self):
        # 365244 days lie between them, a multiple of 4
        dates = [*pd.date_range("1024-01-01", periods=4, unit="s"), *pd.date_range("2024-01-02", periods=4)]
        table = read(frame(dates, range(8), dates, range(8)))
        assert table.window_labels == ("1024-01-01 00:00", "2024-01-02 00:00")

    def test_two_windows_far_apart(self):
        x = [*range(4), *range(1_000_000, 1_000_004)]
        assert read(frame(x, x, x, x)).window_labels == ("0", "1000000")


class TestUnits:
    @given(st.data())
    @settings(max_examples=60)
    def test_what_goes_in_comes_out(self, data):
        """Every row of the file is a point of the table, or is averaged, or is counted as left out."""
        seed, window = data.draw(st.integers(0, 2**32 - 1)), data.draw(st.integers(2, 9))
        rng = np.random.default_rng(seed)
        num_a, num_b = rng.integers(3, 40, 2)
        x = [np.unique(np.round(rng.uniform(-10, 10, num), 2)) for num in (num_a, num_b)]
        y = [rng.normal(50, 20, len(points)) for points in x]
        shuffled = frame(x[0], y[0], x[1], y[1]).sample(frac=1, random_state=seed)
        try:
            table = read(shuffled, window=window, series_a="a", series_b="b")
        except TableError as error:
            assert "points of each series" in str(error)  # noqa: PT017
            return
        known = sorted(
            (series, x_point, y_point)
            for series in (0, 1)
            for x_point, y_point in zip(x[series], y[series], strict=True)
        )
        made = in_units(table)
        assert len(made) + table.num_left_out == len(known)
        for point in made:
            nearest = min(known, key=lambda row: (row[0] != point[0], abs(row[1] - point[1])))
            assert point == pytest.approx(nearest, rel=0, abs=1e-9)
        valid_x = table.pairs.x[table.pairs.valid]
        assert valid_x.min() >= 5 - 0.01
        assert valid_x.max() < 15

    def test_y_has_mean_0_and_variance_1_within_windows(self):
        table = read(regular(40))
        y = table.pairs.y.reshape(10, 2, 4)
        assert y.mean() == pytest.approx(0, abs=1e-12)
        assert ((y - y.mean(axis=2, keepdims=True)) ** 2).mean() == pytest.approx(1)

    def test_the_scale_may_be_that_of_the_windows_learnt_from(self):
        """Ten windows, of which the last two are held out: whatever they hold, the scale stays."""
        known, changed = regular(40), regular(40)
        changed.loc[changed.t >= 32, "y"] *= 100
        scale = [(t.y_centre, t.y_scale) for t in (read(f, is_split=True) for f in (known, changed))]
        assert scale[0] == scale[1]
        first = read(known[known.t < 32])
        assert scale[0] == pytest.approx((first.y_centre, first.y_scale))
        assert read(changed).y_scale > 5 * scale[0][1]

    def test_a_single_window_scales_itself(self):
        assert read(regular(4), is_split=True).y_scale == read(regular(4)).y_scale

    def test_the_level_of_each_series_stays(self):
        x = np.arange(8.0)
        wave = np.tile([-1.0, 1.0], 4)
        table = read(frame(x, 10 + 3 * wave, x, 40 + 3 * wave))
        assert (table.y_centre, table.y_scale) == (25.0, 3.0)
        np.testing.assert_allclose(table.pairs.y[0, :4].mean(), -5)
        np.testing.assert_allclose(table.pairs.y[0, 4:].mean(), 5)

    def test_by_hand(self):
        x = np.arange(8.0)
        wave = np.tile([-1.0, 1.0], 4)
        table = read(frame(x, 10 + 3 * wave, x, 40 + 3 * wave))
        assert table.to_y(np.array([0.0, 1.0])).tolist() == [25.0, 28.0]
        assert table.to_scale(np.array([[0.5]])).tolist() == [[1.5]]
        assert table.to_x(np.array([[5.0, 15.0], [5.0, 7.5]])).tolist() == [[0.0, 4.0], [4.0, 5.0]]
        assert table.to_log_density(np.array(-1.0)) == pytest.approx(-1 - np.log(3))

    def test_density_integrates_to_1_in_units(self):
        table = read(regular())
        y = np.linspace(-8, 8, 2001)
        density = np.exp(table.to_log_density(-0.5 * y**2 - 0.5 * np.log(2 * np.pi)))
        assert np.trapezoid(density, table.to_y(y)) == pytest.approx(1)

    def test_rows_keep_labels_and_starts_with_their_pairs(self):
        table = read(regular())
        part = table.rows(np.array([2, 0]))
        assert part.window_labels == ("8", "0")
        np.testing.assert_array_equal(part.to_x(part.pairs.x), table.to_x(table.pairs.x)[[2, 0]])
        assert table.rows(slice(1, None)).window_labels == ("4", "8")

    def test_dates(self):
        start = datetime(2010, 3, 1, 6)
        dates = [start + timedelta(hours=h) for h in range(12)]
        table = read(frame(dates, range(12), dates, range(12, 0, -1)))
        assert table.x_name == "hours since 2010-03-01 06:00"
        assert table.window_labels == ("2010-03-01 06:00", "2010-03-01 10:00", "2010-03-01 14:00")
        np.testing.assert_allclose(table.to_x(table.pairs.x)[1, :4], [4, 5, 6, 7])

    def test_names(self):
        table = read(regular(), series_a="b")
        assert (table.x_name, table.y_name, table.series_names) == ("t", "y", ("b", "a"))

    def test_averaged_rows_are_counted(self):
        twice = pd.concat([regular(), regular().iloc[:3]])
        table = read(twice)
        assert table.num_averaged == 3
        np.testing.assert_allclose(table.pairs.y, read(regular()).pairs.y)


def test_a_table_with_everything_that_is_irregular():
    """Dates of two time zones, series of different lengths, a missing stretch, one time twice; by hand."""
    text = """when,who,y
2024-01-01T00:00Z,a,10
2024-01-01T02:00+01:00,a,12
2024-01-01T01:00Z,a,14
2024-01-01T02:15Z,a,11
2024-01-01T02:30Z,a,13
2024-01-01T05:00Z,a,15
2024-01-01T05:30Z,a,17
2024-01-01T00:00Z,b,20
2024-01-01T00:30Z,b,21
2024-01-01T05:15Z,b,22
2024-01-01T05:45Z,b,26
2024-01-01T06:30+01:00,b,24
"""
    table = read_csv(io.StringIO(text), "when", "who", "y", window=4, step=1.0)
    assert table.x_name == "hours since 2024-01-01 00:00"
    assert table.window_labels == ("2024-01-01 00:00", "2024-01-01 04:00")
    assert (table.num_averaged, table.num_left_out) == (1, 0)
    known = [(0, 0.0, 10), (0, 1.0, 13), (0, 2.25, 11), (0, 2.5, 13), (0, 5.0, 15), (0, 5.5, 17)]
    known += [(1, 0.0, 20), (1, 0.5, 21), (1, 5.25, 22), (1, 5.5, 24), (1, 5.75, 26)]
    for made, point in zip(in_units(table), known, strict=True):
        assert made == pytest.approx(point)
    assert table.pairs.valid.sum(axis=1).tolist() == [6, 5]


class TestErrors:
    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            ({"window": 1}, "window must be at least 2; got 1"),
            ({"num_context": 0}, "num_context must be between 1 and 3 (window - 1); got 0"),
            ({"num_context": 4}, "num_context must be between 1 and 3 (window - 1); got 4"),
            ({"step": 0.0}, "step must be finite and above 0; got 0.0"),
            ({"step": np.inf}, "step must be finite and above 0; got inf"),
            ({"x_low": 15.0}, "x_low must be below x_high, both finite; got 15.0 and 15.0"),
            ({"x_low": -np.inf}, "x_low must be below x_high, both finite; got -inf and 15.0"),
            ({"x_high": np.inf}, "x_low must be below x_high, both finite; got 5.0 and inf"),
            ({"step": 1e200}, "a window must be between 1e-100 and 1e+100 long; got 4e+200"),
        ],
    )
    def test_sizes(self, options, sentence):
        with raises(sentence):
            read(regular(), **options)

    def test_fewer_points_than_the_context_needs(self):
        with raises("each series needs at least 4 points (num_context + 1); 'b' has 3"):
            read(frame(range(9), range(9), range(3), range(3)), num_context=3)

    def test_fewer_points_in_the_first_series(self):
        with raises("each series needs at least 2 points (num_context + 1); 'a' has 1"):
            read(frame(range(1), range(1), range(9), range(9)))

    def test_no_window_has_enough(self):
        x_b = np.arange(12) * 10.0
        with raises(
            "a window needs at least 4 points of each series (num_context + 1);"
            " the fullest of length 4 holds 1"
        ):
            read(frame(np.arange(200.0), np.arange(200) % 3, x_b, x_b), num_context=3)

    def test_series_that_never_meet(self):
        x = np.arange(8.0)
        with raises(
            "a window needs at least 2 points of each series (num_context + 1);"
            " the fullest of length 4 holds 0"
        ):
            read(frame(x, x, x + 100, x))

    @pytest.mark.parametrize("value", [0.0, 0.1, -7531953436.736927])
    def test_y_that_never_varies(self, value):
        """Of the last value, the mean of 7 differs from it by rounding."""
        with pytest.raises(
            TableError, match=r"^y must vary within a window, by a finite amount; its standard"
        ):
            read(frame(range(14), [value] * 14, range(14), [value] * 14), window=7)

    @pytest.mark.filterwarnings("error")
    def test_y_too_large_to_square(self):
        with pytest.raises(TableError, match="by a finite amount"):
            read(frame(range(8), [1e300, -1e300] * 4, range(8), range(8)))

    def test_errors_of_the_file_come_through(self):
        with raises("the header must have one column 'who'; got 't', 'y'"):
            read(regular()[["t", "y"]])


class TestRealPair:
    def test_a_year_of_hours(self):
        table = real_pair()
        assert table.series_names == ("Seattle", "San Francisco")
        assert (table.x_name, table.y_name) == ("hours since 2010-01-01 00:00", "temp")
        assert table.pairs.x.shape == (175, 100)  # 8760 hours: 175 windows of 50, and 10 hours
        assert table.num_left_out == 20
        assert table.num_averaged == 0
        assert table.window_labels[0] == "2010-01-01 00:00"
        assert table.window_labels[-1] == "2010-12-29 12:00"

    def test_the_hour_that_the_clock_skipped_is_padding(self):
        table = real_pair()
        short = np.flatnonzero(~table.pairs.valid.all(axis=1))
        assert [table.window_labels[row] for row in short] == ["2010-03-12 20:00"]
        assert table.pairs.valid[short[0]].sum() == 98
        hours = table.to_x(table.pairs.x)[short[0]][table.pairs.valid[short[0]]]
        skipped = (datetime(2010, 3, 14, 3) - datetime(2010, 1, 1)) / timedelta(hours=1)
        assert np.abs(hours - skipped).min() == pytest.approx(1)

    def test_temperatures_by_hand(self):
        table = real_pair()
        y = table.to_y(table.pairs.y)
        np.testing.assert_allclose(y[0, :3], [39.4, 39.2, 39.0])
        np.testing.assert_allclose(y[0, 50:53], [47.8, 47.4, 46.9])

    def test_is_like_the_pairs_that_models_know(self):
        """Levels are spread as the shift of a process (standard deviation 2), within a factor of 2."""
        pairs = real_pair().pairs
        level = [
            np.average(pairs.y, axis=1, weights=pairs.valid & (pairs.series == series)) for series in (0, 1)
        ]
        assert 1 < np.std(level) < 4
        assert np.abs(level).max() < 6

    def test_can_be_arranged(self):
        batch = forecast(real_pair().pairs, 13, np.random.default_rng(0), target_series=1)
        assert set(batch.num_context.tolist()) == {63, 62}

    def test_without_the_package(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "vega_datasets", None)
        with raises("the real pair needs the package vega_datasets: pip install attn-diagnostics[real]"):
            real_pair()
