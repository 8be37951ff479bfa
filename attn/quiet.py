"""Silences what TensorFlow writes to stderr while it starts; to be called before it is imported.

TF_CPP_MIN_LOG_LEVEL alone is not enough: some of its libraries write before they read it.  So stderr is
held back while the package is imported, and let go if the import fails.
"""

import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_SILENT = "3"


def silence_tensorflow() -> None:
    """Keep the start-up messages of TensorFlow and absl from the terminal.

    Another TF_CPP_MIN_LOG_LEVEL that the user has set stands, and then nothing is held back.
    """
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    logging.getLogger("absl").setLevel(logging.ERROR)
    quiet = os.environ.setdefault(_LEVEL, _SILENT) == _SILENT
    hooked = any(isinstance(finder, _QuietFinder) for finder in sys.meta_path)
    if quiet and not hooked and "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, _QuietFinder())


class _QuietFinder(MetaPathFinder):
    """Finds `tensorflow` where it is, and loads it with stderr held back."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "tensorflow":
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module

            def load_quietly(module: ModuleType) -> None:
                with _stderr_held_back():
                    load(module)

            spec.loader.exec_module = load_quietly  # type: ignore[method-assign]
        return spec


@contextmanager
def _stderr_held_back() -> Iterator[None]:
    """Hold back what is written to file descriptor 2; let it go where an error passes (Ctrl-C is none)."""
    sys.stderr.flush()
    terminal = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except Exception:
            os.dup2(terminal, 2)
            held.seek(0)
            with open(2, "wb", closefd=False) as stderr:
                shutil.copyfileobj(held, stderr)
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)
