"""Reading ODM 1.3.2: ours against odmlib, in processes of their own, on the same files.

Run: python benchmarks/odm.py [items]. Files of 50,000 ItemData, then 4 and 16 times as many; 20 items a form. Ours reads to
the end, with types checked against the definitions, in frames; odmlib loads its objects and one loop makes rows of them.
Target: at least 8 times as fast as odmlib on CPU time, with memory that does not grow with the file.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ITEMS = 50_000
A_FORM = 20
SCALES = (1, 4, 16)
#: odmlib holds everything; beyond this its time is not measured
MOST_OF_ODMLIB = 200_000
_ROOT = Path(__file__).parents[1]
_TOLD = """
import resource
used = resource.getrusage(resource.RUSAGE_SELF)
print(rows, cpu, used.ru_maxrss // 1024)
"""
_OURS = """
import sys, time
from pathlib import Path
from exports.odm.read import OdmFile
start = time.process_time()
rows = sum(one.items.height for one in OdmFile(Path(sys.argv[1])).batches())
cpu = time.process_time() - start
"""
_ODMLIB = """
import sys, time
import odmlib.loader as loader, odmlib.odm_loader as loaders
start = time.process_time()
one = loader.ODMLoader(loaders.XMLODMLoader())
one.open_odm_document(sys.argv[1])
found = [
    (s.SubjectKey, e.StudyEventOID, f.FormOID, g.ItemGroupOID, i.ItemOID, i.Value)
    for c in one.root().ClinicalData for s in c.SubjectData for e in s.StudyEventData for f in e.FormData
    for g in f.ItemGroupData for i in g.ItemData
]
rows, cpu = len(found), time.process_time() - start
"""


def write(path: Path, items: int) -> None:
    """Write a file of `items` ItemData."""
    names = [f"IT.{n}" for n in range(A_FORM)]
    with path.open("w") as file:
        file.write(
            '<ODM xmlns="http://www.cdisc.org/ns/odm/v1.3" ODMVersion="1.3.2" FileType="Snapshot" FileOID="bench" '
            'CreationDateTime="2026-01-05T08:00:00"><Study OID="S"><GlobalVariables><StudyName>n</StudyName>'
            "<StudyDescription>d</StudyDescription><ProtocolName>p</ProtocolName></GlobalVariables>"
            '<MetaDataVersion OID="M" Name="m"><StudyEventDef OID="E" Name="e" Repeating="Yes" Type="Common"/>'
            '<FormDef OID="F" Name="f" Repeating="No"/><ItemGroupDef OID="G" Name="g" Repeating="No">'
        )
        file.writelines(f'<ItemRef ItemOID="{one}" Mandatory="No"/>' for one in names)
        file.write("</ItemGroupDef>")
        file.writelines(f'<ItemDef OID="{one}" Name="{one}" DataType="integer"/>' for one in names)
        file.write('</MetaDataVersion></Study><ClinicalData StudyOID="S" MetaDataVersionOID="M">\n')
        for subject in range(items // A_FORM):
            file.write(
                f'<SubjectData SubjectKey="S{subject}"><StudyEventData StudyEventOID="E" StudyEventRepeatKey="1">'
                '<FormData FormOID="F"><ItemGroupData ItemGroupOID="G">\n'
            )
            file.writelines(f'<ItemData ItemOID="{one}" Value="{subject + n}"/>\n' for n, one in enumerate(names))
            file.write("</ItemGroupData></FormData></StudyEventData></SubjectData>\n")
        file.write("</ClinicalData></ODM>\n")


def measure(code: str, path: Path, *, search: Path, folder: str) -> tuple[int, float, int]:
    """Run `code` on the file in a process of its own; return rows, CPU seconds and peak memory in MiB."""
    told = subprocess.run(
        [sys.executable, "-c", code + _TOLD, str(path)],
        env={**os.environ, "PYTHONPATH": str(search)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return int(told[0]), float(told[1]), int(told[2])


def main(items: int) -> int:
    """Print the table; return 0 when the target is met."""
    ratios = []
    with tempfile.TemporaryDirectory(prefix="metricis-odm-") as folder:
        print(
            "| ItemData | ours CPU s | ours MiB | odmlib CPU s | odmlib MiB | ratio |\n| --- | --- | --- | --- | --- | --- |"
        )
        for scale in SCALES:
            path = Path(folder) / f"{scale}.xml"
            write(path, items * scale)
            rows, cpu, memory = measure(_OURS, path, search=_ROOT, folder=folder)
            peer = "| – | – | –"
            if items * scale <= MOST_OF_ODMLIB:
                same, slow, much = measure(_ODMLIB, path, search=_ROOT / "tests/support/oracles", folder=folder)
                assert same == rows, "both read the same rows"
                ratios.append(slow / cpu)
                peer = f"| {slow:.2f} | {much} | {slow / cpu:.1f}"
            print(f"| {rows:,} | {cpu:.2f} | {memory} {peer} |", flush=True)
    return 0 if min(ratios) >= 8 else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else ITEMS))
