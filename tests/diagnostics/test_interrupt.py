"""Ctrl-C of `diagnose`: one sentence, exit code 130, and no report."""

import signal
import subprocess
import sys

CODE = """
def waits(*arguments, **options):
    import time
    print("checking", flush=True)
    time.sleep(60)
from diagnostics.cli import main
from diagnostics.commands import check
check.run_checks = waits
raise SystemExit(main())
"""


def test_a_check_is_interrupted_with_a_sentence(tmp_path):
    subject = "from diagnostics.adapters import OracleSubject\nfrom attn.processes import PairProcess\n"
    (tmp_path / "mine.py").write_text(f"{subject}load = lambda: OracleSubject(PairProcess())\n")
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, "check", "--subject", "mine:load"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a shell starts what runs in its background deaf to Ctrl-C, and children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout.readline() == "checking\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (130, "diagnose: interrupted\n")
    assert [path.name for path in tmp_path.iterdir() if path.name != "__pycache__"] == ["mine.py"]
