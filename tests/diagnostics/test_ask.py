from dataclasses import replace

import numpy as np
import pytest

from attn.processes import PairProcess
from attn.types import Attention, Prediction
from diagnostics import ask
from diagnostics.adapters import OracleSubject
from diagnostics.check import build_scenario
from diagnostics.subject import Record

PROCESS = PairProcess(num_points=8)
SCENARIO = build_scenario(PROCESS, np.random.default_rng(0), num_pairs=3)


class Answers(OracleSubject):
    """The oracle, but `method` gives `answer` (a value, or an exception that is raised)."""

    def __init__(self, method, answer):
        super().__init__(PROCESS, "s")

        def give(*arguments):
            if isinstance(answer, Exception):
                raise answer
            return answer

        setattr(self, method, give)


def prediction(shape, mean=0.0, scale=1.0):
    return Prediction(np.full(shape, mean), np.full(shape, scale))


def call(method, subject):
    rng = np.random.default_rng(0)
    batch = SCENARIO.forecast
    calls = {
        "teacher_force": lambda: ask.ask_teacher_force(subject, batch),
        "predict_next": lambda: ask.ask_column(subject, batch, 12),
        "rollout": lambda: ask.ask_rollout(subject, batch, 2, rng),
        "loss": lambda: ask.ask_loss(subject, batch),
        "reload": lambda: ask.ask_reload(subject),
        "attention": lambda: ask.ask_attention(subject, batch),
        "training_batches": lambda: ask.ask_training_batches(subject, 2, rng),
        "score": lambda: ask.ask_score(subject, batch, OracleSubject(PROCESS).teacher_force(batch)),
        "record": lambda: ask.ask_record(subject),
    }
    return calls[method]()


WRONG = [
    ("teacher_force", np.zeros((3, 16)), "must return a Prediction; got an array of shape"),
    ("teacher_force", None, "must return a Prediction; got NoneType"),
    ("teacher_force", prediction((3, 15)), r"mean of teacher_force must have shape \(3, 16\); got \(3, 15\)"),
    ("teacher_force", prediction((3, 16), mean=np.nan), "must be finite at every target; got nan"),
    ("teacher_force", prediction((3, 16), scale=np.inf), "must be finite at every target; got inf"),
    (
        "teacher_force",
        RuntimeError("no weights\nlong trace"),
        "must not raise; got RuntimeError: no weights$",
    ),
    ("predict_next", prediction((3, 2)), r"must have shape \(3, 1\); got \(3, 2\)"),
    ("predict_next", KeyError(), "must not raise; got KeyError: no message"),
    (
        "rollout",
        OracleSubject(PROCESS).rollout(SCENARIO.forecast, 1, np.random.default_rng(0)),
        "must have shape",
    ),
    ("loss", np.nan, "loss must be one finite number; got float 'nan'"),
    ("loss", np.zeros(3), "loss must be one finite number; got an array of shape"),
    ("reload", 3, "reload must return a Subject; got int '3'"),
    (
        "attention",
        Attention(np.zeros((1, 2, 1, 1, 1)), np.array([0]), np.array([0])),
        r"must have 3 pairs on their second axis; got shape \(1, 2, 1, 1, 1\)",
    ),
    (
        "attention",
        Attention(np.zeros((1, 3, 1, 1, 1)), np.array([16]), np.array([0])),
        "positions of attention must be between 0 and 15; got 16 to 16",
    ),
    ("attention", 3, "attention must return a Attention; got int '3'"),
    (
        "attention",
        Attention(np.zeros((0, 3, 1, 1, 1)), np.array([0]), np.array([0])),
        r"attention must have at least one layer, head, query and key; got .* shape \(0, 3, 1, 1, 1\)",
    ),
    (
        "attention",
        Attention(np.full((1, 3, 1, 1, 1), -0.5), np.array([0]), np.array([0])),
        "weights of attention must not be negative; got -0.5",
    ),
    ("loss", "low", "loss must be one finite number; got str 'low'"),
    ("loss", True, "loss must be one finite number; got bool 'True'"),
    ("training_batches", [], r"training_batches\(2, rng\) must be 2 Batches; got list '\[\]'"),
    ("training_batches", [SCENARIO.forecast], r"must be 2 Batches; got list"),
    ("training_batches", [SCENARIO.forecast] * 3, r"must be 2 Batches; got list"),
    ("training_batches", [SCENARIO.forecast, SCENARIO.pairs], r"must be 2 Batches; got list"),
    ("training_batches", None, "must be 2 Batches; got NoneType 'None'"),
    ("training_batches", OSError("no data"), "training_batches must not raise; got OSError: no data"),
    ("score", None, "score must be one finite number; got NoneType 'None'"),
    ("score", np.inf, "score must be one finite number; got float 'inf'"),
    ("score", np.ones(2), r"score must be one finite number; got an array of shape \(2,\)"),
    ("score", ZeroDivisionError(), "score must not raise; got ZeroDivisionError: no message"),
    ("record", (SCENARIO.forecast, 0.5), "record must return a Record; got tuple"),
    ("record", Record(SCENARIO.forecast, np.nan), "the loss of record must be one finite number; got float"),
    ("record", KeyError("test_loss"), "record must not raise; got KeyError: 'test_loss'"),
]


