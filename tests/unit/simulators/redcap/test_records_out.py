import pytest

ORDER = ["subject_id", "redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance"]


@pytest.fixture
def trial(api):
    api.load(
        [
            {"subject_id": "9", "sex": "M", "weight": "71.5", "seen": "1"},
            {"subject_id": "9", "redcap_event_name": "week_2_arm_1", "weight": "70"},
            *(
                {
                    "subject_id": "9",
                    "redcap_event_name": "week_2_arm_1",
                    "redcap_repeat_instrument": "lab",
                    "redcap_repeat_instance": n,
                    "lab_name": "K",
                    "lab_value": f"{n}.5",
                }
                for n in (10, 2)
            ),
            {"subject_id": "9", "redcap_event_name": "unscheduled_arm_1", "redcap_repeat_instance": 1, "weight": "69"},
        ]
    )
    return api


def test_columns_stand_in_redcap_order(trial):
    header = trial("record", format="csv").text.split("\n")[0].split(",")
    assert header[:4] == ORDER
    assert header[4:] == [
        "sex", "birth_date", "race___1", "race___2", "race___1_5", "age", "notes", "scan", "dm_complete",
        "visit_date", "weight", "seen", "visit_complete", "lab_name", "lab_value", "lab_complete", "mood", "diary_complete",
    ]  # fmt: skip


def test_rows_stand_by_record_event_instrument_and_instance(trial):
    rows = trial("record", format="json").json
    assert [tuple(row[name] for name in ORDER) for row in rows] == [
        ("9", "screening_arm_1", "", ""),
        ("9", "week_2_arm_1", "", ""),
        ("9", "week_2_arm_1", "lab", 2),
        ("9", "week_2_arm_1", "lab", 10),
        ("9", "unscheduled_arm_1", "", 1),
        ("10", "screening_arm_1", "", ""),
    ]


def test_the_id_is_not_added_when_it_is_not_asked_for(trial):
    assert list(trial("record", format="json", forms="visit").json[0]) == [
        "visit_date",
        "weight",
        "seen",
        "visit_complete",
    ]
    assert (
        trial("record", format="json", fields="subject_id", records="9").json[0]["redcap_event_name"]
        == "screening_arm_1"
    )


@pytest.mark.parametrize(
    "params",
    [{"fields": "subject_id,sex"}, {"fields__0": "subject_id", "fields__1": "sex"}, {"fields__": "subject_id,sex"}],
)
def test_lists_come_in_three_spellings(trial, params):
    if "fields__" in params:
        params = {"fields__": "sex"}
    assert "sex" in trial("record", format="json", **params).json[0]


def test_checkboxes_and_status_are_blank_where_the_form_is_not(trial):
    rows = trial("record", format="json", records="9").json
    assert [row["race___1"] for row in rows] == ["0", "", "", "", ""]
    assert [row["dm_complete"] for row in rows] == ["0", "", "", "", ""]
    assert [row["lab_complete"] for row in rows] == ["", "", "0", "0", ""]
    assert [row["diary_complete"] for row in rows] == ["", "0", "", "", ""]
    gray = trial("record", format="json", records="9", exportBlankForGrayFormStatus="true").json
    assert [row["diary_complete"] for row in gray] == ["", "", "", "", ""]
    assert [row["visit_complete"] for row in gray] == ["0", "0", "", "", "0"]


def test_php_quoting(trial):
    trial.load(
        [
            {"subject_id": "11", "notes": 'say "hi"'},
            {"subject_id": "12", "notes": "plain"},
            {"subject_id": "13", "notes": "two words"},
        ]
    )
    text = trial("record", format="csv", fields="subject_id,notes", records="11,12,13,10").text
    assert text == (
        "subject_id,redcap_event_name,redcap_repeat_instrument,redcap_repeat_instance,notes\n"
        '10,screening_arm_1,,,"first\nsecond"\n'
        '11,screening_arm_1,,,"say ""hi"""\n'
        "12,screening_arm_1,,,plain\n"
        '13,screening_arm_1,,,"two words"\n'
    )
    assert trial("record", format="csv").media_type == "text/csv; charset=utf-8"
    tabbed = trial("record", format="csv", fields="subject_id,notes", records="12", csvDelimiter="tab").text
    assert tabbed.endswith("12\tscreening_arm_1\t\t\tplain\n")


