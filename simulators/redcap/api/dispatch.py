"""What answers which ``content`` and ``action``; and who may call at all."""

from collections.abc import Callable

from simulators.redcap.api import files, journal, metadata, pdf, people, projects, records, structure, surveys
from simulators.redcap.api.call import Call, Reply
from simulators.redcap.formats import MEDIA, ApiError, error_body

type Handler = Callable[[Call], Reply]
NO_PERMISSION = "You do not have permissions to use the API"
_NOT_IMPLEMENTED = "The requested method is not implemented."
_SUPER_TOKEN_LENGTH = 64
# By content, then by action; an import without an action is recognised by its data.
HANDLERS: dict[str, dict[str, Handler]] = {
    "arm": {"export": structure.export_arms, "import": structure.import_arms, "delete": structure.delete_arms},
    "dag": {
        "export": people.export_dags, "import": people.import_dags, "delete": people.delete_dags,
        "switch": people.switch_dag,
    },
    "event": {"export": structure.export_events, "import": structure.import_events, "delete": structure.delete_events},
    "exportFieldNames": {"export": metadata.export_field_names},
    "file": {"export": files.export_file, "import": files.import_file, "delete": files.delete_file},
    "fileRepository": {
        "createFolder": files.create_folder, "list": files.list_folder, "export": files.export_document,
        "import": files.import_document, "delete": files.delete_document,
    },
    "formEventMapping": {"export": structure.export_mapping, "import": structure.import_mapping},
    "generateNextRecordName": {"export": records.next_name},
    "instrument": {"export": structure.export_instruments},
    "log": {"export": journal.export_log},
    "metadata": {"export": metadata.export_metadata, "import": metadata.import_metadata},
    "participantList": {"export": surveys.participant_list},
    "pdf": {"export": pdf.export_pdf},
    "project": {"export": projects.export_info, "import": projects.import_info},
    "project_settings": {"import": projects.import_info},
    "project_xml": {"export": projects.export_odm},
    "record": {
        "export": records.export_records, "import": records.import_records, "delete": records.delete_records,
        "rename": records.rename_record,
    },
    "repeatingFormsEvents": {"export": structure.export_repeating, "import": structure.import_repeating},
    "report": {"export": surveys.export_report},
    "surveyAccessCode": {"export": surveys.access_code},
    "surveyLink": {"export": surveys.survey_link},
    "surveyQueueLink": {"export": surveys.queue_link},
    "surveyReturnCode": {"export": surveys.return_code},
    "user": {"export": people.export_users, "import": people.import_users, "delete": people.delete_users},
    "userDagMapping": {"export": people.export_dag_mapping, "import": people.import_dag_mapping},
    "userRole": {"export": people.export_roles, "import": people.import_roles, "delete": people.delete_roles},
    "userRoleMapping": {"export": people.export_role_mapping, "import": people.import_role_mapping},
    "version": {"export": projects.export_version},
}  # fmt: skip


def answer(call: Call) -> Reply:
    """Answer a call; every refusal becomes a body in the format asked for."""
    try:
        return _answer(call)
    except ApiError as error:
        return Reply(error_body(error.message, call.return_fmt), MEDIA[call.return_fmt], error.status)


def _answer(call: Call) -> Reply:
    token = call.get("token").strip()
    if len(token) == _SUPER_TOKEN_LENGTH:
        return _create(call, token)
    owner = call.store.token_owner(token)
    if owner is None:
        raise ApiError(403, NO_PERMISSION)
    call.project_id, call.username = owner
    actions = HANDLERS.get(call.get("content"))
    action = call.get("action") or ("import" if "data" in call.params else "export")
    handler = actions.get(action) if actions else None
    if handler is None:
        raise ApiError(501, _NOT_IMPLEMENTED)
    return handler(call)


def _create(call: Call, token: str) -> Reply:
    if token != call.store.setting("super_token"):
        raise ApiError(403, NO_PERMISSION)
    if call.get("content") != "project" or "data" not in call.params:
        raise ApiError(501, _NOT_IMPLEMENTED)
    return projects.create_project(call)
