"""What happened, in plain words. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, Final

Change = Mapping[str, Any]


def _count(said: Any, one: str, many: str) -> str:
    """Return a number with its noun; the ledger's profile writes numbers as text."""
    number = int(said)
    return f"{number:,} {one if number == 1 else many}"


def _new(change: Change) -> Change:
    found = change.get("new")
    return found if isinstance(found, Mapping) else {}


def _batch(change: Change) -> str:
    parts = [
        (change.get("new", 0), "first entry", "first entries"),
        (change.get("changed", 0), "changed", "changed"),
        (change.get("removed", 0), "removed", "removed"),
    ]
    said = ", ".join(_count(number, one, many) for number, one, many in parts if int(number))
    return f"Values came in from the source: {said or 'nothing new'}"


def _people(change: Change) -> str:
    return (
        f"Participants brought up to date: {_count(change.get('new', 0), 'new', 'new')}, "
        f"{_count(change.get('changed', 0), 'changed', 'changed')}"
    )


def _asked(change: Change) -> str:
    opened, closed = int(change.get("opened", 0)), int(change.get("closed", 0))
    return f"Data questions from checks: {opened:,} opened, {closed:,} closed"


def _synced(change: Change) -> str:
    new = _new(change)
    ended = "ended well" if new.get("outcome") == "succeeded" else "failed"
    return (
        f"A sync with REDCap {ended}: {_count(new.get('rows_in', 0), 'row', 'rows')} read, "
        f"{int(new.get('rows_changed', 0)):,} changed, {_count(new.get('findings', 0), 'finding', 'findings')}"
    )


def _pinned(change: Change) -> str:
    new = _new(change)
    return (
        f"The study goes by the controlled terminology of {new.get('terminology') or 'no date'} "
        f"and the rules {new.get('rules') or 'that are built in'}"
    )


def _revealed(change: Change) -> str:
    new = _new(change)
    if new.get("kind") == "planned":
        return "The treatment arm of one participant was revealed, as two people decided"
    told = _count(new.get("alerted", 0), "person was", "people were")
    return f"The treatment arm of one participant was revealed in an emergency; {told} told by mail"


def _bypassed(change: Change) -> str:
    if _new(change).get("is_bypassed"):
        return "Consent is bypassed in this rehearsal copy from now on"
    return "Consent is asked for again in this rehearsal copy"


