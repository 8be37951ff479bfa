"""`attn train`: train a model into a run of its own."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.models import OptionInfo

from attn.commands import source as data
from attn.commands.complete import completer, model_names, regime_names
from attn.commands.config_file import ConfigFile, options_given
from attn.commands.fits import require_training
from attn.commands.output import CommandError, JsonOption, QuietOption
from attn.commands.training import join_workers, train_visibly

if TYPE_CHECKING:
    from attn.models import ModelConfig
    from attn.processes import PairProcess
    from attn.stream import TrainingData
    from attn.train import TrainConfig

_MODEL, _TRAINING = "Model", "Training"


def _trait(help_text: str) -> OptionInfo:
    return typer.Option(help=f"historic only: {help_text}", rich_help_panel=_MODEL)


def train(
    context_of_command: typer.Context,
    run: Annotated[str, typer.Option(help="Name of the new run. (original: run)")],
    folder: Annotated[Path, typer.Option(help="Where the directory of the run is made.")] = Path("runs"),
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that exists, from its last whole checkpoint.")
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option(
            help="A config.toml, as every run holds one: its model, training and data; options overrule it.",
            show_default=False,
        ),
    ] = None,
    start_from: Annotated[
        str | None,
        typer.Option(
            help="Train on from the weights of this run: the name of a shipped run, or a directory."
            " Its kind of model and its sizes hold.",
            show_default=False,
        ),
    ] = None,
    kernel: data.Kernel = None,
    num_points: data.NumPoints = None,
    label: data.Label = None,
    pairs: data.PairsFile = None,
    shards: data.ShardsFolder = None,
    csv: data.Csv = None,
    real_pair: data.RealPair = None,
    x_column: data.XColumn = "x",
    series_column: data.SeriesColumn = "series",
    y_column: data.YColumn = "y",
    name_a: data.SeriesA = None,
    name_b: data.SeriesB = None,
    window: data.Window = None,
    step: data.Step = None,
    date_format: data.DateFormat = None,
    model: Annotated[
        str | None,
        typer.Option(
            help="historic, historic_full (the original's sizes), pair_transformer or pair_smoother; missing:"
            " pair_transformer, or the model of --start-from.",
            autocompletion=completer(model_names),
            show_default=False,
            rich_help_panel=_MODEL,
        ),
    ] = None,
    width: Annotated[
        int | None, typer.Option(help="Width of a token. (original: e)", rich_help_panel=_MODEL)
    ] = None,
    heads: Annotated[
        int | None, typer.Option(help="Attention heads. (original: heads)", rich_help_panel=_MODEL)
    ] = None,
    layer_dims: Annotated[
        str | None,
        typer.Option(
            help="historic only: widths of the layers after attention, such as 256,64,32. (original: l)",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    layers: Annotated[
        int | None, typer.Option(help="pair_transformer and pair_smoother: layers.", rich_help_panel=_MODEL)
    ] = None,
    hidden_dim: Annotated[
        int | None,
        typer.Option(
            help="pair_transformer and pair_smoother: width of the feed-forward layers.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    dropout: Annotated[
        float | None, typer.Option(help="pair_transformer only: share dropped.", rich_help_panel=_MODEL)
    ] = None,
    waves: Annotated[
        int | None,
        typer.Option(
            help="pair_smoother only: learnt frequencies of the distance, for periodic data.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    knows_labels: Annotated[
        bool | None,
        typer.Option(
            help="pair_smoother only: it knows A from B, for series that differ in kind.",
            rich_help_panel=_MODEL,
        ),
    ] = None,
    bin_width: Annotated[float | None, _trait("width of a bin of x.")] = None,
    labels_in_qk: Annotated[bool | None, _trait("labels enter queries and keys (the one-line mend).")] = None,
    relu_scores: Annotated[bool | None, _trait("relu before the softmax.")] = None,
    previous_value_residual: Annotated[bool | None, _trait("the newest value is added.")] = None,
    half_log_sigma: Annotated[bool | None, _trait("the loss weighs log sigma by half.")] = None,
    binned_x: Annotated[bool | None, _trait("x is cut into bins.")] = None,
    normalised_values: Annotated[bool | None, _trait("a LayerNorm on the path of the values.")] = None,
    drops_zero_targets: Annotated[bool | None, _trait("targets equal to 0 do not count.")] = None,
    regime: Annotated[
        str,
        typer.Option(
            help="Order of training: shuffle, full_infer, half_half, mixed, forecast. (original: tr_regime)",
            autocompletion=completer(regime_names),
            rich_help_panel=_TRAINING,
        ),
    ] = "mixed",
    context: Annotated[
        int, typer.Option(help="Observed points. (original: context)", rich_help_panel=_TRAINING)
    ] = 13,
    epochs: Annotated[int, typer.Option(help="Epochs. (original: epochs)", rich_help_panel=_TRAINING)] = 10,
    steps_per_epoch: Annotated[int, typer.Option(help="Batches an epoch.", rich_help_panel=_TRAINING)] = 500,
    batch_size: Annotated[
        int, typer.Option(help="Pairs a batch. (original: batch size)", rich_help_panel=_TRAINING)
    ] = 16,
    optimizer: Annotated[str, typer.Option(help="adam, adamw or muon.", rich_help_panel=_TRAINING)] = "adamw",
    learning_rate: Annotated[
        float, typer.Option(help="Its peak, after the warm-up.", rich_help_panel=_TRAINING)
    ] = 3e-3,
    warmup_steps: Annotated[int, typer.Option(help="Steps of warm-up.", rich_help_panel=_TRAINING)] = 200,
    weight_decay: Annotated[float, typer.Option(help="For adamw.", rich_help_panel=_TRAINING)] = 1e-4,
    clip_norm: Annotated[
        float, typer.Option(help="Gradients are cut to it.", rich_help_panel=_TRAINING)
    ] = 1.0,
    seed: Annotated[int, typer.Option(help="Weights, data and order.", rich_help_panel=_TRAINING)] = 0,
    num_test_pairs: Annotated[
        int, typer.Option(help="Pairs held out for the figures.", rich_help_panel=_TRAINING)
    ] = 256,
    overfit: Annotated[
        bool,
        typer.Option(
            "--overfit", help="Train on one fixed batch. (original: overfit)", rich_help_panel=_TRAINING
        ),
    ] = False,
    quiet: QuietOption = False,
    json: JsonOption = False,
) -> None:
    """Train a model into FOLDER/RUN; a run that exists is refused unless it is to be resumed.

    Where TF_CONFIG or a step of Slurm names several workers, they share every batch, and the first writes.
    """
    workers = join_workers()  # before anything is looked at: whoever finds a mistake takes all along
    file = ConfigFile.read(config, options_given(context_of_command))
    request = file.request(
        kernel=kernel,
        num_points=num_points,
        label=label,
        pairs=pairs,
        shards=shards,
        csv=csv,
        real_pair=real_pair,
        x_column=x_column,
        series_column=series_column,
        y_column=y_column,
        name_a=name_a,
        name_b=name_b,
        window=window,
        step=step,
        date_format=date_format,
    )
    directory = _directory(folder, run, resume or not workers.is_chief)
    begun = file.start_from(start_from)
    training = file.training(
        regime=regime.replace(" ", "_"),
        num_context=context,
        num_epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        batch_size=batch_size,
        optimizer=optimizer,
        learning_rate=learning_rate,
        warmup_steps=warmup_steps,
        weight_decay=weight_decay,
        clip_norm=clip_norm,
        seed=seed,
        num_test_pairs=num_test_pairs,
        overfit=overfit,
    )
    chosen = _model_config(
        file.model_fields(model, begun),
        width=width,
        num_heads=heads,
        layer_dims=_three_widths(layer_dims),
        num_layers=layers,
        hidden_dim=hidden_dim,
        dropout=dropout,
        num_waves=waves,
        knows_labels=knows_labels,
        bin_width=bin_width,
        labels_in_qk=labels_in_qk,
        relu_scores=relu_scores,
        previous_value_residual=previous_value_residual,
        half_log_sigma=half_log_sigma,
        binned_x=binned_x,
        normalised_values=normalised_values,
        drops_zero_targets=drops_zero_targets,
    )
    source = _source(
        request,
        file.process(),
        training,
        chosen,
        num_workers=workers.cluster.num_workers,
        is_silent=quiet or json or not workers.is_chief,
    )
    train_visibly(
        directory,
        chosen,
        training,
        source,
        file.origin(request),
        begun,
        resume,
        workers=workers,
        quiet=quiet,
        as_json=json,
    )


def _directory(folder: Path, run: str, resume: bool) -> Path:
    """The directory of the run; what is wrong with it is said before anything is drawn."""
    from attn.runs import check_name

    directory = folder / check_name(run)
    if directory.exists() and not resume:
        raise CommandError(
            f"a new run needs a name that is free; {directory} exists (--resume goes on with it)"
        )
    return directory


def _three_widths(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    widths = [part.strip() for part in text.split(",")]
    if len(widths) != 3 or not all(width.isdecimal() for width in widths):
        raise CommandError(f"layer_dims must be three widths such as 256,64,32; got {text!r}")
    return tuple(int(width) for width in widths)


def _model_config(fields: Mapping[str, object], **changes: object) -> "ModelConfig":
    """The model of those fields, with those that the user gave."""
    from attn.models import model_config

    return model_config({**fields, **{name: value for name, value in changes.items() if value is not None}})


def _source(
    request: data.Request,
    of_file: "PairProcess | None",
    config: "TrainConfig",
    model: "ModelConfig",
    *,
    num_workers: int,
    is_silent: bool,
) -> "TrainingData":
    """What to train on; one batch is drawn here, so that impossible sizes fail before there is a run."""
    from attn.processes import PRESETS
    from attn.shards import open_shards
    from attn.stream import Stream

    account = ""
    source: TrainingData | None = data.requested_process(
        request, otherwise=of_file or PRESETS["rbf_const_2D"]
    )
    if request.shards is not None:
        source = open_shards(request.shards)
    elif source is None:
        read = data.read_source(request, config.num_context)
        source, account = read.pairs, read.account()
    assert source is not None
    require_training(source, config, model, num_workers)
    Stream(source, config.regime, config.num_context, config.batch_size, config.seed).batch(0)
    if account and not is_silent:
        typer.echo(account)
    return source
