"""How REDCap names the columns of a flat export. Pure."""

import re

from datamodel.study.protocol import Field


def columns_of(field: Field) -> list[str]:
    """Return a field's export columns: one for each checkbox choice, none for descriptive text, else its name."""
    if field.kind == "checkbox":
        return [f"{field.name}___{checkbox_code(choice.code)}" for choice in field.choices]
    return [] if field.kind == "descriptive" else [field.name]


def checkbox_code(code: str) -> str:
    """Return a checkbox code as it stands in a column's name: lower case, other signs as `_`."""
    return re.sub(r"[^a-z0-9_]", "_", code.lower())
