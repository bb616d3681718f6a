"""Scores as people read them."""

from pipeline.bootstrap import Difference, Interval
from pipeline.report import Summary
from pipeline.score_summary import SeedScores
from pipeline.training_config import Selection

#: How the epoch was selected, for a page and for the title of a table.
SELECTION_NOTES: dict[Selection, tuple[str, str]] = {
    "valid": (
        "The epoch was selected by the validation split's error; the test split was used once, "
        "after.",
        "epochs selected on valid",
    ),
    "test_oracle": (
        "**Selected on the test split (test_oracle)**: of each seed the epoch with the smallest "
        "test error was kept, as in the published code of MIRD and in one of the two records of "
        "MInD's. Every test figure here is too good; compare it with papers that did so, and with "
        "nothing else.",
        "epochs selected on test, as in the authors' code: too good",
    ),
}
#: Stands for a number that there is not.
DASH = "–"


def number_text(value: float) -> str:
    """Write a score.

    Parameters
    ----------
    value : float
        NaN if it is not defined.

    Returns
    -------
    str
        Three decimals, or a dash.
    """
    return DASH if value != value else f"{value:.3f}"


def mean_sd_text(summary: Summary | SeedScores) -> str:
    """Write a metric over the seeds.

    Parameters
    ----------
    summary : Summary or SeedScores
        Of one metric.

    Returns
    -------
    str
        Such as ``0.759 ± 0.011``; of a single seed without a deviation.
    """
    deviation = "" if summary.sd != summary.sd else f" ± {summary.sd:.3f}"
    return number_text(summary.mean) + deviation


def interval_text(interval: Interval | None) -> str:
    """Write an interval.

    Parameters
    ----------
    interval : Interval or None
        None if there is none.

    Returns
    -------
    str
        Such as ``0.731 to 0.790``, or a dash.
    """
    if interval is None or interval.low != interval.low:
        return DASH
    return f"{interval.low:.3f} to {interval.high:.3f}"


def difference_text(found: Difference | None) -> str:
    """Write a difference of two models.

    Parameters
    ----------
    found : Difference or None
        None if there is none.

    Returns
    -------
    str
        Such as ``+0.047 (0.012 to 0.081), p 0.008``, or a dash.
    """
    if found is None or found.difference != found.difference:
        return DASH
    return (
        f"{found.difference:+.3f} ({interval_text(found.interval)}), p {number_text(found.p_value)}"
    )
