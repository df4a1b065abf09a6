"""Write clinical data of a study as of one ledger position: newest state or every revision, row by row from PostgreSQL."""

# ruff: noqa: S608 - the SQL is made of constants; values go in as literals, quoted by psycopg

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
import polars as pl
from psycopg import sql

from datamodel.records.blinded import JOIN, VALUES
from datamodel.study.protocol import Form, Protocol
from exports.marts.reader import Snapshot
from exports.marts.source import Source
from exports.odm.design_out import (
    SESSION_GROUPS,
    Version,
    form_oid,
    group_oid,
    session_group,
    session_item,
    task_oid,
)
from exports.odm.shape import QUERY_LIST, SESSIONS, STATUS_LIST, Item, event_oid, items
from exports.odm.xml import XmlWriter

#: what stands for a site where none is known: an audit record has to name a location
CENTRAL: Final = "LOC.central"
MEANINGS: Final = ("author", "review", "approval", "responsibility", "locking")
_SEALED: Final = (
    "with sealed as materialized (select event_id, position from app.audit_entry where position <= {position}) "
)
_REVISIONS: Final = (
    _SEALED
    + f"""
    select p.code as subject, t.code as site, i.event_name as event, i.event_repeat::bigint as event_repeat,
        i.form_name as form, i.form_repeat::bigint as form_repeat, r.number::bigint as number, r.is_removed,
        case when r.number = i.newest then coalesce(m.status, r.status) else r.status end as status,
        ({VALUES})::text as values, r.recorded_at, e.actor_id::text as actor, e.role, e.reason, s.position::bigint,
        i.id::text as instance, r.number = i.newest as is_newest
    from (
        select f.*, (select max(x.number) from app.form_revision x join sealed s on s.event_id = x.event_id
                     where x.instance_id = f.id) as newest
        from app.form_instance f where f.study_id = {{study}}::uuid
    ) i
    join app.form_revision r on r.instance_id = i.id {JOIN}
    join sealed s on s.event_id = r.event_id
    join app.audit_event e on e.id = r.event_id
    join app.participant p on p.id = i.participant_id
    left join app.site t on t.id = p.site_id
    left join lateral (
        select x.status from app.form_step x join sealed q on q.event_id = x.event_id
        where x.instance_id = i.id and x.revision = i.newest order by q.position desc, x.at desc limit 1
    ) m on true
    where {{which}} = 'all' or (r.number = i.newest and not r.is_removed)
    order by p.code collate "C", i.event_name, i.event_repeat, i.form_name, i.form_repeat, r.number
    """
)
_USERS: Final = (
    _SEALED
    + """
    select e.actor_id::text as actor, coalesce(max(e.role), max(e.actor_kind)) as role, min(s.position)::bigint as first
    from app.audit_event e join sealed s on s.event_id = e.id
    where e.study_id = {study}::uuid group by e.actor_id order by 3, 1
    """
)
_SITES: Final = "select code, name from app.site where study_id = {study}::uuid and {position} >= 0 order by code"
_SIGNATURES: Final = (
    _SEALED
    + """
    select g.record_id::text as instance, g.version::bigint as version, g.meaning, e.actor_id::text as actor, t.code as site,
        g.signed_at, encode(g.manifest_sha256, 'hex') as manifest
    from app.signature g join sealed s on s.event_id = g.event_id
    join app.audit_event e on e.id = g.event_id
    left join app.participant p on p.id = g.participant_id
    left join app.site t on t.id = p.site_id
    where g.study_id = {study}::uuid and g.kind = 'form' and not exists (
        select from app.signature_void v join sealed q on q.event_id = v.event_id where v.signature_id = g.id)
    order by g.signed_at
    """
)


@dataclass(frozen=True, slots=True)
class Asked:
    """How the data are written: for whom (`snapshot`), with every revision, in which version of ODM."""

    snapshot: Snapshot
    has_audit: bool
    version: Version
    #: the participants that are written; None for all
    people: frozenset[str] | None = None

    def takes(self, row: Mapping[str, Any]) -> bool:
        """Whether a row of the data, with its `subject` and `site`, is for this reader and was asked for."""
        site = self.snapshot.site
        return (site is None or row["site"] == site) and (self.people is None or row["subject"] in self.people)


