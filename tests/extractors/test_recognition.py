from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import WhisperForConditionalGeneration

from extractors.recognition import doubt_of, recognise_speech, timed_words
from extractors.speech_chunks import SpeechChunk
from extractors.token_words import TokenWord
from extractors.whisper_model import HeardText, WhisperRecogniser
from tests.extractors.tiny_whisper import (
    PITCHES,
    RATE,
    SPECIAL,
    TONE,
    make_features,
    make_model,
    make_tokenizer,
    save,
    save_taught,
    tones,
)


def heard_text(**said) -> HeardText:
    usual = {
        "text": " I see.",
        "words": (TokenWord("I", 0, 1), TokenWord("see.", 1, 3)),
        "probabilities": np.array([0.9, 0.8, 0.4]),
        "onsets": np.array([0, 25, 30, 100]),
        "mean_log_probability": -0.4,
        "no_speech": 0.1,
    }
    return HeardText(**(usual | said))


CHUNK = SpeechChunk(10.0, 11.5)


def times(words) -> list[tuple[float, float]]:
    return [(round(word.start, 6), round(word.end, 6)) for word in words]


def test_frames_become_seconds_and_words_mean_probabilities():
    words = timed_words(heard=heard_text(), chunk=CHUNK, spans=[(10, 13)], earliest=0.0)
    assert [word.text for word in words] == ["I", "see."]
    # frame 100 lies 2 s after the start, past the chunk's end
    assert times(words) == [(10.0, 10.5), (10.5, 11.5)]
    assert [word.confidence for word in words] == pytest.approx([0.9, 0.6])
    assert {word.source for word in words} == {"recognised"}


def test_a_word_loses_what_sticks_out_of_the_speech():
    spans = [(10.1, 10.3), (10.45, 10.48), (10.9, 11.4)]
    words = timed_words(heard=heard_text(), chunk=CHUNK, spans=spans, earliest=0.0)
    assert times(words) == [(10.1, 10.3), (10.9, 11.4)]


def test_a_word_outside_of_all_speech_stays_where_it_is():
    words = timed_words(heard=heard_text(), chunk=CHUNK, spans=[(10.6, 11.0)], earliest=0.0)
    assert times(words) == [(10.0, 10.5), (10.6, 11.0)]


def test_no_word_starts_before_the_one_before_it_ends():
    words = timed_words(heard=heard_text(), chunk=CHUNK, spans=[(10, 13)], earliest=10.7)
    assert times(words) == [(10.7, 10.7), (10.7, 11.5)]


def test_unlikely_text_where_nobody_speaks_is_doubted():
    doubt = doubt_of(chunk=CHUNK, heard=heard_text(no_speech=0.9, mean_log_probability=-1.5))
    assert doubt is not None
    assert doubt.code == "no_speech"
    assert "10.00 to 11.50 s" in doubt.detail
    assert doubt_of(chunk=CHUNK, heard=heard_text(no_speech=0.9)) is None
    assert doubt_of(chunk=CHUNK, heard=heard_text(mean_log_probability=-1.5)) is None


def test_what_repeats_itself_is_doubted():
    doubt = doubt_of(chunk=CHUNK, heard=heard_text(text=" Thank you." * 30))
    assert doubt is not None
    assert doubt.code == "repetition"
    assert doubt_of(chunk=CHUNK, heard=heard_text(text=" No, no, no, no.")) is None


@pytest.fixture(scope="module")
def untaught(tmp_path_factory) -> WhisperRecogniser:
    tokenizer = make_tokenizer()
    folder = tmp_path_factory.mktemp("untaught")
    return WhisperRecogniser(str(save(folder, model=make_model(tokenizer), tokenizer=tokenizer)))


def test_weights_at_random_write_nothing_that_stays(untaught):
    found = recognise_speech(
        recogniser=untaught,
        signal=tones(["one", "two"], starts=[0.2, 0.9]),
        sample_rate=RATE,
        spans=[(0.2, 1.2)],
    )
    assert found.words == ()
    assert found.language in untaught.languages
    assert [doubt.code for doubt in found.doubts] == ["repetition"]


@pytest.mark.parametrize("language", [None, "de"])
def test_nobody_speaks(untaught, language):
    found = recognise_speech(
        recogniser=untaught,
        signal=np.zeros(RATE, np.float32),
        sample_rate=RATE,
        spans=[],
        language=language,
    )
    assert (found.words, found.language, found.doubts) == ((), language, ())


