"""A snapshot says of a form what its life said at that position: verified forms, and what fell when a value changed."""

from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING
from datamodel.kernel.unit import unit_of_work
from datamodel.records import actions as records
from datamodel.records import marks
from datamodel.study import reads as study_reads
from exports.marts import source
from tests.integration.marts.conftest import STUDY


def states(trial) -> dict[str, int]:
    """Return how many entries of the form "about" stand where, as a snapshot taken now reads them."""
    with trial.source() as now:
        found = source.revisions(now, "about")
    return {row["form_status"]: row["count"] for row in found["form_status"].value_counts().iter_rows(named=True)}


def seal(trial) -> None:
    """Give what happened its position."""
    trial.take()


def test_a_verified_form_is_verified_in_the_snapshot_until_its_value_changes(trial):
    seal(trial)
    before = states(trial)
    assert "verified" not in before
    token = trial.person("monitor")
    with unit_of_work(trial.url, KNOCKING) as unit:
        account = access_reads.actor_of_token(unit.session, token, now=unit.instant)
        monitor = access_reads.actor(unit.session, account.id)
    with unit_of_work(trial.url, monitor) as unit:
        study_id = study_reads.study(unit.session, STUDY).id
        every = marks.load(unit.session, study_id).values()
        ready = [one for one in every if one.form_name == "about" and one.status == "complete" and not one.is_removed]
        outcome = records.verify_forms(unit, study=STUDY, shown=[one.as_shown for one in ready])
    assert outcome.done
    one = outcome.done[0]
    with trial.source() as now:
        position = source.data_position(now)
    seal(trial)
    with trial.source() as now:
        assert source.data_position(now) > position, "verifying is a change that reaches the mart"
    after = states(trial)
    assert after["verified"] == len(outcome.done)
    assert sum(after.values()) == sum(before.values())
    with unit_of_work(trial.url, trial.service) as unit:
        row = (one.participant, one.event_name, one.event_repeat, one.form_repeat, "in_progress", '{"age":"41"}')
        records.revise_batch(unit, study=STUDY, form="about", rows=[row])
    seal(trial)
    assert states(trial).get("verified", 0) == len(outcome.done) - 1
