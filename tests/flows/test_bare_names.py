import pytest

from flows.bare_names import DEPLOYMENTS, complete_name
from flows.deployments import FLOWS

RUN = ["prefect", "deployment", "run"]


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_bare_name_is_written_out(name):
    assert complete_name([*RUN, name, "-p", "videos=/v"]) == [
        *RUN,
        f"{name}/{name}",
        "-p",
        "videos=/v",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        RUN,
        [*RUN, "extract-and-train/extract-and-train"],
        [*RUN, "other"],
        [*RUN, "--id", "extract-and-train"],
        ["prefect", "deployment", "inspect", "extract-and-train"],
        ["prefect", "flow", "run", "extract-and-train"],
        ["pytest"],
        [],
    ],
)
def test_every_other_command_is_left_alone(arguments):
    assert complete_name(arguments) == arguments


def test_deployments_have_the_names_of_their_flows():
    assert tuple(flow.name for flow in FLOWS) == DEPLOYMENTS
