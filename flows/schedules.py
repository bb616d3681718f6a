"""Schedules as a person writes them."""

from collections.abc import Sequence

from prefect.client.schemas.schedules import CronSchedule
from pydantic import ValidationError

from flows.bare_names import DEPLOYMENTS
from pipeline.errors import ConfigError

#: What a schedule without a name is for: everything is made up to date, nothing gets worse.
DEFAULT_DEPLOYMENT = "scheduled-retrain"


def read_schedules(texts: Sequence[str]) -> dict[str, str]:
    """Read schedules.

    Parameters
    ----------
    texts : sequence of str
        Each ``<cron>``, which is for :data:`DEFAULT_DEPLOYMENT`, or ``<deployment>=<cron>``.

    Returns
    -------
    dict of str to str
        Deployment to its five fields of cron.

    Raises
    ------
    ConfigError
        If a deployment is unknown or named twice, or a schedule is not one.
    """
    crons: dict[str, str] = {}
    for text in texts:
        before, named, after = text.partition("=")
        name, cron = (before.strip(), after) if named else (DEFAULT_DEPLOYMENT, before)
        if name not in DEPLOYMENTS:
            raise ConfigError(
                f"schedule {text!r}: no deployment {name!r}; there are {', '.join(DEPLOYMENTS)}"
            )
        if name in crons:
            raise ConfigError(f"schedule {text!r}: {name} has one already, {crons[name]!r}")
        crons[name] = _checked(cron.strip(), text)
    return crons


def _checked(cron: str, text: str) -> str:
    try:
        return CronSchedule(cron=cron).cron
    except ValidationError as error:
        raise ConfigError(
            f"schedule {text!r}: {cron!r} is not a schedule; write five fields of cron, such as "
            "0 3 * * * for every night at three"
        ) from error
