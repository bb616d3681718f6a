import json
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from extractors.words import Word
from pipeline.csd_words import write_csd_words
from pipeline.errors import SourceError
from pipeline.transcripts import (
    SUFFIXES,
    find_transcripts,
    load_transcript,
    place_words,
    words_of,
)

SAMPLES = Path(__file__).parent / "transcript_samples"
SRT = "1\n00:00:00,000 --> 00:00:01,000\nhello\n"


def load(path, *, duration=4000.0):
    return load_transcript(path, duration=duration)


def told(path, *, duration=4000.0):
    """Words with their times and sources."""
    words = words_of(place_words(load(path, duration=duration), speech=tuple))
    return [(w.text, round(w.start, 3), round(w.end, 3), w.source) for w in words]


# Every sample says what a person reading it would: worked out by hand.
SAID = {
    "lines.srt": "I bought this kettle in March. Was it cheap? It was! It leaks, & badly",
    "lines.vtt": "I bought this kettle in March. Was it cheap? It leaks",
    "words.vtt": "this kettle whistles and it leaks badly",
    "captions.json3": "this kettle whistles and it leaks",
    "whisper.json": "This kettle whistles. And it leaks!",
    "whisperx.json": "In 2014 this leaked, we said",
    "long.TextGrid": 'déjà "vu" leaks',
    "short.TextGrid": 'déjà "vu" leaks',
    "plain.txt": "This kettle whistles. And it leaks! Badly.",
    "words.csd": "déjà vu leaks",
}
TEXTS = [name for name in SAID if not name.endswith(".csd")]
BROKEN = {
    "lines.srt": "line 7: '00:00:02,200 --> 00:61:04,000 X1:100",
    "lines.vtt": "line 21: ends at 3603.500 s before it begins at 3604.000 s",
    "words.vtt": "line 21: '00:00:04:319 --> ",
    "captions.json3": "line 10: 'tStartMs' is 'soon', not a number",
    "whisper.json": "line 4: the word 'whistles.' ends at 0.7 s before it begins at 1.0 s",
    "whisperx.json": "line 7: is not JSON",
    "long.TextGrid": "line 43: 'leaks' stands where an interval's end",
    "short.TextGrid": "line 23: the file ends where an interval's end is expected",
    "plain.txt": r"line 2: holds '-->'",
    "words.csd": "row 4: 'vu' ends at 0.5 s and begins at 1.0 s",
}


def test_every_kind_has_a_sample_and_a_malformed_twin():
    samples = {path.name for path in SAMPLES.iterdir() if path.is_file()}
    assert samples == set(SAID) == set(BROKEN)
    assert {path.name for path in (SAMPLES / "broken").iterdir()} == samples
    assert {Path(name).suffix.lower() for name in samples} == set(SUFFIXES)


@pytest.mark.parametrize("name", SAID)
def test_what_a_sample_says(name):
    passages = load(SAMPLES / name).passages
    assert " ".join(token for passage in passages for token in passage.tokens) == SAID[name]


@pytest.mark.parametrize("name", BROKEN)
def test_a_malformed_twin_is_refused_with_its_line(name):
    with pytest.raises(SourceError, match=f"{name}, {BROKEN[name]}") as caught:
        load(SAMPLES / "broken" / name)
    assert caught.value.code == "bad_transcript"


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_encodings_and_ends_of_lines(tmp_path, name, encoding, newline):
    text = (SAMPLES / name).read_text(encoding="utf-8")
    path = tmp_path / name
    path.write_bytes(text.replace("\n", newline).encode(encoding))
    assert told(path) == told(SAMPLES / name)


