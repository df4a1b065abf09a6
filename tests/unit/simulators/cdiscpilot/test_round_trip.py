"""A slice of the trial goes through the REDCap simulator over HTTP and comes back as it was typed."""

import io

import polars as pl
import pytest
import requests

from simulators.cdiscpilot import LoadError, create_project, load_into, load_trial, records
from simulators.cdiscpilot.dictionary import project
from simulators.cdiscpilot.rows import KEYS
from simulators.redcap.server import running_simulator

SUBJECTS = 8
SUPER = "C" * 64


@pytest.fixture(scope="module")
def simulator(tmp_path_factory):
    with running_simulator(tmp_path_factory.mktemp("redcap"), super_token=SUPER) as running:
        yield running


@pytest.fixture(scope="module")
def token(simulator):
    return load_trial(api_url=simulator.url, super_token=SUPER, subjects=SUBJECTS)


def ask(simulator, token, **parameters):
    form = {"token": token, "format": "csv", "returnFormat": "json"} | parameters
    response = requests.post(simulator.url, data=form, timeout=60)
    assert response.status_code == 200, response.text
    return pl.read_csv(io.BytesIO(response.content), infer_schema=False).fill_null("")


@pytest.mark.parametrize("form", [form.form for form in project().forms])
def test_each_form_comes_back_as_it_was_typed(simulator, token, form):
    sent = next(batch.frame for batch in records(SUBJECTS) if batch.form == form)
    parameters = {"forms[0]": form, "fields[0]": "record_id"}
    back = ask(simulator, token, content="record", type="flat", **parameters)
    back = back.filter(pl.col(f"{form}_complete") == "2")
    assert back.select(sent.columns).sort(KEYS).equals(sent.sort(KEYS))


def test_the_calculated_totals_were_not_sent(simulator, token):
    calculated = {f.name for form in project().forms for f in form.fields if f.type == "calc"}
    assert calculated == {"mmse_total", "hach_total"}
    assert all(not calculated & set(batch.frame.columns) for batch in records(SUBJECTS))


def test_the_dictionary_comes_back_with_types_checks_and_codes(simulator, token):
    back = {row["field_name"]: row for row in ask(simulator, token, content="metadata").iter_rows(named=True)}
    assert list(back) == [field.name for form in project().forms for field in form.fields]
    assert back["dm_sex"]["select_choices_or_calculations"] == "1, Male | 2, Female"
    assert back["vs_date"]["text_validation_type_or_show_slider_number"] == "date_ymd"
    assert back["ae_decod"]["field_annotation"] == "@HIDDEN"
    assert back["npi01_severity"]["branching_logic"] == "[npi01_present] = '1'"


def test_events_mapping_and_repeating_instruments_come_back(simulator, token):
    events = ask(simulator, token, content="event")
    assert set(events["unique_event_name"]) == {event.event for event in project().events}
    mapping = ask(simulator, token, content="formEventMapping").select("unique_event_name", "form")
    assert set(mapping.iter_rows()) == {(event, form.form) for form in project().forms for event in form.events}
    repeating = ask(simulator, token, content="repeatingFormsEvents").select("event_name", "form_name")
    assert set(repeating.iter_rows()) == {(event, form.form) for form in project().forms for event in form.repeats_in}


def test_loading_again_sends_nothing_and_a_larger_slice_adds_the_rest(simulator, token):
    assert set(load_into(api_url=simulator.url, token=token, subjects=SUBJECTS).values()) == {0}
    other = create_project(api_url=simulator.url, super_token=SUPER)
    assert load_into(api_url=simulator.url, token=other, subjects=2)["demographics"] == 2
    assert load_into(api_url=simulator.url, token=other, subjects=3)["demographics"] == 1


def test_a_wrong_super_token_is_refused_in_words(simulator):
    with pytest.raises(LoadError, match="status 403"):
        load_trial(api_url=simulator.url, super_token="D" * 64, subjects=1)


@pytest.mark.slow
def test_the_whole_trial_arrives(tmp_path):
    expected = {batch.form: batch.frame.height for batch in records()}
    assert sum(expected.values()) == 83_292
    with running_simulator(tmp_path, super_token=SUPER) as whole:
        token = load_trial(api_url=whole.url, super_token=SUPER)
        fields = {f"fields[{number}]": f"{form}_complete" for number, form in enumerate(expected, start=1)}
        back = ask(whole, token, content="record", type="flat", **({"fields[0]": "record_id"} | fields))
        assert {form: (back[f"{form}_complete"] == "2").sum() for form in expected} == expected
        assert back["record_id"].n_unique() == 306
        assert set(load_into(api_url=whole.url, token=token).values()) == {0}
