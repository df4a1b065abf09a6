"""A small trial out as ODM and in again: valid, nothing lost, nothing that was not to be seen."""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from lxml import etree
from sqlalchemy import text

from datamodel.access import actions as access
from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING
from datamodel.kernel.errors import BadInputError, RefusedError
from datamodel.kernel.ids import new_id
from datamodel.kernel.unit import unit_of_work
from datamodel.records.blinded import JOIN, VALUES
from exports.odm.design_in import design_of
from exports.odm.export import export
from exports.odm.read import OdmFile
from tests.integration.marts.conftest import ARMS, PROTOCOL, STUDY

ODMLIB = Path(importlib.util.find_spec("odmlib").submodule_search_locations[0])
SCHEMAS = {"1.3.2": ODMLIB / "schemas/odm/1.3.2/ODM1-3-2.xsd", "2.0": ODMLIB / "schemas/odm/2.0/ODM.xsd"}


def person(trial, role, *, is_unblinded=False):
    with unit_of_work(trial.url, trial.installer) as unit:
        account = access.create_account(unit, kind="staff", name=f"{role} {new_id()}")
        access.grant(unit, account_id=account, study=STUDY, role=role, is_unblinded=is_unblinded)
    with unit_of_work(trial.url, KNOCKING) as unit:
        return access_reads.actor(unit.session, account)


@pytest.fixture
def write(trial, tmp_path):
    trial.take()

    def write(name="study.xml", *, actor=None, **more):
        who = actor or person(trial, "statistician", is_unblinded=True)
        return export(trial.url, who, study=STUDY, marts=trial.folder, out=tmp_path / name, **more)

    return write


def read(path):
    file = OdmFile(path)
    batches = list(file.batches(rows=20))
    return file, pl.concat([one.items for one in batches]), pl.concat([one.notes for one in batches])


def assert_valid(path, version):
    schema = etree.XMLSchema(etree.parse(str(SCHEMAS[version])))
    assert schema.validate(etree.parse(str(path))), schema.error_log


@pytest.mark.parametrize("version", ["1.3.2", "2.0"])
def test_the_file_is_valid_and_the_same_bytes_each_time(write, trial, version):
    actor = person(trial, "statistician", is_unblinded=True)
    first, again = write("a.xml", version=version, actor=actor), write("b.xml", version=version, actor=actor)
    assert_valid(first.path, version)
    assert first.path.read_bytes() == again.path.read_bytes()
    assert first.sha256 == hashlib.sha256(first.path.read_bytes()).hexdigest()
    assert first.items > 50


def test_values_and_design_come_back_equal(write, trial):
    file, items, _ = read(write().path)
    # the small trial gives two people an arm that is not in the field's list: what is found in the data is told
    wrong = [("code", "IT.drug.arm", 2)]
    assert [(one.kind, one.place, one.count) for one in file.departures] == wrong
    assert design_of(file) == PROTOCOL
    with unit_of_work(trial.url, trial.service) as unit:
        rows = unit.session.execute(
            text(
                f"select p.code, i.event_name, i.event_repeat, i.form_name, i.form_repeat, {VALUES} from app.form_instance i "
                f"join app.form_revision r on r.instance_id = i.id and r.number = i.revision {JOIN} "
                "join app.participant p on p.id = i.participant_id"
            )
        ).all()
    wanted = {
        (
            row[0],
            f"SE.{row[1]}",
            str(row[2] or "") or None,
            f"F.{row[3]}",
            str(row[4] or "") or None,
            f"IT.{row[3]}.{name}",
            value,
        )
        for row in rows
        for name, value in row[5].items()
        if name != "name"
    }
    columns = ("subject", "event", "event_repeat", "form", "form_repeat", "item", "value")
    assert set(items.select(columns).iter_rows()) == wanted
    assert "Wilhelmina" not in file.path.read_text()


