"""Adapters that answer nonsense, raise, print or hang: never a green, never a traceback."""

import json
import sys
import time
from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attn.arrange import arrange
from attn.processes import PairProcess
from attn.types import Attention, Prediction, Rollout
from diagnostics.adapters import OracleSubject
from diagnostics.ask import SubjectError
from diagnostics.checks import CHECKS, find_check
from diagnostics.result import Report
from diagnostics.runner import run_checks
from diagnostics.subject import Record, is_subject

PROCESS = PairProcess(num_points=6)
NUM_PAIRS = 8
PREDICTING = ("teacher_force", "predict_next", "rollout")
METHODS = (*PREDICTING, "attention", "loss", "score", "record", "reload", "training_batches")
few = settings(max_examples=60, derandomize=True, database=None)


class WholeOracle(OracleSubject):
    """The oracle with everything that can be offered."""

    def attention(self, batch):
        keys = np.arange(batch.num_points)
        weights = (keys[None, None, :] < keys[None, :, None]) & batch.valid[:, None, :]
        weights = weights * batch.is_target[:, :, None] / np.maximum(weights.sum(axis=-1, keepdims=True), 1)
        return Attention(weights[None, :, None], keys, keys)

    def training_batches(self, num_batches, rng):
        return [arrange(PROCESS.sample(32, rng), "shuffle", 3, rng) for _ in range(num_batches)]

    def record(self):
        batch = self.training_batches(1, np.random.default_rng(0))[0]
        return Record(batch, self.loss(batch))


class BrokenTextError(Exception):
    def __str__(self):
        raise RuntimeError("no text either")


class Nuisance(BaseException):
    """Raised by code that means to end the whole program."""


class Spoilt:
    """`subject` with one method spoilt; `was_asked` tells whether it was called."""

    def __init__(self, subject, method, spoil):
        self._subject, self._method, self._spoil = subject, method, spoil
        self.was_asked, self.num_calls = False, 0

    def __getattr__(self, name):
        attribute = getattr(self._subject, name)
        if name != self._method:
            return attribute

        def call(*arguments):
            self.was_asked = True
            self.num_calls += 1
            return self._spoil(attribute(*arguments), self.num_calls)

        return call


def raising(error):
    def spoil(answer, call):
        raise error

    return spoil


def rebuilt(answer, change):
    """A Prediction, Rollout or Attention with `change` done to all of its float arrays."""
    kind = type(answer)
    names = {Prediction: ("mean", "scale"), Rollout: ("samples", "mean", "scale"), Attention: ("weights",)}
    if kind in names:
        return replace(answer, **{name: change(getattr(answer, name)) for name in names[kind]})
    if kind is Record:
        return SimpleNamespace(batch=answer.batch, loss=change(np.array([answer.loss])))
    return change(np.array([answer if isinstance(answer, float) else 0.0]))


