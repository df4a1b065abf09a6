"""What others say of the signed heads: time stamps from a real authority, and witnesses; and who rewrites them is found."""

import base64
import os
import time

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner

from datamodel.anchors.cosignature import Witness, read_witness
from datamodel.anchors.record import Anchors
from datamodel.checkpoints.heads import Record
from datamodel.checkpoints.note import read
from datamodel.kernel.errors import BadInputError
from datamodel.vault.timestamps import request, stamped_at
from metricis.ledger import app
from tests.support.tsa import authority

RUN = CliRunner()


class Somebody:
    """A witness with a key of its own."""

    def __init__(self, name="witness.example"):
        self.key = Ed25519PrivateKey.generate()
        self.witness = Witness(name, self.key.public_key().public_bytes_raw())

    def cosigned(self, note, *, at=None):
        seconds = int(at or time.time())
        message = f"cosignature/v1\ntime {seconds}\n{read(note).head.text()}".encode()
        raw = self.witness.id + seconds.to_bytes(8) + self.key.sign(message)
        return f"{note.rstrip()}\n— {self.witness.name} {base64.b64encode(raw).decode()}\n"


@pytest.fixture
def anchors(attacked):
    return Anchors(Record(attacked.home))


@pytest.fixture
def tsa(tmp_path):
    with authority(tmp_path / "tsa") as found:
        yield found


def test_a_head_is_stamped_and_kept_and_anchored(attacked, anchors, tsa):
    assert [one.kind for one in anchors.standing()] == ["file"]
    assert not anchors.is_anchored()
    done = RUN.invoke(app, ["stamp", "--tsa", tsa.url, "--roots", str(tsa.roots)])
    assert done.exit_code == 0, done.output
    assert done.output.startswith("stamp: head over")
    assert anchors.is_anchored()
    assert list(anchors.problems()) == []
    shown = RUN.invoke(app, ["anchors", "--json"])
    assert '"anchored": true' in shown.output


def test_a_record_rewritten_after_the_stamp_is_found(attacked, anchors, tsa):
    RUN.invoke(app, ["stamp", "--tsa", tsa.url, "--roots", str(tsa.roots)])
    (heads,) = [
        one for one in (attacked.home / "heads").glob("*.txt") if "_" not in one.name and "identity" not in one.name
    ]
    text = heads.read_text()
    newest = Record(attacked.home).tree(Record(attacked.home).identity(), None).heads()[-1]
    root = newest.split("\n")[2]
    heads.write_text(text.replace(root, base64.b64encode(os.urandom(32)).decode()))
    assert [one.kind for one in Anchors(Record(attacked.home)).problems()] == ["stamp"]
    heads.write_text(text.replace(newest.rstrip(), "").rstrip() + "\n\n")
    assert [one.kind for one in Anchors(Record(attacked.home)).problems()] == ["stamp"]


def test_a_stamp_of_another_message_or_authority_is_refused(anchors, tsa, tmp_path):
    import httpx

    head, note = anchors.newest()
    answer = httpx.post(tsa.url, content=request(b"something else")).content
    with pytest.raises(BadInputError, match="does not verify"):
        anchors.keep_stamp(answer, head=head, note=note, roots=tsa.roots.read_bytes())
    good = httpx.post(tsa.url, content=request(note.encode())).content
    with authority(tmp_path / "other") as other, pytest.raises(BadInputError, match="does not verify"):
        anchors.keep_stamp(good, head=head, note=note, roots=other.roots.read_bytes())
    with pytest.raises(BadInputError, match="not a time stamp"):
        stamped_at(b"<html>busy</html>", message=b"x", roots=tsa.roots.read_bytes())
    assert not (anchors.folder / f"{head.size}.tsr").exists()


def test_an_authority_that_is_away_leaves_nothing(anchors, tsa):
    done = RUN.invoke(app, ["stamp", "--tsa", "http://127.0.0.1:9/", "--roots", str(tsa.roots)])
    assert done.exit_code != 0
    assert "did not answer" in str(done.exception)
    assert not anchors.folder.exists()


def test_a_witness_is_kept_once_its_key_is_known(anchors, tmp_path):
    somebody, (head, note) = Somebody(), anchors.newest()
    file = tmp_path / "head.note"
    file.write_text(somebody.cosigned(note))
    done = RUN.invoke(app, ["witness", str(file)])
    assert "No known witness" in str(done.exception)
    done = RUN.invoke(app, ["witness", str(file), "--key", somebody.witness.line()])
    assert f"witness: head over {head.size} entries, witness.example on" in done.output
    assert anchors.is_anchored()
    assert list(anchors.problems()) == []


def test_a_witness_that_saw_another_head_gives_the_rewriting_away(attacked, anchors):
    somebody, (_, note) = Somebody(), anchors.newest()
    anchors.keep_witness(somebody.cosigned(note), key=somebody.witness.line())
    newest = note.rstrip()
    (heads,) = [
        one for one in (attacked.home / "heads").glob("*.txt") if "_" not in one.name and "identity" not in one.name
    ]
    heads.write_text(heads.read_text().replace(newest, "").rstrip() + "\n\n")
    assert [one.kind for one in Anchors(Record(attacked.home)).problems()] == ["witness"]


def test_forged_co_signatures_and_strange_heads_are_refused(anchors):
    somebody, other, (_, note) = Somebody(), Somebody(), anchors.newest()
    with pytest.raises(BadInputError, match="No known witness"):
        anchors.keep_witness(other.cosigned(note), key=somebody.witness.line())
    signed = somebody.cosigned(note, at=1_700_000_000)
    raw = base64.b64decode(signed.rstrip().rpartition(" ")[2])
    later = raw[:4] + (1_800_000_000).to_bytes(8) + raw[12:]
    with pytest.raises(BadInputError, match="No known witness"):
        anchors.keep_witness(
            signed.replace(base64.b64encode(raw).decode(), base64.b64encode(later).decode()),
            key=somebody.witness.line(),
        )
    strange = note.replace(note.split("\n")[2], base64.b64encode(os.urandom(32)).decode())
    with pytest.raises(BadInputError, match="not one that this installation signed"):
        anchors.keep_witness(somebody.cosigned(strange), key=somebody.witness.line())


@pytest.mark.parametrize(
    "line", ["", "name", "name+00000000+AAAA", "n+zz+" + base64.b64encode(b"\x01" + bytes(32)).decode()]
)
def test_what_is_no_key_of_a_witness_is_said(line):
    with pytest.raises(BadInputError, match="not the key of a witness"):
        read_witness(line)
