"""Data of the size and shape of CMU-MOSEI, unaligned, for benchmarks of training.

Rows are noise with a trace of the label; what is real of them is how many there are.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from extractors.sequence import FeatureSequence
from pipeline.dataset_writer import DatasetWriter
from pipeline.formats.mmsa_writing import write_mmsa
from pipeline.formats.utterance import Utterance, counted

#: Utterances of the training split of CMU-MOSEI.
CLIPS = 16_326
#: Mean length of an utterance of CMU-MOSEI in seconds (Zadeh et al., ACL 2018, table 2).
MEAN_SECONDS = 7.28
#: Rows a second and at most, and width, of each modality of MMSA's unaligned file.
SHAPES = {"text": (3.3, 50, 768), "audio": (20.0, 500, 74), "vision": (15.0, 375, 35)}
#: Utterances to validate and test on, so few that they cost nothing.
OTHERS = 16
_VOCABULARY = (1000, 30_000)
_CLS, _SEP = 101, 102
_SPREAD = 0.65


def utterances(clips: int, *, seed: int = 0) -> Iterator[Utterance]:
    """Draw utterances, the same ones for the same seed, however many there are.

    Parameters
    ----------
    clips : int
        How many to learn from; 16 more to validate and 16 more to test on come after them.
    seed : int
        Of the generator.

    Yields
    ------
    Utterance
        With features and word pieces.
    """
    for number in range(clips + 2 * OTHERS):
        generator = np.random.default_rng([seed, number])
        label = float(np.clip(np.round(generator.normal() * 3) / 3, -3, 3))
        seconds = generator.lognormal(np.log(MEAN_SECONDS) - _SPREAD**2 / 2, _SPREAD)
        features = {
            name: _rows(generator, name, min(max(int(rate * seconds), 1), longest), width, label)
            for name, (rate, longest, width) in SHAPES.items()
        }
        split = "train" if number < clips else ("valid", "test")[(number - clips) // OTHERS]
        yield Utterance(
            video=f"v{number // 10}",
            clip=str(number % 10),
            split=split,
            label=label,
            text="synthetic",
            features=features,
            tokens=_tokens(generator, len(features["text"])),
        )


def _rows(
    generator: np.random.Generator, name: str, rows: int, width: int, label: float
) -> FeatureSequence:
    values = generator.standard_normal((rows, width), dtype=np.float32)
    values[:, : width // 8] += np.float32(0.2 * label)
    return FeatureSequence(
        values=values,
        times=counted(rows),
        names=tuple(f"{name}_{column}" for column in range(width)),
        valid=np.ones(rows, np.bool_),
    )


def _tokens(generator: np.random.Generator, rows: int) -> npt.NDArray[np.int64]:
    ids = generator.integers(*_VOCABULARY, size=rows)
    ids[0], ids[-1] = _CLS, _SEP
    return np.stack([ids, np.ones(rows, np.int64), np.zeros(rows, np.int64)])


def as_word_pieces(utterance: Utterance) -> Utterance:
    """Put word pieces into the place of text features, for models with a BERT.

    Parameters
    ----------
    utterance : Utterance
        With ``tokens``.

    Returns
    -------
    Utterance
        Text of one column ``token_id``, without [CLS] and [SEP]; at least one piece.
    """
    ids = np.zeros(0, np.int64) if utterance.tokens is None else utterance.tokens[0]
    pieces = ids[1:-1] if len(ids) > 2 else ids[:1]
    text = FeatureSequence(
        values=pieces.astype(np.float32)[:, None],
        times=counted(len(pieces)),
        names=("token_id",),
        valid=np.ones(len(pieces), np.bool_),
    )
    return replace(utterance, features={**utterance.features, "text": text})


def write_packed(path: Path, clips: int, *, pieces: bool) -> Path:
    """Write them as Winnow trains on them, unless they are there.

    Parameters
    ----------
    path : Path
        Where to.
    clips : int
        How many to learn from.
    pieces : bool
        Whether text is word pieces instead of features.

    Returns
    -------
    Path
        The same.
    """
    if not path.exists():
        with DatasetWriter(path.parent) as writer:
            for one in utterances(clips):
                writer.add((as_word_pieces(one) if pieces else one).example)
            writer.finish(path, digest=f"mosei-shaped {clips} {pieces}")
    return path


class _Again:
    """Utterances that can be gone through several times."""

    def __init__(self, clips: int) -> None:
        self.clips = clips

    def __iter__(self) -> Iterator[Utterance]:
        return utterances(self.clips)


def write_pickle(path: Path, clips: int) -> Path:
    """Write them as MMSA trains on them, unless they are there.

    Parameters
    ----------
    path : Path
        Where to.
    clips : int
        How many to learn from.

    Returns
    -------
    Path
        The same.
    """
    if not path.exists():
        write_mmsa(path, _Again(clips))
    return path
