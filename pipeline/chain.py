"""The steps from a folder of videos to a report, as the CLI and the flows call them."""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.atomic import write_text
from pipeline.config import RunConfig, build_extractors
from pipeline.dataset import PackedDataset
from pipeline.disk_space import require_space_for
from pipeline.errors import SourceError
from pipeline.extraction import ExtractionReport, run_extraction
from pipeline.extraction_plan import ExtractionPlan, plan_extraction
from pipeline.failure_log import FailureLog, record_failures
from pipeline.frozen_test import frozen_split
from pipeline.ingest import IngestReport, ingest
from pipeline.manifest import read_manifest
from pipeline.packing import pack_segments
from pipeline.prediction_table import prediction_csv
from pipeline.quarantine import Quarantine
from pipeline.records import Clip, Failure, Segment
from pipeline.report import RunReport
from pipeline.run_evaluation import RunEvaluation, evaluate_run
from pipeline.run_examples import source_spans
from pipeline.run_folder import discard_run
from pipeline.runs import predict_run, run_id, train_run
from pipeline.split_checks import kept_split, refuse_seen, refuse_unlabelled
from pipeline.splits import Split
from pipeline.store import FeatureKey, FeatureStore, settings_folders
from pipeline.stored_words import find_words
from pipeline.training_state import EpochRecord
from pipeline.workspace import Workspace
from pipeline.workspace_lock import exclusive, workspace_lock


