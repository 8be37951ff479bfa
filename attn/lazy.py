"""Names of a package that are loaded when they are first asked for (PEP 562)."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module


def lazily(
    package: str, homes: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package: `homes` maps each of its modules to the names found there.

    A module that is named after its only use is given itself: its home has no names.  A submodule becomes an
    attribute of its package once it is imported, so a function of the same name could not be told from it.
    """
    home_of = {name: home for home, names in homes.items() for name in names or (home,)}

    def get(name: str) -> object:
        if name not in home_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = import_module(f"{package}.{home_of[name]}")
        return module if name == home_of[name] else getattr(module, name)

    return get, lambda: sorted(home_of)