@pytest.mark.parametrize(("method", "answer", "sentence"), WRONG)
def test_a_wrong_answer_is_one_sentence(method, answer, sentence):
    with pytest.raises(ask.SubjectError, match=sentence) as caught:
        call(method, Answers(method, answer))
    assert str(caught.value).startswith("s: ")
    assert "\n" not in str(caught.value)


def test_a_negative_scale_of_a_rollout_is_refused():
    honest = OracleSubject(PROCESS).rollout(SCENARIO.forecast, 2, np.random.default_rng(0))
    with pytest.raises(ask.SubjectError, match="scale of rollout must not be negative; got -"):
        call("rollout", Answers("rollout", replace(honest, scale=-honest.scale)))


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("training_batches", [SCENARIO.forecast, SCENARIO.shuffled]),
        ("training_batches", (SCENARIO.forecast, SCENARIO.shuffled)),
        ("record", Record(SCENARIO.forecast, np.float32(0.5))),
        ("score", -0.25),
        ("score", np.float32(-0.25)),
        ("score", 3),
    ],
)
def test_a_right_answer_comes_back_as_it_is(method, answer):
    got = call(method, Answers(method, answer))
    assert got == (list(answer) if isinstance(answer, tuple) else answer)
    if method == "score":
        assert type(got) is float


def test_a_subject_is_given_what_it_is_asked_about():
    class Noting(OracleSubject):
        def training_batches(self, num_batches, rng):
            self.given = (num_batches, rng)
            return [SCENARIO.forecast] * num_batches

        def score(self, batch, prediction):
            self.given = (batch, prediction)
            return 0.0

    subject, rng = Noting(PROCESS), np.random.default_rng(0)
    ask.ask_training_batches(subject, 3, rng)
    assert subject.given == (3, rng)
    prediction = subject.teacher_force(SCENARIO.forecast)
    ask.ask_score(subject, SCENARIO.forecast, prediction)
    assert subject.given == (SCENARIO.forecast, prediction)


def test_ask_first_equals_the_first_column_also_where_rows_observe_unequally():
    subject, batch = OracleSubject(PROCESS), SCENARIO.forecast
    ragged = replace(batch, num_context=np.array([10, 11, 10]))
    parallel = subject.teacher_force(ragged)
    first = ask.ask_first(subject, ragged)
    np.testing.assert_allclose(first.mean[:, 0], parallel.mean[range(3), ragged.num_context])
    np.testing.assert_allclose(first.scale[:, 0], parallel.scale[range(3), ragged.num_context])


def test_ask_free_run_steps_where_there_is_no_rollout():
    class Stepping:
        name = "stepping"
        teacher_force = OracleSubject(PROCESS).teacher_force
        predict_next = OracleSubject(PROCESS).predict_next

    batch, rng = SCENARIO.forecast, np.random.default_rng(0)
    by_steps = ask.ask_free_run(Stepping(), batch, rng)
    exact = ask.ask_free_run(OracleSubject(PROCESS), batch, rng)
    np.testing.assert_allclose(by_steps.mean[0][batch.is_target], exact.mean[0][batch.is_target], atol=1e-8)
    several = ask.ask_free_run(Stepping(), batch, rng, "sample", 2).samples
    assert several.shape == (2, 3, 16)
    assert not np.allclose(several[0][batch.is_target], several[1][batch.is_target])
