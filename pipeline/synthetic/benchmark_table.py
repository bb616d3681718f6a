"""Tables over the seeds of the synthetic benchmark."""

from collections.abc import Sequence

import numpy as np

from pipeline.synthetic.benchmark_run import BenchmarkRun

#: Column heads and the scores under them, by table.
TABLES = {
    "Prediction": {
        "R2 iid": "r2_test_iid",
        "R2 ood": "r2_test_ood",
        "R2 reversed": "r2_test_reversed",
        "R2 drop": "r2_drop",
        "MAE iid": "mae_test_iid",
        "MAE ood": "mae_test_ood",
        "Acc-2 iid": "accuracy_test_iid",
    },
    "Separation, linear probes": {
        "DIS": "separation",
        "DIS_n": "separation_normalised",
        "S to s": "retention_shared",
        "P to p": "retention_private",
        "S to p": "private_in_shared",
        "P to s": "shared_in_private",
        "S to n": "nuisance_in_shared",
        "P to n": "nuisance_in_private",
        "Z to n": "nuisance_in_unimodal",
        "purity gain": "purity_gain",
    },
    "Separation, perceptron probes": {
        "DIS": "perceptron_separation",
        "S to s": "perceptron_retention_shared",
        "P to p": "perceptron_retention_private",
        "S to p": "perceptron_private_in_shared",
        "P to s": "perceptron_shared_in_private",
        "S to n": "perceptron_nuisance_in_shared",
        "P to n": "perceptron_nuisance_in_private",
    },
    "Alignment and blocks": {
        "R@1": "retrieval",
        "CCA": "canonical_correlation",
        "CKA": "cka",
        "block D": "block_disentanglement",
        "block C": "block_completeness",
        "block I": "block_informativeness",
        "block MIG": "block_gap",
        "SAP": "block_separated_predictability",
        "swap s follows": "swap_shared_follows",
        "swap p follows": "swap_private_follows",
        "swap s strays": "swap_shared_strays",
        "swap p strays": "swap_private_strays",
    },
}
_DEPENDENCE = {
    "dCor": "distance_correlation",
    "HSIC": "kernel_dependence",
    "KSG": "neighbour_information",
    "CLUB": "club_information",
}


def render_tables(runs: Sequence[BenchmarkRun]) -> str:
    """Write mean and standard deviation over seeds, a row a contender.

    Parameters
    ----------
    runs : sequence of BenchmarkRun
        Of any contenders and seeds.

    Returns
    -------
    str
        A page of Markdown. A standard deviation is given for two seeds and more; a dash is what a
        model has no parts for. Trainings that failed are listed below the tables.
    """
    contenders = list(dict.fromkeys(run.contender for run in runs))
    scored = {name: [r for r in runs if r.contender == name and r.card] for name in contenders}
    page = ["# Synthetic benchmark", ""]
    for title, columns in TABLES.items():
        rows = {
            name: [_cell([_score(run, score) for run in found]) for score in columns.values()]
            for name, found in scored.items()
        }
        page += _table(title, list(columns), rows, scored)
    for kind, title in (("S", "Dependence of S_m and P_m"), ("P", "Dependence of P_m and P_m'")):
        rows = {
            name: [
                _cell([_dependence(r, kind, measure) for r in found])
                for measure in _DEPENDENCE.values()
            ]
            for name, found in scored.items()
        }
        page += _table(title, list(_DEPENDENCE), rows, scored)
    failed = [run for run in runs if run.card is None]
    if failed:
        page += ["## Failed trainings", ""]
        page += [f"- {run.contender}, seed {run.seed}: {run.failure}" for run in failed]
    return "\n".join(page) + "\n"


def _table(
    title: str,
    columns: list[str],
    rows: dict[str, list[str]],
    scored: dict[str, list[BenchmarkRun]],
) -> list[str]:
    lines = [f"## {title}", "", "| " + " | ".join(["model", "seeds", *columns]) + " |"]
    lines.append("|---|" + "--:|" * (len(columns) + 1))
    lines += [
        "| " + " | ".join([name, str(len(scored[name])), *cells]) + " |"
        for name, cells in rows.items()
    ]
    return [*lines, ""]


def _score(run: BenchmarkRun, name: str) -> float:
    return run.card.scores[name] if run.card else float("nan")


def _dependence(run: BenchmarkRun, kind: str, measure: str) -> float:
    """Mean over the pairs that start with a part."""
    pairs = run.card.dependence if run.card else {}
    found = [values[measure] for pair, values in pairs.items() if pair.startswith(f"{kind}_")]
    return float(np.mean(found)) if found else float("nan")


def _cell(values: Sequence[float]) -> str:
    known = [value for value in values if np.isfinite(value)]
    if not known:
        return "-"
    mean = f"{np.mean(known):.3f}"
    return mean if len(known) < 2 else f"{mean} ± {np.std(known, ddof=1):.3f}"
