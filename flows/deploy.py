"""Register the five deployments on a server that is there: ``winnow deploy``."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from cyclopts import Parameter
from httpx import HTTPError
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.workers.utilities import get_default_base_job_template_for_infrastructure_type
from rich.console import Console

from flows.deployments import forget_earlier, make_deployments
from flows.safeguards import HEARTBEAT_SECONDS, install_safeguards
from pipeline.config import load_config
from pipeline.errors import ConfigError

PoolType = Literal["process", "docker", "kubernetes"]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Pool:
    """The workers that run the deployments.

    Parameters
    ----------
    pool : str
        Work pool; made if it is not there.
    pool_type : {"process", "docker", "kubernetes"}
        What its workers start.
    pool_template : Path or None
        A base job template in JSON, such as deploy/kubernetes-pool.json.
    image : str
        What docker and kubernetes start; see deploy/Dockerfile.
    """

    pool: Annotated[str, Parameter(name="--pool")] = "winnow"
    pool_type: Annotated[PoolType, Parameter(name="--pool-type")] = "process"
    pool_template: Annotated[Path | None, Parameter(name="--pool-template")] = None
    image: Annotated[str, Parameter(name="--image")] = "winnow:latest"

    @property
    def job_variables(self) -> dict[str, Any]:
        """What every run of the pool is started with."""
        variables: dict[str, Any] = {
            "env": {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS)}
        }
        return variables if self.pool_type == "process" else variables | {"image": self.image}

    def template(self) -> dict[str, Any] | None:
        """Read the base job template.

        Returns
        -------
        dict or None
            None where Prefect's own is meant.

        Raises
        ------
        ConfigError
            If it cannot be read, or is none.
        """
        if self.pool_template is None:
            return None
        try:
            template: dict[str, Any] = json.loads(self.pool_template.read_bytes())
        except (OSError, ValueError) as error:
            raise ConfigError(f"{self.pool_template}: cannot be read as JSON ({error})") from error
        if not {"job_configuration", "variables"} <= template.keys():
            raise ConfigError(
                f"{self.pool_template}: a base job template has job_configuration and variables"
            )
        return template


DEFAULT_POOL: Final = Pool()


def deploy(
    *,
    api: str | None = None,
    videos: str = "videos",
    workspace: Path = Path("workspace"),
    config: Path | None = None,
    schedule: Annotated[tuple[str, ...], Parameter(negative=())] = (),
    workers: Pool = DEFAULT_POOL,
    gpus: int | None = None,
) -> None:
    """Register the five deployments on a Prefect server, for the workers of a pool.

    Parameters
    ----------
    api : str
        Address of the server's API, such as http://prefect:4200/api; without it the one that
        Prefect is set to.
    videos : str
        The folder, as the workers see it, that a run takes which names no other; or an address.
    workspace : Path
        Where everything that is made lies, as the workers see it.
    config : Path
        A YAML file of settings.
    schedule : tuple of str
        When to run by itself: ``0 3 * * *``, which is for scheduled-retrain, or
        ``extract-new-videos=*/15 * * * *``. These are all: others are taken away.
    workers : Pool
        The workers that run them.
    gpus : int
        How many tasks may use a GPU at once; without it one, or what was set before.
    """
    console = Console(soft_wrap=True, markup=False, emoji=False)
    with temporary_settings({PREFECT_API_URL: api} if api else {}):
        made = make_deployments(
            videos=videos,
            workspace=workspace,
            config=load_config(config),
            schedules=schedule,
            pool=workers.pool,
            job_variables=workers.job_variables,
        )
        address = PREFECT_API_URL.value()
        if not address:
            raise ConfigError("no server is known; name one: winnow deploy --api http://host/api")
        try:
            _provide_pool(workers)
            install_safeguards(gpus=gpus)
            forget_earlier(pool=workers.pool)
            for deployment in made:
                deployment.apply()
                console.print(f"{deployment.full_name}: {_when(deployment.schedules)}")
        except HTTPError as error:
            raise ConfigError(f"{address}: no Prefect server answers there ({error})") from error
    console.print(
        f"registered at {address}; a worker runs them: prefect worker start -p {workers.pool}"
    )


def _provide_pool(workers: Pool) -> None:
    template = workers.template()
    with get_client(sync_client=True) as client:
        try:
            known = client.read_work_pool(workers.pool)
        except ObjectNotFound:
            made = WorkPoolCreate(
                name=workers.pool,
                type=workers.pool_type,
                base_job_template=template or _default_template(workers.pool_type),
            )
            client.create_work_pool(made)
            return
        if known.type != workers.pool_type:
            raise ConfigError(
                f"work pool {workers.pool!r} starts {known.type}, not {workers.pool_type}; name "
                f"another pool, or --pool-type {known.type}"
            )
        if template is not None:
            client.update_work_pool(workers.pool, WorkPoolUpdate(base_job_template=template))


def _default_template(pool_type: PoolType) -> dict[str, Any]:
    found = asyncio.run(get_default_base_job_template_for_infrastructure_type(pool_type))
    if found is None:
        raise ConfigError(
            f"Prefect's template of a {pool_type} pool could not be had from the server; name "
            "one with --pool-template"
        )
    return found


def _when(schedules: Any) -> str:
    return ", ".join(entry.schedule.cron for entry in schedules or ()) or "when it is asked for"
