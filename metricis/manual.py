"""Pages of the manual that are made from the code, so that they cannot go stale: `python -m metricis.manual`."""

from pathlib import Path
from typing import Any, Final

from typer.main import get_command

from datamodel.access.rights import PERMISSIONS, ROLES, STUDY_WIDE, roles_with
from datamodel.approvals.kinds import KINDS
from metricis.cli import app

FOLDER: Final = Path(__file__).resolve().parents[1] / "docs" / "manual"


def commands() -> str:
    """Return the page of the command line."""
    lines = ["# Commands", "", "`.venv/bin/metricis COMMAND`; made from the commands themselves.", ""]
    lines += _commands(get_command(app), "metricis")
    return "\n".join(lines).rstrip() + "\n"


def _commands(command: Any, path: str) -> list[str]:
    if subcommands := getattr(command, "commands", None):
        return [line for name, sub in subcommands.items() for line in _commands(sub, f"{path} {name}")]
    lines = [f"## `{path}`", "", (command.help or "").strip(), ""]
    options = [one for one in command.params if one.name != "help"]
    if options:
        lines += ["| option | meaning |", "| --- | --- |"]
        lines += [f"| `{', '.join([*one.opts, *one.secondary_opts])}` | {one.help or ''} |" for one in options]
        lines += [""]
    return lines


def permissions() -> str:
    """Return the page of roles and permissions: role by permission, in the own study, another study, at another site."""
    roles = [role for role in ROLES if role != "service"]
    lines = [
        "# Roles and permissions",
        "",
        "Made from the one table in `datamodel/access/rights.py`. A role is held in one study, for all sites or for one. A statistician",
        "sees blinded data only when that was granted by name. Administrators manage people and studies (`system:` permissions)",
        "and see no study data without a role in that study. `service` is the account of scheduled flows.",
        "",
        "- **Own study**: ✓ where the role has the permission; empty cells are refused, with the reason and who may.",
        "- **Another study**: every cell is refused, administrators included, as if the study were not there.",
        "- **Another site** (a role for one site): every cell is refused for what belongs to another site. Permissions marked",
        "  “whole study” are refused to a role for one site altogether.",
        "",
        "Each cell is tried through the answer itself, the act, the page's address and PostgreSQL's rows by",
        "`tests/security/test_matrix.py`.",
        "",
        "| permission | lets one | reach | "
        + " | ".join([*(role.replace("_", " ") for role in roles), "service"])
        + " |",
        "| --- | --- | --- | " + " | ".join(["---"] * (len(roles) + 1)) + " |",
    ]
    for permission, meaning in PERMISSIONS.items():
        held = ["✓" if permission in ROLES[role] else "" for role in [*roles, "service"]]
        lines.append(f"| `{permission}` | {meaning} | {_reach(permission)} | " + " | ".join(held) + " |")
    lines += ["", "## Acts of two people", "", "| act | permission of both | who |", "| --- | --- | --- |"]
    for kind in KINDS.values():
        who = ", ".join(roles_with(kind.permission)) or "administrators"
        lines.append(f"| {kind.words} | `{kind.permission}` | {who} |")
    return "\n".join(lines) + "\n"


def _reach(permission: str) -> str:
    if permission.startswith("system:"):
        return "installation; administrators"
    if permission.startswith("self:"):
        return "oneself"
    return "whole study" if permission in STUDY_WIDE else "site or study"


def findings() -> str:
    """Return the page of finding codes."""
    from validators.findings import CODES

    lines = [
        "# What the checks can find",
        "",
        "Made from `validators/findings`.",
        "",
        "A rejected value is not accepted into the records; any other is accepted and asked about.",
        "",
        "| code | what is wrong | value | what to do |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| `{one.code}` | {one.reason} | {'rejected' if one.is_rejected else 'accepted'} | {one.what_to_do} |"
        for one in CODES.values()
    ]
    return "\n".join(lines) + "\n"


def rule_ids() -> str:
    """Return the page of the built-in checks: id, category, severity, what is found, what it answers to."""
    from validators.sdtm import entries

    found = entries()
    lines = [
        "# The built-in checks of SDTMIG 3.4",
        "",
        f"Made from `validators/sdtm/rules`: {len(found)} checks. How to read and extend them: [rules](rules.md).",
        "",
    ]
    for file in dict.fromkeys(one.file for one in found):
        lines += [f"## {file.removesuffix('.yml').replace('-', ' ').capitalize()}", ""]
        lines += ["| id | category | severity | what is found | answers to |", "| --- | --- | --- | --- | --- |"]
        for one in found:
            if one.file == file:
                rule = one.rule
                lines.append(
                    f"| `{rule.id}` | {rule.category} | {rule.severity} | {rule.message} | {', '.join(one.answers_to)} |"
                )
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


PAGES: Final = {
    "commands.md": commands,
    "permissions.md": permissions,
    "findings.md": findings,
    "rule-ids.md": rule_ids,
}


def main() -> None:
    """Write all pages."""
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page())


if __name__ == "__main__":
    main()
