"""Run directories that were damaged or made up: every command that reads one."""

import json
import shutil

import numpy as np
import pytest
from hypothesis import strategies as st

from attn.commands import train as training
from attn.tensors import load_tensors, save_tensors
from tests.reliability.harness import Tally, each, run
from tests.reliability.hostile import NO_FILES, mutated
from tests.reliability.ledger import Promise
from tests.reliability.sound import exchanged, make_run

pytestmark = pytest.mark.usefixtures("in_this_process")

NUM_CASES, NUM_SMALLEST = 2000, 50
FILES = ("spec.json", "history.json", "config.toml", "weights.safetensors")
CHECK = (
    "diagnose",
    "check",
    "--subject",
    "mine",
    "--check",
    "no_future_leak",
    "--num-pairs",
    "2",
    "--no-store",
)
COMMANDS = {
    "project": ("attn", "project", "--run", "mine", "--layer", "table", "--out", "out"),
    "list": ("attn", "runs", "list", "--folder", "."),
    "export": ("attn", "runs", "export", "mine", "--out", "out"),
    "delete": ("attn", "runs", "delete", "mine"),
    "start from": ("attn", "train", "--run", "new", "--start-from", "mine"),
    "config": ("attn", "train", "--run", "new", "--config", "mine/config.toml"),
    "load": (*CHECK, "--expected-failures", "unknown.json"),  # refused, but only once the subject is there
    "check": CHECK,
}
# What loads the model of a sound run takes a second: asked less often.
ASKED = [*["project", "list", "export", "delete", "start from", "config", "load"] * 4, "check"]
ARRAYS = {
    "not finite": lambda array: np.full_like(array, np.nan),
    "of double precision": lambda array: array.astype(np.float64),
    "of half precision": lambda array: array.astype(np.float16),
    "of whole numbers": lambda array: array.astype(np.int64),
    "of truth values": lambda array: array.astype(bool),
    "turned": lambda array: array.T,
    "of one axis": lambda array: array.reshape(-1),
    "empty": lambda array: array[:0],
}
DESCRIPTIONS = st.sampled_from(
    [{}, {"model": None}, {"model": []}, {"model": {"kind": []}}, {"model": {"width": 10**30}}]
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    directory = tmp_path_factory.mktemp("sound") / "mine"
    make_run(directory)
    return directory


@pytest.fixture
def untrained(monkeypatch):
    """`attn train` up to where the training would begin."""
    monkeypatch.setattr(training, "train_visibly", lambda *arguments, **options: None)


def damages(sound) -> st.SearchStrategy:
    """(file, what it is instead): bytes, the name of something that is no file, or what becomes of arrays."""
    content = {name: (sound / name).read_bytes() for name in FILES}
    as_json = {name: json.loads(content[name]) for name in ("spec.json", "history.json")}
    names = list(load_tensors(sound / "weights.safetensors").arrays)
    return st.one_of(
        st.sampled_from(FILES).flatmap(lambda name: st.tuples(st.just(name), mutated(content[name]))),
        *(st.tuples(st.just(name), exchanged(value)) for name, value in as_json.items()),
        *(st.tuples(st.just(name), exchanged(value)) for name, value in as_json.items()),
        st.tuples(st.sampled_from(FILES), st.sampled_from([content[name] for name in FILES])),
        st.tuples(st.sampled_from(FILES), st.sampled_from(list(NO_FILES))),
        st.tuples(st.sampled_from(names), st.sampled_from(["left out", *ARRAYS])),
        st.tuples(st.just("description"), DESCRIPTIONS),
    )


def damage(directory, what, instead) -> None:
    path = directory / what
    if isinstance(instead, bytes):
        path.write_bytes(instead)
    elif what in FILES:
        path.unlink()
        NO_FILES[instead](path)
    else:
        weights = directory / "weights.safetensors"
        saved = load_tensors(weights)
        arrays, description = saved.arrays, saved.description
        if what == "description":
            description = instead
        elif instead == "left out":
            del arrays[what]
        else:
            arrays[what] = ARRAYS[instead](arrays[what])
        save_tensors(weights, arrays, description)


def test_runs(tmp_path, sound, untrained, promise, is_smallest):
    tally, home = Tally(), tmp_path / "home"

    def ask(case):
        damaged, command = case
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(sound, home / "mine")
        (home / "unknown.json").write_text('{"no_such_check": "of no use"}')
        for what, instead in damaged:
            damage(home / "mine", what, instead)
        program, *arguments = COMMANDS[command]
        tally.add(run(program, arguments, home, may_write=("out",)), case)

    one_each = st.lists(
        damages(sound),
        min_size=1,
        max_size=2,
        unique_by=lambda found: found[0] if found[0] in FILES[:3] else "weights",
    )
    cases = st.tuples(one_each, st.sampled_from(ASKED))
    each(cases, NUM_SMALLEST if is_smallest else NUM_CASES, ask)
    text = "a damaged run, or what is put in its place, ends in a sentence; nothing of it is executed"
    kept = tally.num_cases - len(tally.broken)
    promise(Promise("fuzz", text, kept, tally.num_cases, is_random=True, note=tally.note))


def make_sound(folder):
    make_run(folder / "sound" / "mine")
    return folder / "sound" / "mine"
