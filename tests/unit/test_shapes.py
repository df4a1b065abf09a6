"""The shapes that the architecture promises, read from the source."""

import ast
import re
from pathlib import Path

import pytest
import yaml

import validators

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("datamodel", "validators", "exports", "pipelines", "apps")
ROOMS = sorted(path.parent for folder in FOLDERS for path in (ROOT / folder).glob("*/__init__.py"))
SOURCES = sorted(path for folder in (*FOLDERS, "metricis") for path in (ROOT / folder).rglob("*.py"))


def name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_validators_is_ours_and_not_the_package_of_that_name():
    assert Path(validators.__file__).parent == ROOT / "validators"


@pytest.mark.parametrize("room", ROOMS, ids=name)
def test_a_room_says_what_it_decides_and_is_flat(room):
    assert ast.get_docstring(ast.parse((room / "__init__.py").read_text()))
    deeper = [path for path in room.iterdir() if path.is_dir() and list(path.glob("*.py"))]
    assert deeper == ([room / "versions"] if room.name == "migrations" else [])


def test_only_flow_files_and_the_dispatcher_know_prefect():
    knowing = {name(path) for path in SOURCES if any(one.split(".")[0] == "prefect" for one in imports(path))}
    strangers = {one for one in knowing if not re.fullmatch(r"pipelines\.\w+\.flow|pipelines\.dispatch\.listen", one)}
    assert strangers == set()
    assert "pipelines.refresh.flow" in knowing


@pytest.mark.parametrize(
    "room", [room for room in ROOMS if room.parent.name == "datamodel" and (room / "tables.py").exists()], ids=name
)
def test_tables_are_imported_by_their_own_store_only(room):
    tables = f"{name(room)}.tables"
    importers = {path for path in SOURCES if tables in imports(path)}
    allowed = {room / "store.py", room / "tables.py", ROOT / "datamodel/migrations/schema.py"}
    inside = {path for path in importers if path.parent == room}
    outside = importers - inside - allowed
    assert {name(path) for path in outside} == set()


#: Files with verbs beside `actions.py`.
VERBS = (ROOT / "datamodel/access/people.py", ROOT / "datamodel/access/tokens.py")


def actions() -> list[tuple[str, ast.FunctionDef, Path]]:
    return [
        (f"{path.parent.name}.{node.name}", node, path)
        for path in sorted([*(ROOT / "datamodel").glob("*/actions.py"), *VERBS])
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef)
        and not node.name.startswith("_")
        and [one.arg for one in node.args.args[:1]] == ["unit"]
    ]


def calls(node: ast.AST, module: ast.Module, seen: frozenset[str] = frozenset()) -> set[str]:
    """Names called by a function, through helpers of its own module."""
    names = {ast.unparse(one.func) for one in ast.walk(node) if isinstance(one, ast.Call)}
    helpers = {one.name: one for one in module.body if isinstance(one, ast.FunctionDef)}
    for helper in (names & helpers.keys()) - seen:
        names |= calls(helpers[helper], module, seen | names)
    return names


#: Actions that nobody needs a permission for, with the reason.
OPEN = {
    "access.install": "it makes the first account of an empty installation",
    "access.enlist_service": "it is a part of creating a study, which asks",
    "access.keep_password": "whoever calls it has checked the old one, or an invitation",
    "access.sign_out": "everybody may leave",
    "access.end_sessions": "whoever holds a link to set a password is not signed in yet",
    "access.start_session": "whoever showed every factor is not signed in yet; who calls it has checked them",
    "access.rotate_session": "whoever holds the session gets it renewed",
    "links.ask": "whoever asks for a link is not signed in yet",
    "links.use": "whoever holds a link is not signed in yet",
    "notices.write": "the action that it is a part of asks",
    "credentials.confirm": "it looks at the acting account's own password",
    "credentials.sign_in": "whoever signs in is not signed in yet",
    "credentials.first_factor": "whoever showed one factor is not signed in yet",
    "credentials.second_factor": "whoever shows the second factor is not signed in yet",
    "credentials.complete": "whoever showed both factors is not signed in yet",
    "credentials.step_up": "it looks at the acting account's own password",
    "credentials.change_password": "it is one's own, and asks for the old one",
    "signatures.confirm": "it looks at the acting account's own sign-in name and password",
    "signatures.void": "it is a part of changing or reopening a record, which asks",
    "credentials.accept": "whoever holds an invitation is not signed in yet",
}
#: Actions whose entry is another's: they are parts of it.
PART = {
    "records.sign_forms": "each signature is an event of its own (signatures.sign)",
    "records.lock_forms": "each signature is an event of its own (signatures.sign)",
    "credentials.second_factor": "the session that it ends in names it (access.start_session)",
    "credentials.complete": "the session that it ends in names it (access.start_session)",
    "access.enlist_service": "study.create names it",
    "access.keep_password": "credentials.set_password or credentials.renew_hash, in the same unit, tells it",
    "intake.open_envelope": "it changes nothing; intake.settle, in the same unit, does",
}


@pytest.mark.parametrize(
    ("label", "node", "path"), actions(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_an_action_asks_for_permission_and_appends_to_the_ledger(label, node, path):
    called = calls(node, ast.parse(path.read_text()))
    assert label in OPEN or any(one.split(".")[-1] == "may" for one in called), f"{label} asks nobody"
    assert label in PART or "ledger.record" in called, f"{label} leaves no trace"


def test_architecture_lists_exactly_the_rooms_there_are():
    listed = set(re.findall(r"^\| (\w+\.\w+) \|", (ROOT / "ARCHITECTURE.md").read_text(), flags=re.MULTILINE))
    assert listed == {name(room) for room in ROOMS}


def flows() -> set[str]:
    found = set()
    for path in (ROOT / "pipelines").glob("*/flow.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef):
                for mark in node.decorator_list:
                    text = ast.unparse(mark)
                    if text == "flow" or text.startswith("flow("):
                        given = re.search(r"name='([^']+)'", text)
                        found.add(given.group(1) if given else node.name.replace("_", "-"))
                        assert isinstance(node, ast.AsyncFunctionDef), f"{node.name}: a flow is `async def`"
                        assert node.end_lineno - node.lineno <= 30, f"{node.name}: a flow reads as a recipe"
    return found


def test_architecture_lists_exactly_the_flows_there_are():
    section = (ROOT / "ARCHITECTURE.md").read_text().split("## Flows")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| ([\w-]+) \|", section, flags=re.MULTILINE)) - {"flow", "---"} == flows()


def test_every_deployment_points_at_a_flow_that_is_there():
    for deployment in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]:
        module, function = deployment["entrypoint"].rsplit(".", 1)
        source = ROOT / Path(*module.split(".")).with_suffix(".py")
        assert function in {
            node.name for node in ast.walk(ast.parse(source.read_text())) if isinstance(node, ast.AsyncFunctionDef)
        }
        for schedule in deployment["schedules"]:
            assert schedule["timezone"]


def test_nothing_names_a_folder_of_somebody_s_machine():
    texts = [*SOURCES, *ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "tests").rglob("*.py")]
    place = "/" + "work/"
    assert [name(path) for path in texts if place in path.read_text()] == []