@dataclass(frozen=True, kw_only=True)
class Project:
    """A workspace and what is to be done in it.

    Parameters
    ----------
    workspace : Workspace
        Where everything lies.
    config : RunConfig
        How it is made.
    """

    workspace: Workspace
    config: RunConfig

    @property
    def store(self) -> FeatureStore:
        """The feature store in use."""
        root = self.config.store_root(self.workspace)
        return FeatureStore(root, options=self.config.store_options)

    @property
    def quarantine(self) -> Quarantine:
        """What failed how often, as it is written down now."""
        return Quarantine(self.workspace.quarantine, limit=self.config.quarantine_after)

    def locked(self, step: str, *, run: str | None = None) -> AbstractContextManager[None]:
        """Keep other processes from writing in the workspace, or in one run, during several steps.

        Parameters
        ----------
        step : str
            What is done, for the messages of others.
        run : str, optional
            The run's id, if only that is written.

        Returns
        -------
        context manager
            As :func:`pipeline.workspace_lock.workspace_lock`.
        """
        wait = self.config.wait_seconds
        return workspace_lock(self.workspace, step=step, wait_seconds=wait, run=run)

    @exclusive
    def ingest(
        self, *sources: str | Path, on_file: Callable[[str], None] = lambda name: None
    ) -> IngestReport:
        """Find clips and everything beside them.

        Parameters
        ----------
        *sources : str or Path
            Folders, files, addresses and lists of addresses.
        on_file : callable, optional
            Told of every address before it is fetched, and of every media file before it is read.

        Returns
        -------
        IngestReport
            Also written to the workspace.

        Raises
        ------
        SourceError
            If a folder is not there, or nothing at all is found.
        """
        return ingest(
            sources=sources,
            workspace=self.workspace,
            segments=self.config.segments,
            split=self.config.split,
            download=self.config.download,
            words=self.config.words,
            stable_seconds=self.config.stable_seconds,
            on_file=on_file,
        )

    def plan(self) -> ExtractionPlan:
        """Ask which features of the ingested clips are missing.

        Returns
        -------
        ExtractionPlan
            Keys of everything, jobs for what is missing and not in quarantine.
        """
        return self.quarantine.spare(self._plan(self.clips()))

    def require_space(self, plan: ExtractionPlan) -> None:
        """Refuse a plan for which the store's disk has no room, as :func:`require_space_for`."""
        reserve = self.config.reserve_bytes
        require_space_for(plan, clips=self.clips(), store=self.store, reserve=reserve)

    @exclusive
    def extract(
        self, plan: ExtractionPlan, *, on_clip: Callable[[Clip], None] = lambda clip: None
    ) -> ExtractionReport:
        """Extract what a plan says is missing.

        Parameters
        ----------
        plan : ExtractionPlan
            The whole plan or a shard of it.
        on_clip : callable, optional
            Told of every clip that is done.

        Returns
        -------
        ExtractionReport
            Counts by extractor.
        """
        return run_extraction(
            plan=plan,
            extractors=self.config.extractors,
            store=self.store,
            processes=self.config.jobs,
            on_clip=on_clip,
        )

    @exclusive
    def finish_extraction(self, report: ExtractionReport) -> None:
        """Write down what an extraction did and could not do.

        Parameters
        ----------
        report : ExtractionReport
            Of the whole plan.
        """
        quarantine = self.quarantine
        concerned = quarantine.clips | {failure.clip_id for failure in report.failures}
        plan = self._plan([clip for clip in self.clips() if clip.id in concerned])
        left = quarantine.update(report.failures, plan)
        record_failures(self.workspace, "extract", [*report.failures, *left])
        write_text(self.workspace.extraction, json.dumps(report.facts(), indent=1))

    @exclusive
    def pack(self) -> tuple[PackedDataset, Split]:
        """Slice stored features into utterances, packed for training.

        Returns
        -------
        dataset : PackedDataset
            All utterances that have any feature.
        split : Split
            Of its labelled ones.

        Raises
        ------
        DataError
            If there are no utterances with features.
        """
        log, segments, keys = FailureLog(), self.segments(), self.plan().keys
        try:
            dataset = pack_segments(
                segments=segments,
                keys=keys,
                store=self.store,
                folder=self.workspace.packed,
                log=log,
                reserve_bytes=self.config.reserve_bytes,
            )
        finally:
            record_failures(self.workspace, "pack", log.failures)
        return dataset, kept_split(frozen_split(self.workspace), set(dataset.ids))

    def train(
        self,
        *,
        extraction: ExtractionReport | None = None,
        timings: dict[str, float] | None = None,
        fresh: bool = False,
        on_epoch: Callable[[int, EpochRecord], None] | None = None,
    ) -> RunReport:
        """Train and evaluate the configured model on what was extracted.

        Parameters
        ----------
        extraction : ExtractionReport, optional
            For the report.
        timings : dict of str to float, optional
            Seconds by earlier stage, for the report.
        fresh : bool
            Whether a run of the same data and settings is thrown away instead of returned.
        on_epoch : callable, optional
            Called with seed and epoch after each epoch.

        Returns
        -------
        RunReport
            Its folder is ``workspace.runs / report.id``.

        Raises
        ------
        DataError
            If there are too few labelled utterances in a split.
        """
        started = time.perf_counter()
        with self.locked("train"):
            dataset, split = self.pack()
            context = {
                "timings": (timings or {}) | {"pack": time.perf_counter() - started},
                "failures": [asdict(failure) for failure in self.failures()],
                "extraction": extraction.facts() if extraction else {},
                "data": self._facts(),
                "features": settings_folders(build_extractors(self.config.extractors)),
                "examples": source_spans(segments=self.segments(), clips=self.clips()),
            }
        refuse_unlabelled(split)
        identity: dict[str, Any] = {
            "dataset": dataset,
            "split": split,
            "model_name": self.config.model.name,
            "model_config": self.config.model.settings,
            "training": self.config.training,
        }
        run = run_id(**identity)
        # hours: others may ingest, extract and train other runs meanwhile
        with self.locked("train", run=run):
            if fresh:
                discard_run(self.workspace.runs, run)
            return train_run(
                **identity,
                runs_folder=self.workspace.runs,
                context=context,
                on_progress=on_epoch,
            )

    def evaluate(self, *, run: str = "latest", on: str = "test") -> RunEvaluation:
        """Score a run's checkpoints on the labelled utterances of a split as they are now.

        Parameters
        ----------
        run : str
            A complete run's id, or ``latest``.
        on : {"train", "valid", "test"}
            Which split.

        Returns
        -------
        RunEvaluation
            Scores with intervals.

        Raises
        ------
        RunError
            If there is no such run.
        DataError
            If the split is unknown or empty, or the features are not those of the run.
        """
        dataset, split = self.pack()
        if on == "test":
            refuse_seen(split, runs_folder=self.workspace.runs, run=run)
        return evaluate_run(
            runs_folder=self.workspace.runs,
            run=run,
            dataset=dataset,
            split=split,
            on=on,
            device=self.config.training.device,
        )

    @exclusive
    def predict(self, *, run: str = "latest", runs: Path | None = None) -> Path:
        """Predict the utterances that have no label.

        Parameters
        ----------
        run : str
            A complete run's id, or ``latest``.
        runs : Path, optional
            Where runs lie, if in another workspace.

        Returns
        -------
        Path
            A CSV file: clip, span, text, mean and standard deviation over the run's seeds.

        Raises
        ------
        RunError
            If there is no such run.
        DataError
            If the features are not those that the run was trained on.
        """
        dataset, _ = self.pack()
        predictions = predict_run(
            runs_folder=runs or self.workspace.runs,
            run=run,
            dataset=dataset,
            device=self.config.training.device,
        )
        path = self.workspace.predictions
        table = prediction_csv(
            dataset=dataset,
            predictions=predictions,
            segments=self.segments(),
            clips=self.clips(),
        )
        write_text(path, table)
        return path

    def keys(self) -> list[FeatureKey]:
        """List every key that the settings in use and the ingested clips can reach; writes nothing.

        Returns
        -------
        list of FeatureKey
            Also of the clips that were ingested to be predicted only.
        """
        plan = self._plan(self.clips(), note=False)
        keys = [key for by_name in plan.keys.values() for key in by_name.values()]
        inner = Project(workspace=self.workspace.for_predictions, config=self.config)
        return keys + (inner.keys() if inner.workspace.clips.exists() else [])

    def clips(self) -> list[Clip]:
        """Read the ingested clips.

        Returns
        -------
        list of Clip
            In the order of their paths.

        Raises
        ------
        SourceError
            If nothing was ingested into the workspace.
        """
        if not self.workspace.clips.exists():
            raise SourceError(
                f"{self.workspace.root}: nothing was ingested here; run `winnow ingest` first, or "
                "name the workspace that you mean",
                code="not_ingested",
            )
        return read_manifest(self.workspace.clips, Clip)

    def segments(self) -> list[Segment]:
        """Read the utterances."""
        return read_manifest(self.workspace.segments, Segment)

    def failures(self) -> list[Failure]:
        """Read what could not be done."""
        return read_manifest(self.workspace.failures, Failure)

    def _plan(self, clips: Sequence[Clip], *, note: bool = True) -> ExtractionPlan:
        return plan_extraction(
            clips=clips,
            words=find_words(self.workspace.transcripts),
            extractors=build_extractors(self.config.extractors),
            store=self.store,
            note=note,
        )

    def _facts(self) -> dict[str, Any]:
        clips = self.clips()
        return {
            "clips": len(clips),
            "clip seconds": round(sum(clip.duration for clip in clips), 1),
            "split": Split.load(self.workspace.split).source,
        }
