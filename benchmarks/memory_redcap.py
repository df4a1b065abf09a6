"""A REDCap server in memory, in a process of its own, for measuring clients: fast enough not to be what is measured.

One repeating form of 100 fields (codes, decimals, whole numbers, dates, checkboxes, short notes; about 30 % blank), as
many rows a record as asked for. Answers the questions that PyCap and our client ask, from ready-made bytes.
"""

import json
import multiprocessing
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

TOKEN = "0123456789ABCDEF0123456789ABCDEF"  # noqa: S105 - of a server that holds nothing
FORM = "visit_data"
FIELDS = 100
ROWS_PER_RECORD = 200
#: of every twenty fields: seven coded, four ticked, four decimal, two whole, two dates, one short note
_KINDS = (*["choice", "checkbox", "number"] * 4, *["choice", "integer", "date"] * 2, "choice", "notes")


def fields() -> list[dict[str, str]]:
    """The dictionary: the record id and 100 export columns."""
    rows = [_row("record_id", "text", "")]
    for number in range(FIELDS):
        kind = _KINDS[number % len(_KINDS)]
        name = f"f{number:03d}_{kind}"
        match kind:
            case "choice":
                rows.append(_row(name, "radio", "", "1, One | 2, Two | 3, Three | 4, Four"))
            case "number" | "integer":
                rows.append(_row(name, "text", kind))
            case "date":
                rows.append(_row(name, "text", "date_ymd"))
            case "checkbox":
                rows.append(_row(name, "checkbox", "", "1, Ticked"))
            case _:
                rows.append(_row(name, "notes", ""))
    return rows


def _row(name: str, kind: str, validation: str, choices: str = "") -> dict[str, str]:
    return {
        "field_name": name,
        "form_name": FORM,
        "section_header": "",
        "field_type": kind,
        "field_label": name,
        "select_choices_or_calculations": choices,
        "field_note": "",
        "text_validation_type_or_show_slider_number": validation,
        "text_validation_min": "",
        "text_validation_max": "",
        "identifier": "",
        "branching_logic": "",
        "required_field": "",
        "custom_alignment": "",
        "question_number": "",
        "matrix_group_name": "",
        "matrix_ranking": "",
        "field_annotation": "",
    }


def columns() -> list[str]:
    """Export columns in REDCap's order."""
    names = [f"{row['field_name']}___1" if row["field_type"] == "checkbox" else row["field_name"] for row in fields()]
    return [names[0], "redcap_repeat_instrument", "redcap_repeat_instance", *names[1:], f"{FORM}_complete"]


def _value(kind: str, pick: random.Random) -> str:
    if kind == "checkbox":
        return "1" if pick.random() < 0.3 else "0"
    if pick.random() < 0.36:
        return ""
    made = {
        "choice": lambda: pick.choice("1234"),
        "number": lambda: f"{pick.uniform(0, 200):.2f}",
        "integer": lambda: str(pick.randrange(0, 300)),
        "date": lambda: f"20{pick.randrange(10, 27)}-{pick.randrange(1, 13):02d}-{pick.randrange(1, 29):02d}",
        "notes": lambda: f'"{pick.choice(("stable since last visit", "mild headache", "no change, patient well"))}"',
    }
    return made[kind]()


def _bodies(rows: int) -> dict[str, bytes]:
    """The rows of each record, as CSV bytes."""
    pick = random.Random(1)  # noqa: S311 - the same rows every time
    kinds = [_KINDS[number % len(_KINDS)] for number in range(FIELDS)]
    # A pool of ready rows, drawn from at random: 200,000 rows of their own would take longer than the measurement.
    pool = [",".join(_value(kind, pick) for kind in kinds) for _ in range(3000)]
    bodies = {}
    for record in range(1, rows // ROWS_PER_RECORD + 1):
        name = f"R{record:06d}"
        lines = [f"{name},{FORM},{n},{pick.choice(pool)},2\n" for n in range(1, ROWS_PER_RECORD + 1)]
        bodies[name] = "".join(lines).encode()
    return bodies


def _serve(listener: socket.socket, rows: int) -> None:
    bodies = _bodies(rows)
    header = (",".join(columns()) + "\n").encode()
    structure = {
        "metadata": fields(),
        "instrument": [{"instrument_name": FORM, "instrument_label": "Visit data"}],
        "project": {"project_id": 1, "is_longitudinal": 0, "has_repeating_instruments_or_events": 1},
        "repeatingFormsEvents": [{"form_name": FORM, "custom_form_label": ""}],
    }

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            if asked["content"] == "record":
                self._send(200, "text/csv; charset=utf-8", self._records(asked))
            elif asked["content"] in structure:
                self._send(200, "application/json", json.dumps(structure[asked["content"]]).encode())
            else:
                self._send(400, "application/json", b'{"error":"You cannot export this for classic projects"}')

        def _records(self, asked: dict[str, str]) -> bytes:
            if (
                not any(name.startswith("forms") for name in asked)
                and "records" not in asked
                and "fields[1]" not in asked
            ):
                return b"record_id\n" + b"".join(f"{name}\n".encode() for name in bodies)
            if not any(name.startswith("forms") for name in asked):
                return b"record_id\n" + f"{asked['records']}".replace(",", "\n").encode() + b"\n"
            wanted = asked["records"].split(",") if "records" in asked else list(bodies)
            return header + b"".join(bodies[name] for name in wanted)

        def _send(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(listener.getsockname(), Handler, bind_and_activate=False)
    server.socket = listener
    server.serve_forever()


@contextmanager
def memory_redcap(rows: int) -> Iterator[str]:
    """Serve `rows` rows from another process; yields the API address when it answers."""
    import requests

    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(listener, rows), daemon=True)
    process.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/api/"
    listener.close()
    requests.post(url, data={"token": TOKEN, "content": "project", "format": "json"}, timeout=120).raise_for_status()
    try:
        yield url
    finally:
        process.terminate()
        process.join()