@dataclass(slots=True)
class Lists:
    """What is small enough to be held: people by pseudonym, sites, signatures and questions by place."""

    users: dict[str, tuple[str, str]]
    sites: dict[str, str]
    signatures: dict[tuple[str, int], list[dict[str, Any]]]
    questions: dict[tuple[Any, ...], list[dict[str, Any]]]

    @classmethod
    def read(cls, of: Source, snapshot: Snapshot) -> "Lists":
        """Read the lists; users become a role and a number, in the order in which they first acted."""
        counts: dict[str, int] = defaultdict(int)
        users = {}
        for actor, role, _ in of.frame(_USERS).iter_rows():
            counts[role or "machine"] += 1
            users[actor] = (role or "machine", f"{role or 'machine'} {counts[role or 'machine']}")
        sites = dict(of.frame(_SITES).iter_rows())
        if snapshot.site is not None:
            sites = {code: name for code, name in sites.items() if code == snapshot.site}
        signatures: dict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
        for one in of.frame(_SIGNATURES).iter_rows(named=True):
            signatures[one["instance"], one["version"]].append(one)
        questions: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
        for one in snapshot.frame("discrepancies").iter_rows(named=True):
            place = tuple(one[key] for key in ("subject_id", "event_id", "event_repeat", "form_id", "form_repeat"))
            questions[place].append(one)
        return cls(users, sites, signatures, questions)

    def oid(self, actor: str) -> str:
        """Return the identifier of a user in the file."""
        return "USR." + self.users.get(actor, ("", "unknown"))[1].replace(" ", ".")


