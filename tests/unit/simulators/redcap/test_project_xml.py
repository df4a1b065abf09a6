import pytest
from lxml import etree

from simulators.redcap.formats import ApiError
from simulators.redcap.project_xml.reader import read_project, read_root


def ids():
    numbers = iter(range(1, 1000))
    return lambda: next(numbers)


def test_dictionary_events_and_mapping_are_read(api):
    rows = {row["field_name"]: row for row in api("metadata", format="json").json}
    assert list(rows)[:4] == ["subject_id", "sex", "birth_date", "race"]
    assert rows["sex"]["select_choices_or_calculations"] == "F, Female | M, Male"
    assert rows["sex"]["required_field"] == "y"
    assert rows["race"]["select_choices_or_calculations"] == "1, White|2, Black|1.5, Other"
    assert rows["notes"]["field_type"] == "notes"
    assert rows["notes"]["field_note"] == "two\nlines"
    assert rows["notes"]["branching_logic"] == "[sex] = 'F'"
    assert rows["weight"]["text_validation_type_or_show_slider_number"] == "number"
    assert (rows["weight"]["text_validation_min"], rows["weight"]["text_validation_max"]) == ("30", "200")
    assert rows["age"]["select_choices_or_calculations"] == "round(1,0)"
    assert rows["visit_date"]["section_header"] == "Visit"
    assert "dm_complete" not in rows
    events = api("event", format="json").json
    assert [event["unique_event_name"] for event in events] == ["screening_arm_1", "week_2_arm_1", "unscheduled_arm_1"]
    assert [(e["day_offset"], e["offset_min"], e["offset_max"]) for e in events] == [(-7, 0, 0), (14, 3, 3), (99, 0, 0)]
    assert api("arm", format="json").json == [{"arm_num": 1, "name": "All subjects"}]
    assert {"arm_num": 1, "unique_event_name": "week_2_arm_1", "form": "lab"} in api(
        "formEventMapping", format="json"
    ).json
    assert api("repeatingFormsEvents", format="json").json == [
        {"event_name": "week_2_arm_1", "form_name": "lab", "custom_form_label": "[lab_name]"},
        {"event_name": "unscheduled_arm_1", "form_name": "", "custom_form_label": ""},
    ]


def test_data_and_files_are_loaded_but_calculations_are_not(api):
    [row] = api("record", format="json", exportDataAccessGroups="true").json
    assert (row["subject_id"], row["sex"], row["notes"]) == ("10", "F", "first\nsecond")
    assert (row["race___1"], row["race___2"]) == ("1", "0")
    assert row["age"] == ""
    assert row["scan"] == "scan.txt"
    assert row["redcap_data_access_group"] == "site_701"
    sent = api("file", action="export", record="10", field="scan", event="screening_arm_1")
    assert (sent.text, sent.media_type) == ("hello", 'text/plain; name="scan.txt";charset=UTF-8')


def test_what_is_written_is_read_back_the_same(api, create):
    api.load(
        [
            {
                "subject_id": "10",
                "redcap_event_name": "week_2_arm_1",
                "redcap_repeat_instrument": "lab",
                "redcap_repeat_instance": 2,
                "lab_value": "1.5",
            }
        ]
    )
    written = api("project_xml", exportFiles="true").text
    again = create(written)
    for content in ("metadata", "formEventMapping", "repeatingFormsEvents", "instrument", "arm"):
        assert again(content, format="json").json == api(content, format="json").json, content
    strip = [{k: v for k, v in event.items() if k != "event_id"} for event in api("event", format="json").json]
    assert [
        {k: v for k, v in event.items() if k != "event_id"} for event in again("event", format="json").json
    ] == strip
    assert again("record", format="csv").text == api("record", format="csv").text
    assert "ClinicalData" not in api("project_xml", returnMetadataOnly="true").text
    assert "ClinicalData" in api("record", format="odm").text


def test_a_plain_project_has_one_record_id_field(classic):
    assert [row["field_name"] for row in classic("metadata", format="json").json] == ["record_id"]


def test_external_entities_are_not_read(tmp_path, create):
    secret = tmp_path / "secret.txt"
    secret.write_text("top secret")
    evil = f"""<!DOCTYPE ODM [<!ENTITY x SYSTEM "file://{secret}">]>
    <ODM xmlns="http://www.cdisc.org/ns/odm/v1.3"><Study><GlobalVariables><StudyName>a&x;b</StudyName></GlobalVariables>
    <MetaDataVersion/></Study></ODM>"""
    with pytest.raises(ApiError, match="DOCTYPE is refused"):
        read_project(read_root(evil), ids())


@pytest.mark.parametrize("text", ["<hello/>", "not xml"])
def test_another_xml_is_refused(text):
    with pytest.raises(ApiError) as refusal:
        read_root(text)
    assert refusal.value.status == 400


def test_the_written_file_is_well_formed(api):
    assert etree.fromstring(api("project_xml").content).get("ODMVersion") == "1.3.1"
