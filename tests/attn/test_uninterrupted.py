"""Ctrl-C is held back, and is not lost."""

import signal
import threading

import numpy as np
import pytest

from attn import kernels
from attn.uninterrupted import uninterrupted


@pytest.fixture(autouse=True)
def heard():
    """As in a terminal: a shell starts what runs in its background deaf to Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt(then):
    signal.raise_signal(signal.SIGINT)
    return then()


def test_an_interrupt_acts_at_the_end_of_the_block():
    done = []
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        interrupt(then=lambda: done.append(True))
    assert done == [True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_was_raised_inside_does_not_hide_the_interrupt():
    with pytest.raises(KeyboardInterrupt), uninterrupted():
        interrupt(then=lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError), uninterrupted():
        1 / 0  # noqa: B018
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_who_ignores_interrupts_goes_on_to():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with uninterrupted():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_another_thread_is_never_interrupted_and_has_nothing_to_hold():
    done = []

    def work():
        with uninterrupted():
            done.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [signal.default_int_handler]


def test_the_compiler_of_covariances_is_not_interrupted(monkeypatch):
    """It runs destructors and callbacks of C, in which whatever is raised is printed and lost."""

    class Compiled:
        signatures = ()

        def compile(self, signature):
            signal.raise_signal(signal.SIGINT)
            self.signatures = (signature,)

    compiled = Compiled()
    monkeypatch.setattr(kernels, "_write_upper", compiled)
    with pytest.raises(KeyboardInterrupt):
        kernels.upper_triangles([], np.zeros((1, 2)), np.zeros((1, 2)))
    assert len(compiled.signatures) == 1
