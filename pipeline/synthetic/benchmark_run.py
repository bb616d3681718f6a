"""One contender with one seed, trained and scored."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from models.base import get as get_model
from pipeline.atomic import write_bytes
from pipeline.checkpoint import load_checkpoint, plain_model_config
from pipeline.errors import RunError, StoreError
from pipeline.fingerprint import settings_digest
from pipeline.synthetic.contenders import Contender
from pipeline.synthetic.generator import SyntheticData
from pipeline.synthetic.score_card import ScoreCard, score_model
from pipeline.training import train_seed
from pipeline.training_config import TrainingConfig
from pipeline.training_state import EpochRecord

#: Raised whenever the same trained model gets another score card.
SCORE_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class BenchmarkRun:
    """A contender's result for one seed.

    Parameters
    ----------
    contender, model : str
        Its name, and that of its model.
    seed : int
        Of the training.
    settings : dict
        All hyper-parameters of the model.
    training : dict
        How it was trained.
    data : str
        Digest of the data.
    seconds : float
        Wall-clock time of the training.
    best_epoch : int
        The epoch whose weights were kept, from 0; -1 if the training failed.
    terms : dict of str to float
        Loss terms in that epoch.
    card : ScoreCard or None
        None if the training failed.
    failure : str
        Why it failed, or empty.
    """

    contender: str
    model: str
    seed: int
    settings: dict[str, Any]
    training: dict[str, Any]
    data: str
    seconds: float
    best_epoch: int
    terms: dict[str, float]
    card: ScoreCard | None
    failure: str = ""

    def save(self, path: Path) -> None:
        """Write as JSON, atomically.

        Parameters
        ----------
        path : Path
            Where to.
        """
        write_bytes(path, TypeAdapter(BenchmarkRun).dump_json(self, indent=1))

    @classmethod
    def load(cls, path: Path) -> "BenchmarkRun":
        """Read what :meth:`save` wrote.

        Parameters
        ----------
        path : Path
            The file.

        Returns
        -------
        BenchmarkRun
            As saved.

        Raises
        ------
        StoreError
            If the file is damaged.
        """
        try:
            return TypeAdapter(BenchmarkRun).validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise StoreError(f"{path}: not a run's scores; delete it and run again") from error


def run_contender(
    *,
    contender: Contender,
    data: SyntheticData,
    training: TrainingConfig,
    seed: int,
    folder: Path,
    on_epoch: Callable[[EpochRecord], None] | None = None,
) -> BenchmarkRun:
    """Train and score, or return what was stored when that was done before.

    Parameters
    ----------
    contender : Contender
        Model and settings.
    data : SyntheticData
        What it is trained and probed on.
    training : TrainingConfig
        How; its ``seeds`` are not used.
    seed : int
        Of weights, order, dropout, and of the probes.
    folder : Path
        Receives ``<contender>-<digest>-seed-<n>.json``, and the training's files in a folder of
        that name.
    on_epoch : callable, optional
        Called after each epoch.

    Returns
    -------
    BenchmarkRun
        With a ``failure`` if the training diverged; that is stored too, and not tried again.

    Raises
    ------
    ConfigError
        If the settings are not valid.
    """
    settings = plain_model_config(contender.model, dict(contender.settings))
    data = _chosen(data, contender)
    digest = settings_digest(
        {
            "model": [contender.model, get_model(contender.model).version, settings],
            "modalities": list(data.dataset.modalities),
            "training": training.identity,
            "data": data.dataset.digest,
            "scores": SCORE_VERSION,
        }
    )
    name = f"{contender.name}-{digest[:12]}-seed-{seed}"
    path = folder / f"{name}.json"
    if path.exists():
        return BenchmarkRun.load(path)
    facts: dict[str, Any] = {
        "contender": contender.name,
        "model": contender.model,
        "seed": seed,
        "settings": settings,
        "training": training.identity,
        "data": data.dataset.digest,
    }
    run = BenchmarkRun(
        **facts,
        **_train_and_score(
            contender=contender,
            data=data,
            training=training,
            seed=seed,
            folder=folder / name,
            on_epoch=on_epoch,
        ),
    )
    run.save(path)
    return run


def _train_and_score(
    *,
    contender: Contender,
    data: SyntheticData,
    training: TrainingConfig,
    seed: int,
    folder: Path,
    on_epoch: Callable[[EpochRecord], None] | None,
) -> dict[str, Any]:
    try:
        result = train_seed(
            dataset=data.dataset,
            split=data.split,
            model_name=contender.model,
            model_config=dict(contender.settings),
            config=training,
            seed=seed,
            folder=folder,
            on_epoch=on_epoch,
        )
    except RunError as error:
        if error.code != "diverged":
            raise
        return {
            "seconds": 0.0,
            "best_epoch": -1,
            "terms": {},
            "card": None,
            "failure": str(error),
        }
    checkpoint = load_checkpoint(folder / "model.safetensors")
    return {
        "seconds": sum(record.seconds for record in result.history),
        "best_epoch": result.best_epoch,
        "terms": result.history[result.best_epoch].terms,
        "card": score_model(
            model=checkpoint.model, normaliser=checkpoint.normaliser, data=data, seed=seed
        ),
    }


def _chosen(data: SyntheticData, contender: Contender) -> SyntheticData:
    """Leave out the modalities that the contender is not given."""
    if contender.modalities is None:
        return data
    kept = {name: data.dataset.modalities[name] for name in contender.modalities}
    return replace(data, dataset=replace(data.dataset, modalities=kept))
