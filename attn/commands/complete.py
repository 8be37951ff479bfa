"""What the shell offers on Tab; TensorFlow is not loaded for it."""

from collections.abc import Callable, Iterable
from pathlib import Path


def completer(names: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """Offers those of `names` that begin as what is typed; they are looked up when Tab is pressed."""

    def complete(incomplete: str) -> list[str]:
        return [name for name in names() if name.startswith(incomplete)]

    return complete


def run_names() -> list[str]:
    """The shipped runs by name, and those in runs/ by directory."""
    from attn.catalogue import PRETRAINED, run_directories

    own = [str(directory) for directory in run_directories(Path("runs"))]
    return [directory.name for directory in run_directories(PRETRAINED)] + own


def kernel_names() -> list[str]:
    """The processes that pairs are drawn from."""
    from attn.processes import PRESETS

    return list(PRESETS)


def regime_names() -> list[str]:
    """The orders of training."""
    from attn.arrange import REGIMES

    return list(REGIMES)


def model_names() -> list[str]:
    """The presets of models, written out: to ask for them would load TensorFlow."""
    return ["historic", "historic_full", "pair_transformer", "pair_smoother"]
