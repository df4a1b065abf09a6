"""Users, roles, data access groups, and who is in which."""

import secrets
from typing import Any

from simulators.redcap.api.call import Call, Reply
from simulators.redcap.formats import ApiError, Row
from simulators.redcap.model import Project, unique_name

RIGHTS = (
    "design", "alerts", "user_rights", "data_access_groups", "reports", "stats_and_charts",
    "manage_survey_participants", "calendar", "data_import_tool", "data_comparison_tool", "logging", "email_logging",
    "file_repository", "data_quality_create", "data_quality_execute", "api_export", "api_import", "api_modules",
    "mobile_app", "mobile_app_download_data", "record_create", "record_rename", "record_delete",
    "lock_records_all_forms", "lock_records", "lock_records_customization",
)  # fmt: skip
# A project's maker may do all but these until somebody grants them, as in REDCap.
_NOT_FOR_CREATORS = {
    "mobile_app", "mobile_app_download_data", "record_rename", "record_delete", "lock_records_all_forms",
    "lock_records", "lock_records_customization",
}  # fmt: skip
_USER_HEAD = ("username", "email", "firstname", "lastname", "expiration", "data_access_group", "data_access_group_id")
_USER_COLUMNS = (*_USER_HEAD, *RIGHTS, "forms", "forms_export")
_ROLE_COLUMNS = ("unique_role_name", "role_label", *RIGHTS, "forms", "forms_export")
_DAG_COLUMNS = ("data_access_group_name", "unique_group_name", "data_access_group_id")


def new_user(name: str, forms: list[str], *, creator: bool = False) -> dict[str, Any]:
    """A user with no rights, or with a project maker's rights."""
    rights = {right: int(creator and right not in _NOT_FOR_CREATORS) for right in RIGHTS}
    blank = dict.fromkeys(_USER_HEAD[1:], "")
    level = 1 if creator else 0
    return {
        "username": name,
        **blank,
        **rights,
        "forms": dict.fromkeys(forms, level),
        "forms_export": dict.fromkeys(forms, level),
        "role": "",
    }


def _levels(value: Any, old: dict[str, int]) -> dict[str, int]:
    """Form rights from an object, or from CSV's ``form:1,form2:1``."""
    if isinstance(value, dict):
        return old | {str(form): int(level) for form, level in value.items()}
    pairs = [part.split(":") for part in str(value or "").split(",") if ":" in part]
    return old | {form.strip(): int(level) for form, level in pairs}


def _change(target: dict[str, Any], row: Row, keys: tuple[str, ...]) -> None:
    for name in keys:
        if name in RIGHTS and str(row.get(name, "")) != "":
            target[name] = int(float(row[name]))
        elif name in {"forms", "forms_export"} and name in row:
            target[name] = _levels(row[name], target.get(name, {}))
        elif name in row and name not in {"username", "data_access_group_id", *RIGHTS}:
            target[name] = "" if row[name] is None else str(row[name])


def _manager(call: Call, details: str) -> None:
    call.need("user_rights", "You do not have User Rights privileges")
    call.log("user", "Manage/Design ", details)


def _dag_id(project: Project, unique: str) -> int | str:
    return next((dag["id"] for dag in project.doc["dags"] if dag["unique"] == unique), "")


def export_users(call: Call) -> Reply:
    """Users with their rights as numbers."""
    project = call.project
    rows = []
    for user in project.doc["users"]:
        shown = {name: user.get(name, "") for name in _USER_COLUMNS}
        shown["data_access_group_id"] = _dag_id(project, user["data_access_group"])
        rows.append(shown)
    return call.table(rows, _USER_COLUMNS, "users")


def import_users(call: Call) -> Reply:
    """Add users or change their rights."""
    rows = call.raw_rows()
    with call.store.writing():
        project = call.project
        _manager(call, "Edit user (API)")
        for row in rows:
            name = str(row.get("username") or "")
            if not name:
                raise ApiError(400, "The username is missing in a row")
            user = project.user(name)
            if user is None:
                user = new_user(name, list(project.forms))
                project.doc["users"].append(user)
            _change(user, row, _USER_COLUMNS)
        call.store.save_project(project)
    return call.number(len(rows))


def delete_users(call: Call) -> Reply:
    """Remove users and their tokens."""
    wanted = call.names("users")
    with call.store.writing() as db:
        project = call.project
        _manager(call, "Delete user (API)")
        missing = [name for name in wanted if project.user(name) is None]
        if missing or not wanted:
            raise ApiError(400, f"The following users do not exist in the project: {', '.join(missing)}")
        project.doc["users"] = [user for user in project.doc["users"] if user["username"] not in wanted]
        keys = [(project.id, name) for name in wanted]
        db.executemany("DELETE FROM token WHERE project_id = ? AND username = ?", keys)
        call.store.save_project(project)
    return call.number(len(wanted))


def _role_row(project: Project, role: dict[str, Any]) -> Row:
    levels = dict.fromkeys(project.forms, 0)
    head = {"unique_role_name": role["unique"], "role_label": role["label"]}
    rights = {name: str(role.get(name, 0)) for name in RIGHTS}
    return (
        head | rights | {"forms": levels | role.get("forms", {}), "forms_export": levels | role.get("forms_export", {})}
    )


def export_roles(call: Call) -> Reply:
    """Roles; their rights are text, unlike users'."""
    return call.table([_role_row(call.project, role) for role in call.project.doc["roles"]], _ROLE_COLUMNS, "roles")


