from pathlib import Path

import numpy as np
import pytest

from extractors.base import get
from extractors.bert import find_model, weights_digest
from extractors.errors import MissingModelError
from extractors.media import Media
from extractors.text import TextConfig, TextExtractor
from extractors.words import Word


@pytest.fixture(scope="module")
def extractor() -> TextExtractor:
    return TextExtractor()


def transcript(*words: tuple[str, float, float]) -> Media:
    spoken = tuple(Word(text=text, start=start, end=end) for text, start, end in words)
    return Media(path=Path("never-opened.mp4"), words=spoken)


def test_is_registered_as_bert():
    assert get("bert") is TextExtractor
    assert (TextExtractor.modality, TextExtractor.source) == ("text", "words")


def test_a_row_is_a_word_piece_with_its_share_of_the_words_span(extractor):
    features = extractor.extract(transcript(("Hello,", 0.0, 0.4), ("film", 1.0, 1.5)))
    np.testing.assert_allclose(features.times, [[0.0, 0.2], [0.2, 0.4], [1.0, 1.5]])
    assert features.values.shape == (3, 384)
    assert features.names[0] == "bert_0"
    assert features.names[-1] == "bert_383"
    assert features.valid.all()


def test_values_are_the_hidden_states_of_the_words_in_context(extractor):
    from extractors.bert import Bert

    features = extractor.extract(transcript(("not", 0.0, 0.4), ("good", 0.4, 0.8)))
    expected = Bert("minilm").encode(["not", "good"]).hidden_states
    assert features.values.tobytes() == expected.tobytes()


def test_no_words_give_no_rows(extractor):
    features = extractor.extract(transcript())
    assert features.values.shape == (0, 384)


def test_long_transcripts_keep_every_piece_in_order(extractor):
    words = [("unbelievableness,", 0.5 * i, 0.5 * i + 0.45) for i in range(400)]
    features = extractor.extract(transcript(*words))
    assert len(features) == 400 * 3
    assert (np.diff(features.times[:, 0]) > 0).all()
    np.testing.assert_allclose(features.times[::3, 0], [start for _, start, _ in words])
    np.testing.assert_allclose(features.times[2::3, 1], [end for _, _, end in words])


def test_weights_digest_is_that_of_the_model(extractor):
    assert extractor.weights_digest() == weights_digest(find_model("minilm"))


def test_an_absent_model_fails_only_when_used():
    extractor = TextExtractor(TextConfig(model="nobody/nothing-here"))
    with pytest.raises(MissingModelError, match="nobody/nothing-here"):
        extractor.extract(transcript(("good", 0.0, 1.0)))
    with pytest.raises(MissingModelError, match="nobody/nothing-here"):
        extractor.weights_digest()


def test_an_empty_model_name_is_refused():
    with pytest.raises(ValueError, match="it is empty"):
        TextConfig(model=" ")
