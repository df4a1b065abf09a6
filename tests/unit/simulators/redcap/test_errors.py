import pytest

MISSING_REPEATING = (
    "You cannot export repeating instruments and events because the project does not contain any repeating "
    "instruments and events"
)


@pytest.mark.parametrize(
    ("params", "body"),
    [
        ({"format": "json"}, '{"error":"You do not have permissions to use the API"}'),
        ({"format": "json", "returnFormat": "csv"}, "ERROR: You do not have permissions to use the API"),
        (
            {},
            '<?xml version="1.0" encoding="UTF-8" ?><hash><error>You do not have permissions to use the API</error></hash>',
        ),
    ],
)
def test_a_wrong_token_is_403_in_the_format_asked_for(api, params, body):
    api.token = "F" * 32
    reply = api("record", **params)
    assert (reply.status, reply.text) == (403, body)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("arm", "You cannot export arms for classic projects"),
        ("event", "You cannot export events for classic projects"),
        ("formEventMapping", "You cannot export form/event mappings for classic projects"),
        ("repeatingFormsEvents", MISSING_REPEATING),
    ],
)
def test_a_classic_project_has_no_events(classic, content, message):
    reply = classic(content, format="json")
    assert (reply.status, reply.json) == (400, {"error": message})


def test_unknown_content_and_randomization_are_501(api):
    for reply in (api("nonsense", format="json"), api("record", action="randomize", format="json", record="10")):
        assert (reply.status, reply.json) == (501, {"error": "The requested method is not implemented."})


@pytest.mark.parametrize(
    ("params", "start"),
    [
        ({"fields": "nope,sex"}, "The following values in the parameter \"fields\" are not valid: 'nope'"),
        ({"fields": "redcap_event_name"}, 'The following values in the parameter "fields"'),
        ({"forms__0": "nope"}, 'The following values in the parameter "forms"'),
        ({"events__0": "nope"}, 'The following values in the parameter "events"'),
        ({"dateRangeBegin": "yesterday"}, "The parameter dateRangeBegin"),
        ({"filterLogic": "[sex] ="}, "The filterLogic is not valid"),
        ({"filterLogic": "[nope] = 1"}, "The filterLogic names a field"),
    ],
)
def test_an_export_refuses_what_does_not_exist(api, params, start):
    reply = api("record", format="json", **params)
    assert reply.status == 400
    assert reply.json["error"].startswith(start)


def test_rights_are_asked_for(api):
    reply = api("record", action="delete", records="10", returnFormat="json")
    assert (reply.status, reply.json["error"]) == (403, "You do not have Delete Record privileges")


def test_only_the_super_token_creates_projects(api):
    api.token = "A" * 64
    assert api("project", format="json", data="[]").status == 403
