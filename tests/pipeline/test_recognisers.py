from pathlib import Path

import pytest

from extractors.errors import MissingModelError
from extractors.media import Media
from pipeline.recognisers import recognise_words
from pipeline.word_config import WordConfig

SAMPLES = Path(__file__).parents[2] / "sample_videos"


@pytest.fixture(scope="module")
def signal():
    return Media(path=SAMPLES / "sample_01.mp4").audio(sample_rate=16000)


def test_whisper_without_weights_names_the_ways_out(signal, tmp_path):
    config = WordConfig(whisper_model=str(tmp_path / "none"))
    with pytest.raises(
        MissingModelError, match=r"transcript.*Whisper.*--asr pocketsphinx"
    ) as caught:
        recognise_words(config=config, signal=signal, spans=[(0.4, 3.6)])
    assert caught.value.code == "no_transcript"


@pytest.mark.slow
def test_pocketsphinx_needs_none_and_says_that_it_is_poor(signal):
    config = WordConfig(asr="pocketsphinx")
    found = recognise_words(config=config, signal=signal, spans=[(0.4, 3.6)])
    assert found.language == "en"
    assert {word.source for word in found.words} == {"recognised"}
    assert all(0.4 <= word.start <= word.end <= 3.6 for word in found.words)
    assert "poor_transcript" in [doubt.code for doubt in found.doubts]
