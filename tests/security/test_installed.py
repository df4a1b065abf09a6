"""The program's own files are those that were recorded and signed: one byte, one file less or more, and nothing starts."""

import base64
import compileall
import hashlib
import os
import random
import shutil
import subprocess
import sys

import psycopg
import pytest
import yaml
from typer.testing import CliRunner

from datamodel.access.actor import Actor
from datamodel.checkpoints.sealer import Sealer
from datamodel.custody import actions, files, installed, libraries
from datamodel.custody.files import Change, Place
from datamodel.custody.installed import TamperedError
from datamodel.kernel.errors import FaultError, RefusedError
from datamodel.kernel.ids import new_id
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from metricis.cli import app
from metricis.local.people import installer
from pipelines.custody import steps

FLIPS, AT_ONCE = 1000, 25


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The program as it is shipped, in a folder of its own."""
    root, libraries = tmp_path_factory.mktemp("program"), tmp_path_factory.mktemp("libraries")
    for package in files.PACKAGES:
        shutil.copytree(files.here().root / package, root / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(files.here().root / "prefect.yaml", root)
    (libraries / "six.py").write_text("pass\n")
    return Place(root, libraries)


@pytest.fixture
def installation(database_url, home, monkeypatch):
    """An installation whose ledger has an identity, in production."""
    Sealer(database_url, settings()).identity()
    installer(database_url)
    monkeypatch.setenv("METRICIS_LEDGER_KEY", (home / "ledger.key").read_text())
    monkeypatch.setenv("METRICIS_ROOT_KEY", (home / "root.key").read_text())
    monkeypatch.setenv("METRICIS_ENVIRONMENT", "production")
    settings.cache_clear()
    return database_url


def record(url, place, *, release="1.0"):
    found = files.listed(place)
    told = installed.sign(files.written(found), number=len(found), given=settings()) | {"release": release}
    with unit_of_work(url, installer(url), reason="release 1.0") as unit:
        actions.record_files(unit, told=told)


def append(path):
    path.write_bytes(path.read_bytes() + b"\n")


def check(url, place):
    installed.check_files(url, place=place)


def test_of_1000_flipped_bytes_each_is_found_and_its_file_named(installation, copy):
    record(installation, copy)
    kept, chance = installed.newest(installation).files, random.Random(5)
    shipped = [path for path in sorted(kept) if (copy.root / path).is_file() and (copy.root / path).stat().st_size]
    for _ in range(FLIPS // AT_ONCE):
        names = sorted(chance.sample(shipped, AT_ONCE))
        before = {name: (copy.root / name).read_bytes() for name in names}
        for name, content in before.items():
            at = chance.randrange(len(content))
            flipped = bytes([content[at] ^ (1 << chance.randrange(8))])
            (copy.root / name).write_bytes(content[:at] + flipped + content[at + 1 :])
        assert files.changes(kept, copy) == [Change("altered", name) for name in names]
        for name, content in before.items():
            (copy.root / name).write_bytes(content)
    check(installation, copy)


@pytest.mark.parametrize(
    ("alter", "said"),
    [
        (lambda root: append(root / "datamodel/vault/seal.py"), r"datamodel/vault/seal.py \(altered\)"),
        (lambda root: (root / "apps/guard.py").unlink(), r"apps/guard.py \(missing\)"),
        (lambda root: (root / "datamodel/vault/extra.py").write_text(""), r"datamodel/vault/extra.py \(extra\)"),
        (lambda root: (root / "apps/edge/templates/x.html").write_text(""), r"apps/edge/templates/x.html \(extra\)"),
        (lambda root: (root / "argon2.py").write_text(""), r"argon2.py \(extra\)"),
        (lambda root: (root / "apps/more").symlink_to("/tmp"), r"apps/more \(extra\)"),  # noqa: S108 - never read
        (lambda root: append(root / "prefect.yaml"), r"prefect.yaml \(altered\)"),
        (lambda root: (root / "datamodel/vault/seal.pyc").write_bytes(b"x" * 99), r"seal.pyc \(extra\)"),
    ],
)
def test_what_was_changed_keeps_production_from_starting(installation, copy, tmp_path, alter, said):
    place = Place(tmp_path / "program", copy.libraries)
    shutil.copytree(copy.root, place.root)
    record(installation, place)
    check(installation, place)
    alter(place.root)
    with pytest.raises(TamperedError, match=said) as refused:
        check(installation, place)
    assert "metricis install record" in str(refused.value)


def test_a_library_that_was_put_in_or_changed_is_told_too(installation, copy):
    record(installation, copy)
    sneaked = copy.libraries / "sneaked.pth"
    sneaked.write_text("import os\n")
    with pytest.raises(TamperedError, match=r"site-packages/sneaked.pth \(extra\)"):
        check(installation, copy)
    sneaked.unlink()
    check(installation, copy)


def test_a_compiled_copy_that_is_not_of_its_source_is_told_and_one_that_is_may_come_and_go(
    installation, copy, tmp_path
):
    place = Place(tmp_path / "program", copy.libraries)
    shutil.copytree(copy.root, place.root)
    record(installation, place)
    source = place.root / "datamodel/kernel/ids.py"
    compileall.compile_file(source, quiet=2)
    check(installation, place)
    (made,) = (source.parent / "__pycache__").glob(f"ids.{sys.implementation.cache_tag}.pyc")
    body = made.read_bytes()
    wrong = source.read_text()
    source.write_text(wrong + "\nSNEAKED = 1\n")
    compileall.compile_file(source, quiet=2, force=True)
    other = made.read_bytes()
    source.write_text(wrong)
    made.write_bytes(body[:16] + other[16:])
    with pytest.raises(TamperedError, match=r"__pycache__/ids.*\(altered\)"):
        check(installation, place)
    made.unlink()
    check(installation, place)


def test_production_without_a_record_does_not_start_and_development_does(installation, copy, monkeypatch):
    with pytest.raises(TamperedError, match="Nobody has recorded"):
        check(installation, copy)
    monkeypatch.setenv("METRICIS_ENVIRONMENT", "development")
    settings.cache_clear()
    check(installation, copy)


def test_development_starts_and_tells(installation, copy, monkeypatch, caplog):
    record(installation, copy)
    monkeypatch.setenv("METRICIS_ENVIRONMENT", "development")
    settings.cache_clear()
    extra = copy.root / "apps/extra.py"
    extra.write_text("")
    check(installation, copy)
    extra.unlink()
    assert "apps/extra.py (extra)" in caplog.text


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("change = jsonb_set(change, '{new,listing}', to_jsonb(change#>>'{new,listing}' || E'0  apps/x.py\\n'))", "list is not"),
        ("change = jsonb_set(change, '{new,note}', to_jsonb(replace(change#>>'{new,note}', '— ', '— x')))", "no signature"),
        ("change = jsonb_set(change, '{new,note}', '\"nothing\"')", "not a signed checkpoint"),
        ("change = '{}'", "not a signed checkpoint"),
    ],
)  # fmt: skip
def test_a_record_that_was_altered_in_the_database_is_not_trusted(installation, copy, server_url, statement, said):
    record(installation, copy)
    with psycopg.connect(server_url) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute(f"update app.audit_event set {statement} where action = 'custody.record_files'")
    with pytest.raises(TamperedError, match=said):
        check(installation, copy)


def test_who_signs_with_another_key_is_not_believed(installation, copy, home, monkeypatch, tmp_path):
    """Somebody with the disk makes a list of their own: their key is not the log's."""
    record(installation, copy)
    theirs = tmp_path / "their-home"
    theirs.mkdir()
    monkeypatch.setenv("METRICIS_HOME", str(theirs))
    monkeypatch.setenv("METRICIS_ENVIRONMENT", "development")
    monkeypatch.delenv("METRICIS_LEDGER_KEY")
    settings.cache_clear()
    Sealer("", settings()).renew()
    with pytest.raises(TamperedError, match="names “"):
        installed.newest(installation)
    # with the identity exchanged in the right home, the key of the processes is not known to it
    monkeypatch.setenv("METRICIS_HOME", str(home))
    monkeypatch.setenv("METRICIS_LEDGER_KEY", (home / "ledger.key").read_text())
    shutil.copy(theirs / "heads/identity.txt", home / "heads/identity.txt")
    settings.cache_clear()
    with pytest.raises(TamperedError, match="does not know the ledger's present key"):
        installed.newest(installation)
    (home / "heads/identity.txt").unlink()
    settings.cache_clear()
    with pytest.raises(TamperedError, match="no identity"):
        installed.newest(installation)


