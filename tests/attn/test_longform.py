import io
import os
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn.longform import TableError, quoted, read_points

GOOD = """\
time,city,temp
0,Oslo,1.5
1,Oslo,2.5
0,Rome,10
2,Rome,12
"""


def read(text, x="time", series="city", y="temp", **options):
    return read_points(io.StringIO(text), x, series, y, **options)


def table(*rows, header="time,city,temp"):
    return "\n".join([header, *rows]) + "\n"


def raises(sentence):
    return pytest.raises(TableError, match="^" + re.escape(sentence) + "$")


def rows_of(points):
    return list(points.frame[["series", "x", "y"]].itertuples(index=False, name=None))


class TestGoodTables:
    def test_by_hand(self):
        points = read(GOOD)
        assert rows_of(points) == [(0, 0.0, 1.5), (0, 1.0, 2.5), (1, 0.0, 10.0), (1, 2.0, 12.0)]
        assert points.series_names == ("Oslo", "Rome")
        assert points.origin is None
        assert points.num_averaged == 0

    @given(st.permutations(GOOD.splitlines()[1:]))
    def test_order_of_rows_does_not_matter(self, rows):
        points = read(table(*rows), series_a="Oslo", series_b="Rome")
        assert rows_of(points) == rows_of(read(GOOD))

    def test_order_of_columns_and_other_columns_do_not_matter(self):
        text = table("Oslo,x,1.5,0", "Rome,,10,0", header="city,remark,temp,time")
        assert rows_of(read(text)) == [(0, 0.0, 1.5), (1, 0.0, 10.0)]

    def test_a_real_file(self, tmp_path):
        path = tmp_path / "table.csv"
        path.write_text("\ufeff" + GOOD, encoding="utf-8")
        assert rows_of(read_points(path, "time", "city", "temp")) == rows_of(read(GOOD))

    def test_blanks_and_empty_rows(self):
        text = " time , city, temp\n\n0, Oslo, 1.5\n , ,\n1, Oslo ,2.5 \n0,Rome,10\n2,Rome,12\n\n\n"
        assert rows_of(read(text)) == rows_of(read(GOOD))

    def test_same_time_twice_is_averaged_and_counted(self):
        points = read(table("0,a,1", "0,b,5", "0,a,2", "1,a,7", "0,a,6"))
        assert rows_of(points) == [(0, 0.0, 3.0), (0, 1.0, 7.0), (1, 0.0, 5.0)]
        assert points.num_averaged == 2

    def test_labels_are_text_whatever_they_look_like(self):
        assert read(table("0,1,1", "0,01,2")).series_names == ("1", "01")
        assert read(table("0,NA,1", "0,=HYPERLINK(),2")).series_names == ("NA", "=HYPERLINK()")

    @pytest.mark.parametrize(
        ("options", "names"),
        [
            ({}, ("Oslo", "Rome")),
            ({"series_a": "Rome"}, ("Rome", "Oslo")),
            ({"series_b": "Oslo"}, ("Rome", "Oslo")),
            ({"series_a": "Rome", "series_b": "Oslo"}, ("Rome", "Oslo")),
        ],
    )
    def test_which_series_is_which(self, options, names):
        points = read(GOOD, **options)
        assert points.series_names == names
        first = [row[2] for row in rows_of(points) if row[0] == 0]
        assert first == {"Oslo": [1.5, 2.5], "Rome": [10.0, 12.0]}[names[0]]

    def test_two_of_three_series_and_the_third_is_not_looked_at(self):
        text = table("0,a,1", "0,b,not a number", "when,b,2", "0,c,3")
        assert rows_of(read(text, series_a="c", series_b="a")) == [(0, 0.0, 3.0), (1, 0.0, 1.0)]


