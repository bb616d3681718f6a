"""How long a step of a flow may still take."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from pipeline.time_limits import TimeLimits

_HOUR = 3600.0


@dataclass(frozen=True, kw_only=True)
class TimeLeft:
    """Bounds every step by its own limit and by what is left of the flow's.

    Prefect can interrupt one step at a time, so that the flow's limit is kept by bounding its
    steps.

    Parameters
    ----------
    limits : TimeLimits
        Hours.
    clock : callable, optional
        Seconds that only grow.
    started : float, optional
        When the flow began, by that clock; now without it.
    """

    limits: TimeLimits
    clock: Callable[[], float] = time.monotonic
    started: float = field(default_factory=time.monotonic)

    def seconds(self, step: str) -> float:
        """Give the limit of a step that begins now, for a task's ``timeout_seconds``.

        Parameters
        ----------
        step : {"ingest", "extract", "train", "predict", "maintain"}
            A field of :class:`~pipeline.time_limits.TimeLimits`.

        Returns
        -------
        float
            Seconds, > 0.

        Raises
        ------
        TimeoutError
            If nothing is left of the flow's.
        """
        left = self.started + _HOUR * self.limits.flow - self.clock()
        if left <= 0:
            raise TimeoutError(
                f"{step}: the run has taken its {self.limits.flow:g} h (hours.flow) already; what "
                "it had finished stays, and the next run goes on"
            )
        own: float = getattr(self.limits, step)
        return min(_HOUR * own, left)