def test_only_who_may_records_and_only_with_the_log_s_key(installation, copy, monkeypatch):
    somebody = Actor(id=new_id(), kind="staff", name="Ada")
    with pytest.raises(RefusedError, match="administrator"), unit_of_work(installation, somebody) as unit:
        actions.record_files(unit, told={})
    monkeypatch.setenv("METRICIS_LEDGER_KEY", "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=")
    settings.cache_clear()
    with pytest.raises(FaultError, match="ledger's present key"):
        installed.sign("", number=0, given=settings())


def test_the_commands_record_and_verify(database_url, home, monkeypatch):
    monkeypatch.setenv("METRICIS_DATABASE_URL", database_url)
    settings.cache_clear()
    run = CliRunner()
    assert run.invoke(app, ["install", "verify"]).exit_code == 1
    made = run.invoke(app, ["install", "record", "--reason", "release 1.0"])
    assert made.exit_code == 0, made.output
    assert (home / "files.sha256").read_text().count("\n") > 500
    found = run.invoke(app, ["install", "verify"])
    assert found.exit_code == 0, found.output


def test_a_byte_that_breaks_the_program_itself_is_told_in_a_sentence_too(copy, tmp_path):
    """What cannot even be loaded never comes to the check: the copied list says which file it is."""
    place = tmp_path / "program"
    shutil.copytree(copy.root, place)
    (tmp_path / "files.sha256").write_text(files.written(files.packaged(files.listed(Place(place, place)))))
    broken = place / "datamodel/vault/seal.py"
    broken.write_text(broken.read_text().replace("import secrets", "xmport secrets"))
    done = subprocess.run(
        [sys.executable, "-m", "metricis", "web"],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(place), "METRICIS_HOME": str(tmp_path), "ENVIRONMENT": "production"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 70
    assert "datamodel/vault/seal.py (altered)" in done.stderr
    assert "Traceback" not in done.stderr


def test_other_people_s_packages_are_held_against_their_lists_and_those_are_recorded(copy, tmp_path):
    folder = tmp_path / "site-packages"
    (folder / "lib-1.dist-info").mkdir(parents=True)
    (folder / "lib/deep").mkdir(parents=True)
    listing, code = folder / "lib-1.dist-info/RECORD", folder / "lib/deep/code.py"
    code.write_text("x = 1\n")
    digest = base64.urlsafe_b64encode(hashlib.sha256(code.read_bytes()).digest()).rstrip(b"=").decode()
    listing.write_text(f"lib/deep/code.py,sha256={digest},6\nlib-1.dist-info/RECORD,,\n")
    place = Place(copy.root, folder)
    recorded = files.listed(place)
    assert (libraries.changes(folder), files.changes(recorded, place)) == ((1, []), [])
    code.write_text("x = 2\n")
    (folder / "lib/more.py").write_text("")
    (folder / "new").mkdir()
    (folder / "new/__init__.py").write_text("")
    assert libraries.changes(folder)[1] == [
        Change("altered", "site-packages/lib/deep/code.py"),
        Change("extra", "site-packages/lib/more.py"),
        Change("extra", "site-packages/new/__init__.py"),
    ]
    listing.write_text("lib-1.dist-info/RECORD,,\n")
    assert files.changes(recorded, place) == [Change("altered", "site-packages/lib-1.dist-info/RECORD")]
    code.unlink()


def test_every_run_of_a_flow_begins_with_the_check(installation, home, monkeypatch):
    """A run is a process of its own; its deployment's first steps come before its flow is loaded."""
    deployments = yaml.safe_load((files.here().root / "prefect.yaml").read_text())
    assert [name for step in deployments["pull"] for name in step][1:] == ["pipelines.custody.steps.ready"]
    assert not any("pull" in one for one in deployments["deployments"])
    monkeypatch.setenv("METRICIS_DATABASE_URL", installation)
    settings.cache_clear()
    with pytest.raises(TamperedError, match="Nobody has recorded"):
        steps.ready()


def test_every_file_of_the_installation_is_listed():
    assert len(files.listed(files.here())) > 500


def test_packages_come_from_one_place():
    assert files.elsewhere() == []
