import re
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from diagnostics.plots import style
from diagnostics.plots.coverage import draw_coverage
from diagnostics.plots.drift import draw_drift
from diagnostics.plots.error import draw_error, error_limits
from diagnostics.plots.forecast import draw_forecast, example_limits
from diagnostics.plots.heat_map import draw_heat_map
from diagnostics.plots.mass import draw_mass
from diagnostics.plots.overview import draw_overview
from diagnostics.plots.pit import draw_pit
from diagnostics.plots.style import label_of, render_png, render_svg
from diagnostics.result import (
    BoundaryAttention,
    CheckResult,
    Curve,
    Diagnosis,
    Environment,
    Example,
    Report,
    Symptom,
)

NAN = float("nan")


@pytest.fixture
def ax():
    return Figure(layout="constrained").add_subplot()


def example(**changes):
    given = dict(
        rank="median",
        pair=1,
        title="median of 3 pairs",
        x=[5.0, 7.0, 5.5, 6.0, 8.0, 9.0],
        series=[0, 0, 1, 1, 1, 1],
        y=[-1.0, -2.0, 1.0, 1.1, 1.2, 1.3],
        num_context=4,
        mean=[-1.0, -2.0, 1.0, 1.1, 0.5, 0.4],
        scale=[0.0, 0.0, 0.0, 0.0, 0.2, 0.3],
        samples=[[-1.0, -2.0, 1.0, 1.1, 0.6, 0.3], [-1.0, -2.0, 1.0, 1.1, 0.2, 0.1]],
        oracle_mean=[NAN, NAN, NAN, NAN, 1.2, 1.3],
        oracle_scale=[NAN, NAN, NAN, NAN, 0.1, 0.2],
    )
    return Example(**(given | changes))


def curve(name, value):
    at = [float(place + 1) for place in range(len(value))]
    return Curve(name=name, at=at, value=value, low=[v - 0.1 for v in value], high=[v + 0.1 for v in value])


def symptom(*curves):
    return Symptom(subject="s", data="d", measures=(), curves=curves, examples=())


def labelled(ax):
    return {line.get_label(): line for line in ax.get_lines() if not line.get_label().startswith("_")}


def legend_texts(ax):
    return [text.get_text() for legend in ax.figure.legends for text in legend.get_texts()]


def test_the_inference_plot_draws_what_is_what_in_its_colour(ax):
    assert draw_forecast(ax, example()) is ax
    lines = labelled(ax)
    np.testing.assert_allclose(lines["A, observed"].get_xydata(), [[5, -1], [7, -2]])
    np.testing.assert_allclose(lines["B, observed"].get_xydata(), [[5.5, 1], [6, 1.1]])
    np.testing.assert_allclose(lines["B, true"].get_xydata(), [[5.5, 1], [6, 1.1], [8, 1.2], [9, 1.3]])
    np.testing.assert_allclose(lines["predicted"].get_xydata(), [[8, 0.5], [9, 0.4]])
    np.testing.assert_allclose(lines["exact GP"].get_xydata(), [[8, 1.2], [9, 1.3]])
    assert to_hex(lines["A, observed"].get_color()) == style.BLACK.lower()
    assert to_hex(lines["predicted"].get_color()) == style.ORANGE.lower()
    band = ax.collections[0].get_paths()[0].vertices
    assert band[:, 1].max() == pytest.approx(1.3 + 1.645 * 0.2)
    assert band[:, 1].min() == pytest.approx(1.3 - 1.645 * 0.2)


def test_the_boundary_lies_between_the_last_observed_and_the_first_predicted_point(ax):
    draw_forecast(ax, example())
    vertical = [
        line for line in ax.get_lines() if len(set(line.get_xdata())) == 1 and len(line.get_xdata()) == 2
    ]
    assert [line.get_xdata()[0] for line in vertical] == [7.0]


def test_the_inference_plot_shows_every_sample_at_targets_only(ax):
    draw_forecast(ax, example())
    blue = [line for line in ax.get_lines() if to_hex(line.get_color()) == style.SKY_BLUE.lower()]
    drawn = [point for line in blue for point in zip(*line.get_data(), strict=True)]
    assert sorted(drawn) == [(8, 0.2), (8, 0.6), (9, 0.1), (9, 0.3)]


