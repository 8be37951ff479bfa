"""What the tests of the checks share: a healthy subject that lacks nothing, its broken twins, and how to ask.

A test module of checks holds TWINS = {check: {name: parts}}; `parts` are what a twin has instead of the
healthy subject: functions that get the healthy subject first, or plain values.
"""

from dataclasses import replace
from functools import partial
from threading import Lock

import numpy as np
import pytest

from attn.arrange import arrange
from attn.processes import PairProcess
from attn.types import Attention
from diagnostics.adapters import OracleSubject
from diagnostics.apart import UnansweredError
from diagnostics.check import build_scenario
from diagnostics.subject import Record

NUM_PAIRS = 64


class Here:
    """In the place of `Apart`: the same questions and answers, but no other process.

    Subjects take turns: what a battery does to stdout is done to the whole process.
    """

    TURN = Lock()

    def __init__(self, make, *arguments, memory=None):
        self.make, self.arguments, self.asked = make, arguments, None

    def ask(self, form, method, *arguments, seconds):
        try:
            with self.TURN:
                if self.asked is None:
                    self.asked = self.make(*self.arguments)
                return form.model_validate_json(getattr(self.asked, method)(*arguments).model_dump_json())
        except ValueError as error:
            raise UnansweredError(str(error), is_lost=False) from error

    def close(self):
        pass


@pytest.fixture
def in_this_process(monkeypatch):
    """Commands ask their subject in the process of the test, which need not be started."""
    monkeypatch.setattr("diagnostics.isolated.Apart", Here)


class WholeSubject(OracleSubject):
    """The oracle with what only a trained model has: it looks at points near in x, and keeps a record."""

    def attention(self, batch):
        nearness = np.exp(-np.abs(batch.x[:, :, None] - batch.x[:, None, :]))
        seen = (
            nearness * np.tri(batch.num_points, k=-1) * batch.valid[:, None, :] * batch.is_target[..., None]
        )
        share = seen / np.maximum(seen.sum(axis=-1, keepdims=True), 1e-9)
        positions = np.arange(batch.num_points)
        return Attention(np.repeat(share[None, :, None], 2, axis=2), positions, positions)

    def training_batches(self, num_batches, rng):
        return [self.arranged("mixed", rng) for _ in range(num_batches)]

    def record(self):
        batch = self.arranged("mixed", np.random.default_rng(7))
        return Record(batch, OracleSubject(self.process).loss(batch))  # of the sound model, in a twin as well

    def arranged(self, regime, rng):
        """16 fresh pairs in the order of that regime."""
        return arrange(self.process.sample(16, rng), regime, 6, rng)


@pytest.fixture(scope="session")
def whole_subject():
    """The class of the healthy subject, made of a process."""
    return WholeSubject


@pytest.fixture(scope="session")
def twin():
    """Make a twin of the healthy subject that differs from it in the given parts."""
    healthy = WholeSubject(PairProcess(num_points=24))

    def make(**parts):
        subject = WholeSubject(healthy.process, "twin")
        for name, part in parts.items():
            setattr(subject, name, partial(part, healthy) if callable(part) else part)
        return subject

    return make


@pytest.fixture(scope="session")
def ask():
    """Ask a check of a subject, about draws of its own process or about given pairs."""

    def asked(check, subject, seed=0, source=None):
        source = subject.process if source is None else source
        scenario = build_scenario(source, np.random.default_rng([seed, 0]), num_pairs=NUM_PAIRS)
        return check(subject, scenario, np.random.default_rng([seed, 1]))

    return asked


def pytest_generate_tests(metafunc):
    """A test with the argument `parts` gets every twin of the TWINS of its module."""
    if "parts" in metafunc.fixturenames:
        twins = metafunc.module.TWINS
        cases = {
            f"{check.name}-{name}": (check, twins[check][name]) for check in twins for name in twins[check]
        }
        metafunc.parametrize(("check", "parts"), cases.values(), ids=cases)


@pytest.fixture(scope="session")
def assert_fails(ask, twin):
    """Ask a check of a twin with these parts: it must fail, in one sentence; the finding is returned."""

    def asked(check, **parts):
        finding = ask(check, twin(**parts))
        assert finding.status == "failed", finding.detail
        assert len(finding.detail) > 40
        assert "\n" not in finding.detail
        assert set(finding.suspects or ()) <= set(check.suspects)
        return finding

    return asked


@pytest.fixture
def asked_of(ask, twin):
    """The batches and histories about which a check asks a healthy subject."""

    def record(check):
        batches, histories = [], []

        def teacher_force(s, batch):
            batches.append(batch)
            return s.teacher_force(batch)

        def predict_next(s, history, x_next, series_next):
            histories.append(history)
            return s.predict_next(history, x_next, series_next)

        assert ask(check, twin(teacher_force=teacher_force, predict_next=predict_next)).status == "passed"
        return batches, histories

    return record


@pytest.fixture(scope="session")
def ragged():
    """Make five rows that observe 3 to 9 of their 12 points and end in up to 2 columns of padding."""

    def make(seed):
        rng = np.random.default_rng(seed)
        batch = build_scenario(PairProcess(num_points=6), rng, num_pairs=5).forecast
        valid = np.arange(12) < rng.integers(10, 13, (5, 1))
        return replace(batch, valid=valid, num_context=rng.integers(3, 9, 5))

    return make
