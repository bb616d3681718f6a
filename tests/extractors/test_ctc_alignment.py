import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    Wav2Vec2Config,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2Model,
)

from extractors.ctc_alignment import CtcAligner, align_words_ctc
from extractors.errors import MissingModelError
from extractors.local_models import quiet_loading

RATE = 16000
HOP = 320
VOCABULARY = ["<pad>", "<s>", "</s>", "<unk>", "|", "A", "B", "C", "D", "'"]
PITCHES = {"A": 400.0, "B": 800.0, "C": 1500.0, "D": 2800.0}
LETTER = 0.08


def tiny_model() -> Wav2Vec2ForCTC:
    torch.manual_seed(0)
    config = Wav2Vec2Config(
        vocab_size=len(VOCABULARY),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        conv_dim=(32,) * 7,
        feat_extract_norm="layer",
        conv_bias=True,
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
        do_stable_layer_norm=True,
        pad_token_id=0,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        feat_proj_dropout=0.0,
        activation_dropout=0.0,
        layerdrop=0.0,
        apply_spec_augment=False,
    )
    return Wav2Vec2ForCTC(config)


def save(folder: Path, model) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with quiet_loading():
        model.eval().save_pretrained(folder)
    vocabulary = folder / "vocab.json"
    vocabulary.write_text(json.dumps({token: i for i, token in enumerate(VOCABULARY)}))
    Wav2Vec2CTCTokenizer(str(vocabulary)).save_pretrained(folder)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def untaught(tmp_path_factory) -> Path:
    return save(tmp_path_factory.mktemp("untaught"), tiny_model())


@pytest.fixture(scope="module")
def aligner(untaught) -> CtcAligner:
    return CtcAligner(str(untaught))


def noise(seconds: float) -> np.ndarray:
    sound = np.random.default_rng(0).standard_normal(round(seconds * RATE))
    return (0.1 * sound).astype(np.float32)


def test_it_says_what_it_is(aligner):
    assert (aligner.sample_rate, aligner.hop) == (RATE, HOP)
    assert (aligner.blank, aligner.delimiter) == (0, 4)


@pytest.mark.parametrize(
    ("token", "letters"),
    [
        ("Bad", "BAD"),
        ("cab's,", "CAB'"),
        ("\u2019ad", "'AD"),
        ("\uff21", "A"),
        ("25", ""),
        ("'", ""),
    ],
)
def test_words_are_written_with_the_models_letters(aligner, token, letters):
    assert aligner.spell(token) == [VOCABULARY.index(letter) for letter in letters]