class TestDates:
    def test_hours_since_the_first(self):
        text = table("2010-03-02 12:00,a,1", "2010-03-01 06:30,b,2", "2010-03-01,a,3")
        points = read(text)
        assert rows_of(points) == [(0, 0.0, 3.0), (0, 36.0, 1.0), (1, 6.5, 2.0)]
        assert points.origin == pd.Timestamp("2010-03-01", tz="UTC")

    def test_both_forms_of_the_real_files(self):
        points = read(table("2010/01/01 00:00,a,1", "2010/01/01 01:00:00,b,2"))
        assert rows_of(points) == [(0, 0.0, 1.0), (1, 1.0, 2.0)]

    def test_offsets_count(self):
        points = read(table("2010-03-01T00:00+01:00,a,1", "2010-03-01T00:00Z,b,2"))
        assert rows_of(points) == [(0, 0.0, 1.0), (1, 1.0, 2.0)]

    def test_format_of_the_first_holds_for_all(self):
        with raises("time must be a number in every row, or a date of one format; got '13/02/2010' in row 3"):
            read(table("01/02/2010,a,1", "13/02/2010,b,2"))

    def test_format_may_be_given(self):
        text = table("01/02/2010,a,1", "13/02/2010,b,2")
        assert rows_of(read(text, date_format="%d/%m/%Y"))[1] == (1, 12 * 24.0, 2.0)

    def test_format_makes_a_date_of_a_number(self):
        text = table("20100131,a,1", "20100201,b,2")
        assert rows_of(read(text))[1][1] == 20100201
        assert rows_of(read(text, date_format="%Y%m%d"))[1][1] == 24

    def test_format_that_is_none(self):
        with raises("date_format must be one for strptime; got '%Q'"):
            read(GOOD, date_format="%Q")

    @pytest.mark.parametrize("value", ["soon", "Jan", "2010-13-01", "2010-02-30", "", "25:00"])
    @pytest.mark.parametrize("row", [2, 3])
    def test_unparsable(self, value, row):
        rows = ["2010-01-01,a,1", "2010-01-02,b,2"]
        rows[row - 2] = f"{value},c,1"
        with raises(
            f"time must be a number in every row, or a date of one format; got {value!r} in row {row}"
        ):
            read(table(*rows))