def stream(of: Source, query: str, **values: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a query, a few thousand in memory at a time."""
    literals = {"study": str(of.study_id), "position": of.position, **values}
    of.cursor.execute(sql.SQL(query).format(**{name: sql.Literal(one) for name, one in literals.items()}).as_string())
    for batch in of.cursor.fetch_record_batch():
        yield from pl.DataFrame(batch).iter_rows(named=True)


class DataWriter:
    """Writes AdminData and ClinicalData; `design` is what the reader may see of the design."""

    def __init__(self, xml: XmlWriter, lists: Lists, asked: Asked, design: Protocol) -> None:
        self.xml, self.lists, self.asked = xml, lists, asked
        self.is_2 = asked.version == "2.0"
        self.forms: Mapping[str, tuple[Form, dict[str, Item]]] = {
            form.name: (
                form,
                {
                    one.name: one
                    for one in items(form)
                    if not one.field.is_identifier and one.field.kind not in {"descriptive", "file"}
                },
            )
            for form in design.forms
        }
        self.events = {one.name for one in design.events}
        self.open: list[tuple[Any, ...]] = []
        self.before: dict[str, str] = {}
        self.number = 0
        self.rows = 0

    def admin(self, design: int, study: str, *, at: str) -> None:
        """Write who and where: roles and numbers for people, sites for locations, meanings of signatures."""
        xml = self.xml
        xml.open("AdminData", StudyOID=f"ST.{study}")
        for actor, (role, shown) in self.lists.users.items():
            kind = "Investigator" if role == "investigator" else "Other"
            xml.open("User", OID=self.lists.oid(actor), UserType=kind)
            xml.leaf("DisplayName", shown)
            xml.close()
        for code, name in ((None, "Central"), *self.lists.sites.items()):
            xml.open(
                "Location", OID=self._location(code), Name=name or str(code), LocationType="Site" if code else "Other"
            )
            xml.leaf(
                "MetaDataVersionRef", StudyOID=f"ST.{study}", MetaDataVersionOID=f"MDV.{design}", EffectiveDate=at[:10]
            )
            xml.close()
        for meaning in MEANINGS:
            xml.open("SignatureDef", OID=f"SD.{meaning}", Methodology="Electronic")
            xml.leaf("Meaning", meaning)
            xml.leaf("LegalReason", f"The signer is responsible for this record: {meaning}.")
            xml.close()
        xml.close()

    def clinical(self, of: Source, study: str, design: int) -> None:
        """Write the forms of everybody whom the reader may see."""
        self.xml.open("ClinicalData", StudyOID=f"ST.{study}", MetaDataVersionOID=f"MDV.{design}")
        for row in stream(of, _REVISIONS, which="all" if self.asked.has_audit else "newest"):
            if row["form"] in self.forms and self.asked.takes(row):
                self._revision(row)
        self._close_to(0)
        self.xml.close()

    def _revision(self, row: dict[str, Any]) -> None:
        event = row["event"] if row["event"] in self.events else re.sub(r"_arm_\d+$", "", row["event"])
        known = self.forms[row["form"]][1]
        values = {name: text for name, text in orjson.loads(row["values"]).items() if name in known}
        self._place(row, event)
        if row["number"] == 1 or not self.asked.has_audit:
            self.before = {}
        kind = None
        if self.asked.has_audit:
            kind = "Remove" if row["is_removed"] else "Insert" if row["number"] == 1 else "Update"
        repeat = str(row["form_repeat"]) if row["form_repeat"] else None
        if self.is_2:
            self._group_2(row, values, repeat)
        else:
            self.xml.open("FormData", FormOID=form_oid(row["form"]), FormRepeatKey=repeat, TransactionType=kind)
            self._vouched(row, event)
            self._values(row, {} if row["is_removed"] else values)
            self.xml.close()
        self.before = values

    def _place(self, row: dict[str, Any], event: str) -> None:
        """Open the subject and the event of a row, closing those before."""
        subject = (row["subject"],)
        if self.open[:1] != [subject]:
            self._close_to(0)
            self.xml.open("SubjectData", SubjectKey=row["subject"])
            if row["site"]:
                self.xml.leaf("SiteRef", LocationOID=self._location(row["site"]))
            self.open.append(subject)
        key = (event, row["event_repeat"])
        if self.open[1:] != [key]:
            self._close_to(1)
            repeat = str(row["event_repeat"]) if row["event_repeat"] else None
            self.xml.open("StudyEventData", StudyEventOID=event_oid(event), StudyEventRepeatKey=repeat)
            self.open.append(key)

    def _close_to(self, level: int) -> None:
        self.xml.close(len(self.open) - level)
        del self.open[level:]

    def _location(self, site: str | None) -> str:
        return f"LOC.{site}" if site else CENTRAL

    def _vouched(self, row: dict[str, Any], event: str) -> None:
        """Write who entered, who signed, the form's status, and the questions about it."""
        xml = self.xml
        if self.asked.has_audit:
            xml.open("AuditRecord", EditPoint="DBAudit" if row["role"] in {None, "service"} else "DataManagement")
            xml.leaf("UserRef", UserOID=self.lists.oid(row["actor"]))
            xml.leaf("LocationRef", LocationOID=self._location(row["site"]))
            xml.leaf("DateTimeStamp", row["recorded_at"].isoformat())
            xml.leaf(
                "ReasonForChange", row["reason"] or ("First entry" if row["number"] == 1 else "No reason was given")
            )
            xml.leaf("SourceID", f"ledger position {row['position']}")
            xml.close()
        if signed := self.lists.signatures.get((row["instance"], row["number"])):
            self._signature(signed[-1])
        self.number = 0
        self._flag(row["status"], STATUS_LIST, "")
        if row["is_newest"]:
            place = (row["subject"], event, row["event_repeat"], row["form"], row["form_repeat"])
            for one in self.lists.questions.get(place, ()):
                self._flag(one["state"], QUERY_LIST, f"{one['field'] or 'form'}: {one['reason']}")

    def _signature(self, one: dict[str, Any]) -> None:
        self.xml.open("Signature")
        self.xml.leaf("UserRef", UserOID=self.lists.oid(one["actor"]))
        self.xml.leaf("LocationRef", LocationOID=self._location(one["site"]))
        self.xml.leaf("SignatureRef", SignatureOID=f"SD.{one['meaning']}")
        self.xml.leaf("DateTimeStamp", one["signed_at"].isoformat())
        self.xml.leaf("CryptoBindingManifest", one["manifest"])
        self.xml.close()

    def _flag(self, value: str, code_list: str, comment: str) -> None:
        self.number += 1
        self.xml.open("Annotation", SeqNum=str(self.number))
        if comment:
            self.xml.leaf("Comment", comment)
        self.xml.open("Flag")
        self.xml.leaf("FlagValue", value, CodeListOID=code_list)
        self.xml.close(2)

    def _values(self, row: dict[str, Any], values: dict[str, str]) -> None:
        """Write the values; with audit records, those that changed."""
        changed = [(name, text, "Update" if name in self.before else "Insert") for name, text in values.items()]
        gone: list[str] = []
        if self.asked.has_audit:
            changed = [one for one in changed if self.before.get(one[0]) != one[1]]
            gone = [name for name in self.before if name not in values]
        if not changed and not gone:
            return
        known = self.forms[row["form"]][1]
        self.xml.open("ItemGroupData", ItemGroupOID=group_oid(row["form"]))
        for name, text, kind in changed:
            shown = kind if self.asked.has_audit else None
            self.xml.leaf("ItemData", ItemOID=known[name].oid, TransactionType=shown, Value=str(text))
        for name in gone:
            self.xml.leaf("ItemData", ItemOID=known[name].oid, TransactionType="Remove", IsNull="Yes")
        self.xml.close()
        self.rows += len(changed) + len(gone)

    def _group_2(self, row: dict[str, Any], values: dict[str, str], repeat: str | None) -> None:
        if not values:
            return
        known = self.forms[row["form"]][1]
        self.xml.open("ItemGroupData", ItemGroupOID=form_oid(row["form"]), ItemGroupRepeatKey=repeat)
        for name, text in values.items():
            self._item_2(known[name].oid, str(text))
        self.xml.close()

    def _item_2(self, oid: str, text: str) -> None:
        self.xml.open("ItemData", ItemOID=oid)
        self.xml.leaf("Value", text)
        self.xml.close()
        self.rows += 1

    def sessions(self, study: str, design: int) -> None:
        """Write assessment sessions, their scores and trials as forms of an event of their own."""
        snapshot = self.asked.snapshot
        found = snapshot.frame("sessions")
        if not found.height:
            return
        parts = {
            name: {key[0]: part for key, part in snapshot.frame(name).partition_by("session_id", as_dict=True).items()}
            for name in ("scores", "trials")
        }
        self.xml.open("ClinicalData", StudyOID=f"ST.{study}", MetaDataVersionOID=f"MDV.{design}")
        for one in found.sort("subject_id", "session_id").iter_rows(named=True):
            row = {"subject": one["subject_id"], "site": one["site_id"], "event_repeat": one["session_id"]}
            if not self.asked.takes(row):
                continue
            self._place(row, SESSIONS)
            name, key = ("ItemGroupData", "ItemGroupOID") if self.is_2 else ("FormData", "FormOID")
            self.xml.open(name, **{key: task_oid(one["task"])})
            self._session_part("session", [one])
            for part, tables in parts.items():
                if one["session_id"] in tables:
                    self._session_part(part, list(tables[one["session_id"]].iter_rows(named=True)))
            self.xml.close()
        self._close_to(0)
        self.xml.close()

    def _session_part(self, group: str, rows: list[dict[str, Any]]) -> None:
        repeats, columns = SESSION_GROUPS[group]
        for place, row in enumerate(rows, start=1):
            repeat = str(place) if repeats else None
            self.xml.open("ItemGroupData", ItemGroupOID=session_group(group), ItemGroupRepeatKey=repeat)
            for name, _, _ in columns:
                text = _text(row[name])
                if text is None:
                    continue
                if self.is_2:
                    self._item_2(session_item(group, name), text)
                else:
                    self.xml.leaf("ItemData", ItemOID=session_item(group, name), Value=text)
                    self.rows += 1
            self.xml.close()


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
