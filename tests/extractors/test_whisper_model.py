import json
import shutil
import zlib

import numpy as np
import pytest
import torch

from extractors.whisper_model import COMPRESSION_LIMIT, WhisperRecogniser, compression_ratio
from tests.extractors.tiny_whisper import RATE, make_model, make_tokenizer, save, tones

SOUNDS = [
    tones(["one", "two"], starts=[0.2, 0.9]),
    tones(["five"], starts=[0.5])[:RATE],
    tones(["four", "four", "one"], starts=[0.0, 0.5, 1.5]),
]


@pytest.fixture(scope="module")
def untaught(tmp_path_factory):
    tokenizer = make_tokenizer()
    model = make_model(tokenizer)
    return save(tmp_path_factory.mktemp("untaught"), model=model, tokenizer=tokenizer)


@pytest.fixture(scope="module")
def recogniser(untaught) -> WhisperRecogniser:
    return WhisperRecogniser(str(untaught))


def test_it_says_what_it_is(recogniser):
    assert recogniser.languages == ("de", "en", "zh")
    assert recogniser.longest == 2.0
    assert recogniser.sample_rate == RATE


def test_one_by_one_is_heard_what_is_heard_together(untaught, recogniser):
    together = recogniser.hear(SOUNDS, language="en")
    alone = WhisperRecogniser(str(untaught), batch_size=1).hear(SOUNDS, language="en")
    assert [h.text for h in together] == [h.text for h in alone]
    for one, other in zip(together, alone, strict=True):
        assert one.words == other.words
        np.testing.assert_array_equal(one.onsets, other.onsets)
        np.testing.assert_allclose(one.probabilities, other.probabilities, rtol=1e-4)
        assert one.no_speech == pytest.approx(other.no_speech, rel=1e-4)


def test_the_same_sound_twice_gives_the_same_bytes(recogniser):
    first, second = (recogniser.hear(SOUNDS[:1], language="de")[0] for _ in range(2))
    assert first.text == second.text
    assert first.probabilities.tobytes() == second.probabilities.tobytes()
    assert first.onsets.tobytes() == second.onsets.tobytes()


def test_what_repeats_itself_is_written_anew(recogniser):
    # weights at random write one token for ever
    heard = recogniser.hear(SOUNDS[:1], language="en")[0]
    runs = [tuple(heard.text.encode()[i : i + 16]) for i in range(len(heard.text) - 16)]
    assert len(heard.probabilities) > 30
    assert heard.compression == compression_ratio(heard.text) > COMPRESSION_LIMIT
    assert len(set(runs)) > 1


def test_attention_reaches_no_further_than_the_sound(recogniser):
    whole, half, _ = recogniser.hear(SOUNDS, language="en")
    assert len(whole.onsets) == len(whole.probabilities) + 1
    assert whole.onsets.max() < 100
    assert half.onsets.max() < 50


def test_the_head_that_the_model_names_is_used(untaught, recogniser, tmp_path):
    file = untaught / "generation_config.json"
    settings = json.loads(file.read_text())
    other = tmp_path / "other"
    shutil.copytree(untaught, other)
    (other / file.name).write_text(json.dumps(settings | {"alignment_heads": [[0, 0]]}))
    named = WhisperRecogniser(str(other)).hear(SOUNDS[:1], language="en")[0]
    unnamed = recogniser.hear(SOUNDS[:1], language="en")[0]
    assert named.text == unnamed.text
    assert named.onsets.tolist() != unnamed.onsets.tolist()


def test_a_language_that_it_does_not_know(recogniser):
    with pytest.raises(ValueError, match=r"'fr' is not known .* de, en, zh"):
        recogniser.hear(SOUNDS, language="fr")


def test_an_english_model_is_not_asked_for_the_language(untaught, tmp_path):
    other = tmp_path / "english"
    shutil.copytree(untaught, other)
    file = other / "generation_config.json"
    settings = json.loads(file.read_text())
    file.write_text(json.dumps(settings | {"is_multilingual": False}))
    english = WhisperRecogniser(str(other))
    assert english.languages == ("en",)
    assert english.detect_language(SOUNDS) == "en"
    assert len(english.hear(SOUNDS, language="en")) == 3


def test_no_batch():
    with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
        WhisperRecogniser("any", batch_size=0)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_on_a_gpu_it_hears_in_half_precision(recogniser):
    assert recogniser._model.device.type == "cuda"
    assert recogniser._model.dtype == torch.float16
    for heard in recogniser.hear(SOUNDS, language="en"):
        assert np.isfinite(heard.probabilities).all()
        assert (np.diff(heard.onsets) >= 0).all()


def test_compression_ratio_of_what_repeats_itself():
    text = "thank you. " * 40
    assert compression_ratio(text) == len(text) / len(zlib.compress(text.encode())) > 10
    assert compression_ratio("the quick brown fox jumps over the lazy dog") < 1.2
    assert compression_ratio("") == 0
