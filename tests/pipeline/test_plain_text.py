from pathlib import Path

import pytest

from pipeline.errors import SourceError
from pipeline.plain_text import read_plain_text
from pipeline.repair_log import RepairLog


def read(*lines):
    """Speakers and what they say, and the lines that lost something."""
    log = RepairLog(Path("a.txt"))
    passages = read_plain_text(text="\n".join(lines), duration=9.0, log=log)
    assert all(passage.span == (0.0, 9.0) for passage in passages)
    repairs = log.repairs()
    assert {repair.code for repair in repairs} <= {"lost_text"}
    return [(p.speaker, " ".join(p.tokens)) for p in passages], [r.detail for r in repairs]


@pytest.mark.parametrize(
    "lines",
    [
        ["Ann Lee  0:05", "Well, no.", "", "Ben  1:02:07", "Oh yes.", "It is."],
        ["Ann Lee\t0:05", "Well, no.", "Ben\t0:07", "Oh yes.", "It is."],
        ["Ann Lee (00:05): Well, no.", "Ben (00:07): Oh yes.", "It is."],
        ["Ann Lee [00:00:05]", "Well, no.", "Ben [00:00:07.5]: Oh yes.", "It is."],
    ],
)
def test_a_time_beside_a_speaker(lines):
    said, (repair,) = read(*lines)
    assert said == [("Ann Lee", "Well, no."), ("Ben", "Oh yes."), ("Ben", "It is.")]
    assert repair == "a.txt, line 1: a time beside a speaker's name was left out (2 times)"


def test_times_that_lines_begin_with():
    said, (repair,) = read("0:05 Well, no.", "", "0:07 SPEAKER 2: Oh yes.", "It is.")
    assert said == [(None, "Well, no."), ("SPEAKER 2", "Oh yes."), ("SPEAKER 2", "It is.")]
    assert repair == "a.txt, line 1: a time before what is said was left out (2 times)"


@pytest.mark.parametrize(
    "line",
    ["5:30 was too late.", "We met at 5:30", "He read John 3:16 to us.", "and so on (5:30)"],
)
def test_times_that_are_said(line):
    said, repairs = read(line, "We had met before.")
    assert [text.split() for _, text in said] == [line.split(), ["We", "had", "met", "before."]]
    assert repairs == []


def test_a_time_alone_in_its_line():
    said, (repair,) = read("Well.", "[00:05]", "No.", "(0:07)", "12:34:56")
    assert said == [(None, "Well."), (None, "No.")]
    assert repair == "a.txt, line 2: a time alone in its line was left out (3 times)"


@pytest.mark.parametrize(
    "text",
    ["<!DOCTYPE html><p>Yes</p>", "\n<html>Yes", "{\\rtf1\\ansi Yes}", '<?xml version="1.0"?>'],
)
def test_a_text_of_another_kind_is_refused(text):
    with pytest.raises(SourceError, match=r"a\.txt, line 1: begins with .*save it as plain text"):
        read(text)


def test_subtitles_are_refused():
    with pytest.raises(SourceError, match=r"a\.txt, line 2: holds '-->'"):
        read("1", "00:00:01,000 --> 00:00:02,000", "Well.")


def test_nothing():
    assert read("") == read("", " ") == ([], [])
