"""Which published figures stand beside which of our metrics."""

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.errors import ConfigError
from pipeline.paper_tables import PublishedScore, published_scores


class MetricPlace(NamedTuple):
    """Where one of a run's metrics is.

    Attributes
    ----------
    group : str
        ``""`` for the usual metrics, otherwise one of
        :data:`pipeline.collection_metrics.COLLECTION_METRICS`.
    metric : str
        Its name there.
    """

    group: str
    metric: str


# A source that does not tell its convention of two classes stands beside non0, in which the code
# behind MInD's table selects and prints.
_USUAL = {
    "MAE": "mae",
    "Corr": "correlation",
    "Acc2": "accuracy_2_non0",
    "Acc2_has0": "accuracy_2_has0",
    "Acc2_non0": "accuracy_2_non0",
    "F1": "f1_non0",
    "F1_has0": "f1_has0",
    "F1_non0": "f1_non0",
    "Acc7": "accuracy_7",
    "Acc5": "accuracy_5",
    "Acc3": "accuracy_3",
}
_COLLECTIONS = {
    "CH-SIMS": (
        "sims",
        {
            "MAE": "mae",
            "Corr": "correlation",
            "Acc2": "accuracy_2",
            "Acc3": "accuracy_3",
            "Acc5": "accuracy_5",
            "F1": "f1",
        },
    ),
    "UR-FUNNY": ("", {"Acc2": "accuracy"}),
    "MIntRec": (
        "",
        {"Acc": "accuracy", "F1": "f1", "Precision": "precision", "Recall": "recall"},
    ),
}


def known_datasets() -> tuple[str, ...]:
    """List the data sets that there are published figures of.

    Returns
    -------
    tuple of str
        In the order of the sources.
    """
    return tuple(dict.fromkeys(score.dataset for score in published_scores()))


def resolve_dataset(name: str) -> str:
    """Find the name by which a data set is published about.

    Parameters
    ----------
    name : str
        Such as ``CMU-MOSI``, ``mosi`` or ``urfunny``.

    Returns
    -------
    str
        One of :func:`known_datasets`.

    Raises
    ------
    ConfigError
        If none is meant.
    """
    wanted = _letters(name)
    for known in known_datasets():
        if wanted in (_letters(known), _letters(known.rpartition("-")[2])):
            return known
    raise ConfigError(
        f"no published figures of a data set {name!r}; there are {', '.join(known_datasets())}"
    )


def our_metric(score: PublishedScore) -> MetricPlace | None:
    """Tell which of our metrics a published figure stands beside.

    Parameters
    ----------
    score : PublishedScore
        Any.

    Returns
    -------
    MetricPlace or None
        None if it stands beside none.
    """
    group, names = _COLLECTIONS.get(score.dataset, ("", _USUAL))
    metric = names.get(score.metric)
    return None if metric is None else MetricPlace(group, metric)


def same_model(published: str, registered: str) -> bool:
    """Tell whether two names mean one model.

    Parameters
    ----------
    published, registered : str
        Such as ``LF-DNN`` and ``lf_dnn``.

    Returns
    -------
    bool
        Whether they have the same letters and digits.
    """
    return _letters(published) == _letters(registered)


def published_of(dataset: str, *, model: str | None = None) -> tuple[PublishedScore, ...]:
    """Look up the figures of whole models, ablations left out.

    Parameters
    ----------
    dataset : str
        One of :func:`known_datasets`.
    model : str, optional
        Registered name of the only model wanted.

    Returns
    -------
    tuple of PublishedScore
        Those that stand beside a metric of ours, in the order of the sources.
    """
    return tuple(
        score
        for score in published_scores()
        if score.dataset == dataset
        and not score.variant
        and our_metric(score) is not None
        and (model is None or same_model(score.model, model))
    )


def figure_text(scores: Sequence[PublishedScore]) -> str:
    """Write published figures of one metric in our units, with where they stand.

    Parameters
    ----------
    scores : sequence of PublishedScore
        Of one metric.

    Returns
    -------
    str
        Such as ``0.697 (arXiv 2401.11818 (MInD), table 1)``; nothing for none.
    """
    return "; ".join(f"{in_our_units(score)} ({score.source})" for score in scores)


def in_our_units(score: PublishedScore) -> str:
    """Write a published figure in our units, with the digits that were printed.

    Parameters
    ----------
    score : PublishedScore
        Any.

    Returns
    -------
    str
        Such as ``0.466`` for 46.6 percent.
    """
    # a percentage loses two digits in front of the point and gains two behind
    digits = len(score.text.partition(".")[2])
    share = 0 if score.metric in ("MAE", "Corr") else 2
    return f"{score.value:.{digits + share}f}"


def _letters(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())
