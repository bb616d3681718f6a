import numpy as np
import torch
from scipy.spatial.distance import cdist
from transformers import BertConfig, BertModel

from pipeline.normalise import Normaliser
from pipeline.synthetic.generator import generate
from pipeline.synthetic.generator_config import SyntheticConfig
from pipeline.synthetic.token_text import nearest_word
from pipeline.training import train_seed
from pipeline.training_config import TrainingConfig

SMALL = SyntheticConfig(
    n_train=60, n_valid=5, n_test=5, n_probe_train=5, n_probe_test=5, token_text=True
)


def test_the_nearest_word_is_the_nearest_by_distance():
    generator = np.random.default_rng(0)
    frames = generator.standard_normal((9000, 6)).astype(np.float32)
    codebook = generator.standard_normal((512, 6)).astype(np.float32)
    expected = 1000 + cdist(frames, codebook).argmin(axis=1)
    assert (nearest_word(frames=frames, codebook=codebook) == expected).mean() > 0.999
    assert nearest_word(frames=frames[:0], codebook=codebook).shape == (0,)


def test_batches_carry_word_ids_where_there_is_text():
    dataset = generate(SMALL).dataset
    normaliser = Normaliser.fit({n: r.values for n, r in dataset.modalities.items()})
    index = torch.tensor([3, 0, 17])
    batch = dataset.to("cpu").batch(index, normaliser)
    mask = batch.sequences["text"].mask
    assert batch.token_ids.shape == mask.shape
    assert torch.equal(batch.token_ids != 0, mask)
    first, last = dataset.modalities["text"].offsets[17:19]
    assert torch.equal(batch.token_ids[2][mask[2]], dataset.words[first:last])
    assert (dataset.words >= 1000).all()
    assert (dataset.words < 1512).all()
    assert len(dataset.words.unique()) > 200


def test_a_word_means_the_same_whatever_the_clips():
    means = []
    for seed in (0, 1):
        sizes = {"n_train": 1000, "seed": seed}
        dataset = generate(SyntheticConfig(**vars(SMALL) | sizes)).dataset
        frames, words = dataset.modalities["text"].values.numpy(), dataset.words.numpy() - 1000
        counts = np.bincount(words, minlength=512)
        sums = np.zeros((512, frames.shape[1]))
        np.add.at(sums, words, frames)
        means.append(np.where(counts[:, None] > 5, sums / np.maximum(counts, 1)[:, None], np.nan))
    both = ~np.isnan(np.concatenate(means, axis=1)).any(axis=1)
    assert both.sum() > 200
    nearest = cdist(means[0][both], means[1][both]).argmin(axis=1)
    assert (nearest == np.arange(both.sum())).mean() > 0.95


def test_words_follow_a_choice_of_modalities():
    dataset = generate(SMALL).dataset
    normaliser = Normaliser.fit({n: r.values for n, r in dataset.modalities.items()})
    names = {name: ragged.names for name, ragged in dataset.modalities.items()}
    index = torch.tensor([0, 1])
    with_text = dataset.select({"text": names["text"]}).batch(index, normaliser)
    assert torch.equal(with_text.token_ids, dataset.batch(index, normaliser).token_ids)
    without = dataset.select({"audio": names["audio"]}).batch(index, normaliser)
    assert without.token_ids is None


def test_a_bert_inside_a_model_learns_from_the_words(tmp_path):
    config = BertConfig(
        vocab_size=1512,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
    )
    BertModel(config).save_pretrained(tmp_path / "bert")
    data = generate(SMALL)
    result = train_seed(
        dataset=data.dataset,
        split=data.split,
        model_name="self_mm",
        model_config={"text_model": str(tmp_path / "bert")},
        config=TrainingConfig(max_epochs=1, device="cpu"),
        seed=0,
        folder=tmp_path / "run",
    )
    assert len(result.history) == 1
