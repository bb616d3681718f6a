"""Scores as people read them."""

from pipeline.bootstrap import Interval
from pipeline.report import Summary

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


def mean_sd_text(summary: Summary) -> str:
    """Write a metric over the seeds.

    Parameters
    ----------
    summary : Summary
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
