"""Reports that hold everything, without a model behind them."""

import numpy as np

from diagnostics.result import (
    Attribution,
    AttributionRow,
    BoundaryAttention,
    Cause,
    CheckResult,
    Curve,
    Diagnosis,
    Environment,
    Estimate,
    Example,
    Measure,
    Report,
    Symptom,
)

NAN = float("nan")


def curve(name, level, num=12):
    at = np.arange(1.0, num + 1)
    value = level * at**0.3
    low, high = 0.8 * value, 1.2 * value
    return Curve(name=name, at=at.tolist(), value=value.tolist(), low=low.tolist(), high=high.tolist())


def histogram(name, hump, num=10):
    at = (np.arange(num) + 0.5) / num
    value = 1 + hump * np.cos(2 * np.pi * (at - 0.5))
    low, high = value - 0.1, value + 0.1
    return Curve(name=name, at=at.tolist(), value=value.tolist(), low=low.tolist(), high=high.tolist())


def example(rank, has_oracle, pair=0):
    rng = np.random.default_rng(0)
    x = np.r_[np.linspace(5, 15, 20), np.linspace(5, 15, 20)]
    series = [0] * 20 + [1] * 20
    y = np.sin(x) + 3 * np.array(series)
    exact = np.where(np.arange(40) < 26, NAN, y).tolist()
    return Example(
        rank=rank, pair=pair, title=f"{rank} of 512 pairs", x=x.tolist(), series=series, y=y.tolist(),
        num_context=26, mean=(y - 1).tolist(), scale=[0.1] * 40,
        samples=(y - 1 + rng.normal(0, 0.2, (8, 40))).tolist(),
        oracle_mean=exact if has_oracle else None, oracle_scale=[0.1] * 40 if has_oracle else None,
    )  # fmt: skip


def heat_map(num_heads, num_keys):
    """Each head looks at one place, and around it."""
    distance = np.arange(num_keys) - np.linspace(3, num_keys - 3, num_heads)[:, None]
    weight = np.exp(-(distance**2) / 8)
    return weight / weight.sum(axis=1, keepdims=True)


def symptom(name, *, has_oracle=True, drift=0.3):
    names = ["rmse_teacher_forced", "rmse_free_running"]
    names += ["rmse_oracle_teacher_forced", "rmse_oracle_free_running"] if has_oracle else []
    measures = [
        Measure(name="drift_first", value=drift, low=drift - 0.01, high=drift + 0.01, num_pairs=512,
                meaning="drift 1"),
        Measure(name="drift_later", value=0.5, low=0.4, high=0.6, num_pairs=512, meaning="drift later"),
        Measure(name="jump_ratio", value=NAN, low=NAN, high=NAN, num_pairs=512, meaning="jump"),
        *(Measure(name=n, value=1.25, low=1.0, high=1.5, num_pairs=512, meaning=n) for n in names),
    ]  # fmt: skip
    return Symptom(
        subject=name,
        data="512 held-out pairs" if has_oracle else "175 windows of Seattle and San Francisco",
        measures=tuple(measures),
        curves=(
            *(curve(n, 0.1 * (place + 1)) for place, n in enumerate(names)),
            curve("drift", drift),
            curve("coverage_teacher_forced", 0.4),
            curve("coverage_free_running", 0.3),
        ),
        histograms=(histogram("pit_teacher_forced", 0.5), histogram("pit_free_running", -0.8)),
        examples=tuple(
            example(rank, has_oracle, pair) for pair, rank in enumerate(("best", "median", "worst"))
        ),
        attention=BoundaryAttention(
            mass_on_a=[0.8] * 12, mass_on_b=[0.2] * 12, points_of_a=[0.79] * 12,
            heat_map=heat_map(4, 26).tolist(), heat_map_x=list(range(26)),
            heat_map_series=[0] * 20 + [1] * 6,
        ),
        remarks=() if has_oracle else ("No process is known, so there is no oracle.",),
    )  # fmt: skip


def attribution(detail):
    def row(name, where, role, value, **drifts):
        found = Estimate(value=value, low=value - 0.1, high=value + 0.1)
        return AttributionRow(name=name, title=name, where=where, role=role, error=found, drift=found,
                              sentence=f"{name} {where}: {detail}.", **drifts)  # fmt: skip

    parts = [("oracle", "part", 0.25), ("training_order", "part", 0.5), ("total", "total", 0.75)]
    return Attribution(
        num_pairs=128, later=(11, 12), training_order="A random permutation.",
        rows=(
            *(row(name, where, role, value) for where in ("first", "later") for name, role, value in parts),
            row("half_of_a", "first", "probe", -0.2, after=Estimate(value=0.125, low=0.0, high=0.25)),
        ),
        free_running=curve("free_running", 0.1),
        left_out=(f"Save and restore are left out: {detail}.",),
    )  # fmt: skip


def report(name="historic", *, status="failed", detail="it drops", drift=0.3, num_data=2):
    """The report of a subject on `num_data` sets of pairs; only the first has an oracle."""
    results = [
        CheckResult(check="no_drift_later", family="boundary", status=status, detail=detail, seed=0,
                    repro=f"diagnose check --subject '{name}'", seconds=0.1, evidence={"a": [1.0, NAN]}),
        CheckResult(check="no_future_leak", family="masking", status="passed", detail="hidden", seed=0,
                    repro="diagnose check --check no_future_leak", seconds=0.1),
    ]  # fmt: skip
    cause = Cause(
        fault="label_blind_history", family="position", title="The history is label-blind",
        evidence=(f"no_drift_later: {detail}",), mend="Add the label.", confirm=("no_drift_later",),
    )  # fmt: skip
    return Report(
        subject=name,
        environment=Environment(python="3.11", platform="Linux", packages={"numpy": "2.4"}),
        seed=0,
        num_manifest=2,
        results=tuple(results),
        diagnosis=Diagnosis(verdict="There is a drop. First cause: labels.",
                            causes=(cause,) if status == "failed" else ()),
        symptoms=(symptom(name, drift=drift), symptom(name, has_oracle=False))[:num_data],
        attribution=attribution(detail) if num_data else None,
    )  # fmt: skip
