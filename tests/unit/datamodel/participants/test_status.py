"""Participants' statuses are the same wherever they are listed."""

from typing import get_args

import polars as pl
import pytest

from apps.shell.status import STATES
from datamodel.connections.mapping import ParticipantStatus
from datamodel.participants.facts import STATUSES
from datamodel.scheduling.states import ENDED
from datamodel.study.protocol import Protocol
from metricis.demo.people import MAPPING
from pipelines.ingest.facts import facts_of
from validators.core.tables import CONTRACTS


def test_every_list_of_statuses_has_the_same():
    assert set(get_args(ParticipantStatus)) == set(STATUSES)
    allowed = CONTRACTS["participants"].columns["status"].checks[0].statistics["allowed_values"]
    assert set(allowed) == set(STATUSES)
    assert set(STATUSES) <= STATES.keys()
    assert set(STATUSES) - {"screened", "enrolled"} == ENDED


@pytest.mark.parametrize(
    ("reason", "status"), [("1", "completed"), ("2", "withdrawn"), ("8", "screen_failed"), ("10", "withdrawn")]
)
def test_the_demo_reads_how_a_participant_ended(reason, status):
    raw = pl.DataFrame(
        {
            "record_id": ["1", "1"],
            "redcap_event_name": ["logs_arm_1", "logs_arm_1"],
            "ds_reason": ["", reason],
            "ds_start": ["", "2014-01-05"],
        }
    )
    protocol = Protocol(record_field="record_id", arms=(), events=(), forms=())
    (found,) = facts_of(raw, ["1"], mapping=MAPPING, protocol=protocol)
    assert found.status == status
    assert str(found.status_on) == "2014-01-05"
