"""Subjects that misbehave, each by its name in this module.

troubled:sound            the exact posterior, with everything that can be offered
troubled:always_TROUBLE   makes that trouble in whichever method is called
troubled:each             makes another trouble in every method, as EACH says
troubled:reshapes_METHOD  answers in another shape at the second call of that method, and later
troubled:report_TROUBLE   makes that trouble in `rollout` alone, and only where more pairs are asked about
                          than a check has: in what a report measures
"""

import ctypes
import os
import signal
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from functools import cache, partial
from itertools import repeat
from types import SimpleNamespace

import numpy as np

from attn.arrange import arrange
from attn.processes import PairProcess
from attn.types import Attention, Prediction, Rollout
from diagnostics.adapters import OracleSubject
from diagnostics.subject import Record

PROCESS = PairProcess(num_points=10)
NUM_PAIRS = 64  # of a check
METHODS = (
    "teacher_force",
    "predict_next",
    "rollout",
    "attention",
    "loss",
    "score",
    "record",
    "reload",
    "training_batches",
)
LEAK = 600 * 2**20
PRINTED = 30_000_000
held = []


def hangs():
    time.sleep(3600)


def hangs_whatever_is_raised():
    while True:
        try:
            time.sleep(3600)
        except BaseException:
            continue


def hangs_in_compiled_code():
    all(repeat(True))  # never returns to the interpreter


def segfaults():
    ctypes.string_at(0)


def aborts():
    os.abort()


def ends_the_process():
    os._exit(0)


def is_killed():
    os.kill(os.getpid(), signal.SIGKILL)


def leaks():
    held.append(np.ones(LEAK, np.uint8))


def prints():
    print("debugging\n" * 100)  # noqa: T201
    for number in (1, 2):
        for _ in range(PRINTED // 20_000):
            os.write(number, b"x" * 9_999 + b"\n")


def closes_stdout():
    sys.stdout.close()
    with suppress(OSError):  # it is closed already
        os.close(1)


def exits():
    sys.exit(0)


def interrupts():
    raise KeyboardInterrupt


@cache  # once a process: copies that fork again would soon be many
def forks():
    os.fork()


@cache
def leaves_processes_and_threads():
    if os.fork() == 0:
        time.sleep(3600)
    threading.Thread(target=time.sleep, args=(3600,), daemon=False).start()


def changes_directory():
    os.chdir("/")


def answers_in_another_shape():
    """At the second call and later; done by `Troubled`."""


EACH = {
    "teacher_force": closes_stdout,
    "predict_next": changes_directory,
    "rollout": prints,
    "attention": exits,
    "loss": segfaults,
    "score": leaks,
    "record": interrupts,
    "reload": hangs_in_compiled_code,
    "training_batches": hangs,
}
TROUBLES = {
    trouble.__name__: trouble
    for trouble in (
        hangs,
        hangs_whatever_is_raised,
        hangs_in_compiled_code,
        segfaults,
        aborts,
        ends_the_process,
        is_killed,
        leaks,
        prints,
        closes_stdout,
        exits,
        interrupts,
        forks,
        leaves_processes_and_threads,
        changes_directory,
        answers_in_another_shape,
    )
}


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
        return Record(batch, OracleSubject.loss(self, batch))


def reshaped(answer):
    """The answer without its last part, or in another form where it has none."""
    match answer:
        case Prediction():
            return Prediction(answer.mean[:, :-1], answer.scale[:, :-1])
        case Rollout():
            return Rollout(answer.samples[..., :-1], answer.mean[..., :-1], answer.scale[..., :-1])
        case Attention():
            return Attention(answer.weights[:, :-1], answer.query_positions, answer.key_positions)
        case Record():
            return SimpleNamespace(batch=answer.batch, loss=answer.loss)
        case list():
            return answer[:-1]
        case OracleSubject():
            return None
    return np.array([answer, answer])


class Troubled(WholeOracle):
    """The whole oracle that makes trouble in its methods: `troubles` by method."""

    def __init__(self, name, troubles, is_troubled=lambda arguments: True):
        super().__init__(PROCESS, name)
        self.is_troubled = is_troubled
        sound = WholeOracle(PROCESS)
        for method in METHODS:
            answer = getattr(sound, method)
            is_sound = method not in troubles
            setattr(self, method, answer if is_sound else partial(self._call, answer, troubles[method]))
        self.num_calls = Counter()

    def _call(self, method, trouble, *arguments):
        if not self.is_troubled(arguments):
            return method(*arguments)
        trouble()
        answer = method(*arguments)
        self.num_calls[method.__name__] += 1
        is_late = self.num_calls[method.__name__] > 1
        return reshaped(answer) if trouble is answers_in_another_shape and is_late else answer


def of_more_than_a_check(arguments):
    return arguments[0].num_pairs > NUM_PAIRS


def __getattr__(name):
    """The factory of a subject, by its name."""
    how, _, trouble = name.partition("_")
    if name == "sound":
        return lambda: Troubled(name, {})
    if name == "each":
        return lambda: Troubled(name, EACH)
    if how == "always" and trouble in TROUBLES:
        return lambda: Troubled(name, dict.fromkeys(METHODS, TROUBLES[trouble]))
    if how == "reshapes" and trouble in METHODS:
        return lambda: Troubled(name, {trouble: answers_in_another_shape})
    if how == "report" and trouble in TROUBLES:
        return lambda: Troubled(name, {"rollout": TROUBLES[trouble]}, of_more_than_a_check)
    raise AttributeError(name)
