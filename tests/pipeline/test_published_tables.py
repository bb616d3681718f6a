from pipeline.published_comparison import MetricPlace, published_of
from pipeline.published_tables import landmarks_table, published_column
from tests.pipeline.made_findings import make_findings

MAE = MetricPlace("", "mae")


def test_a_model_on_a_known_data_set_has_a_column():
    report = make_findings(model="misa").report
    column = published_column(report, "CMU-MOSI")
    figures = [s for s in published_of("CMU-MOSI", model="misa") if s.metric == "MAE"]
    assert column[MAE] == "; ".join(f"{s.text} ({s.source})" for s in figures)
    short = published_column(report, "CMU-MOSI", sources=False)
    assert short[MAE] == " / ".join(s.text for s in figures)
    assert published_column(report, None) == {}
    assert published_column(make_findings(model="concat").report, "CMU-MOSI") == {}


def test_ours_stand_first_among_the_landmarks():
    report = make_findings(model="concat").report
    table = landmarks_table([report], "CMU-MOSI")
    ours, *theirs = table.rows
    place = table.heading.index("MAE")
    assert ours[:2] == ("concat", f"this run, {report.id}")
    assert ours[place] == (
        f"{report.summary['test']['mae'].mean:.3f} ± {report.summary['test']['mae'].sd:.3f}"
    )
    assert len(theirs) == len({(s.model, s.source) for s in published_of("CMU-MOSI")})
    mind = next(row for row in theirs if row[0] == "MInD")
    assert mind[place] == "0.711"


def test_what_we_did_not_compute_is_left_empty():
    table = landmarks_table([make_findings().report], "UR-FUNNY")
    assert table.rows[0][2:] == ("",) * (len(table.heading) - 2)
