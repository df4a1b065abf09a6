import pytest

LAB = {"redcap_event_name": "week_2_arm_1", "redcap_repeat_instrument": "lab"}


def rows(api, **params):
    return api("record", format="json", **params).json


@pytest.mark.parametrize(
    ("field", "value", "stored"),
    [
        ("sex", "F", "F"),
        ("birth_date", "1940-02-29", "1940-02-29"),
        ("race___1_5", 1, "1"),
        ("race___2", 1.0, "1"),
        ("sex", "UNK", "UNK"),
        ("notes", "Muñoz “quoted” –", "Muñoz “quoted” –"),
    ],
)
def test_good_values_are_kept(api, field, value, stored):
    assert api.load([{"subject_id": "1", field: value}]).json == {"count": 1}
    assert rows(api, records="1")[0][field] == stored


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sex", "X"), ("birth_date", "1941-02-29"), ("birth_date", "29/02/1940"), ("race___1", "2"), ("dm_complete", "3"),
        ("visit_date", "2020-01-01"), ("weight", "heavy"), ("seen", "Yes"),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_with_record_field_value_and_message(api, field, value):
    reply = api.load([{"subject_id": "1", field: value}, {"subject_id": "2", "sex": "F"}])
    assert reply.status == 400
    assert reply.json["error"].startswith(f'"1","{field}","{value}","')
    assert rows(api, records="1,2") == []


def test_every_fault_has_its_line_and_the_whole_batch_is_refused(api):
    reply = api.load(
        [{"subject_id": "1", "sex": "X", "weight": "a"}, {"subject_id": "2", "seen": "q"}], returnFormat="csv"
    )
    lines = reply.text.removeprefix("ERROR: ").splitlines()
    assert [line.split(",")[:2] for line in lines] == [['"1"', '"sex"'], ['"1"', '"weight"'], ['"2"', '"seen"']]
    assert rows(api, records="1,2") == []


def test_unknown_columns_and_a_missing_id_are_refused(api):
    assert "nope" in api.load([{"subject_id": "1", "nope": "1"}]).json["error"]
    assert "subject_id" in api.load([{"sex": "F"}]).json["error"]
    assert api("record", format="json", data="{broken").status == 400


def test_ranges_are_soft(api):
    assert api.load([{"subject_id": "1", "weight": "900"}]).json == {"count": 1}


def test_blank_is_ignored_or_erases(api):
    api.load([{"subject_id": "1", "notes": "a", "sex": "F"}])
    api.load([{"subject_id": "1", "notes": ""}])
    assert rows(api, records="1")[0]["notes"] == "a"
    api.load([{"subject_id": "1", "notes": ""}], overwriteBehavior="overwrite")
    assert rows(api, records="1")[0]["notes"] == ""
    assert rows(api, records="1")[0]["sex"] == "F"


@pytest.mark.parametrize(("order", "text"), [("DMY", "31/12/1950"), ("MDY", "12/31/1950"), ("YMD", "1950-12-31")])
def test_dates_are_read_in_the_order_named_and_stored_iso(api, order, text):
    api.load([{"subject_id": "1", "birth_date": text}], dateFormat=order)
    assert rows(api, records="1")[0]["birth_date"] == "1950-12-31"


@pytest.mark.parametrize(
    ("wanted", "fmt", "body"),
    [
        ("count", "json", '{"count":2}'), ("count", "csv", "2"),
        ("count", "xml", '<?xml version="1.0" encoding="UTF-8" ?><count>2</count>'),
        ("ids", "json", '["7","8"]'), ("ids", "csv", "id\n7\n8\n"), ("nothing", "json", ""),
    ],
)  # fmt: skip
def test_what_an_import_returns(api, wanted, fmt, body):
    data = [{"subject_id": 7}, {"subject_id": 8}, {"subject_id": 7, "sex": "F"}]
    assert api.load(data, returnContent=wanted, returnFormat=fmt).text == body


def test_auto_numbers_take_given_ids_as_grouping_keys(api):
    data = [{"subject_id": "a", "sex": "F"}, {"subject_id": "b"}, {"subject_id": "a", "notes": "n"}]
    reply = api.load(data, forceAutoNumber="true", returnContent="auto_ids")
    assert reply.json == ["11,a", "12,b"]
    assert [(row["sex"], row["notes"]) for row in rows(api, records="11")] == [("F", "n")]
    assert api("generateNextRecordName", format="csv").text == "13"


def test_a_repeating_field_needs_its_instance(api):
    for row in (
        {"redcap_event_name": "week_2_arm_1", "lab_name": "K"},
        LAB | {"lab_name": "K"},
        LAB | {"redcap_repeat_instance": 1, "mood": "2"},
    ):
        assert api.load([{"subject_id": "1"} | row]).status == 400
    assert (
        api.load(
            [
                {
                    "subject_id": "1",
                    "redcap_event_name": "screening_arm_1",
                    "redcap_repeat_instrument": "lab",
                    "redcap_repeat_instance": 1,
                }
            ]
        ).status
        == 400
    )
    assert rows(api, records="1") == []


def test_new_appends_instances(api):
    data = [{"subject_id": "1", "redcap_repeat_instance": "new", "lab_name": "K"} | LAB for _ in range(2)]
    api.load(data)
    api.load(data[:1])
    assert [row["redcap_repeat_instance"] for row in rows(api, records="1")] == [1, 2, 3]


def test_a_form_that_is_not_in_the_event_is_refused(api):
    reply = api.load([{"subject_id": "1", "redcap_event_name": "week_2_arm_1", "sex": "F"}])
    assert "not designated for the event week_2_arm_1" in reply.json["error"]


def test_calculations_are_never_written(api):
    assert api.load([{"subject_id": "1", "age": "99"}]).status == 200
    assert rows(api, records="1")[0]["age"] == ""


def test_csv_xml_and_eav_arrive_like_json(api):
    api("record", format="csv", data='subject_id,notes\n"1","a ""b"", c\nd"\n')
    api("record", format="xml", data="<records><item><subject_id>2</subject_id><sex>M</sex></item></records>")
    eav = "record,redcap_event_name,field_name,value\n3,screening_arm_1,sex,F\n3,screening_arm_1,race___2,1\n"
    api("record", format="csv", type="eav", data=eav)
    got = {row["subject_id"]: row for row in rows(api, records="1,2,3")}
    assert got["1"]["notes"] == 'a "b", c\nd'
    assert got["2"]["sex"] == "M"
    assert (got["3"]["sex"], got["3"]["race___2"], got["3"]["race___1"]) == ("F", "1", "0")


def test_the_same_import_again_logs_and_changes_nothing(api):
    api.load([{"subject_id": "1", "sex": "F", "weight": "70"}])
    before = api("log", format="json", logtype="record").json
    api.load([{"subject_id": "1", "sex": "F", "weight": "70"}])
    assert api("log", format="json", logtype="record").json == before


def test_groups_are_set_by_unique_name(api):
    api.load([{"subject_id": "1", "redcap_data_access_group": "site_701"}])
    assert rows(api, records="1", exportDataAccessGroups="true")[0]["redcap_data_access_group"] == "site_701"
    assert api.load([{"subject_id": "1", "redcap_data_access_group": "nope"}]).status == 400


def test_a_background_import_says_success_only(api):
    assert api.load([{"subject_id": "1"}], backgroundProcess="1").text == '{"success":true}'
