"""`metricis package` of a study with a signed form: its signatures as the file tells them, the same bytes for the same snapshot."""

import csv
import hashlib
import io
import json

import pytest
import yaml
from typer.testing import CliRunner

from datamodel.access import actions as access
from datamodel.access import reads as access_reads
from datamodel.access import tokens
from datamodel.access.actor import KNOCKING
from datamodel.credentials import actions as credentials
from datamodel.kernel.errors import FaultError, RefusedError
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from datamodel.records import actions as records
from datamodel.records import marks
from datamodel.records.content import canonical_values, content_hash
from datamodel.signatures.actions import Proof
from datamodel.study import reads as study_reads
from exports.submission.export import export
from exports.submission.standards import standards_of
from metricis.cli import app
from tests.integration.marts.conftest import STUDY
from tests.integration.marts.test_submission import RULE, SPEC, files

PASSWORD = "correct horse battery"
NAME = "ida@site.example"
VALUES = {"sex": "1", "age": "60", "is_smoker": "0", "illness___1": "1", "illness____2": "0", "site_id": "A"}


@pytest.fixture
def signed(trial, home):
    """The small trial, in which an investigator signed one participant's first form."""
    trial.folder = home / "marts"
    with unit_of_work(trial.url, trial.installer) as unit:
        account = access.create_account(unit, kind="staff", name="Ida Paul", sign_in_name=NAME, password=PASSWORD)
        access.grant(unit, account_id=account, study=STUDY, role="investigator", is_unblinded=True)
    with unit_of_work(trial.url, KNOCKING) as unit:
        ida, token = (
            access_reads.actor(unit.session, account),
            credentials.sign_in(unit, name=NAME, password=PASSWORD).token,
        )
    with unit_of_work(trial.url, ida) as unit:
        every = marks.load(unit.session, study_reads.study(unit.session, STUDY).id, participants=["S-1"]).values()
        shown = [one.as_shown for one in every if one.form_name == "about"]
        proof = Proof(token=token, password=PASSWORD, sign_in_name=NAME)
        done = records.sign_forms(
            unit, study=STUDY, shown=shown, meaning="responsibility", proof=proof, zone="Europe/Paris"
        )
    assert len(done.done) == 1
    trial.take()
    return trial, account


@pytest.fixture
def package(signed, tmp_path, monkeypatch):
    """The command, with the token that the manual says, on a mapping of this test's own."""
    trial, account = signed
    specs, rules = tmp_path / "specs", tmp_path / "rules"
    (specs / STUDY).mkdir(parents=True)
    rules.mkdir()
    for name, content in SPEC.items():
        (specs / STUDY / name).write_text(yaml.safe_dump(content))
    (rules / "rule.yml").write_text(yaml.safe_dump(RULE))
    for one in (export, standards_of):
        monkeypatch.setitem(one.__kwdefaults__, "specs", specs)
    monkeypatch.setenv("METRICIS_DATABASE_URL", trial.url)

    def run(name, *more, scopes=("study:data:export", "study:blinded:read", "study:records:read")):
        with unit_of_work(trial.url, trial.installer) as unit:
            token = tokens.make_token(
                unit, account_id=account, purpose="test", days=1, study=STUDY, scopes=list(scopes)
            )
        monkeypatch.setenv("METRICIS_TOKEN", token)
        settings.cache_clear()
        out = tmp_path / "packages" / name
        result = CliRunner().invoke(app, ["package", STUDY, "--rules", str(rules), "--out", str(out), *more])
        if result.exception is not None:
            raise result.exception
        return out, result.output

    return run


def rows(folder):
    return list(csv.DictReader(io.StringIO((folder / "signatures.csv").read_text(encoding="utf-8"))))


def test_the_package_tells_who_signed_which_version_and_is_the_same_bytes_again(signed, package, tmp_path):
    trial, _ = signed
    with pytest.raises(RefusedError, match="may not see form values"):
        package("none", scopes=("study:data:export", "study:blinded:read"))
    assert not (tmp_path / "packages").exists()
    one, said = package("one")
    [row] = rows(one)
    place = (
        row["subject_id"],
        row["event_id"],
        row["event_repeat"],
        row["form_id"],
        row["form_repeat"],
        row["version"],
    )
    assert place == ("S-1", "base_arm_1", "0", "about", "0", "1")
    assert (row["printed_name"], row["role"], row["meaning"]) == ("Ida Paul", "investigator", "responsibility")
    assert (row["zone"], row["is_void"], row["void_reason"], row["voided_at"]) == ("Europe/Paris", "false", "", "")
    assert row["content_sha256"] == content_hash("complete", canonical_values(VALUES)).hex()
    assert row["signed_at"].endswith("+00:00")
    assert row["manifestation"].startswith("Electronically signed by Ida Paul (investigator) on ")
    assert row["fingerprint"] in row["manifestation"]
    manifest = json.loads((one / "manifest.json").read_text())
    [entry] = [file for file in manifest["files"] if file["path"] == "signatures.csv"]
    assert entry["rows"] == 1
    assert entry["sha256"] == hashlib.sha256((one / "signatures.csv").read_bytes()).hexdigest()
    assert hashlib.sha256((one / "manifest.json").read_bytes()).hexdigest() in said

    # A value changes afterwards: the signature is void now, and was not when the snapshot was taken.
    trial.revise("about", ("S-1", "base_arm_1", 0, 0, "complete", VALUES | {"age": "62"}))
    trial.take()
    again, _ = package("again", "--snapshot", "1")
    assert files(again) == files(one)
    later, _ = package("later")
    [row] = rows(later)
    assert row["is_void"] == "true"
    assert row["void_reason"] == "Value changed: Age"
    assert row["manifestation"].startswith("VOID since ")

    file = later / "signatures.csv"
    file.write_text(file.read_text(encoding="utf-8").replace("Ida Paul", "Ivo Reed"), encoding="utf-8")
    with pytest.raises(FaultError, match=r"altered.*signatures\.csv"):
        package("later")