def test_labels(trial):
    [row, *_] = trial("record", format="json", records="10", rawOrLabel="label").json
    assert (row["sex"], row["race___1"], row["race___2"], row["dm_complete"]) == (
        "Female",
        "Checked",
        "Unchecked",
        "Incomplete",
    )
    assert row["redcap_event_name"] == "Screening"
    [row, *_] = trial("record", format="json", records="10", rawOrLabel="label", exportCheckboxLabel="true").json
    assert (row["race___1"], row["race___2"]) == ("White", "")
    head = trial("record", format="csv", rawOrLabelHeaders="label").text.split("\n")[0]
    assert head.startswith(
        'Subject,"Event Name","Repeat Instrument","Repeat Instance",Sex,"Date of birth","Race (choice=White)"'
    )
    assert "Complete?" in head


def test_eav_has_set_values_only_and_files_by_number(trial):
    rows = trial("record", format="json", type="eav", records="10").json
    assert [(row["field_name"], row["value"]) for row in rows if row["field_name"] != "scan"] == [
        ("subject_id", "10"), ("sex", "F"), ("race", "1"), ("notes", "first\nsecond"), ("dm_complete", "0"),
    ]  # fmt: skip
    [scan] = [row for row in rows if row["field_name"] == "scan"]
    assert scan["value"].isdigit()
    assert list(scan) == ["record", *ORDER[1:], "field_name", "value"]


@pytest.mark.parametrize(
    ("logic", "count"),
    [
        ("[sex] = 'F'", 1),
        ("[weight] > 69.5 and [weight] < 71", 3),
        ("[race(1)] = '1'", 1),
        ("[race(1)] = '0' and [sex] = 'M'", 1),
        ("([sex] = 'F' or [lab_value] >= 10) and [subject_id] <> '999'", 2),
        ("[screening_arm_1][sex] = 'M'", 5),
        ("[weight] + 1 = 71", 3),
        ("not [sex] = ''", 2),
        ("[sex] = 'none'", 0),
    ],
)
def test_filter_logic(trial, logic, count):
    assert len(trial("record", format="json", filterLogic=logic).json) == count


def test_nothing_matches(trial):
    assert trial("record", format="csv", records="999").text == "\n"
    assert trial("record", format="json", records="999").text == "[]"


def test_date_range_reads_the_log_in_server_time(trial):
    now = trial.server.now()
    with trial.server.store.writing() as db:
        db.execute("UPDATE log SET at = '2020-01-01 10:00:00' WHERE record = '10'")
    assert {row["subject_id"] for row in trial("record", format="json", dateRangeBegin="2020-01-02 00:00:00").json} == {
        "9"
    }
    ends = trial("record", format="json", dateRangeEnd="2020-01-01 10:00:00").json
    assert {row["subject_id"] for row in ends} == {"10"}
    assert trial("record", format="json", dateRangeBegin="2999-01-01 00:00:00").json == []
    assert now[:4].isdigit()


def test_only_rows_of_the_repeating_form_when_only_it_is_asked_for(trial):
    rows = trial("record", format="json", fields="subject_id", forms="lab", events="week_2_arm_1").json
    assert [row["lab_value"] for row in rows] == ["2.5", "10.5"]


def test_a_user_in_a_group_sees_only_that_group(trial):
    assert trial("dag", action="switch", dag="site_701", returnFormat="csv").text == "1"
    rows = trial("record", format="json", exportDataAccessGroups="true").json
    assert {row["subject_id"] for row in rows} == {"10"}
    assert "redcap_data_access_group" not in rows[0]


def test_a_report_has_its_own_columns_order_and_filter(trial):
    project = trial.server.store.project(1)
    key = str(project.doc["reports"][0]["id"])
    rows = trial("report", format="json", report_id=key).json
    assert [(row["subject_id"], row["notes"]) for row in rows] == [("10", "first second")]
    assert trial("report", format="json", report_id="0").status == 400


def test_xml_export_parses(trial):
    from lxml import etree

    root = etree.fromstring(trial("record").content)
    assert root.tag == "records"
    assert root[0].findtext("subject_id") == "9"
