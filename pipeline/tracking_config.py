"""Where runs are tracked."""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from pipeline.errors import ConfigError

TrackingMode = Literal["on", "off"]


@dataclass(frozen=True, kw_only=True)
class TrackingConfig:
    """Where MLflow keeps what is known of finished runs.

    Parameters
    ----------
    mode : {"on", "off"}
        ``off`` logs nothing. The environment variable ``WINNOW_TRACKING=off`` does the same.
    uri : str or None
        Of an MLflow server, such as ``http://host:5000``, or of a database; without it an SQLite
        file and a folder of artifacts inside the workspace.
    experiment : str
        Which receives the runs.
    model : str
        Registered model of which every run is a version; its alias ``champion`` is the champion's.
        Workspaces that share a server need names of their own.
    weights : bool
        Whether the seeds' weights are logged too.

    Raises
    ------
    ConfigError
        If a name is empty, or the mode unknown.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    mode: TrackingMode = "on"
    uri: str | None = None
    experiment: str = "winnow"
    model: str = "winnow"
    weights: bool = True

    def __post_init__(self) -> None:
        rules = {
            "mode": self.mode in get_args(TrackingMode),
            "uri": self.uri is None or bool(self.uri.strip()),
            "experiment": bool(self.experiment.strip()),
            "model": bool(self.model.strip()),
        }
        wrong = {name: getattr(self, name) for name, fits in rules.items() if not fits}
        if wrong:
            raise ConfigError(f"tracking: values outside their range: {wrong}")
