"""A workspace whose clips become more, for tests of training again."""

import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from extractors.sequence import FeatureSequence
from pipeline.chain import Project
from pipeline.champion import Champion
from pipeline.config import load_config
from pipeline.manifest import write_manifest
from pipeline.records import Clip, Segment
from pipeline.splits import Split, make_split
from pipeline.workspace import Workspace

SHARES = {"train": 0.6, "valid": 0.15, "test": 0.25}
SETTINGS = {
    "extractors": {"librosa33": {}},
    "model": {"name": "concat", "settings": {"width": 8, "fusion_width": 8}},
    "training.max_epochs": 3,
    "training.batch_size": 16,
    "training.min_batch": 2,
    "training.learning_rate": 0.02,
    "training.device": "cpu",
    "training.seeds": [0],
}


@dataclass
class Folder:
    """A workspace as ingest and extraction leave it, of clips that were never recorded."""

    project: Project
    noise: float = 1.0
    clips: dict = field(default_factory=dict)
    segments: dict = field(default_factory=dict)
    values: dict = field(default_factory=dict)
    given: dict = field(default_factory=dict)

    def set(self, **settings):
        """Other settings from now on."""
        names = {name.replace("__", "."): value for name, value in settings.items()}
        self.project = replace(self.project, config=load_config(None, SETTINGS | names))

    def add(self, count, *, label=True, noise=None, split=None, utterances=2):
        """Add clips; their features carry the label under noise."""
        first = len(self.clips)
        numbers = range(first, first + count)
        for number in numbers:
            self._add(number, label, self.noise if noise is None else noise, utterances)
            if split:
                self.given[self.name(number)] = split
        self.write()
        self.extract()
        return [self.name(number) for number in numbers]

    def name(self, number):
        return list(self.clips)[number][:16]

    def _add(self, number, label, noise, utterances):
        generator = np.random.default_rng(number)
        clip = Clip(
            id=hashlib.sha256(str(number).encode()).hexdigest(), path=f"/none/{number}.wav",
            duration=float(utterances), fps=None, sample_rate=16000, size=1, modified_ns=1,
        )  # fmt: skip
        self.clips[clip.id] = clip
        values = np.zeros((10 * utterances, 33), np.float32)
        for place in range(utterances):
            score = round(float(np.clip(generator.normal() * 1.5, -3, 3)), 2)
            rows = slice(10 * place, 10 * place + 10)
            values[rows] = generator.standard_normal((10, 33)) * noise + 0.3 * score
            name = f"{clip.id[:16]}:{place:.3f}-{place + 1:.3f}"
            self.segments[name] = Segment(
                id=name, clip_id=clip.id, start=place, end=place + 1, text="",
                label=score if label else None,
            )  # fmt: skip
        self.values[clip.id] = values

    def extract(self):
        """Store what is missing."""
        for job in self.project.plan().jobs:
            values = self.values[job.clip.id]
            start = np.arange(len(values)) / 10
            sequence = FeatureSequence(
                values=values,
                times=np.stack([start, start + 0.1], axis=1),
                names=tuple(f"c{number}" for number in range(values.shape[1])),
                valid=np.ones(len(values), np.bool_),
            )
            for key in job.missing.values():
                self.project.store.put(key, sequence)

    def write(self):
        workspace = self.project.workspace
        write_manifest(workspace.clips, self.clips.values())
        write_manifest(workspace.segments, self.segments.values())
        write_manifest(workspace.failures, [])
        drawn = [s for s in self.segments.values() if s.id[:16] not in self.given]
        split = make_split(drawn, shares=SHARES, seed=0)
        places = {name: list(getattr(split, name)) for name in SHARES}
        for segment in self.segments.values():
            if segment.id[:16] in self.given:
                places[self.given[segment.id[:16]]].append(segment.id)
        named = {name: tuple(ids) for name, ids in places.items()}
        Split(**named, source="given", given=tuple(self.given)).save(workspace.split)

    @property
    def champion(self):
        return Champion.load(self.project.workspace)

    @property
    def history(self):
        return [decision.outcome for decision in self.champion.history]

    def runs(self):
        return {path.parent.name for path in self.project.workspace.runs.glob("*/report.json")}


def empty(root: Path) -> Folder:
    config = load_config(None, SETTINGS)
    return Folder(Project(workspace=Workspace(root=root), config=config))
