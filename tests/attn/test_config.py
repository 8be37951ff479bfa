import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from attn.config import ConfigError, checked, read_toml, to_toml


@dataclass(frozen=True)
class Sizes:
    width: int = 4
    rate: float = 0.1
    dims: tuple[int, ...] = (1, 2)

    def __post_init__(self):
        if self.width < 1:
            raise ValueError(f"width must be at least 1; got {self.width}")


def test_what_is_written_is_what_is_read():
    table = {
        "count": 3,
        "rate": 1e-5,
        "whole": 2.0,
        "is_on": False,
        "dims": (8, 4),
        "text": 'quotes " and \\, a line\nbreak, \x7f, \x01, Zürich, 😀',
        "path": Path("a b/c.csv"),
    }
    back = tomllib.loads(to_toml({"one": {**table, "missing": None}, "two": {"x": -1}}))
    assert back == {"one": {**table, "dims": [8, 4], "path": "a b/c.csv"}, "two": {"x": -1}}
    assert isinstance(back["one"]["whole"], float)


def test_only_known_tables_are_read(tmp_path):
    path = tmp_path / "c.toml"
    path.write_text("[one]\nx = 1\n")
    assert read_toml(path, ("one", "two")) == {"one": {"x": 1}, "two": {}}


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"[one]\n[three]\n", r"may hold the tables \[one\], \[two\]; got three"),
        (b"one = 3\n", r"may hold the tables \[one\], \[two\]; got one"),
        (b"[one\n", "must be TOML"),
        (b"\xff\xfe", "must be TOML"),
        (None, "could not be read: No such file"),
    ],
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path, content, sentence):
    path = tmp_path / "c.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=sentence):
        read_toml(path, ("one", "two"))


def test_values_become_the_dataclass():
    assert checked(Sizes, {"width": 2, "dims": [3, 4]}, "sizes") == Sizes(2, 0.1, (3, 4))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"hight": 2}, "sizes has the fields dims, rate, width; got hight"),
        ({"width": "wide"}, "width has a wrong form .*; got 'wide'"),
        ({"width": 0}, "^width must be at least 1; got 0$"),
    ],
)
def test_a_wrong_field_or_value_is_named(values, sentence):
    with pytest.raises(ValueError, match=sentence):
        checked(Sizes, values, "sizes")