NONSENSE = st.one_of(
    st.none(),
    st.text(max_size=8),
    st.binary(max_size=8),
    st.lists(st.floats(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.just(np.nan),
    st.just(np.inf),
    st.just(object()),
    st.builds(lambda size: np.zeros(size), st.integers(0, 3)),
    st.just(Prediction(np.zeros((1, 1)), np.ones((1, 1)))),
    st.just(Prediction(np.zeros((NUM_PAIRS, 2 * PROCESS.num_points + 1)), np.ones((NUM_PAIRS, 13)))),
).map(lambda value: lambda answer, call: value)

CHANGES = st.sampled_from(
    [
        lambda values: np.full_like(values, np.nan),
        lambda values: np.full_like(values, np.inf),
        lambda values: np.full_like(values, -np.inf),
        lambda values: values[..., :-1],
        lambda values: values[:0],
        lambda values: values[None],
        lambda values: values.T,
        lambda values: np.zeros(values.shape, int),
        lambda values: values.astype(complex),
        lambda values: values.astype(object),
        lambda values: values.astype(str),
        lambda values: values.tolist(),
        lambda values: None,
    ]
).map(lambda change: lambda answer, call: rebuilt(answer, change))

ERRORS = [
    ValueError("shapes (3, 4) and (5,) do not fit\nsecond line"),
    RuntimeError(),
    MemoryError("too much"),
    RecursionError("too deep"),
    StopIteration(),
    AssertionError(),
    SystemExit(0),
    SystemExit("bye"),
    GeneratorExit(),
    Nuisance("stop everything"),
    BrokenTextError(),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    ValueError("half of a pair: \udc80"),
    pytest.skip.Exception("nothing to see"),
    pytest.fail.Exception("nothing to see"),
]


def examine(subject, **arguments):
    """{check: whether the spoilt method was asked}, and the report."""
    asked = {}

    def note(result):
        asked[result.check] = subject.was_asked
        subject.was_asked = False

    report = run_checks(subject, num_pairs=NUM_PAIRS, source=PROCESS, on_result=note, **arguments)
    return asked, report


@cache
def askers(method):
    """The checks that ask a method."""
    asked, _ = examine(Spoilt(WholeOracle(PROCESS), method, lambda answer, call: answer))
    return [check for check in CHECKS if asked[check.name]]


def is_one_sentence(text):
    return 10 < len(text) < 600 and text == " ".join(text.split()) and "Traceback" not in text


def test_the_unspoilt_oracle_is_asked_all_and_nothing_fails():
    _, report = examine(Spoilt(WholeOracle(PROCESS), "teacher_force", lambda answer, call: answer))
    assert {result.status for result in report.results} <= {"passed", "skipped"}
    assert report.count("skipped") <= 1  # these series are short
    assert len(askers("teacher_force")) > 20
    assert all(askers(method) for method in METHODS)


@few
@given(
    method=st.sampled_from(METHODS), spoil=st.one_of(NONSENSE, CHANGES, st.sampled_from(ERRORS).map(raising))
)
def test_whoever_asks_what_is_spoilt_says_so_in_one_sentence(method, spoil):
    asked, report = examine(Spoilt(WholeOracle(PROCESS), method, spoil), checks=askers(method))
    affected = [result for result in report.results if asked[result.check]]
    assert affected
    assert {result.status for result in affected} <= {"error", "failed"}
    assert all(is_one_sentence(result.detail) for result in report.results)
    assert not any("the check itself broke" in result.detail for result in report.results)
    assert report.exit_code in (1, 3)
    assert Report.from_json(report.model_dump_json()).exit_code == report.exit_code


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_whatever_is_raised_is_one_sentence(error):
    for method in ("teacher_force", "rollout"):
        checks = askers(method)[:2]
        asked, report = examine(Spoilt(WholeOracle(PROCESS), method, raising(error)), checks=checks)
        assert all(asked.values())
        assert {result.status for result in report.results} == {"error"}
        assert all(is_one_sentence(result.detail) for result in report.results)
        assert Report.from_json(report.model_dump_json()).exit_code == 3


@pytest.mark.parametrize("method", PREDICTING)
def test_a_negative_scale_is_refused(method):
    asked, report = examine(
        Spoilt(WholeOracle(PROCESS), method, lambda answer, call: replace(answer, scale=-answer.scale - 1))
    )
    details = {result.detail for result in report.results if asked[result.check]}
    assert details
    assert all("scale" in detail and "must not be negative" in detail for detail in details)
    assert report.exit_code == 3


@few
@given(method=st.sampled_from(("loss", "score")), value=st.floats(-1e300, 1e300))
def test_a_loss_that_is_always_the_same_number_is_found(method, value):
    checks = [find_check(name) for name in ("every_target_is_scored", "metric_counts_every_target")]
    asked, report = examine(Spoilt(WholeOracle(PROCESS), method, lambda answer, call: value), checks=checks)
    assert any(asked.values())
    assert {asked[result.check]: result.status for result in report.results}[True] == "failed"
    assert report.exit_code == 1


@few
@given(method=st.sampled_from(PREDICTING), size=st.floats(0.1, 100.0))
def test_answers_that_differ_from_call_to_call_are_found(method, size):
    def spoil(answer, call):
        return rebuilt(answer, lambda values: values + size * (call % 2))

    checks = [find_check("inference_is_deterministic")]
    _, report = examine(Spoilt(WholeOracle(PROCESS), method, spoil), checks=checks)
    assert report.results[0].status == "failed"
    assert report.exit_code == 1


def test_what_a_subject_prints_stays_out_of_stdout_and_changes_nothing(capfd):
    def spoil(answer, call):
        print("loading ..." * 1000)  # noqa: T201
        sys.stdout.write("\x1b[2J")
        return answer

    _, report = examine(Spoilt(WholeOracle(PROCESS), "teacher_force", spoil))
    assert capfd.readouterr().out == ""
    assert report.count("error") == report.count("failed") == 0


@pytest.mark.parametrize("swallow", [False, True])
def test_a_subject_that_hangs_is_given_up(swallow):
    def spoil(answer, call):
        try:
            time.sleep(60)
        except Exception:
            if not swallow:
                raise
        return answer

    checks = [find_check(name) for name in ("no_future_leak", "rollout_equals_stepping")]
    asked, report = examine(
        Spoilt(WholeOracle(PROCESS), "teacher_force", spoil), checks=checks, time_limit=0.05
    )
    for result in report.results:
        assert result.status == "error"
        assert result.detail == "oracle: the subject did not answer within 0.05 s"
        assert result.seconds < 5
    assert all(asked.values())
    assert report.exit_code == 3


@few
@given(name=st.one_of(st.none(), st.integers(), st.binary(max_size=4), st.sampled_from(["", " ", "\n"])))
def test_a_name_that_is_no_text_is_refused(name):
    with pytest.raises(SubjectError, match="name of a subject must be text; got"):
        run_checks(SimpleNamespace(**{**parts(), "name": name}), source=PROCESS)


@few
@given(name=st.text(st.characters(exclude_categories=()), min_size=1, max_size=20).filter(str.strip))
def test_any_text_is_a_name_that_fits_into_a_report(name):
    report = run_checks(
        SimpleNamespace(**{**parts(), "name": name}), source=PROCESS, num_pairs=2, checks=CHECKS[:1]
    )
    json.loads(report.model_dump_json())


@few
@given(
    process=st.one_of(
        st.integers(), st.text(max_size=5), st.just(PROCESS.sample(2, np.random.default_rng(0)))
    )
)
def test_a_process_of_another_kind_is_refused(process):
    with pytest.raises(SubjectError, match="s: process must be a PairProcess; got"):
        run_checks(SimpleNamespace(**parts(), name="s", process=process))


def parts():
    oracle = OracleSubject(PROCESS)
    subject = {"teacher_force": oracle.teacher_force, "predict_next": oracle.predict_next}
    assert is_subject(SimpleNamespace(**subject, name="s"))
    return subject
