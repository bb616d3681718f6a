import hashlib

import pytest

from extractors.words import Word
from pipeline.failure_log import FailureLog
from pipeline.labels import Label
from pipeline.records import Clip, Transcript
from pipeline.segments import SegmentConfig
from pipeline.speech_finder import SpeechFinder
from pipeline.splits import SplitConfig
from pipeline.transcripts import load_transcript, place_words, words_of
from pipeline.utterances import Cutter, divide, make_segments
from pipeline.workspace import Workspace

WORDS = tuple(
    Word(text=text, start=start, end=start + 0.4)
    for text, start in [("I", 0.0), ("did.", 0.5), ("Not", 2.0), ("bad.", 2.5)]
)


def clip(number=0, *, path="a.mp4", sample_rate=None):
    return Clip(
        id=hashlib.sha256(bytes([number])).hexdigest(),
        path=str(path),
        duration=4.0,
        fps=25.0,
        sample_rate=sample_rate,
        size=1,
        modified_ns=1,
    )


def row(start=None, end=None, *, text="", label=1.0, split=None):
    return Label("labels.csv, line 2", "a.mp4", start, end, text, label, split)


def transcript(number=0, words=WORDS):
    return {clip(number).id: Transcript(clip_id=clip(number).id, path="", digest="", words=words)}


def cut_clips(*, clips, transcripts, **more):
    spoken = [(found, transcripts.get(found.id)) for found in clips]
    return make_segments(spoken=spoken, **more)


@pytest.fixture
def cut(tmp_path):
    speech = SpeechFinder(Workspace(root=tmp_path))
    return Cutter(config=SegmentConfig(longest=3.0), speech=speech, log=FailureLog())


def test_a_row_without_a_span_labels_the_whole_clip(cut):
    (made,) = cut_clips(clips=[clip()], transcripts=transcript(), labels=[(row(), clip())], cut=cut)
    assert (made.start, made.end, made.label) == (0.0, 4.0, 1.0)
    assert made.text == "I did. Not bad."


def test_rows_take_the_words_that_lie_in_them(cut):
    rows = [row(0.0, 2.0), row(2.0, 9.0, label=None), row(1.0, 1.5), row(0.0, 1.0, text="Mine")]
    made = cut_clips(
        clips=[clip()],
        transcripts=transcript(),
        labels=[(label, clip()) for label in rows],
        cut=cut,
    )
    assert [(s.start, s.end, s.text, s.label) for s in made] == [
        (0.0, 2.0, "I did.", 1.0),
        (2.0, 4.0, "Not bad.", None),
        (1.0, 1.5, "", 1.0),
        (0.0, 1.0, "Mine", 1.0),
    ]
    assert len({segment.id for segment in made}) == 4


def test_a_clip_without_labels_is_cut_at_its_sentences(cut):
    made = cut_clips(clips=[clip(1)], transcripts=transcript(1), labels=[], cut=cut)
    told = [(s.start, s.end, s.text, s.label, s.clip_id) for s in made]
    assert told == [
        (0.0, 0.9, "I did.", None, clip(1).id),
        (2.0, 2.9, "Not bad.", None, clip(1).id),
    ]


def test_an_utterance_ends_with_its_last_sound(cut):
    words = (Word(text="meanwhile", start=0.0, end=3.0), Word(text="yes", start=1.0, end=1.2))
    (made,) = cut(clip(), words)
    assert (made.start, made.end) == (0.0, 3.0)


def test_an_utterance_ends_where_another_speaker_begins(cut):
    words = transcript(1)[clip(1).id].words
    told = {
        clip(1).id: Transcript(
            clip_id=clip(1).id, path="", digest="", words=words, barriers=(0.5, 2.6)
        )
    }
    made = cut_clips(clips=[clip(1)], transcripts=told, labels=[], cut=cut)
    assert [(s.start, s.end, s.text) for s in made] == [
        (0.0, 0.4, "I"),
        (0.5, 0.9, "did."),
        (2.0, 2.4, "Not"),
        (2.6, 2.9, "bad."),
    ]


