import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from attn.runs import RunError
from diagnostics.ablation import ablate as ablation
from diagnostics.ablation.report import write_ablation
from diagnostics.ablation.result import MEASURES, Ablation, AblationRow
from diagnostics.ablation.words import ablation_in_words, verdict
from diagnostics.cells.local import LocalWorkers
from diagnostics.cli import main
from diagnostics.plots.ablation import ablation_height, draw_ablation
from diagnostics.plots.style import BLUE, VERMILLION
from diagnostics.result import Environment, Estimate

TRAITS = ablation.TRAITS
HISTORIC = (False, "shuffle", 1)


def around(value, width=0.02):
    return Estimate(value=value, low=value - width, high=value + width)


def row(drift, key, trait=None, drift_historic=0.3, later=None, width=0.02, r_squared=0.9):
    labels, regime, heads = key
    values = {name: 1.5 for name in MEASURES} | {"r2_shuffled": r_squared, "drift_first": drift}
    values["drift_later"] = drift if later is None else later
    differences = {name: around(drift - drift_historic, width) for name in MEASURES}
    is_historic = key == HISTORIC and trait is None
    return AblationRow(
        labels_in_qk=labels,
        regime=regime,
        heads_trained=1,
        heads_restored=heads,
        trait_off=trait,
        measures={name: around(value, width) for name, value in values.items()},
        differences={} if is_historic else differences,
    )


def made(cube=None, switches=None, **changes):
    """What HISTORY has, unless `cube` {(labels, regime, heads): drift} or `switches` say otherwise."""
    drifts = {
        (labels, regime, heads): 0.0 if labels and heads == 1 else 0.3
        for labels in (False, True)
        for regime in ("shuffle", "half_half")
        for heads in (1, 32)
    } | (cube or {})
    off = dict.fromkeys(TRAITS, 0.3) | (switches or {})
    rows = [
        row(drift, key, r_squared=0.98 if drift < 0.1 else 0.86, **changes) for key, drift in drifts.items()
    ]
    rows += [row(drift, HISTORIC, trait, **changes) for trait, drift in off.items()]
    return Ablation(
        environment=Environment(python="3", platform="any", packages={}),
        seed=0,
        num_steps=7,
        num_pairs=9,
        num_points=50,
        num_context=13,
        later=11,
        rmse_exact=around(0.128),
        rows=tuple(rows),
        seconds=1.0,
    )


def said(found, words):
    return [sentence for sentence in ablation_in_words(found) if words in sentence]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.051, 0.2, "there"),
        (0.049, 0.2, "open"),
        (-0.049, 0.049, "gone"),
        (-0.051, 0.0, "open"),
        (0.0, 0.051, "open"),
        (-0.4, -0.2, "open"),
        (np.nan, np.nan, "open"),
    ],
)
def test_the_interval_decides(low, high, expected):
    assert verdict(Estimate(value=low, low=low, high=high)) == expected


def test_both_causes_suffice_where_only_the_corner_without_them_is_free_of_the_drop():
    found = made()
    for symptom in ("the drop at the first target", "the wrong level from target 11 on"):
        assert said(found, f"same number of heads, {symptom} is gone: 0.00 [-0.02, 0.02] trained on shuffle")
        assert said(
            found, f"when restored (1 -> 32), {symptom} is there: 0.30 [0.28, 0.32] trained on shuffle"
        )
        assert said(found, f"In either order of training each of two causes suffices for {symptom}")
    assert said(found, "R²")[0].endswith(
        "0.86 to 0.90 in the rows with the drop at the first target;"
        " 0.98 to 0.98 in the rows without the drop at the first target."
    )


def both(labels, heads, drift):
    return {(labels, regime, heads): drift for regime in ("shuffle", "half_half")}


@pytest.mark.parametrize(
    ("cube", "expected"),
    [
        (
            both(True, 32, 0.0),
            "a history without labels suffices for the drop at the first target;"
            " that another number of heads when restored does is not shown.",
        ),
        (
            both(False, 1, 0.0),
            "another number of heads when restored suffices for the drop at the first target;"
            " that a history without labels does is not shown.",
        ),
        (
            both(False, 1, 0.0) | both(True, 32, 0.04),
            "neither a history without labels nor another number of heads when restored"
            " is shown to suffice for the drop at the first target.",
        ),
        (
            both(True, 1, 0.2),
            "the drop at the first target is not shown to be gone even with labels"
            " and the same number of heads.",
        ),
    ],
)
def test_a_cause_is_claimed_only_where_the_intervals_support_it(cube, expected):
    sentences = ablation_in_words(made(cube))
    assert f"In either order of training {expected}" in sentences
    assert not any("each of two causes suffices" in sentence for sentence in sentences)


def test_wide_intervals_settle_nothing():
    found = made(width=0.4)
    assert not said(found, "suffices")
    assert not said(found, "plainly lower")
    assert not said(found, "is gone")
    assert not said(found, "R²")


def test_orders_of_training_that_disagree_have_a_sentence_each():
    found = made({(True, "half_half", 1): 0.2})
    assert said(found, "same number of heads, the drop at the first target depends on the order of training")
    assert said(found, "Trained on shuffle, each of two causes suffices for the drop at the first target")
    assert said(found, "Trained on half_half, the drop at the first target is not shown to be gone")


def test_the_order_of_training_is_judged_by_the_paired_difference():
    assert said(made(), "instead of shuffle does not plainly change the drift (0.00 [-0.02, 0.02]); after it")
    lower = made({(False, "half_half", 1): 0.12})
    assert said(
        lower,
        "plainly lowers the drift (-0.18 [-0.20, -0.16]); after it, the drop at the first target is there",
    )
    assert said(made({(False, "half_half", 1): 0.0}), "after it, the drop at the first target is gone")
    assert said(made({(False, "half_half", 1): 0.6}), "plainly raises the drift")