def test_every_revision_comes_back_with_who_when_and_why(write, trial):
    values = {"sex": "9", "age": "71"}
    with unit_of_work(trial.url, trial.service, reason="Read wrongly from the source") as unit:
        from datamodel.records import actions as records
        from datamodel.records.content import canonical_values

        records.revise_batch(
            unit,
            study=STUDY,
            form="about",
            rows=[("S-4", "base_arm_1", 0, 0, "complete", canonical_values(values))],
            complete_for=(),
        )
    trial.take()
    done = write(actor=person(trial, "owner", is_unblinded=True), has_audit=True)
    assert_valid(done.path, "1.3.2")
    _, items, notes = read(done.path)
    age = items.filter((pl.col("subject") == "S-4") & (pl.col("item") == "IT.about.age"))
    assert age.select("value", "transaction").rows() == [("-77", "Insert"), ("71", "Update")]
    assert age["audit_reason"].to_list() == ["First entry", "Read wrongly from the source"]
    assert set(age["audit_user"]) == {"USR.service.1"}
    assert age["audit_location"].to_list() == ["LOC.B", "LOC.B"]
    with unit_of_work(trial.url, trial.service) as unit:
        stamps = unit.session.execute(
            text(
                "select r.recorded_at from app.form_revision r join app.form_instance i on i.id = r.instance_id "
                "join app.participant p on p.id = i.participant_id where p.code = 'S-4' and i.form_name = 'about' order by 1"
            )
        ).scalars()
        assert age["audit_at"].to_list() == [one.isoformat() for one in stamps]
    assert "complete" in set(notes["flag"])


def test_a_blinded_reader_gets_no_blinded_field_neither_as_data_nor_as_metadata(write, trial):
    done = write(actor=person(trial, "statistician"))
    content = done.path.read_text()
    assert "F.drug" in content
    assert "IT.drug.arm" not in content
    assert not any(arm in content for arm in ARMS.values())


def test_who_may_not_gets_nothing_and_a_file_is_never_overwritten(write, trial, tmp_path):
    with pytest.raises(RefusedError):
        write("no.xml", actor=person(trial, "coordinator"), has_audit=True)
    with pytest.raises(RefusedError, match="when blinded values changed"):
        write("no.xml", actor=person(trial, "owner"), has_audit=True)
    write("there.xml")
    with pytest.raises(BadInputError, match="exists"):
        write("there.xml")
    with pytest.raises(BadInputError, match=r"1\.3\.2 only"):
        write("two.xml", actor=person(trial, "owner", is_unblinded=True), version="2.0", has_audit=True)
    assert sorted(one.name for one in tmp_path.glob("*.xml*")) == ["there.xml"]


def test_the_ledger_knows_each_export_by_its_hash(write, trial):
    done = write()
    with unit_of_work(trial.url, trial.service) as unit:
        change = unit.session.execute(
            text("select change from app.audit_event where action = 'odm.export'")
        ).scalar_one()
    assert change["new"]["sha256"] == done.sha256
    assert change["new"]["items"] == str(done.items)


def test_odmlib_reads_the_same_counts(write):
    done = write()
    _, items, _ = read(done.path)
    code = (
        "import json, sys\n"
        "import odmlib.odm_loader as loaders, odmlib.loader as loader\n"
        "one = loader.ODMLoader(loaders.XMLODMLoader())\n"
        "one.open_odm_document(sys.argv[1])\n"
        "odm = one.root()\n"
        "version = odm.Study[0].MetaDataVersion[0]\n"
        "count = sum(len(g.ItemData) for c in odm.ClinicalData for s in c.SubjectData for e in s.StudyEventData\n"
        "            for f in e.FormData for g in f.ItemGroupData)\n"
        "print(json.dumps([len(version.ItemDef), len(version.FormDef), len(version.CodeList), count]))\n"
    )
    oracles = Path(__file__).parents[2] / "support" / "oracles"
    found = subprocess.run(
        [sys.executable, "-c", code, str(done.path)],
        env={**os.environ, "PYTHONPATH": str(oracles)},
        cwd=done.path.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert found.returncode == 0, found.stderr
    root = etree.parse(str(done.path))
    counts = [len(root.findall(f".//{{*}}{tag}")) for tag in ("ItemDef", "FormDef", "CodeList")]
    assert json.loads(found.stdout) == [*counts, items.height]
