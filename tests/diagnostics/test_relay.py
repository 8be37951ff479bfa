import os
from multiprocessing import Pipe

import pytest

from diagnostics.relay import SHOWN, Relay


@pytest.fixture
def written():
    """A relay, and a function that writes bytes to it as another process would."""
    read, write = Pipe(duplex=False)
    relay = Relay(read)
    yield relay, lambda data: os.write(write.fileno(), data)
    relay.close()
    write.close()


def test_what_is_written_goes_to_stderr(written, capsys):
    relay, write = written
    write(b"one\n")
    assert relay.pass_on()
    write(b"two")
    relay.end_question()
    assert tuple(capsys.readouterr()) == ("", "one\ntwo")


def test_with_nothing_to_read_nobody_waits(written, capsys):
    relay, _ = written
    assert relay.pass_on()
    relay.end_question()
    assert tuple(capsys.readouterr()) == ("", "")


def test_of_every_question_the_beginning_is_shown(written, capsys):
    relay, write = written
    for line_end in (b"", b"\n"):
        for _ in range(3):
            write(b"x" * (SHOWN // 2 - 1) + line_end)
            relay.pass_on()
        relay.end_question()
        said = capsys.readouterr().err
        assert said.count("x") == SHOWN - said[:SHOWN].count("\n")
        assert said.splitlines()[-1] == "... and 32.8 kB more"
    write(b"anew")
    relay.end_question()
    assert capsys.readouterr().err == "anew"


def test_a_letter_that_was_cut_in_two_is_whole_and_what_is_no_text_is_marked(written, capsys):
    relay, write = written
    for part in ("é".encode()[:1], "é".encode()[1:], b"\xff!"):
        write(part)
        relay.pass_on()
    assert capsys.readouterr().err == "é\N{REPLACEMENT CHARACTER}!"


def test_the_end_of_the_writer_is_noticed():
    read, write = Pipe(duplex=False)
    relay = Relay(read)
    write.close()
    assert not relay.pass_on()
    relay.end_question()
    relay.close()
