"""Names of tables in a mart: `{layer}_{source}__{kind}_{subject}`."""

from typing import Final

PARTICIPANTS: Final = "core_metricis__list_participants"
VISITS: Final = "core_metricis__list_visits"
STATUS: Final = "core_metricis__list_status"
SESSIONS: Final = "core_metricis__list_sessions"
SCORES: Final = "core_metricis__list_scores"
TRIALS: Final = "core_metricis__list_trials"
CONSENTS: Final = "core_metricis__list_consents"
DISCREPANCIES: Final = "core_metricis__list_discrepancies"
SYNCS: Final = "core_metricis__log_syncs"
EVENTS: Final = "core_metricis__design_events"
FORMS: Final = "core_metricis__design_forms"
CATALOGUE: Final = "core_metricis__design_catalogue"
#: exists only where the arm may be seen
ARMS: Final = "core_metricis__design_arms"

#: raised when tables change their shape: older snapshots stay, and the next one is made anew
FORMAT: Final = 2

_FORM: Final = "core_{source}__form_"

#: the tables that a reader asks for by a short name
SHORT: Final[dict[str, str]] = {
    "participants": PARTICIPANTS,
    "visits": VISITS,
    "status": STATUS,
    "sessions": SESSIONS,
    "scores": SCORES,
    "trials": TRIALS,
    "consents": CONSENTS,
    "discrepancies": DISCREPANCIES,
    "syncs": SYNCS,
    "events": EVENTS,
    "forms": FORMS,
    "catalogue": CATALOGUE,
    "arms": ARMS,
}


def form_table(form: str, *, source: str = "redcap") -> str:
    """Return the name of a form's table; `source` is the study's integration mode."""
    return _FORM.format(source=source) + form


def form_of(table: str) -> str | None:
    """Return the form whose table this is, or None for another table."""
    head, separator, form = table.partition("__form_")
    return form if separator and head.startswith("core_") else None
