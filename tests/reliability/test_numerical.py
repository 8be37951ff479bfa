"""Points that nearly coincide, constant and huge y, one observed point, extreme length-scales."""

from dataclasses import replace
from decimal import Decimal, localcontext

import numpy as np
import pytest

from attn.arrange import arrange, forecast
from attn.commands.answers import Setting, answer
from attn.commands.source import Source
from attn.models import PRESETS, build_model
from attn.processes import JITTER, PairProcess
from attn.rollout import rollout, teacher_force
from attn.runs import find_run, load_run
from attn.types import Pairs
from diagnostics.adapters import OracleSubject
from diagnostics.run_subject import AttnSubject
from diagnostics.runner import run_checks
from tests.reliability.ledger import Promise

NUM_POINTS = 8
PROCESSES = {
    f"{kernel}, {shift}, length-scale {length:g}, noise {noise:g}": PairProcess(
        kernel, length, shift=shift, noise_scale=noise, num_points=NUM_POINTS
    )
    for kernel in ("rbf", "periodic", "matern")
    for shift in ("const", "rbf")
    for length in (1e-3, 1.0, 1e3)
    for noise in (0.0, 0.1)
}


def drawn(process, seed=0) -> Pairs:
    return process.sample(4, np.random.default_rng(seed))


def nearly_equal(x):
    """Neighbours in pairs 1e-12 apart, which float32 cannot tell, and far less than any length-scale."""
    return np.repeat(x[:, ::2], 2, axis=1) + np.tile([0.0, 1e-12], x.shape[1] // 2)


EDGES = {
    "x nearly equal": lambda p: replace(p, x=nearly_equal(p.x)),
    "x equal": lambda p: replace(p, x=np.full_like(p.x, 7.0)),
    "x of 1e6": lambda p: replace(p, x=p.x + 1e6),
    "x over 1e6": lambda p: replace(p, x=p.x * 1e5),
    "constant y": lambda p: replace(p, y=np.full_like(p.y, 3.0)),
    "y of 0": lambda p: replace(p, y=np.zeros_like(p.y)),
    "y of 1e8": lambda p: replace(p, y=p.y + 1e8),
    "y over 1e8": lambda p: replace(p, y=p.y * 1e8),
    "y of 1e-8": lambda p: replace(p, y=p.y * 1e-8),
}


def is_finite(prediction, where) -> bool:
    return bool(np.isfinite(prediction.mean[..., where]).all() and (prediction.scale[..., where] >= 0).all())


def oracle_is_finite(process, pairs, num_context) -> bool:
    """Everything that the exact posterior says of these pairs."""
    rng = np.random.default_rng(0)
    batch = forecast(pairs, num_context, rng)
    where = batch.is_target
    written = process.rollout(batch, 3, rng)
    return (
        all(is_finite(said(batch), where) for said in (process.posterior, process.forecast))
        and bool(np.isfinite(process.log_density(batch)).all())
        and bool(np.isfinite(process.log_marginal(pairs)).all())
        and bool(np.isfinite(written.samples[:, where]).all())
    )


def test_oracle(promise):
    cases = [
        (f"{name}, {edge}, {num_context} observed", process, change, num_context)
        for name, process in PROCESSES.items()
        for edge, change in EDGES.items()
        for num_context in (1, 3)
    ]
    broken = [
        name
        for name, process, change, num in cases
        if not oracle_is_finite(process, change(drawn(process)), num)
    ]
    text = "sampling, posterior, density and draws of the exact GP are finite at every edge"
    promise(Promise("numerical", text, len(cases) - len(broken), len(cases), note="; ".join(broken[:5])))


def exact(process, x, series, y) -> tuple[list[Decimal], list[Decimal]]:
    """Mean and scale of every y given all before it, by 60 digits and the textbook; rbf and const."""
    with localcontext() as context:
        context.prec = 60
        x, y = [Decimal(float(v)) for v in x], [Decimal(float(v)) for v in y]
        length, shift = Decimal(process.length_scale), Decimal(process.shift_scale)
        ridge = Decimal(process.noise_scale) ** 2 + Decimal(JITTER)
        rows, z, means, scales = [], [], [], []
        for i in range(len(x)):
            row = []
            for j in range(i + 1):
                cov = (-(((x[i] - x[j]) / length) ** 2) / 2).exp() + (
                    shift**2 if series[i] == series[j] else 0
                )
                cov += ridge if i == j else 0
                cov -= (
                    sum((row[k] * rows[j][k] for k in range(j)), Decimal(0))
                    if j < i
                    else sum(r * r for r in row)
                )
                row.append(cov / rows[j][j] if j < i else cov.sqrt())
            rows.append(row)
            means.append(sum((row[k] * z[k] for k in range(i)), Decimal(0)))
            scales.append(row[i])
            z.append((y[i] - means[-1]) / row[i])
    return means, scales


def bound(process, num_points) -> float:
    """What the rounding of a Cholesky factor may do: (n + 1) eps trace(K) (Higham 2002, theorem 10.3), beside
    the least eigenvalue that K can have, noise and jitter.
    """
    ridge = process.noise_scale**2 + JITTER
    trace = num_points * (1 + process.shift_scale**2 + ridge)
    return (num_points + 1) * np.finfo(float).eps * trace / ridge


def test_posterior_against_60_digits(promise):
    """Errors of mean and scale in exact standard deviations, as a share of how many y is off the mean."""
    shares, errors = {}, {}
    for length in (1e-3, 1.0, 1e3):
        for noise in (0.0, 0.1):
            process = PairProcess(length_scale=length, noise_scale=noise, num_points=6)
            for edge, change in EDGES.items():
                pairs = change(process.sample(1, np.random.default_rng(1)))
                batch = forecast(pairs, 1, np.random.default_rng(2))
                said, y = process.posterior(batch), batch.y[0]
                means, scales = (np.array(v) for v in exact(process, batch.x[0], batch.series[0], y))
                asked = batch.is_target[0]
                off = [float((Decimal(float(v)) - m) / s) for v, m, s in zip(y, means, scales, strict=True)]
                in_mean = [
                    float((Decimal(float(v)) - m) / s)
                    for v, m, s in zip(said.mean[0][asked], means[asked], scales[asked], strict=True)
                ]
                in_scale = [
                    float(Decimal(float(v)) / s - 1)
                    for v, s in zip(said.scale[0][asked], scales[asked], strict=True)
                ]
                name = f"length-scale {length:g}, noise {noise:g}, {edge}"
                errors[name] = max(np.abs(in_mean).max() / max(1, np.abs(off).max()), np.abs(in_scale).max())
                shares[name] = errors[name] / bound(process, len(y))
    worst = max(errors, key=errors.get)
    kept = sum(bool(share < 1) for share in shares.values())
    text = (
        "the posterior differs from one of 60 digits by no more than the rounding of a Cholesky factor may do"
    )
    note = f"at most {errors[worst]:.1e} standard deviations for each that y is off, at {worst};"
    note += f" {max(shares.values()):.2g} of the bound"
    promise(Promise("numerical", text, kept, len(errors), note=note))


@pytest.fixture(scope="module")
def models():
    shipped = {name: load_run(find_run(name)).model for name in ("corrected", "historic")}
    return shipped | {"pair_transformer": build_model(PRESETS["pair_transformer"], seed=0)}


def test_models(models, promise, is_smallest):
    process, broken, num_cases = PairProcess(num_points=NUM_POINTS), [], 0
    for name in ["corrected"] if is_smallest else models:
        for edge, change in EDGES.items():
            for num_context in (1, 3):
                rng = np.random.default_rng(0)
                batch = forecast(change(drawn(process)), num_context, rng)
                written = rollout(models[name], batch, 2, rng)
                forced = teacher_force(models[name], batch)
                num_cases += 1
                if not (is_finite(forced, batch.is_target) and is_finite(written, batch.is_target)):
                    broken.append(f"{name}, {edge}, {num_context} observed")
    text = "predictions and free running of the models are finite at every edge"
    promise(Promise("numerical", text, num_cases - len(broken), num_cases, note="; ".join(broken[:5])))


def test_beyond_float32(models, promise):
    """What a model cannot compute is said: it is never NaN in silence."""
    setting, said = Setting(1, 3, True, True, None, 2, "sample"), []
    cases = {"y": lambda p: replace(p, y=p.y * 1e39), "x": lambda p: replace(p, x=p.x * 1e39)}
    for change in cases.values():
        source = Source(change(drawn(PairProcess(num_points=NUM_POINTS))))
        with pytest.raises(
            ValueError, match="every prediction must be finite; those of pair 0 are not"
        ) as refused:
            answer(models["corrected"], source, setting, seed=0)
        said.append(str(refused.value))
    promise(
        Promise(
            "numerical",
            "beyond float32 an inference says so, in a sentence",
            len(said),
            len(cases),
            note=said[0],
        )
    )


def test_battery(models, promise, is_smallest):
    """The verdict may be anything; every check answers in one sentence of its own, and none breaks."""
    process, broken, num_cases = PairProcess(num_points=NUM_POINTS), [], 0
    subjects = {"oracle": OracleSubject(process)}
    if not is_smallest:
        subjects["corrected"] = AttnSubject(load_run(find_run("corrected")))
    edges = ("constant y", "x equal") if is_smallest else EDGES
    for name, subject in subjects.items():
        for edge in edges:
            report = run_checks(
                subject, source=EDGES[edge](process.sample(8, np.random.default_rng(0))), num_pairs=8
            )
            num_cases += len(report.results)
            broken += [
                f"{name}, {edge}, {r.check}: {r.detail}"
                for r in report.results
                if "the check itself broke" in r.detail
            ]
    text = "every check answers at every edge, and none breaks"
    promise(Promise("numerical", text, num_cases - len(broken), num_cases, note="; ".join(broken[:3])))


@pytest.mark.parametrize("regime", ["shuffle", "mixed"])
def test_arrangements(regime, promise):
    process = PairProcess(num_points=NUM_POINTS)
    kept = 0
    for change in EDGES.values():
        batch = arrange(change(drawn(process)), regime, 1, np.random.default_rng(0))
        kept += bool(np.isfinite(batch.x).all() and np.isfinite(batch.y).all())
    promise(Promise("numerical", f"arranging pairs ({regime}) keeps what it is given", kept, len(EDGES)))
