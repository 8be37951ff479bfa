"""--workers and --scheduler: what does the work, for every command that has them."""

import subprocess
import sys

import pytest

from diagnostics.cells.local import LocalWorkers
from diagnostics.cli import main
from diagnostics.commands.output import workers_of

COMMANDS = (["sweep", "--fault", "future_leak"], ["selftest"], ["ablate"])


def test_without_a_scheduler_the_work_is_done_here():
    assert workers_of(3, None) == LocalWorkers(3)


def test_with_one_it_is_done_there():
    cluster = pytest.importorskip("diagnostics.cells.cluster")
    address = "tcp://127.0.0.1:8786"
    assert workers_of(3, address) == cluster.ClusterWorkers(address)


@pytest.mark.parametrize("words", COMMANDS)
def test_a_wrong_address_is_said_before_anything_is_made(words, tmp_path, capsys):
    pytest.importorskip("distributed")
    assert main([*words, "--scheduler", "here", "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == (
        "diagnose: the address of a scheduler must be such as tcp://127.0.0.1:8786; got 'here'\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", COMMANDS)
def test_a_package_that_is_missing_is_named_with_the_command_that_installs_it(
    words, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "diagnostics.cells.cluster", raising=False)
    options = ["--scheduler", "tcp://127.0.0.1:8786", "--out", str(tmp_path / "out")]
    assert main([*words, *options]) == 2
    assert capsys.readouterr().err == (
        "diagnose: --scheduler must find the package distributed; it is not installed"
        " (pip install 'attn-diagnostics[distributed]')\n"
    )


def test_the_package_is_loaded_only_for_a_scheduler():
    code = "from diagnostics.commands.output import workers_of; workers_of(2, None)"
    code += "; import sys; assert not {'distributed', 'dask'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
