"""Runs in MLflow. Importing it takes seconds: :mod:`pipeline.tracking` does so when it must."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from pipeline.mlflow_facts import artifacts, metrics, milliseconds, parameters
from pipeline.report import RunReport
from pipeline.tracking_config import TrackingConfig

#: What a server that is down, a database that is busy and a disk that is full raise.
TRACKING_ERRORS = (MlflowException, SQLAlchemyError, OSError)
ALIAS = "champion"
_RUN, _CREATED = "winnow.run", "winnow.created"
_FINISHED = "FINISHED"


class MlflowRuns:
    """An experiment of MLflow and the registered model that goes with it.

    Parameters
    ----------
    config : TrackingConfig
        Names.
    uri : str
        Of the server or database.
    artifact_location : str or None
        URI of the folder of artifacts, where no server knows it.
    """

    def __init__(self, *, config: TrackingConfig, uri: str, artifact_location: str | None) -> None:
        self._config = config
        self._client = MlflowClient(tracking_uri=uri, registry_uri=uri)
        self._experiment = self._open_experiment(artifact_location)

    def has(self, report: RunReport) -> bool:
        """Ask whether a run was logged whole.

        Parameters
        ----------
        report : RunReport
            Known by id and the time of its creation: one that was trained anew is another.

        Returns
        -------
        bool
            Whether it was.
        """
        return any(found.info.status == _FINISHED for found in self._find(report))

    def log(self, report: RunReport, *, folder: Path) -> None:
        """Log a run and make it a version of the registered model.

        What an earlier call that was killed has left is deleted first.

        Parameters
        ----------
        report : RunReport
            A finished run.
        folder : Path
            Where its files lie.
        """
        self._delete_unfinished(report)
        end = milliseconds(report.created)
        tags = {_RUN: report.id, _CREATED: report.created, "mlflow.source.name": "winnow"}
        run = self._client.create_run(
            experiment_id=self._experiment,
            start_time=end - round(1000 * sum(report.timings.values())),
            tags=tags,
            run_name=report.id,
        )
        self._client.log_batch(
            run.info.run_id,
            metrics=[Metric(p.key, p.value, end, p.step) for p in metrics(report)],
            params=[Param(name, value) for name, value in parameters(report).items()],
            tags=[RunTag("data_digest", report.data_digest)],
        )
        for path in artifacts(folder, weights=self._config.weights):
            below = path.relative_to(folder).parent
            where = None if below == Path() else below.as_posix()
            self._client.log_artifact(run.info.run_id, str(path), where)
        self._register(run, report)
        self._client.set_terminated(run.info.run_id, status=_FINISHED, end_time=end)

    def point_champion(self, report: RunReport | None) -> None:
        """Let the alias ``champion`` mean the version of a run.

        Parameters
        ----------
        report : RunReport or None
            One that was logged; None takes the alias away.
        """
        name = self._config.model
        current = self._aliased()
        wanted = None if report is None else self._version(report)
        if wanted is not None:
            if current != wanted.version:
                self._client.set_registered_model_alias(name, ALIAS, wanted.version)
        elif current is not None:
            self._client.delete_registered_model_alias(name, ALIAS)

    def _open_experiment(self, artifact_location: str | None) -> str:
        name = self._config.experiment
        if (found := self._client.get_experiment_by_name(name)) is not None:
            return str(found.experiment_id)
        try:
            return self._client.create_experiment(name, artifact_location=artifact_location)
        except MlflowException:
            # another workspace on the same server was quicker
            if (found := self._client.get_experiment_by_name(name)) is None:
                raise
            return str(found.experiment_id)

    def _find(self, report: RunReport) -> list[Run]:
        wanted = f"tags.`{_RUN}` = '{report.id}' and tags.`{_CREATED}` = '{report.created}'"
        return list(self._client.search_runs([self._experiment], filter_string=wanted))

    def _delete_unfinished(self, report: RunReport) -> None:
        for run in self._find(report):
            if run.info.status != _FINISHED:
                for version in self._versions(run):
                    self._client.delete_model_version(version.name, version.version)
                self._client.delete_run(run.info.run_id)

    def _register(self, run: Run, report: RunReport) -> None:
        name = self._config.model
        # it is there from the second run on
        with suppress(MlflowException):
            self._client.create_registered_model(name)
        self._client.create_model_version(
            name, source=run.info.artifact_uri, run_id=run.info.run_id, tags={_RUN: report.id}
        )

    def _versions(self, run: Run) -> Iterator[ModelVersion]:
        wanted = f"run_id = '{run.info.run_id}'"
        for version in self._client.search_model_versions(wanted):
            if version.name == self._config.model:
                yield version

    def _version(self, report: RunReport) -> ModelVersion | None:
        found = (run for run in self._find(report) if run.info.status == _FINISHED)
        return next((version for run in found for version in self._versions(run)), None)

    def _aliased(self) -> str | None:
        # an older server answers that there is no such alias with an error
        with suppress(MlflowException):
            found = self._client.get_model_version_by_alias(self._config.model, ALIAS)
            return None if found is None else str(found.version)
        return None
