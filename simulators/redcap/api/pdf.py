"""PDF of instruments, blank or filled in: a small PDF 1.4 writer with one built-in font."""

import itertools

import orjson

from simulators.redcap.api.call import Call, Reply
from simulators.redcap.formats import ApiError
from simulators.redcap.model import Project

_LINES_A_PAGE = 50
_WIDTH = 95


def _escaped(text: str) -> bytes:
    safe = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)").replace("\n", " ")
    return safe.encode("cp1252", errors="replace")


def _page(lines: tuple[str, ...]) -> bytes:
    body = b"".join(b"(" + _escaped(line) + b") Tj T*\n" for line in lines)
    return b"BT /F1 10 Tf 14 TL 50 800 Td\n" + body + b"ET"


def pdf_bytes(lines: list[str]) -> bytes:
    """A4 pages of text lines."""
    pages = list(itertools.batched(lines or [""], _LINES_A_PAGE))
    first = 4
    kids = " ".join(f"{first + 2 * place} 0 R" for place in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for place, page in enumerate(pages):
        content = _page(page)
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {first + 2 * place + 1} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>".encode()
        )
        objects.append(f"<< /Length {len(content)} >>\nstream\n".encode() + content + b"\nendstream")
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{place:010d} 00000 n \n".encode() for place in places)
    return out + f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()


def _form_lines(project: Project, form: str, cells: dict[str, str]) -> list[str]:
    lines = [project.forms[form], ""]
    for field in project.fields.values():
        if field.form == form:
            value = cells.get(field.name, "")
            text = f"{field.label}: {field.choices.get(value, value) or '________'}".replace("\n", " ")
            lines += [text[start : start + _WIDTH] for start in range(0, len(text), _WIDTH)]
    return [*lines, ""]


def export_pdf(call: Call) -> Reply:
    """Instruments as PDF: blank ones, those of one record, or of all records."""
    project, form = call.project, call.get("instrument")
    if form and form not in project.forms:
        raise ApiError(400, f"The instrument '{form}' does not exist")
    forms = [form] if form else list(project.forms)
    lines = [str(project.doc["info"].get("project_title", "")), ""]
    record = call.get("record")
    if not record and not call.flag("allRecords"):
        for name in forms:
            lines += _form_lines(project, name, {})
        return _pdf(lines)
    clause, values = (" AND record = ?", [record]) if record else ("", [])
    with call.store.reading() as db:
        rows = db.execute(
            f"SELECT record, event_id, instrument, instance, data FROM row WHERE project_id = ?{clause}",  # noqa: S608
            [call.project_id, *values],
        ).fetchall()
    if record and not rows:
        raise ApiError(400, f"The record '{record}' does not exist")
    for name, event_id, instrument, instance, data in rows:
        event = project.events_by_id.get(event_id)
        cells = orjson.loads(data) | {project.id_field: name}
        for one in forms:
            if event and one in project.designated[event_id] and instrument in {"", one}:
                lines += [f"Record {name}, {event.name}, instance {instance}", *_form_lines(project, one, cells)]
    return _pdf(lines)


def _pdf(lines: list[str]) -> Reply:
    return Reply(pdf_bytes(lines), 'application/pdf; name="forms.pdf"')
