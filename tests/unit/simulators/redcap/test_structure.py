import orjson
import pytest

from simulators.redcap.api.call import Upload


def send(api, content, rows, **params):
    return api(content, **({"format": "json", "returnFormat": "json", "data": orjson.dumps(rows).decode()} | params))


def test_field_names_have_one_row_per_option_and_none_for_files(api):
    names = [row["export_field_name"] for row in api("exportFieldNames", format="json").json]
    assert names[3:6] == ["race___1", "race___2", "race___1_5"]
    assert "scan" not in names
    assert names[-1] == "diary_complete"
    rows = api("exportFieldNames", format="json", field="race").json
    assert [row["choice_value"] for row in rows] == ["1", "2", "1.5"]


def test_arms_show_only_with_events_and_override_wipes(api):
    assert send(api, "arm", [{"arm_num": 2, "name": "B"}], action="import").text == "1"
    assert len(api("arm", format="json").json) == 1
    assert (
        send(api, "event", [{"event_name": "Deadline to opt out of study", "arm_num": "2"}], action="import").text
        == "1"
    )
    assert api("event", format="json").json[-1]["unique_event_name"] == "deadline_to_opt_ou_arm_2"
    assert len(api("arm", format="json").json) == 2
    assert api("arm", action="delete", arms__0="2", returnFormat="json").text == "1"
    assert len(api("event", format="json").json) == 3
    assert send(api, "arm", [{"arm_num": 1, "name": "Only"}], action="import", override="1").text == "1"
    assert api("event", format="json").json == []


def test_changing_an_event_keeps_its_data(api):
    event = api("event", format="json").json[0]
    assert send(api, "event", [event | {"day_offset": 3}], action="import").text == "1"
    after = next(e for e in api("event", format="json").json if e["unique_event_name"] == event["unique_event_name"])
    assert (after["event_id"], after["day_offset"]) == (event["event_id"], 3)
    assert api("record", format="json").json[0]["sex"] == "F"


def test_mapping_import_replaces_all(api):
    old = api("formEventMapping", format="json").json
    assert send(api, "formEventMapping", old[:1], action="import").text == "1"
    assert api("formEventMapping", format="json").json == old[:1]


@pytest.mark.parametrize("fmt", ["json", "csv", "xml"])
def test_repeating_setup_survives_export_and_import(api, fmt):
    body = api("repeatingFormsEvents", format=fmt).text
    assert api("repeatingFormsEvents", format=fmt, data=body).text == "2"
    assert api("repeatingFormsEvents", format=fmt).text == body


@pytest.mark.parametrize("fmt", ["json", "csv", "xml"])
def test_dictionary_survives_export_and_import(api, fmt):
    before = api("metadata", format=fmt).text
    assert api("metadata", format=fmt, returnFormat="csv", data=before).text == "13"
    assert api("metadata", format=fmt).text == before


def test_a_dictionary_that_loses_a_field_hides_its_data_until_it_is_back(api):
    rows = api("metadata", format="json").json
    assert send(api, "metadata", [row for row in rows if row["field_name"] != "sex"]).text == "12"
    assert "sex" not in api("record", format="json").json[0]
    send(api, "metadata", rows)
    assert api("record", format="json").json[0]["sex"] == "F"


@pytest.mark.parametrize("change", [{"field_name": "Bad Name"}, {"field_type": "nope"}, {"form_name": ""}])
def test_a_bad_dictionary_is_refused_whole(api, change):
    rows = api("metadata", format="json").json
    assert send(api, "metadata", [*rows[:-1], rows[-1] | change]).status == 400
    assert api("metadata", format="json").json == rows


def test_project_info_has_27_entries_with_numbers_for_flags(api):
    info = api("project", format="json").json
    assert len(info) == 27
    assert (info["is_longitudinal"], info["has_repeating_instruments_or_events"], info["surveys_enabled"]) == (1, 1, 1)
    assert info["missing_data_codes"] == "UNK, Unknown"
    assert send(api, "project_settings", [{"project_notes": "n", "project_id": 7}]).text == "1"
    assert api("project", format="json").json["project_notes"] == "n"


def test_users_have_numbers_and_roles_have_text(api):
    [user] = api("user", format="json").json
    assert (user["username"], user["api_export"], user["record_delete"]) == ("site_admin", 1, 0)
    assert user["forms"]["dm"] == 1
    assert "dm:1,visit:1" in api("user", format="csv").text
    assert send(api, "userRole", [{"role_label": "Monitor", "design": 1}]).text == "1"
    [role] = api("userRole", format="json").json
    assert (role["role_label"], role["design"], role["calendar"]) == ("Monitor", "1", "0")
    send(api, "user", [{"username": "mary"}])
    assert (
        send(api, "userRoleMapping", [{"username": "mary", "unique_role_name": role["unique_role_name"]}]).text == "1"
    )
    assert api("userRoleMapping", format="json").json[-1]["unique_role_name"] == role["unique_role_name"]
    assert api("userRole", action="delete", roles__0=role["unique_role_name"], returnFormat="json").text == "1"
    assert api("user", action="delete", users__0="mary", returnFormat="json").text == "1"


def test_groups_get_unique_names(api):
    assert (
        send(api, "dag", [{"data_access_group_name": "dag-A x", "unique_group_name": ""}], action="import").text == "1"
    )
    assert api("dag", format="json").json[-1]["unique_group_name"] == "daga_x"
    assert (
        send(api, "dag", [{"data_access_group_name": "New", "unique_group_name": "daga_x"}], action="import").text
        == "1"
    )
    assert api("dag", action="delete", dags__0="daga_x", returnFormat="json").text == "1"
    assert api("record", format="json", exportDataAccessGroups="true").json[0]["redcap_data_access_group"] == "site_701"


