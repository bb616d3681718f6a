"""Generated data sets whose shared, private and nuisance factors are known."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from models.batch import MODALITIES
from pipeline.dataset import PackedDataset
from pipeline.fingerprint import settings_digest
from pipeline.ragged import Ragged
from pipeline.randomness import mixed_seed
from pipeline.splits import Split
from pipeline.synthetic.contents import Content, draw_contents
from pipeline.synthetic.factors import Factors, draw_factors
from pipeline.synthetic.generator_config import SyntheticConfig
from pipeline.synthetic.mixing import REAL_WIDTHS, WIDTHS, Mixer, draw_mixer, observe
from pipeline.synthetic.token_text import WORDS, TokenDataset, nearest_word

Floats = npt.NDArray[np.float64]
Frames = npt.NDArray[np.float32]
Booleans = npt.NDArray[np.bool_]

#: Raised whenever the same configuration gives other data.
VERSION = 1
_LABEL_SCALE, _LABEL_LIMIT = 1.5, 3.0


@dataclass(frozen=True, kw_only=True, eq=False)
class SyntheticData:
    """A packed data set and the truth about it.

    Parameters
    ----------
    dataset : PackedDataset
        All clips, split after split; a ``TokenDataset`` where text comes as word ids too.
    positions : dict of str to Tensor of int64
        Split to the positions of its clips.
    factors : dict of str to ndarray, shape (N, k)
        Group of factors to their values: ``shared``, ``partial`` where the last shared factor is
        partial, ``private_<modality>``, ``nuisance_<modality>``, and ``sentiment`` with k = 1.
    """

    dataset: PackedDataset
    positions: dict[str, Tensor]
    factors: dict[str, Floats]

    @property
    def split(self) -> Split:
        """What training needs; ``test`` is ``test_iid``, unlabelled clips are part of ``train``."""
        names = {
            split: tuple(self.dataset.ids[i] for i in positions.tolist())
            for split, positions in self.positions.items()
        }
        return Split(
            train=names["train"] + names["unlabelled"],
            valid=names["valid"],
            test=names["test_iid"],
            source="given",
        )

    def factors_of(self, split: str) -> dict[str, Floats]:
        """Take the factors of one split.

        Parameters
        ----------
        split : str
            One of ``SYNTHETIC_SPLITS``.

        Returns
        -------
        dict of str to ndarray, shape (n, k)
            By group.
        """
        rows = self.positions[split].numpy()
        return {group: values[rows] for group, values in self.factors.items()}


def generate(config: SyntheticConfig) -> SyntheticData:
    """Generate a data set.

    Parameters
    ----------
    config : SyntheticConfig
        Sizes, seeds and options.

    Returns
    -------
    SyntheticData
        The same for the same configuration, bit for bit on one platform. A split does not depend
        on the sizes of the others.
    """
    mixers = _draw_mixers(config)
    parts = {split: _draw_split(config, split, mixers) for split in config.split_sizes}
    bounds = np.concatenate([[0], np.cumsum(list(config.split_sizes.values()))])
    positions = {
        split: torch.arange(start, end)
        for split, start, end in zip(parts, bounds[:-1], bounds[1:], strict=True)
    }
    factors = [_factor_groups(part.factors, config.partial_shared) for part in parts.values()]
    return SyntheticData(
        dataset=_pack(config, parts, mixers),
        positions=positions,
        factors={name: np.concatenate([group[name] for group in factors]) for name in factors[0]},
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Part:
    """One split: its factors, labels, and frames with offsets by modality."""

    factors: Factors
    labels: Floats
    frames: dict[str, Frames]
    lengths: dict[str, npt.NDArray[np.int64]]


def _draw_mixers(config: SyntheticConfig) -> dict[str, Mixer]:
    return {
        name: draw_mixer(
            width=WIDTHS[name],
            real_width=REAL_WIDTHS[name] if config.real_dims else None,
            generator=np.random.default_rng(mixed_seed(config.mixer_seed, "mixer", name)),
        )
        for name in MODALITIES
    }


def _draw_split(config: SyntheticConfig, split: str, mixers: Mapping[str, Mixer]) -> _Part:
    generator = np.random.default_rng(mixed_seed(config.seed, "synthetic", split))
    clips = config.split_sizes[split]
    factors = draw_factors(
        clips=clips, correlation=config.split_correlations[split], generator=generator
    )
    contents = draw_contents(
        factors=factors, partial_shared=config.partial_shared, generator=generator
    )
    frames = {
        name: observe(content=content.frames, mixer=mixers[name], generator=generator)
        for name, content in contents.items()
    }
    rate = 0.0 if split.startswith("probe") else config.missing_rate
    present = _draw_present(clips, rate, generator)
    kept = {
        name: _keep(contents[name], frames[name], present[:, column])
        for column, name in enumerate(MODALITIES)
    }
    return _Part(
        factors=factors,
        labels=_labels(factors.sentiment, config, labelled=split != "unlabelled"),
        frames={name: values for name, (values, _) in kept.items()},
        lengths={name: lengths for name, (_, lengths) in kept.items()},
    )


def _draw_present(clips: int, rate: float, generator: np.random.Generator) -> Booleans:
    """Which modalities a clip has, of shape (clips, modalities), at least one a clip."""
    present = generator.random((clips, len(MODALITIES))) >= rate
    spared = generator.integers(len(MODALITIES), size=clips)
    none = ~present.any(axis=1)
    present[none, spared[none]] = True
    return present


def _keep(
    content: Content, frames: Frames, present: Booleans
) -> tuple[Frames, npt.NDArray[np.int64]]:
    lengths = np.diff(content.offsets)
    return frames[np.repeat(present, lengths)], np.where(present, lengths, 0)


def _labels(sentiment: Floats, config: SyntheticConfig, *, labelled: bool) -> Floats:
    if not labelled:
        return np.full_like(sentiment, np.nan)
    if config.classification:
        return np.where(sentiment > 0, 1.0, -1.0)
    return np.clip(_LABEL_SCALE * sentiment, -_LABEL_LIMIT, _LABEL_LIMIT)


def _factor_groups(factors: Factors, partial: bool) -> dict[str, Floats]:
    groups = {"shared": factors.shared}
    if partial:
        groups = {"shared": factors.shared[:, :-1], "partial": factors.shared[:, -1:]}
    groups |= {f"private_{name}": values for name, values in factors.private.items()}
    groups |= {f"nuisance_{name}": values for name, values in factors.nuisance.items()}
    return groups | {"sentiment": factors.sentiment[:, None]}


def _pack(
    config: SyntheticConfig, parts: Mapping[str, _Part], mixers: Mapping[str, Mixer]
) -> PackedDataset:
    dataset = PackedDataset(
        modalities={name: _ragged(parts, name) for name in MODALITIES},
        labels=torch.from_numpy(np.concatenate([p.labels for p in parts.values()])).float(),
        ids=tuple(f"{s}-{i:06d}" for s, n in config.split_sizes.items() for i in range(n)),
        digest=settings_digest({"synthetic": asdict(config), "version": VERSION}),
    )
    if not config.token_text:
        return dataset
    text = dataset.modalities["text"].values.numpy()
    words = nearest_word(frames=text, codebook=_codebook(config, mixers["text"]))
    return TokenDataset(
        modalities=dataset.modalities,
        labels=dataset.labels,
        ids=dataset.ids,
        digest=dataset.digest,
        words=torch.from_numpy(words),
    )


def _ragged(parts: Mapping[str, _Part], name: str) -> Ragged:
    values = torch.from_numpy(np.concatenate([part.frames[name] for part in parts.values()]))
    lengths = np.concatenate([part.lengths[name] for part in parts.values()])
    return Ragged(
        values=values,
        valid=torch.ones(len(values), dtype=torch.bool),
        offsets=torch.from_numpy(np.concatenate([[0], np.cumsum(lengths)])),
        names=tuple(f"{name}_{column}" for column in range(values.shape[1])),
    )


def _codebook(config: SyntheticConfig, mixer: Mixer) -> Frames:
    """Frames of clips that are in no split."""
    generator = np.random.default_rng(mixed_seed(config.mixer_seed, "codebook"))
    factors = draw_factors(clips=WORDS, correlation=0.0, generator=generator)
    contents = draw_contents(
        factors=factors, partial_shared=config.partial_shared, generator=generator
    )
    content = contents["text"]
    drawn = generator.integers(content.offsets[:-1], content.offsets[1:])
    return observe(content=content.frames[drawn], mixer=mixer, generator=generator)
