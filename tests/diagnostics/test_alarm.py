import signal
import threading
import time

import pytest

from diagnostics.alarm import TimeLimitError, time_limit


def wait():
    """Far longer than any limit here, in steps that an alarm may interrupt."""
    try:
        time.sleep(30)
    except Exception:  # what a subject might do with whatever goes wrong
        time.sleep(30)


def test_what_hangs_is_stopped_even_where_exceptions_are_swallowed():
    started = time.perf_counter()
    with pytest.raises(TimeLimitError), time_limit(0.05):
        wait()
    assert time.perf_counter() - started < 5


def test_an_alarm_that_rings_at_once_leaves_nothing():
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(TimeLimitError), time_limit(1e-6):
        wait()
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_what_answers_in_time_is_let_go_and_no_alarm_is_left():
    before = signal.getsignal(signal.SIGALRM)
    with time_limit(5.0):
        assert 0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 5
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_what_was_raised_inside_comes_out_and_no_alarm_is_left():
    with pytest.raises(ZeroDivisionError), time_limit(5.0):
        1 / 0  # noqa: B018
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_the_alarm_of_another_is_left_to_act():
    signal.setitimer(signal.ITIMER_REAL, 60.0)
    try:
        with time_limit(0.01):
            time.sleep(0.05)
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 50
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def test_outside_the_main_thread_nothing_is_limited():
    done = []

    def ask():
        with time_limit(0.01):
            time.sleep(0.05)
            done.append(True)

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(10)
    assert done == [True]
