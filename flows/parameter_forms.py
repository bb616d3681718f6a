"""Parameters as Prefect's pages show them: a field's own text beside the field."""

import inspect
import re
from collections.abc import Mapping
from typing import Any

from prefect.utilities.callables import ParameterSchema

_SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}\n", re.MULTILINE)
_FIELD = re.compile(r"^(\*{0,2}\w[\w, *]*?)(?: : (.*))?$")


def describe_parameters(schema: ParameterSchema, docstring: str) -> None:
    """Write the texts of a flow's numpydoc docstrings where its form shows them.

    Prefect shows a whole docstring as one paragraph above a group of fields.

    Parameters
    ----------
    schema : ParameterSchema
        Of the flow's parameters; it is changed.
    docstring : str
        The flow's.
    """
    _describe(schema.properties, inspect.cleandoc(docstring))
    for definition in (schema.definitions or {}).values():
        text = inspect.cleandoc(definition.get("description", ""))
        if _SECTION.search(text):
            definition["description"] = summary(text)
            _describe(definition.get("properties", {}), text)


def summary(docstring: str) -> str:
    """Take what stands before the sections of a numpydoc docstring.

    Parameters
    ----------
    docstring : str
        Without the indentation of its code.

    Returns
    -------
    str
        One or more paragraphs.
    """
    return _SECTION.split(docstring, maxsplit=1)[0].strip()


def parameter_texts(docstring: str) -> dict[str, str]:
    """Read the section Parameters of a numpydoc docstring.

    Parameters
    ----------
    docstring : str
        Without the indentation of its code.

    Returns
    -------
    dict of str to str
        Name to text, on one line; names that share a text have it each.
    """
    parts = _SECTION.split(docstring)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    texts: dict[str, str] = {}
    names: list[str] = []
    for line in sections.get("Parameters", "").splitlines():
        field = _FIELD.match(line)
        if field:
            names = [name.strip() for name in field[1].split(",")]
            texts |= dict.fromkeys(names, "")
        elif line.strip():
            texts |= {name: f"{texts[name]} {line.strip()}".strip() for name in names}
    return texts


def _describe(properties: Mapping[str, dict[str, Any]], docstring: str) -> None:
    for name, text in parameter_texts(docstring).items():
        if name in properties:
            properties[name]["description"] = text
