from pathlib import Path

from pipeline.errors import SourceError
from pipeline.records import Repair
from pipeline.repair_log import RepairLog


def test_repairs_are_told_once_a_kind_with_their_first_line():
    log = RepairLog(Path("a.srt"))
    assert log.repairs() == ()
    log.note("unsorted", "sorted", 7)
    log.note("overlap", "cut", 5)
    log.note("unsorted", "sorted", 3)
    assert log.repairs() == (
        Repair(code="unsorted", detail="a.srt, line 3: sorted (2 times)"),
        Repair(code="overlap", detail="a.srt, line 5: cut"),
    )


def test_errors_say_where():
    error = RepairLog(Path("a.csd"), unit="row").refuse("is wrong", 4)
    assert isinstance(error, SourceError)
    assert (str(error), error.code) == ("a.csd, row 4: is wrong", "bad_transcript")
    assert RepairLog(Path("a")).refuse("late", 1, code="beyond").code == "beyond"
