"""What hostile input looks like: names, numbers and bytes, and things in the place of a file."""

import os
from pathlib import Path

from hypothesis import strategies as st

NAMES = (
    "",
    " ",
    ".",
    "..",
    "../../escaped",
    "/dev/null/x",
    "a/b",
    "a\x00b",
    "x" * 4096,
    "é" * 300,
    "-",
    "--",
    "--help",
    "~",
    "CON",
    "a\nb",
    "a\r\nb",
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x9b31m",
    "\u202ereversed",
    "\ud800",
    "\udcff",
    "名前",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "`id`",
    "$(id)",
    "'; rm -rf x; '",
    '"; echo "',
    "| a | b |",
    "[link](http://x)",
    "$\\frac{1}{0}$",
    "{{7*7}}",
    "%s%n%d",
    "[red]text[/red]",
    "=1+1",
)
NUMBERS = (
    "0",
    "-0",
    "-1",
    "1",
    "2",
    "3",
    "0.5",
    "1e3",
    "1e400",
    "-1e400",
    "1e-400",
    "nan",
    "NaN",
    "inf",
    "-inf",
    "Infinity",
    "9223372036854775807",
    "9223372036854775808",
    "1" + "0" * 30,
    "9" * 5000,
    "0x10",
    "1_000",
    "1,5",
    "１",
    "٣",
    "+5",
    " 7 ",
    "1e",
    "--1",
    "true",
    "None",
    "1e308",
    "1e-308",
    "1e15",
)
VALUES = st.one_of(st.sampled_from(NAMES), st.sampled_from(NUMBERS), st.text(max_size=12))


def _cut(data: bytes, at: float, piece: bytes) -> bytes:
    return data[: int(at * len(data))]


def _insert(data: bytes, at: float, piece: bytes) -> bytes:
    place = int(at * len(data))
    return data[:place] + piece + data[place:]


def _overwrite(data: bytes, at: float, piece: bytes) -> bytes:
    place = int(at * len(data))
    return data[:place] + piece + data[place + len(piece) :]


def _drop(data: bytes, at: float, piece: bytes) -> bytes:
    place = int(at * len(data))
    return data[:place] + data[place + 1 + len(piece) :]


def _double(data: bytes, at: float, piece: bytes) -> bytes:
    place = int(at * len(data))
    return data + data[place:]


def _flip(data: bytes, at: float, piece: bytes) -> bytes:
    place = min(int(at * len(data)), len(data) - 1)
    return data if not data else data[:place] + bytes([data[place] ^ 0x41]) + data[place + 1 :]


_PIECES = st.one_of(
    st.binary(max_size=6),
    st.sampled_from(
        [b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\r", b"\n\n", b'"', b",", b"\x1a", b"[" * 5000, b"{" * 5000]
    ),
)
_CHANGES = st.tuples(
    st.sampled_from([_cut, _insert, _overwrite, _drop, _double, _flip]),
    st.floats(0, 1, exclude_max=True),
    _PIECES,
)
_ENCODINGS = (
    lambda data: b"\xef\xbb\xbf" + data,
    lambda data: data.decode("utf-8", "replace").encode("utf-16"),
    lambda data: data.decode("utf-8", "replace").encode("utf-32"),
    lambda data: data.replace(b"\n", b"\r\n"),
    lambda data: data.replace(b"\n", b"\r"),
    lambda data: data.replace(b",", b";"),
    lambda data: b"",
    lambda data: b"\n" * 50 + data,
)


@st.composite
def mutated(draw, data: bytes, most: int = 4) -> bytes:
    """Bytes with up to `most` changes: cut, inserted, overwritten, dropped, doubled, flipped."""
    for change, at, piece in draw(st.lists(_CHANGES, min_size=1, max_size=most)):
        data = change(data, at, piece)
    if draw(st.integers(0, 4)) == 0:
        data = draw(st.sampled_from(_ENCODINGS))(data)
    return data


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 42)


NO_FILES = {
    "nothing": lambda path: None,
    "directory": lambda path: path.mkdir(),
    "pipe": _pipe,
    "endless device": _device,
    "link to itself": _loop,
    "link to nowhere": lambda path: path.symlink_to("nowhere"),
    "link to a directory": lambda path: path.symlink_to(path.parent),
    "4 TiB of nothing": _sparse,
    "empty file": lambda path: path.touch(),
}


def clear(path: Path) -> None:
    """Remove what lies at a path, whatever it is."""
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
