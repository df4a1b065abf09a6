"""XML that reads files, calls out or swells is refused before anything of it is used."""

import subprocess
import sys
import time

import pytest

from datamodel.kernel.errors import BadInputError
from exports.odm.read import OdmFile
from simulators.redcap.formats import ApiError, parse_xml
from validators.conformance.define import read_define as facts_of
from validators.library import read_terminology
from validators.library.define_read import read_define as define_of
from validators.library.xml import LARGEST, RefusedXmlError, parse

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


def odm_of(path):
    return [batch.items for batch in OdmFile(path).batches(rows=1000)]


@pytest.mark.parametrize("reader", [define_of, facts_of, odm_of, read_terminology], ids=lambda one: one.__module__)
@pytest.mark.parametrize("name", PAYLOADS)
def test_every_reader_of_standards_refuses_it_too(reader, name, tmp_path):
    secret, file = tmp_path / "secret", tmp_path / "SDTM Terminology 2024-03-29.odm.xml"
    secret.write_text(CANARY)
    text = PAYLOADS[name].replace("{file}", str(secret))
    for encoding in ("utf-8", "utf-16"):
        file.write_bytes(text.encode(encoding))
        began = time.process_time()
        with pytest.raises(BadInputError) as refused:
            reader(file)
        assert time.process_time() - began < 2
        assert CANARY not in str(refused.value)


def test_what_is_too_large_or_too_deep_is_refused():
    with pytest.raises(RefusedXmlError, match="bytes; at most"):
        parse(b" " * (LARGEST + 1))
    with pytest.raises(RefusedXmlError, match="is not XML that can be read"):
        parse(b"<r>" * 300 + b"</r>" * 300)


def test_swelling_takes_little_memory():
    """In a process of its own: 64 MB beyond what it begins with, at most."""
    script = (
        "import resource, sys\n"
        "from tests.security.test_xml import PAYLOADS\n"
        "from validators.library.xml import RefusedXmlError, parse\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for name in ('billion laughs', 'quadratic', 'unclosed', 'behind comments'):\n"
        "    try:\n"
        "        parse(PAYLOADS[name].encode())\n"
        "    except RefusedXmlError:\n"
        "        continue\n"
        "    sys.exit(3)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) * (1 if sys.platform == "linux" else 1 / 1024) < 64 * 1024