def test_traits_are_sorted_by_what_becomes_of_the_drop():
    found = made(switches={"relu_scores": 0.0, "binned_x": 0.06, "half_log_sigma": 0.5})
    (gone,) = said(found, "the drop at the first target is gone, so it needs each of these")
    assert gone.endswith(": relu_scores 0.00 [-0.02, 0.02].")
    (still,) = said(found, "the drop at the first target is there still, so it needs none of these")
    assert "previous_value_residual 0.30" in still
    assert "relu_scores" not in still
    assert said(found, "the drop at the first target is not settled: binned_x 0.06")
    (lower,) = said(found, "At the first target, the drift is plainly lower")
    assert "relu_scores off (-0.30 [-0.32, -0.28]), binned_x off (-0.24" in lower
    assert said(found, "At the first target, the drift is plainly higher")[0].endswith(
        "half_log_sigma off (0.20 [0.18, 0.22])."
    )


def test_of_a_historic_decoder_without_the_drop_no_trait_is_judged():
    found = made({HISTORIC: 0.0})
    assert said(found, "does not show the drop at the first target, so nothing is said of its other traits")
    assert not said(found, "With one trait off")


def test_the_picture_has_a_row_for_every_model_and_an_interval_for_either_distance():
    ax = Figure(layout="constrained").add_subplot()
    found = made({(True, "shuffle", 32): 0.5})
    assert draw_ablation(ax, found) is ax
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels[0] == "shuffle, heads 1 → 1 (historic)"
    assert labels[-6:] == list(TRAITS)
    assert len(labels) == 14
    dots = [line for line in ax.get_lines() if line.get_marker() in "os"]
    spans = [line for line in ax.get_lines() if len(line.get_xdata()) == 2 and line.get_linewidth() == 1.6]
    assert len(dots) == len(spans) == 28
    for drawn, color, marker in ((dots[0::2], VERMILLION, "o"), (dots[1::2], BLUE, "s")):
        assert {(line.get_color(), line.get_marker()) for line in drawn} == {(color, marker)}
    values = [line.get_xdata()[0] for line in dots[0::2]]
    assert values[5] == 0.5
    assert list(spans[10].get_xdata()) == pytest.approx([0.48, 0.52])
    legend = [text.get_text() for text in ax.figure.legends[0].get_texts()]
    assert legend == ["first target", "target 11 and later"]
    assert ax.get_xlabel().startswith("drift fraction")
    assert ablation_height(found) > ablation_height(found.model_copy(update={"rows": found.rows[:8]}))


def test_an_ablation_is_written_as_markdown_csv_json_and_png(tmp_path):
    found = made()
    written = write_ablation(found, tmp_path / "new", command="diagnose ablate --seed 0")
    assert Ablation.model_validate_json(written.json.read_text()) == found
    table = pd.read_csv(written.table)
    assert len(table) == 14 * len(MEASURES)
    drift = table[table["measure"] == "drift_first"].reset_index()
    assert drift["value"].tolist() == [row.measures["drift_first"].value for row in found.rows]
    assert drift["difference_value"].isna().tolist() == [True] + [False] * 13
    text = written.markdown.read_text()
    assert "| yes | half\\_half | 1 -\\> 32 | 0.86 [0.84, 0.88] | 0.30 [0.28, 0.32] |" in text
    assert "| relu\\_scores off |" in text
    assert "in 7 steps" in text
    assert "diagnose ablate --seed 0" in text
    assert "0.13 [0.11, 0.15]" in text
    assert written.picture.read_bytes().startswith(b"\x89PNG")


def test_the_command_writes_the_report_and_prints_the_table(tmp_path, capsys, monkeypatch):
    asked = {}

    def ablate(plan, folder, *, workers, on_result):
        asked.update(plan=plan, folder=folder, workers=workers)
        return made()

    monkeypatch.setattr(ablation, "ablate", ablate)
    out = tmp_path / "a"
    code = main(
        ["ablate", "--out", str(out), "--steps", "5", "--seed", "3", "--num-pairs", "8", "--workers", "1"]
    )
    assert code == 0
    assert asked["plan"] == ablation.Plan(5, 8, 3)
    assert (asked["folder"], asked["workers"]) == (out / ".runs", LocalWorkers(1))
    names = ["ablation.csv", "ablation.json", "ablation.md", "ablation.png"]
    assert sorted(path.name for path in out.iterdir() if path.name != ".runs") == names
    assert "--steps 5 --num-pairs 8 --seed 3" in (out / "ablation.md").read_text()
    shown = capsys.readouterr().out
    assert "0.28..0.32" in shown
    assert "each of two causes suffices" in shown
    assert main(["ablate", "--out", str(out), "--json"]) == 0
    assert capsys.readouterr().out == (out / "ablation.json").read_text()
    assert main(["ablate", "--out", str(out), "--quiet"]) == 0
    assert capsys.readouterr().out == ""


def test_what_goes_wrong_is_said_in_one_sentence(tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("")
    assert main(["ablate", "--out", str(tmp_path / "file")]) == 2
    assert main(["ablate", "--out", str(tmp_path / "a"), "--steps", "0"]) == 2

    def fails(*_, **__):
        raise RunError("the loss must be finite; got nan at step 3")

    monkeypatch.setattr(ablation, "ablate", fails)
    assert main(["ablate", "--out", str(tmp_path / "a")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[2] == "diagnose: the loss must be finite; got nan at step 3"
