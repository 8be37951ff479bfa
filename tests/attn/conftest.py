"""What the tests of the commands share: the command line in an empty folder."""

import io
import sys

import pytest

from attn.cli import main


@pytest.fixture
def attn(tmp_path, monkeypatch, capfd):
    """Run the command line in an empty folder; gives the exit code and what stands on stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        return end.value.code, *capfd.readouterr()

    return run


@pytest.fixture
def refused(attn):
    """Run a command that must be refused with one sentence; gives the sentence."""

    def run(*arguments):
        code, out, err = attn(*arguments)
        assert code == 2, err
        assert out == ""
        assert err.count("\n") == 1
        assert err.startswith("attn: ")
        return err.removeprefix("attn: ").strip()

    return run
