"""Hostile files for every reader, and a child process that gives each to its reader and measures.

Run as a program (`python -m tests.support.hostile FOLDER`) it writes one line of JSON for each file: what came of it, seconds of
processor time, and by how many megabytes the process grew at most.
"""

import json
import resource
import struct
import sys
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: More than any reader should need; without it a bomb would take the machine down with it.
CEILING = 6 << 30
RULE = "Core:\n  Id: X1\nRule Type: Record Data\nCheck:\n  all:\n    - name: A\n      operator: empty\nOutcome:\n  Message: m\n"
LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)
ODM = '<ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" ODMVersion="1.3.2" FileOID="f" FileType="Snapshot" CreationDateTime="2026-01-01T00:00:00">'


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def liar(path: Path) -> Path:
    """A zip whose member says it is small and is 30 MB."""
    zipped(path, {"CORE-1/rule.yml": b" " * (30 << 20)})
    raw = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        start = raw.find(mark)
        raw[start + at : start + at + 4] = struct.pack("<I", 100)
    path.write_bytes(raw)
    return path


def overlapping(path: Path) -> Path:
    """A zip whose 20,000 members are one and the same megabyte."""
    packed = zlib.compress(b"#" * 1_000_000, 9)[2:-4]
    crc = zlib.crc32(b"#" * 1_000_000)
    local = struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, 0, 8, 0, 0, crc, len(packed), 1_000_000, 5, 0) + b"a.yml"
    names = [b"%05d.yml" % number for number in range(20_000)]
    central = b"".join(
        struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 20, 20, 0, 8, 0, 0, crc, len(packed), 1_000_000, len(one), 0, 0, 0, 0, 0, 0)
        + one
        for one in names
    )  # fmt: skip
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 20_000, 20_000, len(central), len(local) + len(packed), 0)
    path.write_bytes(local + packed + central + end)
    return path


