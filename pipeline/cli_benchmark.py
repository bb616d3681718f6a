"""The commands ``winnow benchmark``."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.markdown import Markdown

from pipeline.cli_options import DEFAULT_WORKSPACE, console, parse_settings, progress_bar
from pipeline.synthetic.benchmark import run_synthetic_benchmark
from pipeline.synthetic.benchmark_config import benchmark_config
from pipeline.training_state import EpochRecord

benchmark_app = App(name="benchmark", help="Compare models on data whose truth is known.")


@benchmark_app.command
def synth(
    *contenders: str,
    quick: bool = False,
    seeds: int | None = None,
    settings: Annotated[tuple[str, ...], Parameter(name="--set", negative=())] = (),
    output: Annotated[Path, Parameter(name=("--output", "-o"))] = DEFAULT_WORKSPACE / "synthetic",
) -> None:
    """Train models on generated clips and measure what their parts hold of the factors.

    Parameters
    ----------
    contenders : tuple of str
        Registered models or variants, with settings as in mind,width=64; without any a few.
    quick : bool
        Few clips, epochs and one seed: minutes, too small to rank methods.
    seeds : int
        Number of seeds.
    settings : tuple of str
        Single settings, such as data.nuisance_correlation=0.6 or training.max_epochs=5.
    output : Path
        Receives the runs, table.md and heat_map.png.
    """
    config = benchmark_config(
        quick=quick, contenders=contenders, seeds=seeds, settings=parse_settings(settings)
    )
    trainings = len(config.contenders) * len(config.training.seeds)
    with progress_bar("synth", trainings * config.training.max_epochs) as step:

        def on_progress(name: str, seed: int, record: EpochRecord) -> None:
            step(f"{name} seed {seed}, validation MAE {record.valid_mae:.3f}")

        result = run_synthetic_benchmark(config=config, folder=output, on_progress=on_progress)
    console.print(Markdown(result.table.read_text(encoding="utf-8")))
    console.print(f"table: {result.table}\nheat map: {result.heat_map}")