def test_without_an_oracle_and_without_a_the_inference_plot_stands(ax):
    draw_forecast(ax, example(series=[1] * 6, oracle_mean=None, oracle_scale=None))
    assert "exact GP" not in labelled(ax)
    assert "A, observed" not in labelled(ax)


def test_example_limits_hold_all_that_is_drawn():
    low, high = example_limits([example(), example(y=[-3.0, 0, 0, 0, 0, 0], oracle_mean=None)])
    assert (low, high) == pytest.approx((-3 - 0.05 * 4.3, 1.3 + 0.05 * 4.3))


def with_calibration(*names):
    histograms = [curve(name, [0.5, 1.5]) for name in names]
    coverages = [curve(name.replace("pit", "coverage"), [0.9, 0.8, 0.7]) for name in names]
    return symptom(*coverages).model_copy(update={"histograms": tuple(histograms)})


@pytest.mark.parametrize(
    ("draw", "heights", "right"), [(draw_pit, [0.5, 1.5], 1), (draw_coverage, [0.9, 0.8, 0.7], 0.9)]
)
def test_calibration_of_both_paths_differs_in_more_than_colour(ax, draw, heights, right):
    draw(ax, with_calibration("pit_teacher_forced", "pit_free_running"))
    lines = labelled(ax)
    assert list(lines) == ["teacher forced", "free running", "calibrated"]
    for look in ("get_color", "get_marker", "get_linestyle"):
        assert len({getattr(line, look)() for line in list(lines.values())[:2]}) == 2
    assert [list(line.get_ydata()) for line in ax.get_lines()].count(heights) == 2
    assert lines["calibrated"].get_ydata()[0] == right


@pytest.mark.parametrize("draw", [draw_pit, draw_coverage])
def test_calibration_that_was_not_measured_is_said_to_be(ax, draw):
    draw(ax, symptom())
    assert ["was measured" in text.get_text() for text in ax.texts] == [True]


def test_drift_of_two_subjects_in_one_picture_differs_in_more_than_colour(ax):
    draw_drift(ax, [symptom(curve("drift", [0.2, 0.6])), symptom(curve("drift", [0.0, 0.0]))], ["one", "two"])
    lines = labelled(ax)
    assert list(lines) == ["one", "two"]
    np.testing.assert_allclose(lines["one"].get_ydata(), [0.2, 0.6])
    for look in ("get_color", "get_marker", "get_linestyle"):
        assert len({getattr(line, look)() for line in lines.values()}) == 2
    assert len(ax.collections) == 2  # one interval a subject


def test_drift_that_is_not_defined_is_said_to_be(ax):
    draw_drift(ax, [symptom(curve("drift", [NAN, NAN])), symptom()], ["one", "two"])
    assert ["not defined" in text.get_text() for text in ax.texts] == [True]


def test_error_limits_hold_every_curve_of_every_symptom(ax):
    symptoms = [
        symptom(curve("rmse_free_running", [1.0, 2.0]), curve("drift", [900.0])),
        symptom(curve("rmse_teacher_forced", [0.3])),
    ]
    low, high = error_limits(symptoms)
    assert 0.1 < low < 0.2
    assert 2.1 < high < 3
    assert draw_error(ax, symptoms[0], (low, high)).get_ylim() == (low, high)
    assert list(labelled(ax)) == ["free running"]
    assert ax.get_yscale() == "log"
    assert error_limits([symptom()]) is None


def test_errors_that_are_alike_are_drawn_from_zero_on(ax):
    draw_error(ax, symptom(curve("rmse_free_running", [1.0, 2.0])), (0.8, 2.5))
    assert (ax.get_yscale(), ax.get_ylim()) == ("linear", (0, 2.5))


def test_the_heat_map_orders_keys_by_series_then_by_x(ax):
    attention = BoundaryAttention(
        mass_on_a=[0.5], mass_on_b=[0.5], points_of_a=[0.5],
        heat_map=[[0.1, 0.2, 0.3, 0.4]], heat_map_x=[6.0, 9.0, 5.0, 7.0], heat_map_series=[1, 0, 0, 1],
    )  # fmt: skip
    draw_heat_map(ax, attention)
    np.testing.assert_allclose(ax.images[0].get_array(), [[0.3, 0.2, 0.1, 0.4]])
    assert [text.get_text() for text in ax.get_xticklabels()] == ["A: 2 points", "B: 2 points"]
    assert ax.get_lines()[0].get_xdata()[0] == 1.5