def parquet(path: Path, *, rows: int, columns: int = 1) -> Path:
    """A small file of very many equal values."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    same = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), 1_000_000), ["x" * 200])
    batch = pa.table({f"V{number}": same for number in range(columns)})
    with pq.ParquetWriter(path, batch.schema, compression="zstd") as writer:
        for _ in range(rows // 1_000_000):
            writer.write_table(batch, row_group_size=1_000_000)
    return path


def xpt(path: Path, *, variables: int, rows: bytes = b"") -> Path:
    """A transport file that claims many variables."""

    def card(text: str) -> bytes:
        return text.encode().ljust(80)

    head = card("HEADER RECORD*******LIBRARY HEADER RECORD!!!!!!!000000000000000000000000000000")
    head += card("SAS     SAS     SASLIB  9.4     X64_10PR                        01JAN26:00:00:00")
    head += card("01JAN26:00:00:00")
    head += card("HEADER RECORD*******MEMBER  HEADER RECORD!!!!!!!000000000000000001600000000140")
    head += card("HEADER RECORD*******DSCRPTR HEADER RECORD!!!!!!!000000000000000000000000000000")
    head += card("SAS     DM      SASDATA 9.4     X64_10PR                        01JAN26:00:00:00")
    head += card("01JAN26:00:00:00")
    head += card(f"HEADER RECORD*******NAMESTR HEADER RECORD!!!!!!!000000{variables:04d}00000000000000000000")
    path.write_bytes(head + rows)
    return path


def text(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def cases(at: Path) -> dict[str, tuple[Callable[[Path], Any], Path]]:
    """Return every hostile file with the reader that gets it."""
    from exports.odm.load import load as read_odm
    from exports.packages.read import read_dataset
    from exports.sdtm.spec_read import read_document
    from validators.library import read_terminology
    from validators.library.define_read import read_define
    from validators.shelf.rulesets import load_rules
    from validators.shelf.shelf import Shelf

    def rules(path: Path) -> Any:
        return load_rules(Shelf(at / "shelf"), path)

    def mapping(path: Path) -> Any:
        found = read_document(path)
        if found.faults:
            raise ValueError(found.faults[0])
        return found

    deep = "[" * 100_000
    columns = '{"datasetJSONVersion":"1.1.0","name":"DM","columns":[{"name":"A","dataType":"string"}],'
    pdf = b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n"
    return {
        "zip with a member of 40 MB": (rules, zipped(at / "z1.zip", {"a/rule.yml": b" " * (40 << 20)})),
        "zip that lies about sizes": (rules, liar(at / "z2.zip")),
        "zip of 20,000 members that overlap": (rules, overlapping(at / "z3.zip")),
        "zip with names that lead out": (rules, zipped(at / "z4.zip", {"../../../tmp/out.yml": b"x", "/etc/rule.yml": b"y"})),
        "zip that is cut": (rules, text(at / "z5.zip", zipped(at / "z5", {"a/rule.yml": RULE.encode()}).read_bytes()[:-30])),
        "zip in a zip": (rules, zipped(at / "z6.zip", {"a.zip": (at / "z3.zip").read_bytes()})),
        "zip with damaged data": (rules, damaged(at / "z7.zip")),
        "zip that is a PDF too": (rules, text(at / "z8.zip", pdf)),
        "rule that is an alias bomb": (rules, folder(at / "r1", LAUGHS + RULE.replace("all:", "all: *a9 #"))),
        "rule whose id is an alias bomb": (rules, folder(at / "r2", LAUGHS + "Core: {Id: *a9}\nCheck: *a9\n")),
        "rule nested 100,000 deep": (rules, folder(at / "r3", "Check: " + deep)),
        "rule nested 100,000 deep in dashes": (rules, folder(at / "r4", "Check: \n" + "- " * 100_000)),
        "rule with a name that leads out": (rules, folder(at / "r5", RULE.replace("X1", "../../x"))),
        "rule that runs Python": (rules, folder(at / "r6", "Core: !!python/object/apply:os.system ['touch /tmp/x']\n")),
        "rule with a number of a million digits": (rules, folder(at / "r7", RULE + "N: " + "9" * 990_000)),
        "mapping that is an alias bomb": (mapping, text(at / "m1.yaml", LAUGHS)),
        "mapping that holds itself": (mapping, text(at / "m2.yaml", "a: &a\n  b: *a\n")),
        "mapping nested 100,000 deep": (mapping, text(at / "m3.yaml", "a: " + deep)),
        "mapping nested in keys": (mapping, text(at / "m4.yaml", "".join(" " * n + "a:\n" for n in range(1500)))),
        "mapping of 5 MB": (mapping, text(at / "m5.yaml", "a: b\n" * 1_000_000)),
        "mapping with a number of 3 million digits": (mapping, text(at / "m6.yaml", "a: " + "9" * 3_000_000)),
        "JSON nested 100,000 deep": (read_dataset, text(at / "j1.json", deep)),
        "JSON flood of rows": (read_dataset, text(at / "j2.json", columns + '"rows":[' + "[]," * 5_000_000 + "[]]}")),
        "JSON flood of columns": (
            read_dataset,
            text(at / "j3.json", '{"columns":[' + ",".join(f'{{"name":"A{n}"}}' for n in range(300_000)) + '],"rows":[]}'),
        ),
        "JSON with a huge number": (read_dataset, text(at / "j4.json", columns + '"rows":[[' + "9" * 4_000_000 + "]]}")),
        "JSON whose columns are no columns": (read_dataset, text(at / "j5.json", '{"columns":[1,null,"x"],"rows":[[1,2,3]]}')),
        "NDJSON that is one line without end": (read_dataset, text(at / "j6.ndjson", '{"columns":[' + "1," * 10_000_000)),
        "NDJSON flood of rows": (read_dataset, text(at / "j7.ndjson", columns.rstrip(",") + "}\n" + "[]\n" * 4_000_000)),
        "Parquet of two milliard cells": (read_dataset, parquet(at / "p1.parquet", rows=40_000_000)),
        "Parquet that is a stub": (read_dataset, text(at / "p2.parquet", b"PAR1" + b"\xff" * 60 + b"PAR1")),
        "Parquet that is a page": (read_dataset, text(at / "p3.parquet", "<html>")),
        "XPT that claims 9,999 variables": (read_dataset, xpt(at / "x1.xpt", variables=9999)),
        "XPT without end": (read_dataset, xpt(at / "x2.xpt", variables=2, rows=b"\0" * 20_000_000)),
        "XPT of garbage": (read_dataset, xpt(at / "x3.xpt", variables=3, rows=bytes(range(256)) * 4000)),
        "CSV whose sidecar is deep": (read_dataset, csv(at / "c1.csv", deep)),
        "CSV of a million columns": (
            read_dataset,
            csv(at / "c2.csv", '{"variables":[{"name":"A","type":"Num"}]}', "a," * 1_000_000 + "\n1\n"),
        ),
        "ODM flood of elements": (read_odm, text(at / "o1.xml", ODM + "<Study/>" * 1_500_000 + "</ODM>")),
        "ODM with 300,000 attributes": (
            read_odm,
            text(at / "o2.xml", ODM + "<Study " + " ".join(f'a{n}="1"' for n in range(300_000)) + "/></ODM>"),
        ),
        "ODM of 300,000 kinds of elements": (
            read_odm,
            text(at / "o3.xml", ODM + "".join(f"<x{n}/>" for n in range(300_000)) + "</ODM>"),
        ),
        "ODM that is cut": (read_odm, text(at / "o4.xml", ODM + "<Study>" + "<GlobalVariables/>" * 1000)),
        "Define nested deep": (read_define, text(at / "d1.xml", "<a>" * 100_000)),
        "terminology that is a zip": (read_terminology, text(at / "t1.csv", (at / "z3.zip").read_bytes())),
        "terminology of one line of 30 MB": (read_terminology, text(at / "t2.txt", "a" * 30_000_000)),
        "terminology of a million columns": (read_terminology, text(at / "t3.csv", "a," * 1_000_000 + "\n")),
    }  # fmt: skip


def damaged(path: Path) -> Path:
    raw = bytearray(zipped(path, {"a/rule.yml": RULE.encode() * 50}).read_bytes())
    raw[60:70] = b"\xff" * 10
    path.write_bytes(raw)
    return path


def folder(path: Path, rule: str) -> Path:
    path.mkdir()
    (path / "rule.yml").write_text(rule)
    return path


def csv(path: Path, about: str, rows: str = "A\n1\n") -> Path:
    path.with_name(f"{path.name}.json").write_text(about)
    return text(path, rows)


def main(at: Path) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (CEILING, CEILING))
    for name, (reader, path) in cases(at).items():
        tell({"name": name, "state": "begun"})
        grown = _peak(reset=True)
        began = time.process_time()
        try:
            reader(path)
            came = {"state": "taken", "said": ""}
        except BaseException as error:  # noqa: BLE001 - whatever comes is told
            came = {"state": type(error).__name__, "said": str(error)}
        seconds = time.process_time() - began
        tell({"name": name, "seconds": seconds, "megabytes": (_peak() - grown) / 1024, **came})


def tell(what: dict[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(what)}\n")
    sys.stdout.flush()


def _peak(*, reset: bool = False) -> int:
    """Return the most memory that the process had since it was reset, in kB."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
