"""A reproduction as a page: our models beside everything that was published on the data set."""

from collections.abc import Sequence
from pathlib import Path

from pydantic import TypeAdapter

from pipeline.atomic import write_text
from pipeline.paper_tables import PublishedScore
from pipeline.published_comparison import in_our_units, our_metric, published_of, same_model
from pipeline.published_tables import NON0_NOTE
from pipeline.report_blocks import Section, Table, make_table, section_markdown
from pipeline.report_tables import HEADINGS
from pipeline.reproduction import ReproducedModel, Reproduction
from pipeline.score_text import DASH, SELECTION_NOTES, interval_text, mean_sd_text

_PUBLISHED = (
    "Published figures as printed, percent written as shares. Features, seeds, text encoder and "
    "the choice of the epoch behind them differ between sources, and mostly from ours."
)


def write_reproduction(found: Reproduction, folder: Path) -> list[Path]:
    """Write a reproduction as Markdown, JSON and HTML.

    Parameters
    ----------
    found : Reproduction
        Finished models.
    folder : Path
        Receives ``reproduction.md``, ``.json`` and ``.html``.

    Returns
    -------
    list of Path
        The files, each written atomically.
    """
    texts = {
        "md": reproduction_markdown(found),
        "json": reproduction_json(found),
        "html": reproduction_html(found),
    }
    paths = [folder / f"reproduction.{suffix}" for suffix in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        write_text(path, text)
    return paths


def reproduction_json(found: Reproduction) -> str:
    """Write all metrics of all models.

    Parameters
    ----------
    found : Reproduction
        Finished models.

    Returns
    -------
    str
        JSON; what is not defined is null.
    """
    return TypeAdapter(Reproduction).dump_json(found, indent=1).decode() + "\n"


def reproduction_markdown(found: Reproduction) -> str:
    """Write the page for a terminal or a repository.

    Parameters
    ----------
    found : Reproduction
        Finished models.

    Returns
    -------
    str
        Markdown.
    """
    parts = [f"# {_title(found)}", _lead(found), _selection(found)]
    return "\n\n".join([*parts, *map(section_markdown, reproduction_sections(found))]) + "\n"


def reproduction_html(found: Reproduction) -> str:
    """Write the page for a browser.

    Parameters
    ----------
    found : Reproduction
        Finished models.

    Returns
    -------
    str
        HTML that fetches nothing.
    """
    # a command that writes no page need not wait for it
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from pipeline.report_html import inline_html

    environment = Environment(
        loader=PackageLoader("pipeline", "templates"), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["inline"] = inline_html
    page: str = environment.get_template("reproduction.html.j2").render(
        title=_title(found),
        lead=_lead(found),
        selection=_selection(found),
        oracle=found.selection == "test_oracle",
        sections=reproduction_sections(found),
    )
    return page


def reproduction_sections(found: Reproduction) -> tuple[Section, ...]:
    """Say what there is to say.

    Parameters
    ----------
    found : Reproduction
        Finished models.

    Returns
    -------
    tuple of Section
        Ours beside the paper's, intervals, how they were trained, everything published.
    """
    metrics = _metrics(found)
    failures = tuple(f"`{one.model}` failed: {one.failure}" for one in found.models if one.failure)
    return (
        Section(
            title="Ours beside published",
            text="\n\n".join(failures),
            tables=(_beside(found, metrics), _intervals(found, metrics)),
        ),
        Section(title="How ours were trained", tables=(_trained(found),)),
        Section(title=f"Everything published on {found.dataset}", tables=(_all(found, metrics),)),
    )


def _title(found: Reproduction) -> str:
    return f"{found.dataset}: ours beside the papers'"


def _lead(found: Reproduction) -> str:
    counts = ", ".join(f"{name} {count}" for name, count in found.utterances.items())
    seeds = len(found.seeds)
    few = " Fewer than 5 seeds: the order of models means nothing." if seeds < 5 else ""
    changed = ", ".join(f"{name}={value}" for name, value in found.overrides.items())
    given = f" Not as published: `{changed}`." if changed else ""
    return (
        f"`{found.data}`, {counts} utterances, as the data set divides them; mean ± sd over "
        f"{seeds} seed{'' if seeds == 1 else 's'} on the test split.{few}{given}"
    )


def _selection(found: Reproduction) -> str:
    return SELECTION_NOTES[found.selection][0]


def _metrics(found: Reproduction) -> list[str]:
    """List what is published of the data set, then what else is measured; no swapped F1."""
    places = filter(None, map(our_metric, published_of(found.dataset)))
    names = dict.fromkeys(place.metric for place in places)
    for one in found.models:
        names |= dict.fromkeys(one.scores)
    return [name for name in names if not name.startswith("f1_swapped")]


def _headings(metrics: Sequence[str]) -> list[str]:
    return [HEADINGS.get(metric, metric) for metric in metrics]


def _beside(found: Reproduction, metrics: Sequence[str]) -> Table:
    rows = []
    for one in found.models:
        rows.append([one.model, "ours", *_ours(one, metrics)])
        published = published_of(found.dataset, model=one.model)
        sources = dict.fromkeys(score.source for score in published)
        rows += [["", source, *_theirs(published, source, metrics)] for source in sources]
    heading = ["model", "source", *_headings(metrics)]
    note = _PUBLISHED + (NON0_NOTE if "accuracy_2_non0" in metrics else "")
    return make_table("Test split, ours and the same models' published figures", heading, rows,
                      note=note)  # fmt: skip


def _ours(one: ReproducedModel, metrics: Sequence[str]) -> list[str]:
    if one.failure:
        return ["failed", *[DASH] * (len(metrics) - 1)]
    return [mean_sd_text(one.scores[m]) if m in one.scores else DASH for m in metrics]


def _theirs(published: Sequence[PublishedScore], source: str, metrics: Sequence[str]) -> list[str]:
    cells = dict.fromkeys(metrics, "")
    for score in published:
        place = our_metric(score)
        if score.source == source and place is not None:
            cells[place.metric] = cells[place.metric] or in_our_units(score)
    return list(cells.values())


def _intervals(found: Reproduction, metrics: Sequence[str]) -> Table:
    rows = [
        [one.model, *(_interval(one, metric) for metric in metrics)]
        for one in found.models
        if one.scores
    ]
    return make_table(
        "95 % intervals of ours",
        ["model", *_headings(metrics)],
        rows,
        note="Of the mean over these seeds with other test clips, by 2000 bootstrap samples of "
        "clips. The deviation over seeds comes on top of it.",
    )


def _interval(one: ReproducedModel, metric: str) -> str:
    scores = one.scores.get(metric)
    return interval_text(None if scores is None else scores.interval)


def _trained(found: Reproduction) -> Table:
    rows = [
        [one.model, one.preset or "the model's defaults", one.text, one.run] for one in found.models
    ]
    return make_table(
        "Settings and runs",
        ["model", "settings", "text", "run"],
        rows,
        note="The papers' text encoder is bert-base-uncased, of CH-SIMS bert-base-chinese, trained "
        "along.",
    )


def _all(found: Reproduction, metrics: Sequence[str]) -> Table:
    published = published_of(found.dataset)
    keys = dict.fromkeys((score.model, score.source) for score in published)
    ours = {one.model for one in found.models}
    rows = [
        [
            f"{model} (above)" if any(same_model(model, name) for name in ours) else model,
            source,
            *_theirs([score for score in published if score.model == model], source, metrics),
        ]
        for model, source in keys
    ]
    heading = ["model", "source", *_headings(metrics)]
    return make_table(f"Published on {found.dataset}", heading, rows, folded=True)