def test_mass_stands_beside_the_share_of_points(ax):
    attention = BoundaryAttention(
        mass_on_a=[0.7, 0.6], mass_on_b=[0.3, 0.4], points_of_a=[0.8, 0.75],
        heat_map=[[1.0]], heat_map_x=[5.0], heat_map_series=[0],
    )  # fmt: skip
    draw_mass(ax, attention)
    drawn = {label: list(line.get_ydata()) for label, line in labelled(ax).items()}
    assert drawn["attention on A"] == [0.7, 0.6]
    assert drawn["attention on B"] == [0.3, 0.4]
    np.testing.assert_allclose(drawn["share of points, B"], [0.2, 0.25])


@dataclass
class Given:
    check: str
    family: str
    status: str


def report(*given, subject="s"):
    results = [
        CheckResult(
            check=g.check, family=g.family, status=g.status, detail="d", seed=0, repro="r", seconds=0.0
        )
        for g in given
    ]
    return Report(
        subject=subject,
        environment=Environment(python="3", platform="p", packages={}),
        seed=0,
        num_manifest=len(results),
        results=tuple(results),
        diagnosis=Diagnosis(verdict="v"),
    )


def test_the_overview_has_a_cell_a_result_with_the_sign_of_its_status(ax):
    first = report(Given("a", "position", "passed"), Given("b", "masking", "failed"))
    second = report(Given("b", "masking", "skipped"))
    draw_overview(ax, [first, second], ["one", "two"])
    assert len(ax.patches) == 3
    signs = [
        (text.get_text(), round(text.get_position()[1])) for text in ax.texts if len(text.get_text()) == 1
    ]
    assert sorted(signs) == sorted([("+", 0), ("×", 0), ("–", 1)])
    assert legend_texts(ax) == ["+ passed", "× failed", "– skipped"]
    at = {text.get_text(): text.get_position()[0] for text in ax.texts}
    assert at["×"] == at["–"]  # one check, one column


@pytest.mark.parametrize("name", ["$\\frac$", "_hidden", "a\nb\x1b[31m", "x" * 500, "名前"])
def test_any_name_of_a_subject_can_be_drawn(name):
    shown = label_of(name)
    assert shown.isprintable()
    assert len(shown) <= style.LONGEST_LABEL + 1
    assert not shown.startswith("_")
    png = render_png(lambda ax: draw_drift(ax, [symptom(curve("drift", [0.1, 0.2]))], [name]))
    assert png.startswith(b"\x89PNG")


def test_the_same_picture_is_the_same_file():
    assert render_png(lambda ax: draw_forecast(ax, example())) == render_png(
        lambda ax: draw_forecast(ax, example())
    )


def test_svg_keeps_its_text_and_turns_dark_with_the_reader():
    def drawn():
        return render_svg(lambda ax: draw_forecast(ax, example(title="<a> & 0.12345 #000000")))

    svg = drawn()
    assert svg == drawn()
    tree = ElementTree.fromstring(svg)
    texts = ["".join(node.itertext()).strip() for node in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert "<a> & 0.12345 #000000" in texts  # words are neither rounded nor coloured
    assert "boundary" in texts
    (theme,) = [n.text for n in tree.iter("{http://www.w3.org/2000/svg}style") if "dark" in n.text]
    light, dark = theme.split("@media (prefers-color-scheme:dark)")
    for color in (style.PAPER, style.BLACK, style.VERMILLION):
        variable = f"--c{color[1:].lower()}:"
        assert f"{variable}{color}" in light
        assert variable in dark
        assert f"{variable}{color}" not in dark
        assert f": {color.lower()}" not in svg  # every use goes through the variable


def test_svg_of_the_inference_plot_is_small_and_its_places_are_near():
    many = example(samples=[[float(n)] * 6 for n in range(16)])
    svg = render_svg(lambda ax: draw_forecast(ax, many))
    assert len(svg) < 60_000
    assert max(len(place.partition(".")[2]) for place in re.findall(r' [xy]="([\d.]+)"', svg)) == 2