class TestBadTables:
    @pytest.mark.parametrize(("role", "column"), [("x", "when"), ("series", "town"), ("y", "Temp")])
    def test_missing_column(self, role, column):
        with raises(f"the header must have one column {column!r}; got 'time', 'city', 'temp'"):
            read(GOOD, **{role: column})

    def test_column_twice(self):
        with raises("the header must have one column 'temp'; got 'time', 'city', 'temp', 'temp'"):
            read(table("0,a,1,2", header="time,city,temp,temp"))

    def test_one_column_for_two_roles(self):
        with raises("x, series and y must be three columns; got 'time', 'city', 'time'"):
            read(GOOD, y="time")

    @pytest.mark.parametrize("value", ["warm", "1,5", "1_000", "0x10", "True"])
    def test_text_in_y(self, value):
        with raises(f"temp must be a finite number in every row; got {value!r} in row 3"):
            read(table("0,a,1", f'1,a,"{value}"', "0,b,1"))

    @pytest.mark.parametrize("value", ["", "NaN", "nan", "NA", "null"])
    def test_nan_in_y(self, value):
        with raises(f"temp must be a finite number in every row; it is missing ({value!r}) in row 4"):
            read(table("0,a,1", "0,b,1", f"1,b,{value}"))

    def test_row_that_ends_too_early(self):
        with raises("temp must be a finite number in every row; it is missing ('') in row 3"):
            read(table("0,a,1", "0,b"))

    @pytest.mark.parametrize("value", ["inf", "-inf", "1e400"])
    def test_infinite(self, value):
        with raises(f"temp must be a finite number in every row; got {value!r} in row 2"):
            read(table(f"0,a,{value}", "0,b,1"))
        with raises(f"time must be a finite number in every row; got {value!r} in row 3"):
            read(table("0,a,1", f"{value},b,1"))

    def test_text_among_numbers_in_x(self):
        with raises("time must be a finite number in every row; got 'noon' in row 3"):
            read(table("0,a,1", "noon,b,1"))

    def test_empty_rows_count(self):
        with raises("temp must be a finite number in every row; got 'warm' in row 5"):
            read("time,city,temp\n\n0,a,1\n\n0,b,warm\n")

    def test_one_series_only(self):
        with raises("a pair needs two series; got 'a'"):
            read(table("0,a,1", "1,a,2"))
        with raises("a pair needs two series; got 'a'"):
            read(table("0,a,1"))

    def test_more_than_two_series_without_names(self):
        rule = "of more than two series the two of the pair must be named (series_a, series_b)"
        for options in ({}, {"series_a": "b"}, {"series_b": "b"}):
            with raises(f"{rule}; got 'a', 'b', 'c'"):
                read(table("0,a,1", "0,b,2", "0,c,3"), **options)

    def test_series_that_does_not_exist(self):
        with raises("'Bern' is no series of the table; the series are 'Oslo', 'Rome'"):
            read(GOOD, series_a="Bern")

    def test_one_series_named_twice(self):
        with raises("a pair needs two series; got 'Rome', 'Rome'"):
            read(GOOD, series_a="Rome", series_b="Rome")

    def test_row_without_series(self):
        with raises("every row must name its series; row 3 does not"):
            read(table("0,a,1", "1,,2", "0,b,1"))

    @pytest.mark.parametrize("text", ["", "\n\n", ",", ",,\n,,\n"])
    def test_empty_file(self, tmp_path, text):
        path = tmp_path / "empty.csv"
        path.write_text(text)
        with raises(f"a CSV file must have a header and a row a point; {path} is empty"):
            read_points(path, "time", "city", "temp")

    def test_a_header_of_a_million_columns(self, tmp_path):
        path = tmp_path / "wide.csv"
        path.write_text("time,city,temp" + ",more" * 1_000_000)
        with pytest.raises(TableError, match=r"may have 1000 columns; .* has \d+ or more"):
            read_points(path, "time", "city", "temp")

    def test_a_pipe_is_not_waited_for(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        with raises(f"{tmp_path / 'pipe'} could not be read: it must be a regular file; got a pipe"):
            read_points(tmp_path / "pipe", "time", "city", "temp")

    def test_header_only(self):
        with raises("a CSV file must have a row a point; below the header there is none"):
            read("time,city,temp\n")

    def test_row_that_is_too_long(self):
        reason = "Expected 3 fields in line 3, saw 4"
        with raises(f"a CSV file must have as many fields in every row; in the table: {reason}"):
            read(table("0,a,1", "0,b,1,2"))

    @pytest.mark.parametrize(
        "content", [b"\x89PNG\r\n\x1a\n\x00\x00\xff", b"\x1f\x8b\x08\x00\xff", "é".encode("latin1")]
    )
    def test_not_text(self, tmp_path, content):
        path = tmp_path / "picture.csv.gz"
        path.write_bytes(content)
        with raises(f"a CSV file must be UTF-8 text; {path} is not"):
            read_points(path, "time", "city", "temp")

    def test_text_but_no_csv(self):
        with raises("the header must have one column 'time'; got '{\"rows\": []}'"):
            read('{"rows": []}\n')

    def test_unreadable_file(self, tmp_path):
        for path, reason in (
            (tmp_path / "none.csv", "No such file or directory"),
            (tmp_path, "Is a directory"),
        ):
            with raises(f"{path} could not be read: {reason}"):
                read_points(path, "time", "city", "temp")


def sentence_or_none(text):
    """What is said of the table, if it is refused; else its points must be sound."""
    try:
        points = read(text)
    except TableError as error:
        return str(error)
    assert np.isfinite(points.frame[["x", "y"]].to_numpy()).all()
    assert not points.frame.duplicated(["series", "x"]).any()
    return None


class TestTextFromOutside:
    @given(st.text(st.characters(codec="utf-8"), max_size=300))
    @settings(max_examples=200)
    def test_any_text_is_read_or_refused_in_one_printable_sentence(self, text):
        sentence = sentence_or_none(GOOD + text)
        assert sentence is None or (sentence.isprintable() and len(sentence) < 1200)

    @given(st.sampled_from(["time", "city", "temp"]), st.text(st.characters(codec="utf-8"), max_size=20))
    def test_any_value_is_read_or_refused(self, column, value):
        frame = pd.read_csv(io.StringIO(GOOD), dtype=str)
        frame.loc[1, column] = value
        sentence = sentence_or_none(frame.to_csv(index=False))
        assert sentence is None or (sentence.isprintable() and len(sentence) < 200)

    @given(st.text(st.characters(codec="utf-8"), max_size=100))
    def test_quoted_is_short_and_printable(self, text):
        assert quoted([text]).isprintable()
        assert quoted([text] * 12).endswith(" and 2 more")
        assert quoted(["a"] * 10) == ", ".join(["'a'"] * 10)

    def test_long_names_are_cut(self):
        assert quoted(["a" * 61]) == repr("a" * 57 + "...")
        assert quoted(["a" * 60]) == repr("a" * 60)
