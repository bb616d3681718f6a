from pipeline.synthetic.benchmark_run import BenchmarkRun
from pipeline.synthetic.benchmark_table import TABLES, render_tables
from pipeline.synthetic.probe_matrix import ProbeMatrix
from pipeline.synthetic.score_card import ScoreCard

MEASURES = (
    *("distance_correlation", "kernel_dependence"),
    *("neighbour_information", "club_information"),
)


def run(contender, seed, value, *, failure=""):
    names = [name for columns in TABLES.values() for name in columns.values()]
    card = ScoreCard(
        probes=ProbeMatrix(linear={}, perceptron={}),
        scores=dict.fromkeys(names, value),
        dependence={
            "S_text P_text": dict.fromkeys(MEASURES, value),
            "S_audio P_audio": dict.fromkeys(MEASURES, value + 2),
            "P_audio P_text": dict.fromkeys(MEASURES, -value),
        },
    )
    return BenchmarkRun(
        contender=contender,
        model="mind",
        seed=seed,
        settings={},
        training={},
        data="",
        seconds=1.0,
        best_epoch=0,
        terms={},
        card=None if failure else card,
        failure=failure,
    )


def rows(page, contender):
    lines = [line for line in page.splitlines() if line.startswith(f"| {contender} |")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_cells_are_mean_and_sample_deviation_over_seeds():
    page = render_tables([run("one", 0, 0.2), run("one", 1, 0.4), run("two", 0, 0.7)])
    first, *_, shared, private = rows(page, "one")
    assert first[:3] == ["one", "2", "0.300 ± 0.141"]
    assert shared[2] == "1.300 ± 0.141"
    assert private[2] == "-0.300 ± 0.141"
    assert rows(page, "two")[0][1:3] == ["1", "0.700"]


def test_what_a_model_lacks_is_a_dash_and_failures_are_listed():
    page = render_tables([run("one", 0, float("nan")), run("two", 3, 0.0, failure="it diverged")])
    assert rows(page, "one")[0][2] == "-"
    assert rows(page, "two")[0][1:3] == ["0", "-"]
    assert "two, seed 3: it diverged" in page


def test_every_column_is_a_score_that_cards_have(card):
    for columns in TABLES.values():
        assert set(columns.values()) <= set(card.scores)
    assert set(MEASURES) <= set(card.dependence["S_text P_text"])
