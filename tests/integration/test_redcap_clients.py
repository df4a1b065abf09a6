"""Clients that nobody here wrote, against the simulator over real HTTP: PyCap and redcaplite; and the faults on purpose."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs

import httpx
import pandas as pd
import pytest
import requests
from redcap import Project, RedcapError
from redcaplite import RedcapClient

from simulators.redcap.server import RunningSimulator, running_simulator

SAMPLE = (Path(__file__).parents[1] / "unit" / "simulators" / "redcap" / "project.xml").read_text()
CLASSIC = {"project_title": "Classic", "purpose": 0}


def new_project(sim: RunningSimulator, odm: str = "") -> str:
    info = '<?xml version="1.0" encoding="UTF-8" ?><item><project_title>T</project_title><purpose>0</purpose></item>'
    data = {"token": sim.super_token, "content": "project", "format": "xml", "data": info, "odm": odm}
    reply = requests.post(sim.url, data=data, timeout=30)
    assert reply.status_code == 200, reply.text
    return reply.text[-32:]


@pytest.fixture(scope="module")
def sim(tmp_path_factory):
    with running_simulator(tmp_path_factory.mktemp("redcap"), time_zone="America/New_York") as running:
        yield running


@pytest.fixture
def project(sim):
    found = Project(sim.url, new_project(sim, SAMPLE), timeout=30)
    [user] = found.export_users()
    assert found.import_users([user | {"record_delete": 1, "record_rename": 1}]) == 1
    return found


@pytest.fixture
def control(sim):
    with httpx.Client(base_url=sim.control_url) as client:
        client.post("reset").raise_for_status()
        yield client
        client.post("reset").raise_for_status()


def test_pycap_reads_the_structure(project):
    assert project.is_longitudinal
    assert project.def_field == "subject_id"
    assert str(project.export_version()) == "15.2.1"
    assert len(project.export_metadata()) == 13
    assert project.export_metadata(format_type="df").index.name == "field_name"
    assert [arm["arm_num"] for arm in project.export_arms()] == [1]
    assert len(project.export_events()) == 3
    mapping = project.export_instrument_event_mappings()
    assert project.import_instrument_event_mappings(mapping) == len(mapping) == 6
    assert len(project.export_instruments()) == 4
    assert list(project.export_field_names(format_type="df").columns) == ["choice_value", "export_field_name"]
    assert project.export_project_info()["is_longitudinal"] == 1
    assert project.export_logging(log_type="manage").pop()["action"] == "Manage/Design "


@pytest.mark.parametrize("fmt", ["xml", "json", "csv", "df"])
def test_pycap_repeating_setup_round_trip(project, fmt):
    setup = project.export_repeating_instruments_events(format_type=fmt)
    assert project.import_repeating_instruments_events(to_import=setup, import_format=fmt) == 2


def test_pycap_records_round_trip(project):
    rows = [{"subject_id": n, "sex": "F", "weight": 70 + n} for n in (3, 4)]
    assert project.import_records(rows) == {"count": 2}
    assert project.import_records(rows, return_content="ids") == ["3", "4"]
    assert project.import_records(rows, return_content="nothing") == [{}]
    assert project.generate_next_record_name() == "11"
    [row] = project.export_records(records=["3"])
    assert (row["subject_id"], row["sex"], row["race___1"]) == ("3", "F", "0")
    frame = project.export_records(format_type="df")
    assert frame.index.names == ["subject_id", "redcap_event_name"]
    assert len(project.export_records(forms=["visit"], format_type="df").columns) == 6
    assert project.export_records(filter_logic="[weight] = 74")[0]["subject_id"] == "4"
    assert "Visit date" in project.export_records(format_type="csv", raw_or_label_headers="label")
    wide = project.export_records(format_type="df", df_kwargs={"sep": ","}).convert_dtypes().reset_index()
    assert project.import_records(wide, import_format="df")["count"] == 3
    assert project.delete_records(["3", "4"]) == 2
    with pytest.raises(RedcapError, match="do not exist in the project"):
        project.delete_records(["3"])


def test_pycap_import_errors_are_raised(project):
    with pytest.raises(RedcapError, match="not a valid category for sex"):
        project.import_records([{"subject_id": "1", "sex": "Q"}])


@pytest.mark.parametrize(
    ("fmt", "imported"), [("csv", "3"), ("xml", '<?xml version="1.0" encoding="UTF-8" ?><count>3</count>')]
)
def test_pycap_other_return_formats(project, fmt, imported):
    frame = pd.DataFrame({"subject_id": [4, 5, 6]})
    assert project.import_records(frame, import_format="df", return_format_type=fmt) == imported
    assert project.delete_records(["4", "5", "6"], return_format_type=fmt) == "3"


def test_pycap_people(project):
    assert project.import_users([{"username": "mary"}], return_format_type="csv") == "1"
    assert project.import_user_roles([{"role_label": "Monitor"}]) == 1
    role = project.export_user_roles()[-1]["unique_role_name"]
    assert project.import_user_role_assignment([{"username": "mary", "unique_role_name": role}]) == 1
    assert (
        project.import_dags([{"data_access_group_name": "New DAG", "unique_group_name": ""}], return_format_type="csv")
        == "1"
    )
    assert project.import_user_dag_assignment(project.export_user_dag_assignment()) == 2
    assert project.delete_dags(["new_dag"]) == 1
    assert project.delete_user_roles([role]) == 1
    assert project.delete_users(["mary"], return_format_type="xml") == "1"


def test_pycap_files_and_surveys(project):
    place = {"record": "10", "field": "scan", "event": "screening_arm_1"}
    assert project.export_file(**place) == (b"hello", {"name": "scan.txt", "charset": "UTF-8"})
    assert project.import_file(**place, file_name="new.txt", file_object=io.BytesIO(b"new")) == [{}]
    assert project.export_file(**place)[0] == b"new"
    assert project.delete_file(**place) == [{}]
    with pytest.raises(RedcapError):
        project.export_file(**place)
    folder = project.create_folder_in_repository("test")[0]["folder_id"]
    project.import_file_into_repository("in.txt", io.BytesIO(b"in"), folder_id=folder)
    [listed] = project.export_file_repository(folder_id=folder)
    assert project.export_file_from_repository(listed["doc_id"])[0] == b"in"
    assert project.delete_file_from_repository(listed["doc_id"]) == [{}]
    place = {"record": "10", "instrument": "diary", "event": "week_2_arm_1"}
    assert "/surveys/?s=" in project.export_survey_link(**place)
    assert len(project.export_survey_access_code(**place)) == 9
    assert len(project.export_survey_participant_list(instrument="diary", event="week_2_arm_1")) == 1
    assert project.export_pdf()[0].startswith(b"%PDF")


def test_pycap_classic_project(sim):
    project = Project(sim.url, new_project(sim), timeout=30)
    assert not project.is_longitudinal
    for export in (project.export_arms, project.export_events, project.export_instrument_event_mappings):
        with pytest.raises(RedcapError):
            export()
    assert project.export_records() == []
    assert project.export_records(format_type="df").empty


def test_redcaplite(sim, tmp_path):
    client = RedcapClient(sim.url, new_project(sim, SAMPLE))
    assert len(client.get_events()) == 3
    assert len(client.get_metadata()) == 13
    assert client.get_project()["is_longitudinal"] == 1
    assert client.get_version() == "15.2.1"
    assert client.import_records([{"subject_id": "1", "sex": "F"}]) == ["1"]
    assert list(client.export_records(format="csv")["subject_id"]) == [1, 10]
    assert client.import_form_event_mappings(client.get_form_event_mappings(format="json")) == 6
    assert client.import_repeating_forms_events(client.get_repeating_forms_events()) == 2
    (tmp_path / "up.txt").write_text("up")
    client.import_file(str(tmp_path / "up.txt"), "1", "scan", event="screening_arm_1")
    client.get_file("1", "scan", event="screening_arm_1", file_dictionary=str(tmp_path / ""))
    assert "ODMVersion" in client.get_project_xml()
    with pytest.raises(Exception, match="Forbidden"):
        client.delete_records(["1"])


def test_texts_keep_their_signs(project):
    value = 'Muñoz “x” – Ω\nсвет, "q" \\ </error>'
    project.import_records([{"subject_id": "u", "notes": value}])
    reply = requests.post(
        project.url, data={"token": project.token, "content": "record", "format": "csv", "records": "u"}, timeout=30
    )
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    assert pd.read_csv(io.StringIO(reply.text))["notes"][0] == value


def test_sixty_thousand_rows_go_in_and_out(project):
    total, batch = 60_000, 5_000
    rows = [
        {
            "subject_id": f"s{n // 200}", "redcap_event_name": "week_2_arm_1", "redcap_repeat_instrument": "lab",
            "redcap_repeat_instance": n % 200 + 1, "lab_name": "K", "lab_value": f"{n % 90}.5", "lab_complete": "2",
        }
        for n in range(total)
    ]  # fmt: skip
    for start in range(0, total, batch):
        project.import_records(rows[start : start + batch])
    text = project.export_records(forms=["lab"], fields=["subject_id"], events=["week_2_arm_1"], format_type="csv")
    assert text.count("\n") == total + 1


def post(project, **params):
    return requests.post(project.url, data={"token": project.token, **params}, timeout=30)


@pytest.mark.parametrize(
    ("switch", "seen"),
    [
        ({"fail_times": 1, "fail_status": 502}, lambda r: r.status_code == 502 and "<html>" in r.text),
        ({"html_200": True}, lambda r: r.status_code == 200 and r.text.startswith("<!DOCTYPE html>")),
        ({"out_of_memory_200": True}, lambda r: r.status_code == 200 and "ran out of server memory" in r.text),
        ({"truncate_bytes": 40}, lambda r: r.status_code == 200 and len(r.content) == 40),
        ({"drop_records": ["10"]}, lambda r: r.text == "\n"),
        ({"no_charset": True}, lambda r: r.headers["content-type"] == "text/csv"),
        ({"latency_ms": 300}, lambda r: r.elapsed.total_seconds() >= 0.3),
        ({"drip_bytes_per_second": 4000}, lambda r: r.status_code == 200),
        ({"max_input_vars": 2}, lambda r: r.text.startswith("<?xml")),
        ({"max_body_bytes": 5}, lambda r: r.status_code == 413),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_each_switch_does_what_it_says_for_the_next_request_only(project, control, switch, seen):
    control.post("switches", json=switch | {"next_requests": 1}).raise_for_status()
    assert seen(post(project, content="record", format="csv"))
    control.post("reset")
    assert post(project, content="record", format="csv").text.startswith("subject_id,")


def test_next_requests_run_out_and_unknown_switches_are_refused(project, control):
    control.post("switches", json={"html_200": True, "next_requests": 2, "only_content": "record"})
    assert post(project, content="version").text == "15.2.1"
    answers = [post(project, content="record", format="csv").text[:9] for _ in range(3)]
    assert answers == ["<!DOCTYPE", "<!DOCTYPE", "subject_i"]
    assert control.post("switches", json={"nope": 1}).status_code == 400
    assert control.get("requests").json()["counts"]["record"] == 3


def test_too_many_requests_are_banned_for_good(project, control):
    control.post("switches", json={"ban_per_minute": 3})
    texts = [post(project, content="version").text for _ in range(5)]
    assert texts[2] == "15.2.1"
    assert "banned" in texts[3]
    assert "banned" in texts[4]


def test_settings_change_version_and_zone(project, control):
    assert control.post("settings", json={"version": "14.7.3"}).json()["version"] == "14.7.3"
    assert post(project, content="version").text == "14.7.3"
    assert control.post("settings", json={"time_zone": "Mars/Base"}).status_code == 400
    control.post("settings", json={"version": "15.2.1"})


class Receiver(BaseHTTPRequestHandler):
    seen: list[dict[str, list[str]]]

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self.server.seen.append(parse_qs(body))
        self.send_response(500)
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def receiver():
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    server.seen = []
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def wait_for(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)


def test_a_save_by_a_person_fires_the_trigger_and_an_import_does_not(sim, project, control, receiver):
    key = project.export_project_info()["project_id"]
    control.post(
        "det", json={"project_id": key, "url": f"http://127.0.0.1:{receiver.server_port}/hook"}
    ).raise_for_status()
    project.import_records([{"subject_id": "10", "notes": "by import"}])
    save = {
        "project_id": key, "record": "10", "instrument": "lab", "event": "week_2_arm_1", "instance": 3,
        "values": {"lab_value": "4.5"}, "status": 2, "username": "nurse",
    }  # fmt: skip
    assert control.post("save", json=save).json()["saved"]
    wait_for(lambda: receiver.seen)
    assert len(receiver.seen) == 1
    sent = {name: value[0] for name, value in receiver.seen[0].items()}
    assert sent == {
        "project_id": str(key), "username": "nurse", "instrument": "lab", "record": "10", "lab_complete": "2",
        "redcap_url": f"{sim.base_url}/", "project_url": f"{sim.base_url}/redcap_v15.2.1/index.php?pid={key}",
        "redcap_event_name": "week_2_arm_1", "redcap_data_access_group": "site_701",
        "redcap_repeat_instance": "3", "redcap_repeat_instrument": "lab",
    }  # fmt: skip
    control.post("switches", json={"det_times": 2})
    control.post("save", json=save)
    wait_for(lambda: len(receiver.seen) >= 3)
    assert len(receiver.seen) == 3
    assert control.post("save", json=save | {"values": {"lab_value": "x"}}).status_code == 400


def test_a_person_changes_a_value_in_the_browser(sim, project):
    key = project.export_project_info()["project_id"]
    with httpx.Client(base_url=sim.base_url) as browser:
        assert "Sample trial" in browser.get("/").text or "/project/" in browser.get("/").text
        assert "record?record=10" in browser.get(f"/project/{key}").text
        page = browser.get(f"/project/{key}/record", params={"record": "10"}).text
        assert 'value="F" selected' in page
        form = {
            "record": "10",
            "event": "screening_arm_1",
            "instrument": "dm",
            "instance": "1",
            "field": "sex",
            "value": "M",
        }
        done = browser.post(f"/project/{key}/record", data=form, follow_redirects=True)
        assert "Saved sex" in done.text
        assert "first\nsecond</textarea>" in page
        notes = form | {"field": "notes", "value": "first\r\nsecond"}
        assert browser.post(f"/project/{key}/record", data=notes).status_code == 303
        bad = browser.post(f"/project/{key}/record", data=form | {"value": "Q"})
        assert bad.status_code == 400
        other = browser.post(f"/project/{key}/record", data=form, headers={"origin": "http://evil.example"})
        assert other.status_code == 403
    [row] = project.export_records(records=["10"])
    assert (row["sex"], row["race___1"], row["notes"]) == ("M", "1", "first\nsecond")
    assert project.export_logging(log_type="record_edit")[0]["action"] == "Update record 10"


def test_a_wrong_address_is_apache_like_404(sim):
    reply = requests.post(f"{sim.base_url}/nothing/", timeout=30)
    assert reply.status_code == 404
    assert "The requested URL was not found on this server." in reply.text


def test_what_was_acknowledged_survives_a_kill(tmp_path):
    script = "import sys; from pathlib import Path; from simulators.redcap.server import run; run(port=int(sys.argv[1]), data=Path(sys.argv[2]))"
    port = _free_port()
    url = f"http://127.0.0.1:{port}/api/"

    def start():
        process = subprocess.Popen([sys.executable, "-c", script, str(port), str(tmp_path)])
        wait_for(lambda: _answers(url), 20)
        return process

    process = start()
    try:
        token = (tmp_path / "super-token").read_text()
        data = {"token": token, "content": "project", "format": "json", "data": json.dumps([CLASSIC])}
        key = requests.post(url, data=data, timeout=30).text[-32:]
        project = Project(url, key, timeout=30)
        for n in range(20):
            project.import_records([{"record_id": n}])
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process = start()
        assert len(project.export_records()) == 20
        assert (tmp_path / "super-token").read_text() == token
    finally:
        process.terminate()
        process.wait(timeout=20)


def _free_port():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def _answers(url):
    try:
        return requests.get(url, timeout=1).status_code == 405
    except requests.ConnectionError:
        return False
