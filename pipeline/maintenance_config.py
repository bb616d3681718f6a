"""How long a workspace keeps what it could do without."""

from dataclasses import dataclass
from typing import ClassVar

from pipeline.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class MaintenanceConfig:
    """What maintenance keeps.

    Parameters
    ----------
    keep_runs : int
        Complete runs, the newest; the champion, the latest and those that are being trained stay
        whatever their age. At least 1.
    grace_days : float
        How long features are kept that no settings reach, or of clips that are not there any more,
        and how long downloads that no ingest names; >= 0.
    interrupted_days : float
        How long an interrupted run may be gone on with, and an old log is kept; >= 0.
    max_gigabytes : float or None
        What the workspace may take, 10**9 bytes each. Beyond it the grace ends, and complete runs
        go, the oldest first; what is in use stays. None for no end.
    verify : bool
        Whether every stored sequence is read and compared with its digest; damaged ones are deleted
        and extracted again by the next run.
    sole_user : bool
        Whether nobody else uses a store outside of the workspace (``store``), so that features that
        this workspace does not reach may be deleted there, too.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    keep_runs: int = 10
    grace_days: float = 7.0
    interrupted_days: float = 14.0
    max_gigabytes: float | None = None
    verify: bool = True
    sole_user: bool = False

    def __post_init__(self) -> None:
        if self.keep_runs < 1 or min(self.grace_days, self.interrupted_days) < 0:
            raise ConfigError(
                f"maintenance: keep_runs {self.keep_runs} must be at least 1, grace_days "
                f"{self.grace_days} and interrupted_days {self.interrupted_days} not negative"
            )
        if self.max_gigabytes is not None and self.max_gigabytes <= 0:
            raise ConfigError(
                f"maintenance: max_gigabytes {self.max_gigabytes} must be positive; leave it out "
                "for no limit"
            )
