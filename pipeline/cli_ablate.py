"""The commands ``winnow ablate``."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.markdown import Markdown

from pipeline.ablation import chosen_variants, run_ablations
from pipeline.ablation_page import ablation_json, ablation_markdown
from pipeline.atomic import write_text
from pipeline.checkpoint import plain_model_config
from pipeline.cli_options import DEFAULTS, Options, console, progress_bar
from pipeline.errors import ConfigError
from pipeline.foreign_data import load_foreign
from pipeline.training_state import EpochRecord

ablate_app = App(name="ablate", help="Leave parts of a model out and compare.")


@ablate_app.command
def mind(
    *variants: str,
    data: Path | None = None,
    from_format: Annotated[str | None, Parameter(name="--from")] = None,
    options: Options = DEFAULTS,
) -> None:
    """Train MInD and its 13 ablations, and print them beside Table 2 of the paper.

    Stopped, it goes on where it was; every variant is a run that other commands know, too.

    Parameters
    ----------
    variants : tuple of str
        Names such as without_text or task_only; without any all of them.
    data : Path
        A data set file or folder with its own split; without it the workspace's utterances.
    from_format : str
        Its format, where names do not tell.
    options : Options
        Workspace and settings of the full model.
    """
    project = options.project()
    model, training = project.config.model, project.config.training
    if model.name != "mind":
        raise ConfigError(f"ablate mind: the configured model is {model.name!r}; choose mind")
    chosen = chosen_variants(variants)
    if data is None:
        dataset, split = project.pack()
    else:
        text_model = plain_model_config("mind", model.settings)["text_model"]
        dataset, split = load_foreign(
            data,
            format_name=from_format,
            text_model=text_model,
            folder=project.workspace.packed,
        )
    with progress_bar("ablate", len(chosen) * len(training.seeds) * training.max_epochs) as step:

        def on_progress(name: str, seed: int, record: EpochRecord) -> None:
            step(f"{name} seed {seed}, validation MAE {record.valid_mae:.3f}")

        result = run_ablations(
            dataset=dataset,
            split=split,
            settings=model.settings,
            training=training,
            runs_folder=project.workspace.runs,
            variants=chosen,
            guard=lambda run: project.locked("ablate", run=run),
            on_progress=on_progress,
        )
    folder = project.workspace.runs / result.rows[0].run
    page = ablation_markdown(result)
    write_text(folder / "ablations.json", ablation_json(result))
    write_text(folder / "ablations.md", page)
    console.print(Markdown(page))
    console.print(f"table: {folder / 'ablations.md'}")