def test_another_sampling_rate_is_refused(untaught):
    with pytest.raises(ValueError, match="16000 Hz, got 8000 Hz; resample"):
        recognise_speech(
            recogniser=untaught, signal=np.zeros(8000), sample_rate=8000, spans=[(0, 1)]
        )


@pytest.fixture(scope="module")
def taught(tmp_path_factory) -> Path:
    return save_taught(tmp_path_factory.mktemp("taught"))


def talk(*, seed: int, count: int, german: bool = False):
    """Words as tones with pauses, and their starts."""
    rng = np.random.default_rng(seed)
    names = [str(name) for name in rng.choice(list(PITCHES), count)]
    starts = np.cumsum(TONE + rng.uniform(0.1, 0.5, count))
    sound = tones(names, starts=list(starts), seconds=starts[-1] + 1.0, german=german)
    return sound, names, starts


def recognise(folder: Path, sound, starts, *, batch_size: int = 8):
    return recognise_speech(
        recogniser=WhisperRecogniser(str(folder), batch_size=batch_size),
        signal=sound,
        sample_rate=RATE,
        spans=[(start, start + TONE) for start in starts],
    )


@pytest.mark.slow
@pytest.mark.parametrize("german", [False, True])
def test_a_long_talk_is_heard_in_chunks_with_its_times(taught, german):
    sound, names, starts = talk(seed=3, count=60, german=german)
    found = recognise(taught, sound, starts)
    assert found.language == ("de" if german else "en")
    assert len(found.words) == len(names)
    wrong = [w.text for w, name in zip(found.words, names, strict=True) if w.text != name]
    assert len(wrong) <= 3
    errors = np.abs([word.start for word in found.words] - starts)
    assert np.median(errors) < 0.05
    assert np.percentile(errors, 90) < 0.15
    edges = np.array([(word.start, word.end) for word in found.words]).ravel()
    assert (np.diff(edges) >= 0).all()
    assert edges[-1] <= len(sound) / RATE


@pytest.mark.slow
def test_batches_hear_what_one_by_one_is_heard(taught):
    sound, _, starts = talk(seed=4, count=30)
    together, alone = (recognise(taught, sound, starts, batch_size=size) for size in (5, 1))
    assert [w.text for w in together.words] == [w.text for w in alone.words]
    assert times(together.words) == times(alone.words)
    assert [w.confidence for w in together.words] == pytest.approx(
        [w.confidence for w in alone.words], abs=1e-4
    )
    again = recognise(taught, sound, starts, batch_size=5)
    assert again == together


@pytest.mark.slow
def test_confidence_is_the_mean_probability_of_the_tokens(taught):
    names, starts = ["one", "four", "three"], [0.2, 0.7, 1.3]
    sound = tones(names, starts=starts)
    found = recognise_speech(
        recogniser=WhisperRecogniser(str(taught)),
        signal=sound,
        sample_rate=RATE,
        spans=[(0.0, 2.0)],
        language="en",
    )
    tokenizer = make_tokenizer()
    model = WhisperForConditionalGeneration.from_pretrained(taught).eval()
    prompt = [SPECIAL[1], "<|en|>", "<|transcribe|>", "<|notimestamps|>"]
    written = tokenizer.convert_tokens_to_ids(prompt)
    end = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    features = make_features()(sound, sampling_rate=RATE, return_tensors="pt").input_features
    expected = []
    for name in names:
        probabilities = []
        for token in tokenizer(f" {name}", add_special_tokens=False).input_ids:
            with torch.no_grad():
                output = model(input_features=features, decoder_input_ids=torch.tensor([written]))
            probabilities.append(float(output.logits[0, -1, : end + 1].softmax(-1)[token]))
            written.append(token)
        expected.append(np.mean(probabilities))
    assert [word.text for word in found.words] == names
    assert [word.confidence for word in found.words] == pytest.approx(expected, abs=1e-4)


@pytest.mark.slow
def test_a_wrong_language_is_used_if_it_is_given(taught):
    sound, _, starts = talk(seed=5, count=4)
    found = recognise_speech(
        recogniser=WhisperRecogniser(str(taught)),
        signal=sound,
        sample_rate=RATE,
        spans=[(start, start + TONE) for start in starts],
        language="de",
    )
    assert found.language == "de"
