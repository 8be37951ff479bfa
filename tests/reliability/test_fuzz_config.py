"""Configurations with wrong tables, fields, types and numbers: a sentence, or a training that could begin."""

import pytest
from hypothesis import strategies as st

from attn.commands import train as command
from attn.config import to_toml
from attn.models import PRESETS
from attn.processes import PairProcess
from attn.trainer import TrainConfig
from tests.reliability.harness import Tally, each, run
from tests.reliability.hostile import NAMES, NO_FILES, clear, mutated
from tests.reliability.ledger import Promise

pytestmark = pytest.mark.usefixtures("in_this_process")

NUM_CASES, NUM_SMALLEST = 2500, 60
TABLES = {
    "model": [vars(config) for config in PRESETS.values()],
    "training": [
        vars(TrainConfig(num_epochs=1, steps_per_epoch=1, batch_size=2, num_context=3, num_test_pairs=4))
    ],
    "process": [vars(PairProcess(num_points=5))],
    "data": [
        {"csv": "table.csv", "x_column": "x", "window": 4},
        {"pairs": "pairs.npz"},
        {"kernel": "rbf_const_2D"},
    ],
    "start_from": [{"starting_run": "corrected", "starting_weights": "0" * 64}],
}
NUMBERS = [
    0,
    -1,
    1,
    2,
    3,
    0.5,
    -0.0,
    1e400,
    float("nan"),
    1e308,
    5e-324,
    2**31,
    2**63,
    2**64,
    10**30,
    10**4000,
    1e15,
]
SCALARS = st.one_of(st.sampled_from(NUMBERS), st.sampled_from(NAMES), st.booleans(), st.text(max_size=6))
THINGS = st.one_of(SCALARS, st.lists(SCALARS, max_size=4), st.just([[[1]]]))


def as_toml(tables: dict) -> bytes:
    return to_toml(tables).replace("NaN", "nan").replace("Infinity", "inf").encode("utf-8", "surrogatepass")


@st.composite
def configs(draw) -> bytes:
    """Sound tables with up to three fields exchanged, left out or made up; sometimes changed as bytes."""
    names = draw(st.lists(st.sampled_from(list(TABLES)), unique=True, max_size=4))
    tables = {name: dict(draw(st.sampled_from(TABLES[name]))) for name in names}
    for _ in range(draw(st.integers(0, 3))):
        if not tables:
            break
        table = tables[draw(st.sampled_from(list(tables)))]
        kind = draw(st.sampled_from(["exchange", "exchange", "exchange", "leave out", "make up"]))
        if kind == "make up":
            table[f'"{draw(st.integers(0, 9))}"'] = draw(THINGS)
        elif table:
            field = draw(st.sampled_from(sorted(table)))
            table.pop(field) if kind == "leave out" else table.update({field: draw(THINGS)})
    data = as_toml(tables)
    if draw(st.integers(0, 9)) == 0:
        data += draw(
            st.sampled_from([b"[a.b.c]\n", b"x = 1\n", b"[[model]]\n", b"[model]\n", b"x = " + b"[" * 9000])
        )
    return draw(mutated(data, 2)) if draw(st.integers(0, 3)) == 0 else data


CASES = st.one_of(configs(), configs(), configs(), configs(), st.sampled_from(list(NO_FILES)))


@pytest.fixture
def untrained(monkeypatch):
    """`attn train` up to where the training would begin."""
    monkeypatch.setattr(command, "train_visibly", lambda *arguments, **options: None)


def test_configs(tmp_path, untrained, promise, is_smallest):
    tally, path = Tally(), tmp_path / "config.toml"

    def ask(case):
        clear(path)
        if isinstance(case, bytes):
            path.write_bytes(case)
        else:
            NO_FILES[case](path)
        tally.add(run("attn", ["train", "--run", "new", "--config", "config.toml"], tmp_path), case)

    each(CASES, NUM_SMALLEST if is_smallest else NUM_CASES, ask)
    text = "a bad configuration ends in a sentence and a documented exit code, and no training begins"
    kept = tally.num_cases - len(tally.broken)
    promise(Promise("fuzz", text, kept, tally.num_cases, is_random=True, note=tally.note))
