from pathlib import Path

import pytest

from extractors.errors import MissingModelError
from extractors.media import Media
from pipeline.errors import ConfigError
from pipeline.recognisers import recognise_words, require_recogniser
from pipeline.word_config import WordConfig
from tests.extractors.tiny_whisper import TONE, make_model, make_tokenizer, save, save_taught, tones

SAMPLES = Path(__file__).parents[2] / "sample_videos"


@pytest.fixture(scope="module")
def signal():
    return Media(path=SAMPLES / "sample_01.mp4").audio(sample_rate=16000)


def test_whisper_without_weights_names_the_ways_out(tmp_path):
    config = WordConfig(whisper_model=str(tmp_path / "none"))
    with pytest.raises(
        MissingModelError, match=r"transcript.*Whisper.*--asr pocketsphinx"
    ) as caught:
        require_recogniser(config=config)
    assert caught.value.code == "no_transcript"


@pytest.mark.slow
def test_pocketsphinx_needs_none_and_says_that_it_is_poor(signal):
    config = WordConfig(asr="pocketsphinx")
    found = recognise_words(config=config, signal=signal, spans=[(0.4, 3.6)])
    assert found.language == "en"
    assert {word.source for word in found.words} == {"recognised"}
    assert all(0.4 <= word.start <= word.end <= 3.6 for word in found.words)
    assert "poor_transcript" in [doubt.code for doubt in found.doubts]


def test_a_language_that_whisper_does_not_know(tmp_path):
    tokenizer = make_tokenizer()
    save(tmp_path, model=make_model(tokenizer), tokenizer=tokenizer)
    require_recogniser(config=WordConfig(whisper_model=str(tmp_path), language="en-GB"))
    config = WordConfig(whisper_model=str(tmp_path), language="eo")
    with pytest.raises(ConfigError, match=r"'eo' is none that .* knows \(de, en, zh\)"):
        require_recogniser(config=config)


@pytest.mark.slow
def test_whisper_writes_down_what_it_hears(tmp_path):
    config = WordConfig(whisper_model=str(save_taught(tmp_path)))
    names, starts = ["one", "four", "three"], [0.2, 0.7, 1.3]
    heard = recognise_words(
        config=config,
        signal=tones(names, starts=starts),
        spans=[(start, start + TONE) for start in starts],
    )
    assert [word.text for word in heard.words] == names
    assert [word.start for word in heard.words] == pytest.approx(starts, abs=0.1)
    assert (heard.language, heard.doubts) == ("en", ())
