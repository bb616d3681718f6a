import pytest

from pipeline.cli import app
from pipeline.cli_options import Options
from pipeline.cli_train import chosen_seeds, train
from pipeline.errors import ConfigError


@pytest.mark.parametrize(
    ("tokens", "seeds"),
    [
        ([], (0, 1, 2, 3, 4)),
        (["--seeds", "2"], (0, 1)),
        (["--seeds", "4", "0", "7"], (4, 0, 7)),
        (["--seeds", "3", "--set", "training.seeds=[9]"], (0, 1, 2)),
    ],
)
def test_seeds_of_the_command_line(tokens, seeds):
    command, bound, _ = app.parse_args(["train", *tokens], print_error=False, exit_on_error=False)
    assert command is train
    options = bound.arguments.get("options", Options())
    given = chosen_seeds(bound.arguments.get("seeds", ()))
    assert options.project(**{"training.seeds": given}).config.training.seeds == seeds


@pytest.mark.parametrize("numbers", [(0,), (-1,)])
def test_no_seed_at_all_is_refused(numbers):
    with pytest.raises(ConfigError, match=r"training\.seeds=\["):
        chosen_seeds(numbers)


def test_a_seed_twice_is_refused():
    with pytest.raises(ConfigError, match="seeds"):
        Options().project(**{"training.seeds": chosen_seeds((1, 1))})
