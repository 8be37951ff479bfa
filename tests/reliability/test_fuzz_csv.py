"""CSV files that are none, or hold what no table should: one sentence, or pairs."""

import pytest
from hypothesis import strategies as st

from attn.commands import train as command
from tests.reliability.harness import Tally, each, run
from tests.reliability.hostile import NAMES, NO_FILES, NUMBERS, clear, mutated
from tests.reliability.ledger import Promise

pytestmark = pytest.mark.usefixtures("in_this_process")

NUM_CASES, NUM_SMALLEST = 3000, 60
CELLS = st.one_of(st.floats(allow_nan=True).map(str), st.sampled_from(NUMBERS), st.sampled_from(NAMES))
SERIES = st.one_of(st.sampled_from("ab"), st.sampled_from(NAMES))
DATES = st.one_of(
    st.datetimes().map(str),
    st.datetimes().map(lambda date: date.strftime("%d/%m/%y %H:%M")),
    st.sampled_from(
        [
            "0000-00-00",
            "9999-12-31T23:59:59",
            "1677-09-21",
            "2262-04-12",
            "2020-01-01T00:00+99:99",
            "now",
            "NaT",
        ]
    ),
)
FORMATS = ["%Y", "%d/%m/%y %H:%M", "%Y-%m-%dT%H:%M", "%", "%Q", "(", "\\", "ISO8601", "mixed", "%s", ""]


def quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if set(cell) & set('",\n\r') else cell


@st.composite
def tables(draw) -> bytes:
    """A sound table of 2 x 12 points with some cells exchanged, as text and then as bytes."""
    is_dated = draw(st.integers(0, 3)) == 0
    rows = [["x", "series", "y"]]
    for number in range(24):
        x = f"2020-01-{1 + number // 2:02d}T00:00" if is_dated else str(number // 2)
        rows.append([x, "ab"[number % 2], str(number * number % 7)])
    for _ in range(draw(st.integers(0, 4))):
        row, column = draw(st.integers(0, 24)), draw(st.integers(0, 2))
        kinds = {0: DATES if is_dated else CELLS, 1: SERIES, 2: CELLS}
        rows[row][column] = draw(kinds[column])
    if draw(st.integers(0, 4)) == 0:  # one column for all rows
        column, cell = draw(st.integers(0, 2)), draw(CELLS)
        rows[1:] = [[*row[:column], cell, *row[column + 1 :]] for row in rows[1:]]
    if draw(st.integers(0, 9)) == 0:
        rows[0] *= draw(st.sampled_from([2, 3000]))
    if draw(st.integers(0, 6)) == 0:
        rows.insert(draw(st.integers(0, 24)), draw(st.sampled_from([[], [""] * 3, ["1"] * 7, ["x"]])))
    text = "\n".join(",".join(map(quoted, row)) for row in rows)
    data = text.encode("utf-8", "surrogatepass")
    return draw(mutated(data)) if draw(st.booleans()) else data


@st.composite
def cases(draw) -> tuple[bytes | str, list[str]]:
    """What lies at the path, and the options that go with it."""
    file = draw(st.sampled_from(list(NO_FILES))) if draw(st.integers(0, 19)) == 0 else draw(tables())
    options = ["--window", draw(st.sampled_from(["4", "5", "6"])), "--context", "1", "--batch-size", "2"]
    hostile = {
        "--window": ["12", "2", "1", "0", "-3", "9" * 30],
        "--context": ["2", "3", "0", "100"],
        "--step": NUMBERS,
        "--date-format": FORMATS,
        **dict.fromkeys(("--x-column", "--series-column", "--y-column", "--name-a", "--name-b"), NAMES),
    }
    for option in draw(st.lists(st.sampled_from(list(hostile)), max_size=2)):
        if draw(st.booleans()):
            options += [option, draw(st.sampled_from(hostile[option]))]
    return file, options


@pytest.fixture
def untrained(monkeypatch):
    """`attn train` up to where the training would begin."""
    monkeypatch.setattr(command, "train_visibly", lambda *arguments, **options: None)


def test_csv(tmp_path, untrained, promise, is_smallest):
    tally, path = Tally(), tmp_path / "table.csv"

    def ask(case):
        file, options = case
        clear(path)
        if isinstance(file, bytes):
            path.write_bytes(file)
        else:
            NO_FILES[file](path)
        tally.add(run("attn", ["train", "--run", "new", "--csv", "table.csv", *options], tmp_path), case)

    each(cases(), NUM_SMALLEST if is_smallest else NUM_CASES, ask)
    text = (
        "a bad CSV file ends in a sentence and a documented exit code: no traceback, no hang, no partial file"
    )
    kept = tally.num_cases - len(tally.broken)
    promise(Promise("fuzz", text, kept, tally.num_cases, is_random=True, note=tally.note))
