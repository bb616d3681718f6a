import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest

from pipeline.part_analysis import PartAnalysis
from pipeline.report_html import data_html, inline_html, render_html, write_html
from pipeline.run_examples import SourceSpan
from tests.pipeline.browser import show
from tests.pipeline.made_findings import make_findings

HOSTILE = "<script>alert(1)</script>.mp4"
CLIP = "<img src=x onerror=alert(2)>.mp4"


class Page(HTMLParser):
    """Elements of a page with their attributes, and the text outside of scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self._open = [], "", []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        if not {"script", "style"} & set(self._open):
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def analysis():
    places = [(float(x), float(x) ** 2) for x in range(6)]
    parts = {"S": places, "P": places, "N": places}
    modalities = ("text", "audio", "vision")
    maps = dict.fromkeys(modalities, parts)
    told = dict.fromkeys(modalities, 0.5)
    return PartAnalysis(
        digest="",
        utterances=30,
        mapped=6,
        seed=0,
        maps={"before": maps, "after": maps},
        silhouettes={"before": told, "after": dict.fromkeys(modalities, 0.987)},
        part_accuracy={"before": told, "after": told},
        label_scores={part: told | {"all": 0.75} for part in "SPN"},
        label_chance=None,
        modality_accuracy={"S": 0.4, "P": 1.0},
        modalities=3,
    )


@pytest.fixture(scope="module")
def hostile():
    """A run whose clips, texts and failures try to be markup."""
    findings = make_findings(dataset="CMU-MOSI")
    spans = {
        name: SourceSpan(clip=f"/v/{CLIP}", start=s.start, end=s.end, text="</script><b>x</b>")
        for name, s in findings.spans.items()
    }
    failure = {"item": HOSTILE, "step": "ingest", "code": "c", "detail": "<img src=x onerror=y>"}
    return replace(
        findings,
        spans=spans,
        parts=analysis(),
        parts_kept=True,
        report=replace(findings.report, failures=(failure,)),
    )


@pytest.fixture(scope="module")
def text(hostile):
    return render_html([hostile])


def test_the_page_holds_the_numbers(hostile, text):
    page = Page(text)
    report = hostile.report
    mae, interval = report.summary["test"]["mae"], report.intervals["test"]["mae"]
    for number in (
        *(f"{mae.mean:.3f} ± {mae.sd:.3f}", f"{interval.low:.3f} to {interval.high:.3f}"),
        *(f"{report.ensemble['test'].mae:.3f}", "0.711 (arXiv 2401.11818 (MInD), table 1)"),
        *("Silhouette 0.987", report.data_digest[:12], "12.5", "winnow 0.1.0"),
    ):
        assert number in page.text
    assert f"Run {report.id}" in page.text
    assert len(text.encode()) < 8e6


def test_nothing_is_taken_for_markup(text):
    page = Page(text)
    assert HOSTILE in page.text
    assert page.text.count(CLIP) == 20
    assert "</script><b>x</b>" in page.text
    assert "<img src=x onerror=y>" in page.text
    assert not page.all("img")
    assert not page.all("b")
    assert len(page.all("script")) == 3
    links = [a["href"] for a in page.all("a") if a["href"].startswith("file:")]
    assert len(links) == 20
    assert all(re.fullmatch(r"file:///v/%3Cimg%20[^<> ]*%3E\.mp4#t=[0-9.,]+", x) for x in links)


def test_nothing_is_fetched(text):
    page = Page(text)
    assert not [a for _, a in page.elements if "src" in a]
    assert [a["href"] for a in page.all("link")] == ["data:,"]
    policy = next(a["content"] for a in page.all("meta") if "http-equiv" in a)
    assert policy.startswith("default-src 'none'; ")
    assert "http" not in policy
    assert "form-action 'none'" in policy


def test_tables_and_figures_are_told_to_everybody(text):
    page = Page(text)
    assert len(page.all("caption")) == len(page.all("table")) > 8
    figures = [a for a in page.all("div") if a.get("class") == "plot"]
    assert len(figures) == len(page.all("figure")) == len(page.all("figcaption")) > 10
    assert all(a["role"] == "img" and a["aria-label"] for a in figures)
    assert {a["scope"] for a in page.all("th")} == {"col", "row"}
    names = [a["id"] for _, a in page.elements if "id" in a]
    assert len(names) == len(set(names))
    targets = {a["href"][1:] for a in page.all("a") if a["href"].startswith("#")}
    assert targets <= set(names)


def test_a_selection_on_test_is_a_warning(hostile):
    oracle = replace(hostile, report=replace(hostile.report, training={"selection": "test_oracle"}))
    for run, warned in ((hostile, 1), (oracle, 2)):
        page = Page(render_html([run]))
        # the first of them stands in case there are no scripts
        assert sum(a.get("class") == "warning" for a in page.all("p")) == warned
        assert ("Selected on the test split (test_oracle)" in page.text) == (warned == 2)


def test_two_runs_come_after_their_comparison(hostile):
    page = Page(render_html([hostile, make_findings(model="misa", number=1)]))
    assert [a["id"] for a in page.all("article")] == [
        *("comparison", "mind-000000000000", "misa-000000000001"),
    ]
    names = [a["id"] for _, a in page.elements if "id" in a]
    assert len(names) == len(set(names))


def test_notes_have_little_markup():
    assert inline_html("a **b** `c` <i>") == "a <strong>b</strong> <code>c</code> &lt;i&gt;"


def test_data_cannot_end_their_element():
    found = data_html({"x": ["</script>", "&", 0.5]})
    assert "</" not in found
    assert "&" not in found
    with pytest.raises(ValueError, match="JSON"):
        data_html([np.nan])


@pytest.mark.slow
def test_a_browser_shows_it_without_complaint_or_network(hostile, tmp_path):
    path = tmp_path / "report.html"
    write_html(path, [hostile])
    shown = show(path, tmp_path)
    assert 'data-figures="drawn"' in shown.dom
    assert shown.complaints == []
    assert shown.fetched == set()
    drawn = shown.dom.count('<div class="plot js-plotly-plot"')
    assert drawn == shown.dom.count("<figure>") > 10
    assert "scatterlayer" in shown.dom
    mae = hostile.report.summary["test"]["mae"]
    assert f"{mae.mean:.3f} ± {mae.sd:.3f}" in unescape(shown.dom)
    assert "Share chart" not in shown.dom.replace(_program(shown.dom), "")


def _program(dom):
    """Plotly's own text, which names buttons that the page does not have."""
    return max(re.findall(r"<script>.*?</script>", dom, flags=re.DOTALL), key=len)


def test_a_browser_tells_of_complaints_and_addresses(tmp_path):
    """So that the test above can fail."""
    page = tmp_path / "bad.html"
    page.write_text(
        "<!doctype html><script>throw new Error('bad')</script><img src='http://127.0.0.1:9/x'>"
    )
    shown = show(page, tmp_path)
    assert any("bad" in line for line in shown.complaints)
    assert "http://127.0.0.1:9/x" in shown.fetched
