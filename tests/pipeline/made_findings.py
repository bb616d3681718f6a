"""A finished run made up of numbers, for tests of what is said about runs."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.special import softmax

from pipeline.clip_names import clip_names
from pipeline.collection_metrics import collection_scores
from pipeline.report import RunReport, SeedReport, summarise
from pipeline.run_examples import SourceSpan
from pipeline.run_findings import RunFindings
from pipeline.run_folder import mark_latest
from pipeline.run_predictions import Scored
from pipeline.run_task import RunTask
from pipeline.training_state import EpochRecord

EPOCHS = 4


def make_history(seed: int, *, test_mae: bool = False) -> tuple[EpochRecord, ...]:
    return tuple(
        EpochRecord(
            epoch=epoch,
            terms={"task": 1.0 / (epoch + 1), "size": 0.5 + seed},
            weights={"task": 1.0, "size": 0.01},
            total=1.0,
            gradient_norm=2.0 + seed,
            learning_rate=1e-3,
            valid_mae=1.5 - 0.1 * epoch + 0.01 * seed,
            seconds=0.1,
            test_mae=1.4 - 0.1 * epoch if test_mae else None,
            gradient_norms={"task": 0.3, "size": 0.0} if epoch % 2 == 0 else {},
        )
        for epoch in range(EPOCHS)
    )


def make_findings(
    *,
    model: str = "mind",
    noise: float = 0.4,
    n: int = 30,
    target: np.ndarray | None = None,
    dataset: str | None = None,
    spans: bool = True,
    number: int = 0,
    classes: tuple[str, ...] = (),
    **changed: object,
) -> RunFindings:
    """Two seeds on n utterances of n / 3 clips, with predictions as far off as told.

    Of classes the target are their numbers, and the noise is that of their scores.
    """
    generator = np.random.default_rng(0)
    labels = np.round(np.clip(generator.normal(size=n) * 1.5, -3, 3), 2)
    labels = labels if target is None else np.asarray(target, float)
    ids = tuple(f"clip{row // 3:02}:{row % 3}.0-{row % 3 + 1}.0" for row in range(n))
    model_config = {"width": 8} | ({"classes": list(classes)} if classes else {})
    task = RunTask.of(model_config, labels=labels)
    by_seed = labels + noise * np.random.default_rng(number + 1).normal(size=(2, n))
    likely = None
    if classes:
        scores = np.eye(len(classes))[labels.astype(int)] + noise * np.random.default_rng(
            number + 1
        ).normal(size=(2, n, len(classes)))
        by_seed, likely = scores.argmax(axis=2).astype(float), softmax(scores, axis=2).mean(axis=0)
    together = task.together(by_seed, likely)
    metrics = [{"test": task.metrics(p, labels)} for p in task.said(by_seed)]
    seeds = tuple(
        SeedReport(seed=seed, best_epoch=EPOCHS - 1, history=make_history(seed), metrics=one)
        for seed, one in enumerate(metrics)
    )
    clips = clip_names(ids)
    report = RunReport(
        id=f"{model}-{number:012x}",
        created="2026-01-02T03:04:05.678+00:00",
        model=model,
        model_config=model_config,
        training={"selection": "valid", "max_epochs": EPOCHS},
        data_digest="0123456789abcdef",
        data={"utterances": {"train": 60, "valid": 20, "test": n}, "modalities": {}},
        versions={"winnow": "0.1.0", "torch": "2"},
        device="cpu",
        timings={"train": 12.5, "extract": 3.25},
        seeds=seeds,
        summary=summarise(seeds, metric_names=task.metric_names),
        ensemble={"test": task.metrics(together, labels)},
        constant={"test": task.metrics(np.zeros(n), labels)},
        intervals={"test": task.intervals(task.said(by_seed), labels, clips=clips)},
        collection={}
        if task.classes
        else collection_scores(predictions=by_seed, target=labels, clips=clips, labels=labels),
        classes=task.classes,
    )
    found = {
        name: SourceSpan(
            clip=f"/videos/{name[:6]}.mp4", start=row % 3, end=row % 3 + 1, text=f"words {row}"
        )
        for row, name in enumerate(ids)
    }
    return RunFindings(
        report=replace(report, **changed),
        dataset=dataset,
        test=Scored(ids=ids, target=labels, by_seed=by_seed, probabilities=likely),
        spans=found if spans else {},
        parts=None,
        parts_kept=False,
    )


def save_run(findings: RunFindings, runs_folder: Path) -> Path:
    """Write what a training leaves of it, apart from checkpoints, figures and pages."""
    folder = runs_folder / findings.report.id
    folder.mkdir(parents=True)
    findings.report.save(folder / "report.json")
    test = findings.test
    with (folder / "predictions.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["segment", "split", "target", "seed 0", "seed 1", "mean"])
        for name, label, scores in zip(test.ids, test.target, test.by_seed.T, strict=True):
            writer.writerow([name, "test", label, *scores, scores.mean()])
    mark_latest(runs_folder, folder.name)
    return folder
