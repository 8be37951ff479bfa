"""Subjects that are none, and subjects whose names and answers are hostile, at the command line.

Their answers in every method and every check: `tests/diagnostics/test_fuzz_adapters.py`.
"""

import shutil
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from hypothesis import strategies as st

from attn.types import Prediction
from diagnostics.adapters import OracleSubject
from tests.reliability.harness import Tally, each, run
from tests.reliability.hostile import NAMES, NO_FILES, VALUES
from tests.reliability.ledger import Promise
from tests.reliability.sound import PROCESS

pytestmark = pytest.mark.usefixtures("in_this_process")

NUM_CASES, NUM_SMALLEST = 1500, 50
CHECKS = (
    "no_future_leak",
    "inference_is_deterministic",
    "reload_predicts_the_same",
    "rollout_equals_stepping",
)
ORACLE = OracleSubject(PROCESS)


class BrokenTextError(Exception):
    """An error whose message raises."""

    def __str__(self):
        raise RuntimeError("no text either")


def raising(error):
    """A method, or a factory, that raises."""

    def call(*arguments):
        raise error

    return call


ERRORS = [
    ValueError("two\nlines"),
    RuntimeError(),
    MemoryError(),
    RecursionError(),
    SystemExit(0),
    SystemExit(),
    GeneratorExit(),
    StopIteration(),
    BrokenTextError(),
    OSError(2, "gone", "x" * 5000),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
    Exception("\x1b[2J\ud800" + "x" * 9000),
    AssertionError(),
    ImportError("nothing"),
    BaseException("of the base"),
]
THINGS = [None, 0, "text", b"bytes", [], {}, object(), np.zeros(3), float("nan"), type, print]
ANSWERS = [
    lambda answer: Prediction(answer.mean * np.nan, answer.scale),
    lambda answer: Prediction(answer.mean[:, :-1], answer.scale[:, :-1]),
    lambda answer: Prediction(answer.mean, answer.scale * 0),
    lambda answer: Prediction(answer.mean * 1e308, answer.scale * 1e308),
    lambda answer: Prediction(answer.mean, -answer.scale - 1),
    lambda answer: (answer.mean, answer.scale),
    lambda answer: answer,
]
METHODS = st.one_of(
    st.sampled_from(ERRORS).map(raising),
    st.sampled_from(THINGS).map(lambda thing: lambda *arguments: thing),
    st.sampled_from(ANSWERS).map(
        lambda change: lambda *arguments: change(ORACLE.teacher_force(arguments[0]))
    ),
)
PARTS = st.fixed_dictionaries(
    {"name": st.one_of(st.just("sound"), st.sampled_from(NAMES), st.sampled_from(THINGS))},
    optional={
        "teacher_force": METHODS,
        "predict_next": METHODS,
        "rollout": METHODS,
        "reload": METHODS,
        "process": st.one_of(st.just(PROCESS), st.sampled_from(THINGS)),
    },
)
SOUND = {"teacher_force": ORACLE.teacher_force, "predict_next": ORACLE.predict_next, "process": PROCESS}


@st.composite
def subjects(draw) -> tuple[str, object]:
    """What stands after --subject, and what `hostile:subject` then is."""
    kind = draw(st.sampled_from(["parts", "parts", "parts", "factory", "text", "module"]))
    if kind == "parts":
        return "hostile:subject", SimpleNamespace(**{**SOUND, **draw(PARTS)})
    if kind == "factory":
        factory = st.one_of(
            st.sampled_from(ERRORS).map(raising), st.sampled_from(THINGS).map(lambda thing: lambda: thing)
        )
        return "hostile:subject", draw(factory)
    if kind == "module":
        return draw(
            st.sampled_from(
                ["broken:subject", "exits:subject", "here.py:subject", "directory:subject", "pipe:x"]
            )
        ), None
    modules = st.one_of(
        VALUES, st.sampled_from(["hostile", "hostile.deeper", "os", "...", ".hostile", "sys"])
    )
    return draw(
        st.one_of(VALUES, st.builds("{}:{}".format, modules, st.one_of(VALUES, st.just("subject"))))
    ), 3


def make_home(home) -> None:
    """Modules that cannot be imported, and things in the place of modules and runs."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    (home / "broken.py").write_text("def subject(:\n")
    (home / "exits.py").write_text("raise SystemExit(0)\n")
    for name, make in NO_FILES.items():
        make(home / name.replace(" ", "_"))


def test_subjects(tmp_path, monkeypatch, promise, is_smallest):
    tally, home = Tally(), tmp_path / "home"
    module = ModuleType("hostile")
    monkeypatch.setitem(sys.modules, "hostile", module)
    monkeypatch.setattr(sys, "path", list(sys.path))
    make_home(home)

    def ask(case):
        (spec, module.subject), check, options = case
        arguments = ["check", "--subject", spec, "--check", check, "--num-pairs", "2", *options]
        tally.add(run("diagnose", arguments, home, may_write=(".diagnostics",)), case)
        shutil.rmtree(home / ".diagnostics", ignore_errors=True)

    options = st.sampled_from([(), ("--no-store",), ("--json",), ("--quiet",)])
    each(
        st.tuples(subjects(), st.sampled_from(CHECKS), options),
        NUM_SMALLEST if is_smallest else NUM_CASES,
        ask,
    )
    text = "a subject that is none, or whose name or answers are hostile, ends in a finding or a sentence"
    kept = tally.num_cases - len(tally.broken)
    promise(Promise("fuzz", text, kept, tally.num_cases, is_random=True, note=tally.note))
