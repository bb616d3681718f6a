from dataclasses import replace

import numpy as np
import pytest

from pipeline.errors import ConfigError
from pipeline.run_examples import SourceSpan
from pipeline.run_findings import read_findings
from pipeline.run_folder import discard_run
from tests.pipeline.made_findings import make_findings, save_run


@pytest.fixture
def made():
    return make_findings()


@pytest.fixture
def folder(made, tmp_path):
    return save_run(made, tmp_path)


def test_what_a_folder_holds(folder, made):
    found = read_findings(folder)
    assert found.report.id == folder.name
    assert found.test.ids == made.test.ids
    assert np.allclose(found.test.target, made.test.target)
    assert np.allclose(found.together, made.test.by_seed.mean(axis=0))
    assert (found.dataset, found.spans, found.parts, found.parts_kept) == (None, {}, None, False)


@pytest.mark.parametrize(
    ("named", "paper", "found"),
    [
        ("CMU-MOSEI", None, "CMU-MOSEI"),
        ("mosei", None, "CMU-MOSEI"),
        ("our own", None, None),
        (7, None, None),
        (None, "mosi", "CMU-MOSI"),
        ("CMU-MOSEI", "mosi", "CMU-MOSI"),
    ],
)
def test_the_data_set_is_named_by_the_run_or_by_the_caller(folder, named, paper, found):
    report = read_findings(folder).report
    data = report.data | ({} if named is None else {"dataset": named})
    assert read_findings(folder, report=replace(report, data=data), paper=paper).dataset == found


def test_a_paper_that_is_none_is_refused(folder):
    with pytest.raises(ConfigError, match="no published figures"):
        read_findings(folder, paper="none at all")


def test_spans_that_were_kept_come_before_those_that_are_looked_up(run, split, tmp_path):
    looked_up = {split.test[0]: SourceSpan(clip="b", start=0.0, end=1.0, text="")}
    folder = tmp_path / "runs" / run().id
    assert read_findings(folder, spans=looked_up).spans == looked_up
    discard_run(tmp_path / "runs", folder.name)
    kept = {name: SourceSpan(clip="a", start=0.0, end=1.0, text="") for name in split.test}
    run(context={"examples": kept | {"other": looked_up[split.test[0]]}})
    assert read_findings(folder, spans=looked_up).spans == kept


def test_a_run_without_predictions_is_still_read(folder):
    (folder / "predictions.csv").unlink()
    assert read_findings(folder).test is None