def test_delete_and_rename(api):
    api.grant("record_delete", "record_rename")
    api.load([{"subject_id": "1", "sex": "F", "weight": "70"}, {"subject_id": "2"}])
    missing = api("record", action="delete", records="1,x", returnFormat="json")
    assert missing.status == 400
    assert missing.json["error"].endswith("do not exist: x")
    assert (
        api(
            "record", action="delete", records="1", instrument="visit", event="screening_arm_1", returnFormat="json"
        ).text
        == "1"
    )
    [row] = api("record", format="json", records="1").json
    assert (row["sex"], row["weight"]) == ("F", "")
    assert api("record", action="rename", record="1", new_record_name="one").text == "1"
    assert api("record", action="delete", records="one,2", returnFormat="json").text == "2"
    assert [row["subject_id"] for row in api("record", format="json").json] == ["10"]
    kinds = [row["action"] for row in api("log", format="json", logtype="record_delete").json]
    assert kinds == ["Delete record (API) 2", "Delete record (API) one"]


def test_files_go_in_out_and_away(api):
    place = {"record": "10", "field": "scan", "event": "screening_arm_1"}
    assert (
        api("file", action="import", upload=Upload("b.bin", "application/octet-stream", b"\0\1"), **place).status == 200
    )
    got = api("file", action="export", **place)
    assert (got.content, got.media_type) == (b"\0\1", 'application/octet-stream; name="b.bin"')
    assert api("file", action="delete", **place).text == ""
    assert api("file", action="export", **place).status == 400
    wrong = api("file", action="export", record="10", field="sex")
    assert "The field 'sex' does not exist or is not a 'file' field" in wrong.text


def test_repository(api):
    key = api("fileRepository", action="createFolder", name="new", returnFormat="json").json[0]["folder_id"]
    upload = Upload("t.txt", "text/plain", b"hello")
    assert api("fileRepository", action="import", folder_id=str(key), upload=upload).status == 200
    [row] = api("fileRepository", action="list", folder_id=str(key), returnFormat="json").json
    assert row["name"] == "t.txt"
    assert api("fileRepository", action="export", doc_id=str(row["doc_id"])).text == "hello"
    assert api("fileRepository", action="delete", doc_id=str(row["doc_id"]), returnFormat="json").status == 200
    refused = api("fileRepository", action="list", folder_id="99", returnFormat="json")
    assert refused.json["error"].startswith("The File Repository folder folder_id=99 does not exist")


def test_surveys_have_stable_links_and_codes(api):
    place = {"record": "10", "instrument": "diary", "event": "week_2_arm_1"}
    link = api("surveyLink", **place).text
    assert link.startswith("https://redcap.example/surveys/?s=")
    assert len(link.partition("?s=")[2]) == 16
    assert api("surveyLink", **place).text == link
    assert (len(api("surveyAccessCode", **place).text), len(api("surveyReturnCode", **place).text)) == (9, 8)
    assert "?sq=" in api("surveyQueueLink", record="10").text
    assert "does not exist" in api("surveyLink", **(place | {"record": "-1"})).text
    [row] = api("participantList", format="json", instrument="diary", event="week_2_arm_1").json
    assert (row["record"], row["response_status"], row["survey_link"]) == ("10", 0, link)


def test_the_log_is_newest_first_to_the_minute(api):
    api.load([{"subject_id": "1", "sex": "F"}])
    rows = api("log", format="json").json
    assert rows[0]["action"] == "Create record (API) 1"
    assert rows[0]["details"] == "sex = 'F'"
    assert rows[-1]["action"] == "Manage/Design "
    assert len(rows[0]["timestamp"]) == 16
    assert {row["record"] for row in api("log", format="json", record="10", logtype="record").json} == {"10"}
    assert api("log", format="json", endTime="2000-01-01 00:00").json == []


def test_pdf_is_a_pdf(api):
    for params in ({}, {"record": "10"}, {"allRecords": "True"}):
        reply = api("pdf", action="export", returnFormat="json", **params)
        assert reply.content.startswith(b"%PDF-1.4")
        assert reply.content.rstrip().endswith(b"%%EOF")
    assert api("pdf", action="export", returnFormat="json", record="none").status == 400


def test_version_is_plain_text(api):
    assert api("version").text == "15.2.1"


def test_survey_time_stamps_stand_before_the_fields_of_a_survey(api):
    from simulators.redcap.web.trigger import save_form

    place = {"project_id": 1, "instrument": "diary", "event": "week_2_arm_1", "survey": True, "values": {"mood": "3"}}
    save_form(api.server, place | {"record": "10"})
    save_form(api.server, place | {"record": "11", "status": 0})
    rows = api(
        "record", format="json", fields="subject_id", forms="diary", events="week_2_arm_1", exportSurveyFields="true"
    ).json
    assert list(rows[0])[4:] == ["redcap_survey_identifier", "diary_timestamp", "mood", "diary_complete"]
    assert len(rows[0]["diary_timestamp"]) == len("2026-01-01 10:00:00")
    assert rows[1]["diary_timestamp"] == "[not completed]"
    assert api("log", format="json", logtype="record").json[0]["username"] == "[survey respondent]"
