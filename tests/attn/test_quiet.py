import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# stands in for the package: writes below Python, as its libraries do
NOISY = 'import os\nos.write(2, b"chatter\\n")\n'


def run(folder, body, code, **variables):
    (folder / "tensorflow.py").write_text(body)
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"} | variables
    environment["PYTHONPATH"] = os.pathsep.join([str(folder), str(ROOT)])
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60
    )


QUIET = """
from attn.quiet import silence_tensorflow
silence_tensorflow()
silence_tensorflow()
import tensorflow
"""


def test_what_the_import_writes_is_held_back_and_what_comes_later_is_not(tmp_path):
    assert run(tmp_path, NOISY, "import tensorflow").stderr == "chatter\n"
    done = run(tmp_path, NOISY, QUIET + "import sys\nsys.stderr.write('later')\n")
    assert (done.returncode, done.stderr) == (0, "later")


def test_a_level_that_the_user_has_set_stands(tmp_path):
    assert run(tmp_path, NOISY, QUIET, TF_CPP_MIN_LOG_LEVEL="0").stderr == "chatter\n"


def test_an_import_that_fails_lets_go_what_was_held_back(tmp_path):
    done = run(tmp_path, NOISY + 'raise ImportError("no library")\n', QUIET)
    assert done.returncode == 1
    assert "chatter" in done.stderr
    assert "ImportError: no library" in done.stderr


def test_an_import_that_is_interrupted_says_nothing_of_what_was_held_back(tmp_path):
    code = "try:" + QUIET.replace("\n", "\n    ") + "\nexcept KeyboardInterrupt:\n    print('interrupted')\n"
    done = run(tmp_path, NOISY + "raise KeyboardInterrupt\n", code)
    assert (done.stdout, done.stderr) == ("interrupted\n", "")


@pytest.mark.parametrize("code", [QUIET + "print(tensorflow.__name__, tensorflow.__spec__.name)"])
def test_the_module_is_the_same(tmp_path, code):
    assert run(tmp_path, NOISY, code).stdout == "tensorflow tensorflow\n"
