"""XML that reads files, calls out or swells is refused before anything of it is used."""

import time

import pytest

from simulators.redcap.formats import ApiError, parse_xml

CANARY = "KanariXml"
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
PAYLOADS = {
    "file": '<!DOCTYPE r [<!ENTITY x SYSTEM "file://{file}">]><r>&x;</r>',
    "file without scheme": '<!DOCTYPE r [<!ENTITY x SYSTEM "{file}">]><r>&x;</r>',
    "parameter entity": '<!DOCTYPE r [<!ENTITY % p SYSTEM "file://{file}"> %p;]><r/>',
    "outside DTD": '<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd"><r/>',
    "outside DTD by name": '<!DOCTYPE r PUBLIC "-//x" "file://{file}"><r/>',
    "call": '<!DOCTYPE r [<!ENTITY x SYSTEM "http://127.0.0.1:9/">]><r>&x;</r>',
    "billion laughs": f'<!DOCTYPE r [<!ENTITY l0 "ha">{LAUGHS}]><r>&l9;</r>',
    "quadratic": f'<!DOCTYPE r [<!ENTITY x "{"a" * 50_000}">]><r>{"&x;" * 20_000}</r>',
    "small entity": '<!DOCTYPE r [<!ENTITY x "y">]><r>&x;</r>',
    "default attribute": '<!DOCTYPE r [<!ATTLIST r a CDATA "y">]><r/>',
    "empty doctype": "<!DOCTYPE r><r/>",
    "lower case": "<!doctype r><r/>",
    "behind comments": f'<!--{"x" * 200_000}--><!DOCTYPE r [<!ENTITY x "y">]><r>&x;</r>',
    "unknown entity": "<r>&nobody;</r>",
    "unclosed": "<r>" * 10_000,
    "null": "<r>\0</r>",
    "nothing": "",
}


@pytest.mark.parametrize("name", PAYLOADS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_hostile_document_is_refused_at_once_and_reads_nothing(name, encoding, tmp_path):
    file = tmp_path / "secret"
    file.write_text(CANARY)
    text = PAYLOADS[name].replace("{file}", str(file))
    began = time.process_time()
    with pytest.raises(ApiError) as refused:
        parse_xml(text.encode(encoding))
    assert time.process_time() - began < 2
    assert refused.value.status == 400
    assert CANARY not in refused.value.message


def test_a_document_without_a_doctype_is_read():
    assert parse_xml('<?xml version="1.0"?><r a="1">ü</r>').text == "ü"
