import pytest

from flows.schedules import read_schedules
from pipeline.errors import ConfigError


def test_a_schedule_without_a_name_is_for_retraining():
    assert read_schedules(["0 3 * * *"]) == {"scheduled-retrain": "0 3 * * *"}


def test_every_deployment_may_have_one():
    texts = ["extract-new-videos=*/15 * * * *", "maintain-store = 0 5 * * sun", "@daily"]
    assert read_schedules(texts) == {
        "extract-new-videos": "*/15 * * * *",
        "maintain-store": "0 5 * * sun",
        "scheduled-retrain": "@daily",
    }


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["train=0 3 * * *"], "no deployment 'train'; there are extract-and-train, "),
        (["0 3 * *"], "'0 3 \\* \\*' is not a schedule; write five fields"),
        (["61 3 * * *"], "is not a schedule"),
        (["maintain-store="], "'' is not a schedule"),
        (["0 3 * * *", "scheduled-retrain=0 4 * * *"], "has one already, '0 3 \\* \\* \\*'"),
    ],
)
def test_what_is_no_schedule_is_refused_in_words(texts, message):
    with pytest.raises(ConfigError, match=message):
        read_schedules(texts)