def test_labels_do_not_ask_who_speaks(cut):
    words = transcript()[clip().id].words
    told = {
        clip().id: Transcript(clip_id=clip().id, path="", digest="", words=words, barriers=(1,))
    }
    (made,) = cut_clips(clips=[clip()], transcripts=told, labels=[(row(), clip())], cut=cut)
    assert (made.start, made.end) == (0.0, 4.0)


def test_chinese_is_written_without_spaces(cut):
    words = [Word(text=text, start=0.1, end=0.2) for text in ("好。", "你", "ok", "吗", "really")]
    (made,) = cut(clip(), words)
    assert made.text == "好。你 ok 吗 really"


def test_a_clip_without_words_or_sound_is_cut_evenly(cut):
    made = cut_clips(clips=[clip()], transcripts={}, labels=[], cut=cut)
    assert [(s.start, s.end, s.text) for s in made] == [(0.0, 2.0, ""), (2.0, 4.0, "")]


def test_sound_that_cannot_be_decoded_is_recorded(cut, tmp_path):
    broken = clip(path=tmp_path / "gone.mp4", sample_rate=16000)
    assert len(cut(broken, ())) == 2
    (failure,) = cut.log.failures
    assert (failure.step, failure.code, failure.clip_id) == ("speech", "missing_file", broken.id)


def test_subtitles_of_no_length_make_distinct_utterances(cut, tmp_path):
    path = tmp_path / "a.srt"
    path.write_text("1\n00:00:01,000 --> 00:00:01,000\nYes. No. Maybe.\n")
    words = words_of(place_words(load_transcript(path, duration=4.0), speech=tuple))
    made = cut(clip(), words)
    assert len({segment.id for segment in made}) == len(made)
    assert " ".join(segment.text for segment in made) == "Yes. No. Maybe."


def test_clips_keep_their_order(cut):
    clips = [clip(2), clip(0), clip(1)]
    labels = [(row(), clip(0)), (row(), clip(2))]
    made = cut_clips(clips=clips, transcripts={}, labels=labels, cut=cut)
    assert [s.clip_id for s in made] == [clip(2).id, clip(0).id, clip(1).id, clip(1).id]


def divided(labels, cut, config=None):
    clips = list({found.id: found for _, found in labels}.values())
    made = cut_clips(clips=clips, transcripts={}, labels=labels, cut=cut)
    return made, divide(segments=made, labels=labels, config=config or SplitConfig())


def test_a_given_split_is_kept(cut):
    labels = [(row(split=name), clip(i)) for i, name in enumerate(["test", "train", "valid"])]
    made, split = divided(labels, cut)
    assert split.source == "given"
    assert (split.test, split.train, split.valid) == tuple((s.id,) for s in made)


def test_a_clip_goes_as_a_whole_where_one_of_its_rows_says(cut):
    labels = [(row(0, 1), clip()), (row(1, 2, split="test"), clip()), (row(2, 3), clip())]
    made, split = divided(labels, cut)
    assert split.test == tuple(s.id for s in made)


def test_clips_without_a_given_split_are_drawn(cut):
    labels = [(row(split="test"), clip(0))] + [(row(), clip(i)) for i in range(1, 60)]
    made, split = divided(labels, cut)
    assert split.source == "given"
    assert made[0].id in split.test
    assert sorted(split.train + split.valid + split.test) == sorted(s.id for s in made)
    assert len(split.train) > 20
    assert split.valid


def test_a_split_is_made_where_none_is_given(cut):
    labels = [(row(), clip(i)) for i in range(40)]
    _, split = divided(labels, cut, SplitConfig(seed=3))
    assert (split.source, split.seed) == ("made", 3)
    assert divided(labels, cut, SplitConfig(seed=3))[1] == split
    assert divided(labels, cut, SplitConfig(seed=4))[1].train != split.train


def test_utterances_without_a_label_are_in_no_split(cut):
    labels = [(row(label=None, split="train"), clip(0)), (row(label=None), clip(1))]
    _, split = divided(labels, cut)
    assert split.train + split.valid + split.test == ()