#: action -> its words; a function takes what changed
WORDS: Final[dict[str, str | Callable[[Change], str]]] = {
    "access.change_role": "A role was changed",
    "access.close_account": "An account was closed",
    "access.end_role": "A role was ended",
    "access.open_account": "An account was opened again",
    "access.revoke_token": "An access token was revoked",
    "access.set_administrator": "Somebody became, or is no longer, an administrator",
    "access.unblind": "Somebody was allowed to see blinded data, or no longer is",
    "consent.refuse": "A consent was refused, with the reason",
    "credentials.link_institution": "An institution's sign-in was linked to an account",
    "credentials.set_out": "A sign-in through the institution began",
    "credentials.unlink_institution": "An institution's sign-in was taken from an account",
    "custody.begin_rotation": "A change of keys began",
    "custody.change_study_key": "The study's key was changed",
    "custody.end_rotation": "A change of keys was finished",
    "custody.record_cutover": "The study was checked for going live",
    "custody.record_files": "Which files of the program belong here was recorded",
    "custody.record_restore": "A restored backup was tested",
    "custody.seal_anew": "Secrets were sealed anew with the present key",
    "discrepancies.answer": "A data question was answered",
    "discrepancies.close": "A data question was closed",
    "discrepancies.reopen": "A data question was sent back",
    "ledger.attest": "Rows were attested to the ledger",
    "ledger.bundle": "The ledger was handed out as files",
    "records.redact": "A value that was entered by mistake was removed for good",
    "rehearsal.move_day": "The simulated day was moved",
    "rehearsal.open_copy": "The study was made as a rehearsal copy of another",
    "rehearsal.adopt_design": "The rehearsal copy took over the design of its study",
    "rehearsal.bypass_consent": _bypassed,
    "rehearsal.order": "Invented data were ordered for the rehearsal copy",
    "testdata.generate": lambda change: (
        f"{_count(_new(change).get('participants', 0), 'invented participant was', 'invented participants were')} put in"
    ),
    "testdata.set_anchors": "The anchor date of the invented participants was set",
    "testdata.clear": "The invented data were taken out",
    "access.create_account": "An account was created",
    "access.grant": lambda change: f"A role was given: {_new(change).get('role', '')}".rstrip(": ").replace("_", " "),
    "access.make_link": "A sign-in link was made",
    "links.ask": "A sign-in link was asked for",
    "links.hand_out": "A sign-in link was handed out",
    "links.show": "A sign-in link was shown on the machine",
    "links.use": "A sign-in link was used",
    "links.refuse": "A sign-in link was refused: wrong digits",
    "links.set_pin": "A PIN was set on a device",
    "links.refuse_pin": "A PIN was refused",
    "links.forget": "A device was forgotten",
    "notices.write": "A mail was put into the outbox",
    "notices.settle": "A mail went out, or never will",
    "notices.put_off": "A mail waits for its next try",
    "participants.add_caregiver": "A caregiver acts from now on",
    "participants.end_caregiver": "A caregiver acts no more",
    "access.make_token": "An access token was made",
    "access.revoke_sessions": "Signed-in browsers were signed out",
    "access.rotate_session": "A signed-in browser got a new identity",
    "access.sign_in": "Signed in",
    "access.sign_out": "Signed out",
    "access.use_link": "Signed in with a link",
    "access.refused": lambda change: str(change.get("sentence") or "An act was refused"),
    "approvals.approve": "An act that needs two people was approved by a second person",
    "approvals.end": "A proposal was turned down or taken back",
    "approvals.propose": "An act that needs two people was proposed",
    "approvals.take": "An act that two people decided was done",
    "assessments.create_battery": "A battery of tasks was set up",
    "assessments.file_session": "Results of a task were filed",
    "connections.connect": "The REDCap connection was set up",
    "connections.begin_sync": lambda change: (
        f"A sync with REDCap began, asked for by {_new(change).get('asked_by', '')}"
    ),
    "connections.end_sync": _synced,
    "connections.request_sync": "A sync with REDCap was asked for",
    "consent.publish": "A consent version was published",
    "consent.file_signature": "A signed consent was filed",
    "consent.file_decline": "A declined consent was filed",
    "consent.withdraw": "Consent was withdrawn",
    "credentials.accept": "An invitation was taken up",
    "credentials.add_passkey": "A passkey was added",
    "credentials.add_totp": "An authenticator was added",
    "credentials.begin_totp": "Setting up an authenticator began",
    "credentials.drop_factors": "All second factors were taken away",
    "credentials.drop_passkey": "A passkey was taken away",
    "credentials.drop_totp": "An authenticator was taken away",
    "credentials.first_factor": "The first step of signing in was done",
    "credentials.invite": "Somebody was invited",
    "credentials.make_recovery_codes": "New recovery codes were made",
    "credentials.misuse": "Too many wrong tries to confirm an identity",
    "credentials.refuse": "A try to sign in or to confirm was refused",
    "credentials.renew_hash": "A password was stored anew with stronger settings",
    "credentials.set_password": "A password was set",
    "credentials.use_recovery_code": "Signed in with a recovery code",
    "discrepancies.raise_batch": _asked,
    "discrepancies.open_questions": lambda change: f"Data questions were opened: {int(change.get('opened', 0)):,}",
    "intake.accept": "A participant's answers arrived",
    "intake.settle": "Arrived answers were dealt with",
    "marts.open_snapshot": lambda change: f"Snapshot {_new(change).get('number', '')} was opened in a notebook",
    "marts.open_moment": "The study as it was at an instant was opened in a notebook",
    "marts.take_snapshot": lambda change: f"Snapshot {_new(change).get('number', '')} was taken",
    "participants.destroy_identity": "A participant's identity was destroyed for good",
    "participants.read_identity": "A participant's identity was read",
    "participants.search_identity": "Participants were looked up by identity",
    "participants.write_identity": "A participant's identity was written",
    "participants.ensure": _people,
    "records.revise_batch": _batch,
    "records.reopen": "A form was reopened",
    "records.unmark": lambda change: f"A form lost its verification or signature: {_new(change).get('reason', '')}",
    "records.verify": "A form was verified",
    "reveals.propose": "Somebody asked to see the treatment arm of one participant",
    "reveals.reveal": _revealed,
    "reveals.show": "A revealed treatment arm was shown, once, to who revealed it",
    "sdtm.export": "SDTM data sets were exported",
    "odm.export": "The study was exported as ODM",
    "submission.export": "A submission package was made",
    "signatures.misuse": "Signing was refused after five wrong tries; every session of the person was ended",
    "signatures.refuse": "Signing was refused: what was typed was wrong",
    "signatures.sign": lambda change: f"A form was signed: {_new(change).get('meaning', '')}",
    "signatures.void": lambda change: f"A signature became void: {_new(change).get('reason', '')}",
    "study.add_site": "A site was added",
    "study.close": "The study was closed",
    "study.create": "The study was created",
    "study.publish_design": "A design version was published",
    "study.pin_standards": _pinned,
    "tasks.assign": "Tasks were assigned",
    "trail.export": lambda change: f"A file was taken away: {_new(change).get('what', '')}",
    "trail.extract": lambda change: f"Data were taken away: {_new(change).get('file', '')}",
    "trail.mark_critical": "The list of critical fields was changed",
    "trail.review": "Changes of critical values were reviewed",
}


def in_words(action: str, change: Change) -> str:
    """Return what an event says to people; an action without words of its own is said by its name."""
    words = WORDS.get(action)
    if words is None:
        room, _, verb = action.partition(".")
        return f"{verb.replace('_', ' ').capitalize()} ({room})"
    return words if isinstance(words, str) else words(change)