def import_roles(call: Call) -> Reply:
    """Add roles, or change those whose unique name is given."""
    rows = call.raw_rows()
    with call.store.writing():
        project = call.project
        _manager(call, "Edit role (API)")
        for row in rows:
            unique, label = str(row.get("unique_role_name") or ""), str(row.get("role_label") or "")
            role = next((role for role in project.doc["roles"] if unique and role["unique"] == unique), None)
            if role is None:
                if unique:
                    raise ApiError(400, f"The role '{unique}' does not exist")
                role = {"id": call.store.next_id(), "unique": _role_name()}
                project.doc["roles"].append(role)
            role["label"] = label or role.get("label", "")
            _change(role, row, (*RIGHTS, "forms", "forms_export"))
        call.store.save_project(project)
    return call.number(len(rows))


def _role_name() -> str:
    return f"U-{secrets.randbelow(10**9):09d}{secrets.choice('ABCDEFGHKLMNPRTWXY')}"


def delete_roles(call: Call) -> Reply:
    """Remove roles; their users keep none."""
    wanted = call.names("roles")
    with call.store.writing():
        project = call.project
        _manager(call, "Delete role (API)")
        known = {role["unique"] for role in project.doc["roles"]}
        if not wanted or set(wanted) - known:
            raise ApiError(400, f"The following roles do not exist: {', '.join(sorted(set(wanted) - known))}")
        project.doc["roles"] = [role for role in project.doc["roles"] if role["unique"] not in wanted]
        for user in project.doc["users"]:
            user["role"] = "" if user["role"] in wanted else user["role"]
        call.store.save_project(project)
    return call.number(len(wanted))


def export_role_mapping(call: Call) -> Reply:
    """Which user has which role."""
    rows = [
        {"username": u["username"], "unique_role_name": u["role"], "data_access_group": u["data_access_group"]}
        for u in call.project.doc["users"]
    ]
    return call.table(rows, ("username", "unique_role_name", "data_access_group"), "userRoleMapping")


def _assign(call: Call, key: str, target: str, known: list[str]) -> Reply:
    rows = call.rows()
    with call.store.writing():
        project = call.project
        _manager(call, "Assign user (API)")
        for row in rows:
            user, value = project.user(row.get("username", "")), row.get(key, "")
            if user is None or (value and value not in known):
                raise ApiError(400, f"Unknown user '{row.get('username', '')}' or {key} '{value}'")
            user[target] = value
        call.store.save_project(project)
    return call.number(len(rows))


def import_role_mapping(call: Call) -> Reply:
    """Give users roles."""
    return _assign(call, "unique_role_name", "role", [role["unique"] for role in call.project.doc["roles"]])


def export_dags(call: Call) -> Reply:
    """Data access groups."""
    rows = [
        {"data_access_group_name": dag["name"], "unique_group_name": dag["unique"], "data_access_group_id": dag["id"]}
        for dag in call.project.doc["dags"]
    ]
    return call.table(rows, _DAG_COLUMNS, "dags")


def import_dags(call: Call) -> Reply:
    """Add groups, or rename those whose unique name is given."""
    rows = call.rows()
    with call.store.writing():
        project = call.project
        _manager(call, "Edit data access group (API)")
        for row in rows:
            name, unique = row.get("data_access_group_name", ""), row.get("unique_group_name", "")
            dag = next((dag for dag in project.doc["dags"] if unique and dag["unique"] == unique), None)
            if not name or (unique and dag is None):
                raise ApiError(400, f"The group '{unique}' does not exist, or its data_access_group_name is blank")
            if dag is None:
                project.doc["dags"].append({"id": call.store.next_id(), "name": name, "unique": unique_name(name)})
            else:
                dag["name"] = name
        call.store.save_project(project)
    return call.number(len(rows))


def delete_dags(call: Call) -> Reply:
    """Remove groups; their records and users are in none."""
    wanted = call.names("dags")
    with call.store.writing() as db:
        project = call.project
        _manager(call, "Delete data access group (API)")
        known = {dag["unique"] for dag in project.doc["dags"]}
        if not wanted or set(wanted) - known:
            raise ApiError(400, f"The following groups do not exist: {', '.join(sorted(set(wanted) - known))}")
        project.doc["dags"] = [dag for dag in project.doc["dags"] if dag["unique"] not in wanted]
        for user in project.doc["users"]:
            user["data_access_group"] = "" if user["data_access_group"] in wanted else user["data_access_group"]
        db.executemany(
            "UPDATE record SET dag = '' WHERE project_id = ? AND dag = ?", [(project.id, dag) for dag in wanted]
        )
        call.store.save_project(project)
    return call.number(len(wanted))


def switch_dag(call: Call) -> Reply:
    """Put the caller into another group."""
    wanted = call.get("dag")
    with call.store.writing():
        project = call.project
        if wanted and wanted not in {dag["unique"] for dag in project.doc["dags"]}:
            raise ApiError(400, f"The group '{wanted}' does not exist")
        user = project.user(call.username)
        if user is not None:
            user["data_access_group"] = wanted
        call.store.save_project(project)
    return call.number(1)


def export_dag_mapping(call: Call) -> Reply:
    """Which user is in which group."""
    rows = [
        {"username": user["username"], "redcap_data_access_group": user["data_access_group"]}
        for user in call.project.doc["users"]
    ]
    return call.table(rows, ("username", "redcap_data_access_group"), "userDagMapping")


def import_dag_mapping(call: Call) -> Reply:
    """Put users into groups."""
    known = [dag["unique"] for dag in call.project.doc["dags"]]
    return _assign(call, "redcap_data_access_group", "data_access_group", known)
