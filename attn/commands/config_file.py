"""The config file of `attn train`.

It stands above the defaults of the options and below what the command line says.
"""

from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from attn.commands.output import CommandError
from attn.commands.source import Request

if TYPE_CHECKING:
    from attn.processes import PairProcess
    from attn.train import TrainConfig

_TABLES = ("model", "training", "process", "data", "start_from")
DEFAULT_MODEL = "pair_transformer"
_SOURCES = ("kernel", "pairs", "shards", "csv", "real_pair")
# Options of `attn train` that are called otherwise than the field that they set.
_FIELD_OF = {"context": "num_context", "epochs": "num_epochs"}


def options_given(context: typer.Context) -> frozenset[str]:
    """The names of the parameters that stand on the command line."""
    return frozenset(
        _FIELD_OF.get(name, name)
        for name in context.params
        if getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    )


@dataclass(frozen=True)
class ConfigFile:
    """What a config file says, all tables empty where none is given, and which options overrule it."""

    tables: Mapping[str, Mapping[str, Any]]
    given: Set[str]

    @classmethod
    def read(cls, path: Path | None, given: Set[str]) -> "ConfigFile":
        """The file, if there is one; raises ValueError if it is none that can be followed."""
        if path is None:
            return cls({name: {} for name in _TABLES}, given)
        from attn.checksums import check_sum
        from attn.config import read_toml

        check_sum(path)
        tables = read_toml(path, _TABLES)
        sources = [name for name in _SOURCES if tables["data"].get(name)]
        if tables["process"] and sources:
            raise CommandError(f"data must come from one source; got [process] and {sources[0]} in {path}")
        return cls(tables, given)

    def request(self, **options: Any) -> Request:
        """What is asked for of the data; a source on the command line replaces that of the file."""
        from attn.config import checked

        said = dict(self.tables["data"])
        if self.given & set(_SOURCES):
            said = {name: value for name, value in said.items() if name not in _SOURCES}
        return checked(Request, self._layered(said, options), "[data] of a config")

    def process(self) -> "PairProcess | None":
        """The process of the file; None where it holds none."""
        from attn.config import checked
        from attn.processes import PairProcess

        said = self.tables["process"]
        return checked(PairProcess, said, "[process] of a config") if said else None

    def training(self, **options: Any) -> "TrainConfig":
        """How to train."""
        from attn.config import checked
        from attn.train import TrainConfig

        return checked(TrainConfig, self._layered(self.tables["training"], options), "[training] of a config")

    def start_from(self, option: str | None) -> Path | None:
        """The run whose weights are trained on: that of the option, else that of the file, unchanged."""
        from attn.runs import find_run, origin_of

        said = self.tables["start_from"]
        if option is not None:
            return find_run(option)
        if not said:
            return None
        begun = find_run(str(said.get("starting_run")))
        if dict(said) != origin_of(begun):
            raise CommandError(
                "the run to start from must be that of [start_from] in the config, in its name and the sha256"
                f" of its weights; {begun} is not"
            )
        return begun

    def model_fields(self, name: str | None, begun: Path | None) -> Mapping[str, Any]:
        """The fields of the model: of the preset of that name, else of the file, else of the run `begun`."""
        from attn.catalogue import read_summary
        from attn.models import PRESETS

        if name is not None and name not in PRESETS:
            raise CommandError(f"model must be one of {', '.join(PRESETS)}; got {name!r}")
        if name is None and self.tables["model"]:
            return self.tables["model"]
        if name is None and begun is not None:
            fields = read_summary(begun).spec.get("model")
            if not isinstance(fields, dict):
                raise CommandError(f"the spec of a run must describe its model; that of {begun} does not")
            return fields
        return asdict(PRESETS[name or DEFAULT_MODEL])

    def origin(self, request: Request) -> dict[str, Any] | None:
        """The [data] of the config of the new run; None where its pairs are drawn."""
        if not (request.pairs or request.shards or request.csv or request.real_pair):
            return None
        said = {name: value for name, value in asdict(request).items() if value is not None}
        return {name: str(value) if isinstance(value, Path) else value for name, value in said.items()}

    def _layered(self, said: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
        overruling = {name: value for name, value in options.items() if name in self.given}
        return {**options, **said, **overruling}
