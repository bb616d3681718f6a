"""Where everything lies on disk."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """The folder that holds what a project has made from its videos.

    Parameters
    ----------
    root : Path
        The folder; made when something is written.
    """

    root: Path

    @property
    def clips(self) -> Path:
        """Manifest of :class:`~pipeline.records.Clip`."""
        return self.root / "clips.jsonl"

    @property
    def transcripts(self) -> Path:
        """Manifest of :class:`~pipeline.records.Transcript`."""
        return self.root / "transcripts.jsonl"

    @property
    def speech(self) -> Path:
        """Manifest of :class:`~pipeline.records.SpeechSpans`."""
        return self.root / "speech.jsonl"

    @property
    def utterances(self) -> Path:
        """Manifest of :class:`~pipeline.utterance_cuts.CutClip`."""
        return self.root / "utterances.jsonl"

    @property
    def segments(self) -> Path:
        """Manifest of :class:`~pipeline.records.Segment`."""
        return self.root / "segments.jsonl"

    @property
    def failures(self) -> Path:
        """Manifest of :class:`~pipeline.records.Failure`."""
        return self.root / "failures.jsonl"

    @property
    def removed(self) -> Path:
        """Manifest of :class:`~pipeline.removals.RemovedClip`."""
        return self.root / "removed.jsonl"

    @property
    def quarantine(self) -> Path:
        """Manifest of :class:`~pipeline.quarantine.RepeatedFailure`."""
        return self.root / "quarantine.jsonl"

    @property
    def split(self) -> Path:
        """The :class:`~pipeline.splits.Split` in use, JSON."""
        return self.root / "split.json"

    @property
    def downloads(self) -> Path:
        """Folder of what was fetched from addresses."""
        return self.root / "downloads"

    @property
    def features(self) -> Path:
        """Root of the feature store, unless the configuration names another."""
        return self.root / "features"

    @property
    def extraction(self) -> Path:
        """What the latest extraction did, JSON."""
        return self.root / "extraction.json"

    @property
    def words(self) -> Path:
        """Folder of transcripts, one file for each that was made."""
        return self.root / "words"

    @property
    def packed(self) -> Path:
        """Folder of packed data sets."""
        return self.root / "packed"

    @property
    def runs(self) -> Path:
        """Folder of runs, one folder each."""
        return self.root / "runs"

    @property
    def champion(self) -> Path:
        """The :class:`~pipeline.champion.Champion`, JSON."""
        return self.root / "champion.json"

    @property
    def lock(self) -> Path:
        """Locked by the process that writes here, see :mod:`pipeline.workspace_lock`."""
        return self.root / "workspace.lock"

    def run_lock(self, run: str) -> Path:
        """Locked by the process that trains this run."""
        return self.runs / f"{run}.lock"

    @property
    def prefect(self) -> Path:
        """Folder of the Prefect server's database."""
        return self.root / "prefect"

    @property
    def predictions(self) -> Path:
        """Predicted sentiment of the utterances without a label, CSV."""
        return self.root / "predictions.csv"

    @property
    def for_predictions(self) -> "Workspace":
        """Inner workspace of videos that are predicted only; its features lie in this one's."""
        return Workspace(root=self.root / "predict")
