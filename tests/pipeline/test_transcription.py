import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from extractors.errors import MissingModelError
from extractors.media import probe
from extractors.words import Word
from pipeline.csd_words import write_csd_words
from pipeline.errors import SourceError
from pipeline.fingerprint import file_digest
from pipeline.manifest import write_manifest
from pipeline.records import Clip, SpeechSpans
from pipeline.speech_finder import SpeechFinder
from pipeline.transcription import Transcriber
from pipeline.word_config import WordConfig
from pipeline.workspace import Workspace
from tests.extractors.tiny_whisper import save_taught, tones

SAMPLES = Path(__file__).parents[2] / "sample_videos"


@pytest.fixture
def workspace(tmp_path):
    return Workspace(root=tmp_path / "work")


@pytest.fixture
def transcriber(workspace):
    def make(**settings):
        return Transcriber(
            config=WordConfig(**settings), workspace=workspace, speech=SpeechFinder(workspace)
        )

    return make


def described(path):
    info = probe(path)
    return Clip(
        id=file_digest(path),
        path=str(path),
        duration=info.duration,
        fps=info.fps,
        sample_rate=info.sample_rate,
        size=path.stat().st_size,
        modified_ns=0,
    )


def test_a_plain_text_gets_the_times_of_its_words(transcriber):
    clip = described(SAMPLES / "sample_10.mp4")
    made = transcriber().transcribe(clip, SAMPLES / "sample_10.txt")
    truth = json.loads((SAMPLES / "truth" / "sample_10.json").read_text())["utterances"]
    assert [word.text for word in made.words] == " ".join(u["text"] for u in truth).split()
    first = [sum(len(u["text"].split()) for u in truth[:n]) for n in range(len(truth))]
    late = [abs(made.words[i].start - u["start"]) for i, u in zip(first, truth, strict=True)]
    assert sorted(late)[len(late) // 2] < 0.05
    assert sum(word.source == "aligned" for word in made.words) > 0.9 * len(made.words)
    assert made.repairs == ()
    assert made.digest == file_digest(SAMPLES / "sample_10.txt")


def test_nothing_is_done_twice(transcriber, workspace, tmp_path):
    clip = described(SAMPLES / "sample_10.mp4")
    text = tmp_path / "a.txt"
    shutil.copy(SAMPLES / "sample_10.txt", text)
    made = transcriber().transcribe(clip, text)
    (kept,) = workspace.words.iterdir()
    stamp = kept.stat().st_mtime_ns
    gone = replace(clip, path=str(tmp_path / "moved" / "sample_10.mp4"))
    assert transcriber().transcribe(gone, text) == made
    assert kept.stat().st_mtime_ns == stamp
    text.write_text(text.read_text() + " Yes.")
    assert len(transcriber().transcribe(clip, text).words) == len(made.words) + 1


def test_words_that_were_damaged_on_disk_are_made_again(transcriber, workspace, tmp_path):
    clip = described(SAMPLES / "sample_05.mp4")
    made = transcriber().transcribe(clip, SAMPLES / "sample_05.vtt")
    (kept,) = workspace.words.iterdir()
    whole = kept.read_bytes()
    for damage in (whole[:200], b""):
        kept.write_bytes(damage)
        assert transcriber().transcribe(clip, SAMPLES / "sample_05.vtt") == made
        assert kept.read_bytes() == whole


def test_moved_and_renamed_files_are_not_searched_again(transcriber, workspace, tmp_path):
    old, new = tmp_path / "old" / "a.txt", tmp_path / "new" / "b.txt"
    clip = described(SAMPLES / "sample_01.mp4")
    for path in (old, new):
        path.parent.mkdir()
        shutil.copy(SAMPLES / "sample_12.txt", path)
    before = transcriber().transcribe(clip, old)
    (kept,) = workspace.words.iterdir()
    stamp = kept.stat().st_mtime_ns
    after = transcriber().transcribe(replace(clip, path=str(new.with_suffix(".mp4"))), new)
    assert (after.words, after.path) == (before.words, str(new))
    assert [(k, k.stat().st_mtime_ns) for k in workspace.words.iterdir()] == [(kept, stamp)]
    # what is doubtful is told of the file as it is called now
    (repair,) = after.repairs
    assert repair.detail.startswith(f"{new}: only ")
    assert str(old) not in repair.detail
    # the same bytes in a file of another kind are read in another way
    shutil.copy(new, new.with_suffix(".srt"))
    with pytest.raises(SourceError, match=r"b\.srt, line 1: no line"):
        transcriber().transcribe(clip, new.with_suffix(".srt"))


def test_a_renamed_clip_gets_the_words_of_its_new_name(transcriber, tmp_path):
    clip = described(SAMPLES / "sample_10.mp4")
    path = tmp_path / "words.csd"
    write_csd_words(
        path, {name: [Word(text=name, start=0.5, end=1.0, source="given")] for name in ("a", "b")}
    )
    for name in ("a", "b"):
        made = transcriber().transcribe(replace(clip, path=str(tmp_path / f"{name}.mp4")), path)
        assert [word.text for word in made.words] == [name]


def test_lines_of_another_language_are_not_taken_for_english(transcriber, tmp_path):
    clip = described(SAMPLES / "sample_10.mp4")
    path = tmp_path / "a.srt"
    path.write_text(
        "1\n00:00:00,500 --> 00:00:02,000\nDer Mann war so wild\n\n"
        "2\n00:00:02,000 --> 00:00:05,000\nIch habe diesen Film leider nicht verstanden\n"
    )
    made = transcriber().transcribe(clip, path)
    assert {word.source for word in made.words} == {"interpolated"}


def test_a_plain_text_of_another_language_is_reported_until_it_is_named(transcriber, tmp_path):
    clip = described(SAMPLES / "sample_10.mp4")
    path = tmp_path / "a.txt"
    path.write_text("Ich habe diesen Film leider nicht verstanden, und der Mann war so wild.")
    made = transcriber().transcribe(clip, path)
    assert [repair.code for repair in made.repairs] == ["not_aligned"]
    assert "set words.language" in made.repairs[0].detail
    assert transcriber(language="de").transcribe(clip, path) == replace(made, repairs=())


def test_other_settings_give_other_words(transcriber):
    clip = described(SAMPLES / "sample_10.mp4")
    text = SAMPLES / "sample_10.txt"
    sources = {
        alignment: {
            word.source for word in transcriber(alignment=alignment).transcribe(clip, text).words
        }
        for alignment in ("none", "pocketsphinx")
    }
    assert sources["none"] == {"interpolated"}
    assert "aligned" in sources["pocketsphinx"]


def test_times_in_a_file_are_kept(transcriber, tmp_path, make_clip):
    vtt = tmp_path / "a.vtt"
    vtt.write_text(
        "WEBVTT\n\n00:00.100 --> 00:00.900\n<00:00.200><c>Very</c> <00:00.500><c>good.</c>\n"
    )
    made = transcriber().transcribe(described(make_clip()), vtt)
    assert [(w.text, w.start, w.source) for w in made.words] == [
        ("Very", 0.2, "subtitle"),
        ("good.", 0.5, "subtitle"),
    ]


def test_the_text_of_another_clip_is_reported(transcriber):
    clip = described(SAMPLES / "sample_01.mp4")
    made = transcriber().transcribe(clip, SAMPLES / "sample_12.txt")
    assert [repair.code for repair in made.repairs] == ["poor_alignment"]


@pytest.mark.parametrize(
    ("sound", "settings", "message"),
    [
        (None, {"asr": "pocketsphinx"}, "neither a transcript nor sound"),
        ("voice", {"asr": "none"}, "recognition is off"),
    ],
)
def test_no_transcript(transcriber, make_clip, sound, settings, message):
    clip = described(make_clip(sound=sound))
    with pytest.raises(SourceError, match=message) as caught:
        transcriber(**settings).transcribe(clip, None)
    assert caught.value.code == "no_transcript"


def test_whisper_without_weights(transcriber, make_clip, tmp_path, workspace):
    clip = replace(described(make_clip()), path="not decoded for nothing.mp4")
    with pytest.raises(MissingModelError, match=r"asr pocketsphinx.*used all the same") as caught:
        transcriber(whisper_model=str(tmp_path / "none")).transcribe(clip, None)
    assert caught.value.code == "no_transcript"
    assert str(caught.value).startswith(f"{clip.path}: has no transcript, and speech model ")
    assert not workspace.words.exists()


def test_plain_text_of_a_clip_without_sound_is_reported(transcriber, make_clip, tmp_path):
    clip = described(make_clip(sound=None))
    text, srt = tmp_path / "a.txt", tmp_path / "a.srt"
    text.write_text("Very good.")
    srt.write_text("1\n00:00:00,000 --> 00:00:01,000\nVery good.\n")
    assert transcriber().transcribe(clip, srt).repairs == ()
    (repair,) = transcriber().transcribe(clip, text).repairs
    assert repair.code == "not_aligned"
    assert "the clip has no sound" in repair.detail


@pytest.mark.slow
def test_pocketsphinx_writes_down_what_it_hears(transcriber):
    clip = described(SAMPLES / "sample_01.mp4")
    made = transcriber(asr="pocketsphinx").transcribe(clip, None)
    assert {word.source for word in made.words} == {"recognised"}
    assert made.language == "en"
    assert "poor_transcript" in [repair.code for repair in made.repairs]


def test_silence_has_no_words(transcriber, make_clip):
    path = make_clip(sound="silence")
    clip = described(path)
    for _ in range(2):
        with pytest.raises(SourceError, match="hears no words") as caught:
            transcriber(asr="pocketsphinx").transcribe(clip, None)
        assert caught.value.code == "no_words"
        # it is not listened to again
        path.unlink(missing_ok=True)


def test_a_file_that_is_gone(transcriber, make_clip, tmp_path):
    with pytest.raises(SourceError, match=r"gone\.srt: cannot be read"):
        transcriber().transcribe(described(make_clip()), tmp_path / "gone.srt")


@pytest.mark.slow
def test_other_weights_write_down_anew(transcriber, make_clip, workspace, tmp_path):
    sound = tones(["one", "four", "three"], starts=[0.2, 0.7, 1.3])
    clip = described(make_clip(path="a.wav", picture=None, sound=sound))
    spans = SpeechSpans(clip_id=clip.id, spans=((0.2, 0.44), (0.7, 0.94), (1.3, 1.54)))
    write_manifest(workspace.speech, [spans])
    model = save_taught(tmp_path / "model")
    whisper = {"whisper_model": str(model)}
    made = transcriber(**whisper).transcribe(clip, None)
    assert [word.text for word in made.words] == ["one", "four", "three"]
    assert made.language == "en"
    assert transcriber(**whisper, alignment="none").transcribe(clip, None) == made
    assert len(list(workspace.words.iterdir())) == 1
    settings = model / "generation_config.json"
    settings.write_text(settings.read_text() + " ")
    assert transcriber(**whisper).transcribe(clip, None) == made
    assert len(list(workspace.words.iterdir())) == 2
