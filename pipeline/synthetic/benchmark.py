"""The synthetic benchmark: contenders trained and scored, tables and a heat map."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.atomic import write_text
from pipeline.figures import save_figure
from pipeline.synthetic.benchmark_config import BenchmarkConfig
from pipeline.synthetic.benchmark_run import BenchmarkRun, run_contender
from pipeline.synthetic.benchmark_table import render_tables
from pipeline.synthetic.contenders import find_contender
from pipeline.synthetic.generator import generate
from pipeline.synthetic.heat_map import draw_heat_map
from pipeline.training_state import EpochRecord


@dataclass(frozen=True, kw_only=True)
class BenchmarkResult:
    """What the benchmark left.

    Parameters
    ----------
    runs : tuple of BenchmarkRun
        By contender, then seed.
    table : Path
        Means and standard deviations over seeds, Markdown.
    heat_map : Path
        The matrices of probes, PNG.
    """

    runs: tuple[BenchmarkRun, ...]
    table: Path
    heat_map: Path


def run_synthetic_benchmark(
    *,
    config: BenchmarkConfig,
    folder: Path,
    on_progress: Callable[[str, int, EpochRecord], None] | None = None,
) -> BenchmarkResult:
    """Train every contender with every seed on generated data, and score what its parts hold.

    What an earlier call finished is not done again, and an interrupted training goes on after its
    last epoch. Tables and heat map are written anew after each run, of the runs so far.

    Parameters
    ----------
    config : BenchmarkConfig
        Who takes part, on what, and how it is trained.
    folder : Path
        Receives one JSON file and one folder a run, ``table.md`` and ``heat_map.png``.
    on_progress : callable, optional
        Called with contender, seed and epoch after each epoch.

    Returns
    -------
    BenchmarkResult
        All runs, also those that failed.

    Raises
    ------
    ConfigError
        If a contender is unknown or its settings are not valid.
    """
    contenders = [find_contender(name) for name in config.contenders]
    order = [(contender.name, seed) for contender in contenders for seed in config.training.seeds]
    runs: dict[tuple[str, int], BenchmarkRun] = {}
    table, heat_map = folder / "table.md", folder / "heat_map.png"
    for seed in config.training.seeds:
        data = generate(replace(config.data, seed=config.data.seed + seed))
        for contender in contenders:

            def on_epoch(record: EpochRecord, name: str = contender.name, seed: int = seed) -> None:
                if on_progress is not None:
                    on_progress(name, seed, record)

            runs[contender.name, seed] = run_contender(
                contender=contender,
                data=data,
                training=config.training,
                seed=seed,
                folder=folder,
                on_epoch=on_epoch,
            )
            done = tuple(runs[key] for key in order if key in runs)
            write_text(table, render_tables(done))
            save_figure(draw_heat_map(done), heat_map)
    return BenchmarkResult(runs=done, table=table, heat_map=heat_map)
