import pytest
from pydantic import TypeAdapter, ValidationError

from pipeline.errors import ConfigError
from pipeline.word_config import WordConfig


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"alignment": "magic"}, "alignment must be one of pocketsphinx, ctc, none, is 'magic'"),
        ({"asr": "human"}, "asr must be one of whisper, pocketsphinx, none, is 'human'"),
        ({"alignment": "ctc"}, "needs ctc_model"),
        ({"language": "english"}, "language must be a code such as en or pt-BR, is 'english'"),
        ({"language": "EN"}, "language must be a code"),
    ],
)
def test_choices_are_checked(settings, message):
    with pytest.raises(ConfigError, match=message):
        WordConfig(**settings)


def test_an_unknown_setting_is_named():
    with pytest.raises(ValidationError, match="asrr"):
        TypeAdapter(WordConfig).validate_python({"asrr": "whisper"})


def test_ctc_with_a_model():
    assert WordConfig(alignment="ctc", ctc_model="folder").ctc_model == "folder"


@pytest.mark.parametrize(
    ("language", "spoken"), [(None, None), ("en", "en"), ("pt-BR", "pt"), ("zh-Hant-TW", "zh")]
)
def test_a_language_without_its_country(language, spoken):
    assert WordConfig(language=language).spoken == spoken
