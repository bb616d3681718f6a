from urllib.parse import unquote, urlsplit

import pytest

from pipeline.errors import StoreError
from pipeline.records import Clip, Segment
from pipeline.run_examples import SourceSpan, load_spans, save_spans, source_spans


def clip(name, path):
    return Clip(
        id=name * 64, path=path, duration=9.0, fps=25.0, sample_rate=None, size=1, modified_ns=1
    )


def test_segments_are_found_in_their_clips():
    clips = [clip("a", "/v/one.mp4"), clip("b", "/v/two.mp4")]
    segments = [
        Segment(id="x", clip_id="a" * 64, start=1.0, end=2.0, text="Hello."),
        Segment(id="y", clip_id="b" * 64, start=0.0, end=2.5, text=""),
        Segment(id="z", clip_id="c" * 64, start=0.0, end=1.0, text="of no clip"),
    ]
    found = source_spans(segments=segments, clips=clips)
    assert found == {
        "x": SourceSpan(clip="/v/one.mp4", start=1.0, end=2.0, text="Hello."),
        "y": SourceSpan(clip="/v/two.mp4", start=0.0, end=2.5, text=""),
    }
    assert set(source_spans(segments=segments, clips=clips, only={"y"})) == {"y"}


@pytest.mark.parametrize(
    "path", ["/v/a b.mp4", "/v/100% #1?.mp4", "/v/<script>alert(1)</script>.mp4", "/v/ü/日本.mp4"]
)
def test_an_address_leads_to_the_file_at_its_time(path):
    address = SourceSpan(clip=path, start=1.25, end=61.5, text="").address
    parts = urlsplit(address)
    assert parts.scheme == "file"
    assert unquote(parts.path) == path
    assert (parts.query, parts.fragment) == ("", "t=1.25,61.50")
    assert not set('<>" ') & set(address)


def test_spans_come_back(tmp_path):
    spans = {"x": SourceSpan(clip="ü.mp4", start=0.1, end=0.2, text='"q" <b>')}
    save_spans(tmp_path / "spans.json", spans)
    assert load_spans(tmp_path / "spans.json") == spans
    assert load_spans(tmp_path / "none.json") == {}
    (tmp_path / "spans.json").write_text("[1")
    with pytest.raises(StoreError, match=r"spans\.json"):
        load_spans(tmp_path / "spans.json")
