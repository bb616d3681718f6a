import json

import pytest
from jsonschema import validate  # Prefect's own

from flows.deployments import FLOWS
from flows.parameter_forms import describe_parameters, parameter_texts, summary
from pipeline.config import RunConfig

TEXT = """Train a model.

On all seeds.

Parameters
----------
low, high : float
    Ends of the scale,
    both included.
name : {"a", "b"}
    Which.
plain
    Without a type.

Returns
-------
int
    No parameter.
"""


def test_parameters_are_read_from_a_docstring():
    assert parameter_texts(TEXT) == {
        "low": "Ends of the scale, both included.",
        "high": "Ends of the scale, both included.",
        "name": "Which.",
        "plain": "Without a type.",
    }
    assert summary(TEXT) == "Train a model.\n\nOn all seeds."


@pytest.mark.parametrize("text", ["", "One line.", "Returns\n-------\nint\n    A number."])
def test_without_the_section_there_are_none(text):
    assert parameter_texts(text) == {}


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_every_field_of_a_form_has_its_text(flow):
    schema = flow.parameters.model_copy(deep=True)
    describe_parameters(schema, flow.fn.__doc__)
    describe_parameters(schema, flow.fn.__doc__)
    for name, field in schema.properties.items():
        assert field["description"], name
    for name, definition in schema.definitions.items():
        assert "Parameters" not in definition["description"], name
        for field, facts in definition["properties"].items():
            assert facts.get("description") or "$ref" in json.dumps(facts), (name, field)
    whole = schema.model_dump(mode="json") | {"$defs": schema.definitions}
    validate({"config": RunConfig().model_dump(mode="json")}, whole)
