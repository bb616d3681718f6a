"""The score card of a trained model on data whose factors are known."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError

from models.base import SentimentModel
from pipeline.atomic import write_bytes
from pipeline.errors import StoreError
from pipeline.metrics import Score, sentiment_metrics
from pipeline.normalise import Normaliser
from pipeline.synthetic.alignment_scores import (
    linear_cka,
    mean_canonical_correlation,
    retrieval_recall,
)
from pipeline.synthetic.block_scores import BlockScores, block_scores
from pipeline.synthetic.encoding import Encoding, encode
from pipeline.synthetic.generator import SyntheticData
from pipeline.synthetic.part_dependence import part_dependence
from pipeline.synthetic.probe_matrix import ProbeMatrix, probe_matrix, representations
from pipeline.synthetic.ridge_probe import explained_variance
from pipeline.synthetic.separation_scores import separation_scores
from pipeline.synthetic.swap_test import swap_test

Floats = npt.NDArray[np.float64]

#: Clips among which a clip's other modality is looked for.
RETRIEVED = 500
_UTILITY_SPLITS = ("test_iid", "test_ood", "test_reversed")


@dataclass(frozen=True, kw_only=True)
class ScoreCard:
    """What a model's parts hold, and how well it predicts.

    Parameters
    ----------
    probes : ProbeMatrix
        R^2 of every group of factors from every representation.
    scores : dict of str to float
        Single numbers, NaN where the model lacks the parts: those of
        :func:`.separation_scores.separation_scores` by linear probes, and by perceptrons as
        ``perceptron_<name>``; ``retrieval``, ``canonical_correlation`` and ``cka`` of the shared
        codes; the fields of :class:`.block_scores.BlockScores` as ``block_<name>``; those of
        :func:`.swap_test.swap_test`; and for each test split ``r2_<split>``, ``mae_<split>`` and
        ``accuracy_<split>``, with ``r2_drop`` from ``test_iid`` to ``test_ood``.
    dependence : dict of str to dict of str to float
        Of :func:`.part_dependence.part_dependence`.
    """

    probes: ProbeMatrix
    scores: dict[str, Score]
    dependence: dict[str, dict[str, Score]]

    def save(self, path: Path) -> None:
        """Write as JSON, atomically; NaN as null.

        Parameters
        ----------
        path : Path
            Where to.
        """
        write_bytes(path, TypeAdapter(ScoreCard).dump_json(self, indent=1))

    @classmethod
    def load(cls, path: Path) -> "ScoreCard":
        """Read what :meth:`save` wrote.

        Parameters
        ----------
        path : Path
            The file.

        Returns
        -------
        ScoreCard
            As saved.

        Raises
        ------
        StoreError
            If the file is damaged.
        """
        try:
            return TypeAdapter(ScoreCard).validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise StoreError(f"{path}: not a score card; delete it and run again") from error


def score_model(
    *, model: SentimentModel, normaliser: Normaliser, data: SyntheticData, seed: int
) -> ScoreCard:
    """Score a trained model, which stays as it is.

    Parameters
    ----------
    model : SentimentModel
        On the CPU, like the data.
    normaliser : Normaliser
        Statistics of its training split.
    data : SyntheticData
        Probes are fitted on ``probe_train`` and scored on ``probe_test``.
    seed : int
        Of perceptrons, permutations and conditionals.

    Returns
    -------
    ScoreCard
        All of it.
    """
    encodings = {
        split: encode(
            model=model, normaliser=normaliser, dataset=data.dataset, index=data.positions[split]
        )
        for split in ("probe_train", "probe_test", *_UTILITY_SPLITS)
    }
    parts, new_parts = (encodings[split].parts for split in ("probe_train", "probe_test"))
    factors, new_factors = (data.factors_of(split) for split in ("probe_train", "probe_test"))
    codes, new_codes = representations(parts), representations(new_parts)
    probes = probe_matrix(
        codes=codes, factors=factors, new_codes=new_codes, new_factors=new_factors, seed=seed
    )
    scores = separation_scores(probes.linear)
    nonlinear = separation_scores(probes.perceptron)
    scores |= {f"perceptron_{name}": value for name, value in nonlinear.items()}
    scores |= _alignment(parts.get("S", {}), new_parts.get("S", {}))
    scores |= _block(codes, factors, new_codes, new_factors)
    scores |= swap_test(
        model=model, parts=parts, factors=factors, new_parts=new_parts, new_factors=new_factors
    )
    dependence = part_dependence(parts=parts, new_parts=new_parts, seed=seed)
    return ScoreCard(
        probes=probes, scores=scores | _utility(encodings, data), dependence=dependence
    )


def _alignment(shared: Mapping[str, Floats], new_shared: Mapping[str, Floats]) -> dict[str, float]:
    """Means over pairs of modalities; retrieval from audio to vision, or the pair that there is."""
    pairs = list(combinations(sorted(shared), 2))
    names = ("retrieval", "canonical_correlation", "cka")
    if not pairs:
        return dict.fromkeys(names, float("nan"))
    one, other = ("audio", "vision") if ("audio", "vision") in pairs else pairs[0]
    equal = shared[one].shape[1] == shared[other].shape[1]
    queries, gallery = (new_shared[name][:RETRIEVED] for name in (one, other))
    recall = retrieval_recall(queries=queries, gallery=gallery) if equal else float("nan")
    correlations = [
        mean_canonical_correlation(
            x=shared[a], y=shared[b], new_x=new_shared[a], new_y=new_shared[b]
        )
        for a, b in pairs
    ]
    ckas = [linear_cka(x=new_shared[a], y=new_shared[b]) for a, b in pairs]
    values = (recall, float(np.mean(correlations)), float(np.mean(ckas)))
    return dict(zip(names, values, strict=True))


def _block(
    codes: Mapping[str, Floats],
    factors: Mapping[str, Floats],
    new_codes: Mapping[str, Floats],
    new_factors: Mapping[str, Floats],
) -> dict[str, float]:
    """Scores of S_mean and all P_m against shared and private factors."""
    blocks = [row for row in codes if row == "S_mean" or row.startswith("P_")]
    groups = [group for group in factors if group == "shared" or group.startswith("private_")]
    names = BlockScores._fields
    if "S_mean" not in blocks or len(blocks) < 2:
        return {f"block_{name}": float("nan") for name in names}
    found = block_scores(
        blocks={row: codes[row] for row in blocks},
        factors={group: factors[group] for group in groups},
        new_blocks={row: new_codes[row] for row in blocks},
        new_factors={group: new_factors[group] for group in groups},
    )
    return {f"block_{name}": value for name, value in found._asdict().items()}


def _utility(encodings: Mapping[str, Encoding], data: SyntheticData) -> dict[str, float]:
    scores: dict[str, float] = {}
    for split in _UTILITY_SPLITS:
        target = data.dataset.labels[data.positions[split]].double().numpy()
        prediction = encodings[split].prediction
        metrics = sentiment_metrics(prediction=prediction, target=target)
        r2 = explained_variance(prediction=prediction[:, None], target=target[:, None])
        scores |= {
            f"r2_{split}": float(r2[0]),
            f"mae_{split}": metrics.mae,
            f"accuracy_{split}": metrics.accuracy_2_non0,
        }
    return scores | {"r2_drop": scores["r2_test_iid"] - scores["r2_test_ood"]}