def test_short_sound_is_heard_as_the_model_hears_it(untaught, aligner):
    sound = noise(1.5)
    model = Wav2Vec2ForCTC.from_pretrained(untaught).eval()
    # silence behind the last frame, for the windows of the convolutions to be full
    read = np.pad((sound - sound.mean()) / sound.std(), (0, 80))
    with torch.no_grad():
        expected = model(torch.from_numpy(read)[None]).logits[0].log_softmax(-1).numpy()
    found = aligner.log_probabilities(sound)
    assert found.shape == (75, len(VOCABULARY))
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("length", [0, 1, 319, 320, 321, 20 * RATE, 20 * RATE + 1, 45 * RATE])
def test_there_is_a_frame_for_every_320_samples(aligner, length):
    found = aligner.log_probabilities(noise(45)[:length])
    assert found.shape == (-(-length // HOP), len(VOCABULARY))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1, atol=1e-4)


def align(aligner, tokens, sound, spans):
    return align_words_ctc(
        aligner=aligner, tokens=tokens, signal=sound, sample_rate=RATE, spans=spans
    )


def test_even_weights_at_random_keep_order_and_bounds(aligner):
    tokens = ["A", "1984", "bad", "cab", "--", "dad", "C'd"]
    words = align(aligner, tokens, noise(6), [(1.0, 2.0), (3.0, 5.0)])
    assert [word.text for word in words] == tokens
    sources = ["interpolated" if token in ("1984", "--") else "aligned" for token in tokens]
    assert [word.source for word in words] == sources
    assert [word.confidence is None for word in words] == [s == "interpolated" for s in sources]
    edges = np.array([(word.start, word.end) for word in words]).ravel()
    assert (np.diff(edges) >= 0).all()
    assert edges[0] >= 1
    assert edges[-1] <= 5
    assert align(aligner, tokens, noise(6), [(1.0, 2.0), (3.0, 5.0)]) == words


def test_words_without_a_letter_share_the_speech(aligner):
    words = align(aligner, ["12", "3456"], noise(4), [(1.0, 2.0), (2.5, 3.0)])
    assert [(w.start, w.end, w.source) for w in words] == [
        (1.0, 1.75, "interpolated"),
        (1.75, 3.0, "interpolated"),
    ]
    assert align(aligner, [], noise(1), [(0.0, 1.0)]) == []


def test_another_sampling_rate_is_refused(aligner):
    with pytest.raises(ValueError, match="16000 Hz, got 8000 Hz; resample"):
        align_words_ctc(
            aligner=aligner, tokens=["a"], signal=noise(1), sample_rate=8000, spans=[(0, 1)]
        )


def test_no_span(aligner):
    with pytest.raises(ValueError, match="no span"):
        align(aligner, ["a"], noise(1), [])


@pytest.mark.parametrize("model", ["nobody/nothing-here", "not a name!"])
def test_an_absent_model_says_what_to_do(model):
    with pytest.raises(MissingModelError, match=r"neither a folder nor .* align with pocketsphinx"):
        CtcAligner(model)


def test_a_model_without_a_head_is_refused(untaught, tmp_path):
    folder = shutil.copytree(untaught, tmp_path / "headless")
    with quiet_loading():
        Wav2Vec2Model(tiny_model().config).save_pretrained(folder)
    with pytest.raises(MissingModelError, match="has no CTC head"):
        CtcAligner(str(folder))


def test_a_vocabulary_without_letters_is_refused(untaught, tmp_path):
    folder = shutil.copytree(untaught, tmp_path / "phones")
    for file in folder.glob("*token*.json"):
        file.unlink()
    phones = {(t if len(t) > 1 else t * 2): i for i, t in enumerate(VOCABULARY)}
    (folder / "vocab.json").write_text(json.dumps(phones))
    with pytest.raises(MissingModelError, match="holds no letters"):
        CtcAligner(str(folder))


def test_damaged_weights_are_refused(untaught, tmp_path):
    folder = shutil.copytree(untaught, tmp_path / "damaged")
    (folder / "model.safetensors").write_bytes(b"\x01" * 100)
    with pytest.raises(MissingModelError, match="cannot be loaded"):
        CtcAligner(str(folder))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_on_a_gpu_it_hears_in_half_precision(aligner):
    assert aligner._model.device.type == "cuda"
    assert aligner._model.dtype == torch.float16
    assert np.isfinite(aligner.log_probabilities(noise(25))).all()


def talk(words: list[str], *, seed: int) -> tuple[np.ndarray, list[float], list[float]]:
    """Letters as tones, with pauses between words; starts and ends of the words."""
    rng = np.random.default_rng(seed)
    pieces, starts, ends, now = [], [], [], 0.0
    for word in words:
        pause = rng.uniform(0.1, 0.5)
        starts.append(now + pause)
        pieces.append(np.zeros(round(pause * RATE)))
        for letter in word:
            t = np.arange(round(LETTER * RATE)) / RATE
            pieces.append(np.hanning(len(t)) * np.sin(2 * np.pi * PITCHES[letter] * t))
        now = sum(map(len, pieces)) / RATE
        ends.append(now)
    sound = np.concatenate([*pieces, np.zeros(RATE // 2)])
    sound += 0.003 * rng.standard_normal(len(sound))
    return sound.astype(np.float32), starts, ends


def random_words(count: int, *, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    return ["".join(rng.choice(list(PITCHES), rng.integers(1, 6))) for _ in range(count)]


@pytest.fixture(scope="module")
def taught(tmp_path_factory) -> CtcAligner:
    """A model that was shown the letter on the frames in the middle of each tone."""
    model = tiny_model().train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(150):
        words = random_words(6, seed=1000 + step)
        sound, starts, _ = talk(words, seed=1000 + step)
        sound = np.pad((sound - sound.mean()) / sound.std(), (0, 80))
        logits = model(torch.from_numpy(sound)[None]).logits[0]
        target = torch.zeros(len(logits), dtype=torch.long)
        for word, start in zip(words, starts, strict=True):
            for i, letter in enumerate(word):
                first = round((start + (i + 0.25) * LETTER) * RATE / HOP)
                target[first : first + 2] = VOCABULARY.index(letter)
        loss = torch.nn.functional.cross_entropy(logits, target)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    return CtcAligner(str(save(tmp_path_factory.mktemp("taught"), model)))


@pytest.mark.slow
def test_the_words_of_a_long_talk_are_found(taught):
    tokens = random_words(220, seed=1)
    sound, starts, ends = talk(tokens, seed=1)
    assert len(sound) / RATE > 120
    words = align(taught, [t.lower() for t in tokens], sound, [(0.0, len(sound) / RATE)])
    assert np.abs(np.array([w.start for w in words]) - starts).max() < 0.1
    assert np.abs(np.array([w.end for w in words]) - ends).max() < 0.1
    assert np.median([w.confidence for w in words]) > 0.8


@pytest.mark.slow
def test_a_word_that_nobody_says_is_not_believed(taught):
    tokens = random_words(12, seed=2)
    sound, starts, _ = talk(tokens, seed=2)
    lie = [*tokens[:6], "DADADA", "17", *tokens[6:]]
    words = align(taught, lie, sound, [(0.0, len(sound) / RATE)])
    assert words[6].confidence < 0.5
    assert words[7].source == "interpolated"
    found = np.array([w.start for w in [*words[:5], *words[9:]]])
    assert np.abs(found - [*starts[:5], *starts[7:]]).max() < 0.1