@pytest.mark.parametrize("name", SAID)
def test_every_beginning_of_a_file_is_read_or_refused(tmp_path, name):
    content = (SAMPLES / name).read_bytes()
    for length in range(0, len(content), max(7, len(content) // 100)):
        path = tmp_path / name
        path.write_bytes(content[:length])
        with suppress(SourceError):
            assert told(path)


@pytest.mark.parametrize("name", SAID)
@pytest.mark.parametrize("content", [b"", b" \n\n", b"\xef\xbb\xbf"])
def test_a_file_that_says_nothing_is_named(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=name) as caught:
        load(tmp_path / name)
    assert caught.value.code == ("unreadable" if name == "words.csd" else "empty_transcript")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_folder_is_no_transcript(tmp_path, suffix):
    (tmp_path / f"a{suffix}").mkdir()
    with pytest.raises(SourceError, match=f"a{suffix}: cannot be read") as caught:
        load(tmp_path / f"a{suffix}")
    assert caught.value.code == "unreadable"
    assert find_transcripts([tmp_path / "a.mp4"]) == {}


def test_a_guessed_encoding_is_recorded(tmp_path, capsys):
    path = tmp_path / "a.srt"
    path.write_bytes(SRT.replace("hello", "déjà vu").encode("latin-1"))
    read = load(path)
    assert read.passages[0].tokens == ("déjà", "vu")
    assert [repair.code for repair in read.repairs] == ["guessed_encoding"]
    assert "a.srt, line 3: " in read.repairs[0].detail
    assert capsys.readouterr() == ("", "")


def test_plain_text_has_no_times():
    read = load(SAMPLES / "plain.txt", duration=50.0)
    assert not read.has_times
    assert {passage.span for passage in read.passages} == {(0.0, 50.0)}
    assert [(p.speaker, p.tokens[:1], p.events, p.line) for p in read.passages] == [
        ("MARY", ("This",), ("sighs",), 1),
        ("MARY", ("And",), (), 3),
        ("MARY", (), ("Applause",), 4),
        ("PAUL", ("Badly.",), (), 5),
    ]
    assert [repair.code for repair in read.repairs] == ["lost_text"]


def test_plain_text_without_speech_takes_the_whole_clip(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("one\ntwo\n")
    assert told(path, duration=4.0) == [
        ("one", 0, 2, "interpolated"),
        ("two", 2, 4, "interpolated"),
    ]


def test_plain_text_is_spread_over_speech(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("one two")
    placed = place_words(load(path), speech=lambda: [(1.0, 2.0), (5.0, 6.0)])
    assert [(word.start, word.end) for word in words_of(placed)] == [(1, 2), (5, 6)]


def test_subtitles_do_not_ask_for_speech():
    def speech():
        raise AssertionError("asked for speech")

    assert len(words_of(place_words(load(SAMPLES / "lines.srt"), speech=speech))) == 15


def test_an_aligner_is_asked_for_what_has_no_times():
    asked = []

    def aligner(tokens, spans):
        asked.append((list(tokens), list(spans)))
        return [
            Word(text=token, start=spans[0][0], end=spans[0][0], source="aligned")
            for token in tokens
        ]

    placed = place_words(load(SAMPLES / "whisper.json"), speech=tuple, aligner=aligner)
    assert asked == [(["And", "it", "leaks!"], [(2.4, 4.4)])]
    assert [word.source for word in words_of(placed)] == ["recognised"] * 3 + ["aligned"] * 3
    asked.clear()
    place_words(load(SAMPLES / "plain.txt"), speech=lambda: [(1, 2), (3, 4)], aligner=aligner)
    assert asked == [(SAID["plain.txt"].split(), [(1, 2), (3, 4)])]
    asked.clear()
    place_words(load(SAMPLES / "words.vtt"), speech=tuple, aligner=aligner)
    assert asked == []


def touched(folder, *names):
    for name in names:
        (folder / name).write_text('{"segments": []}')
    return [folder / name for name in names]


def test_the_best_transcript_beside_a_clip(tmp_path):
    clip = tmp_path / "talk.v2.mp4"
    touched(tmp_path, "talk.v2.mp4", "talk.srt", "talk.v2.jpg", "talk.v2")
    assert find_transcripts([clip]) == {}
    for suffix in reversed(SUFFIXES):
        (path,) = touched(tmp_path, f"talk.v2{suffix}")
        assert find_transcripts([clip]) == {clip: path}


@pytest.mark.parametrize("suffix", [".TXT", ".SRT", ".VTT", ".TextGrid", ".JSON"])
def test_capital_suffixes(tmp_path, suffix):
    clip, path = touched(tmp_path, "TALK.MP4", f"TALK{suffix}")
    assert find_transcripts([clip]) == {clip: path}


def test_the_language_in_a_transcript_s_name(tmp_path):
    clip, other = touched(tmp_path, "talk.mp4", "talk.part.mp4")
    (english,) = touched(tmp_path, "talk.en-GB.vtt")
    touched(tmp_path, "talk.part.srt", "talk two.en.srt", "talk.notes.txt", "talk.en-GB.jpg")
    assert find_transcripts([clip]) == {clip: english}
    # another clip's transcript is none of this one's, however it is called
    dutch, said = touched(tmp_path, "talk.nl.mp4", "talk.nl.vtt")
    assert find_transcripts([clip, dutch]) == {clip: english, dutch: said}
    # what YouTube's own captions are called like, beside their translation into the same language
    (original, better) = touched(tmp_path, "talk.en-orig.srt", "talk.en.srt")
    assert find_transcripts([clip, dutch])[clip] == better
    for path in (original, better):
        path.unlink()
    # nobody knows which of two languages is spoken
    assert find_transcripts([clip]) == {}
    assert find_transcripts([clip], language="en") == {clip: english}
    assert find_transcripts([clip], language="nl") == {clip: said}
    assert find_transcripts([clip], language="fr") == {}
    (plain,) = touched(tmp_path, "talk.txt")
    assert find_transcripts([clip, other])[clip] == plain


@pytest.mark.parametrize("name", ["a.txt", "a.srt"])
def test_more_than_anybody_can_say(tmp_path, name):
    (path,) = touched(tmp_path, name)
    head = "1\n00:00:00,000 --> 00:00:10,000\n" if name == "a.srt" else ""
    path.write_text(head + "word " * 300)
    assert len(load(path, duration=10.0).passages[0].tokens) == 300
    path.write_text(head + "word " * 3000)
    with pytest.raises(SourceError, match=r"holds 3000 words.* 10\.00 s") as caught:
        load(path, duration=10.0)
    assert caught.value.code == "transcript_beyond_clip"
    path.write_text(head + "x" * 3000)
    with pytest.raises(SourceError, match="holds 1 words"):
        load(path, duration=10.0)


def test_clips_of_several_folders(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
    clips = touched(tmp_path, "a/x.mp4", "b/x.mp4", "b/y.mp4")
    transcripts = touched(tmp_path, "a/x.srt", "b/y.srt")
    found = find_transcripts([*clips, tmp_path / "none" / "z.mp4"])
    assert found == dict(zip([clips[0], clips[2]], transcripts, strict=True))


def test_json_of_another_kind_is_left_alone(tmp_path):
    clip, srt = touched(tmp_path, "a.mp4", "a.srt")
    (tmp_path / "a.json").write_text(json.dumps({"title": "segments", "events": 3}))
    assert find_transcripts([clip]) == {clip: srt}
    (tmp_path / "a.json").write_text('{"segments" :\n[ {"start": 0')
    assert find_transcripts([clip]) == {clip: tmp_path / "a.json"}


def test_a_data_set_s_file_of_words_is_that_of_all_its_videos(tmp_path):
    clips = touched(tmp_path, "one.mp4", "two.mp4", "three.mp4")
    (tmp_path / "two.srt").write_text(SRT)
    (tmp_path / "three.srt").write_text(SRT)
    said = {name: [Word(text=name, start=1.0, end=2.0)] for name in ("one", "two", "CMU_Phones")}
    words = tmp_path / "CMU_TimestampedWords.csd"
    write_csd_words(words, said)
    shutil.copy(words, tmp_path / "CMU_Phones.csd")
    (tmp_path / "broken_words.csd").write_text("no HDF5")
    found = find_transcripts(clips)
    assert found == {clips[0]: words, clips[1]: words, clips[2]: tmp_path / "three.srt"}
    read = load_transcript(words, duration=5.0, video="two")
    assert read.passages[0].tokens == ("two",)
    with pytest.raises(SourceError, match="holds no video 'three' among its 3") as caught:
        load_transcript(words, duration=5.0, video="three")
    assert caught.value.code == "no_transcript"
