import subprocess
import sys
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from sqlalchemy import text

import metricis as mx
from datamodel.kernel.errors import BadInputError, NotFoundError, RefusedError
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from metricis.opening import open_moment


@pytest.fixture
def notebook(trial, home, monkeypatch):
    """Open the small trial as somebody; the environment is that of a notebook."""
    monkeypatch.setenv("METRICIS_DATABASE_URL", trial.url)
    settings.cache_clear()
    trial.folder = home / "marts"

    def come_in(role="statistician", *, site=None, is_unblinded=True, **more):
        (home / "notebook.token").write_text(trial.person(role, site=site, is_unblinded=is_unblinded) + "\n")
        return mx.open_study("small", **more)

    trial.take()
    return come_in


@pytest.fixture
def study(notebook):
    return notebook()


def test_importing_the_front_loads_no_library():
    code = "import sys; had = set(sys.modules); import metricis; print(*sorted(set(sys.modules) - had))"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {one.partition(".")[0] for one in ended.stdout.split()}
    assert loaded - set(sys.stdlib_module_names) == {"metricis"}


def test_opening_is_one_ledger_event_with_who_and_which_snapshot(trial, study):
    with unit_of_work(trial.url, trial.service) as unit:
        row = unit.session.execute(
            text("select subject, role, change from app.audit_event where action = 'marts.open_snapshot'")
        ).one()
    assert (row.subject, row.role) == ("snapshot:1", "statistician")
    assert row.change["new"]["is_blinded"] is False


def test_it_says_what_was_opened(study):
    said = repr(study)
    for part in ("small: A small trial", "1 of ", "ledger position", "4", "statistician, unblinded"):
        assert part in said
    assert "<table>" in study._repr_html_()


def test_who_may_not_read_is_told_why(notebook):
    with pytest.raises(RefusedError, match="may not read frames and snapshots in a notebook"):
        notebook("coordinator")


@pytest.mark.parametrize(("role", "is_moment"), [("coordinator", False), ("monitor", True)], ids=["snapshot", "moment"])
def test_what_a_notebook_is_refused_is_in_the_ledger(trial, home, notebook, role, is_moment):
    (home / "notebook.token").write_text(trial.person(role))
    with pytest.raises(RefusedError) as refused:
        open_moment("small", datetime.now(UTC)) if is_moment else mx.open_study("small")
    with unit_of_work(trial.url, trial.service) as unit:
        told = unit.session.execute(
            text("select role, change from app.audit_event where action = 'access.refused'")
        ).one()
    assert told.role == role
    assert told.change["new"]["permission"] == "study:data:read"
    assert told.change["new"]["sentence"] == str(refused.value)


def test_a_wrong_and_a_missing_token_are_refused(notebook, home):
    (home / "notebook.token").write_text("nonsense")
    with pytest.raises(RefusedError, match="unknown, revoked or over") as error:
        mx.open_study("small")
    assert "nonsense" not in str(error.value)
    (home / "notebook.token").unlink()
    with pytest.raises(RefusedError, match="needs a token"):
        mx.open_study("small")


@pytest.mark.parametrize(
    ("asked", "form"),
    [
        ("vitals", "vitals"),
        ("Vital signs", "vitals"),
        ("vit", "vitals"),
        ("VITALS", "vitals"),
        ("a", "about"),
        ("events", "events"),
    ],
)
def test_a_form_answers_to_its_name_label_or_beginning(study, asked, form):
    assert study.form(asked).equals(study.form(form))


def test_an_unknown_form_names_the_closest(study):
    with pytest.raises(NotFoundError, match=r"no form “vitls”\. Closest: vitals"):
        study.form("vitls")
    with pytest.raises(NotFoundError, match=r"There are: about, vitals"):
        study.form("zzz")


def test_values_as_labels_are_ordered_as_in_the_dictionary(study):
    about = study.form("about", values="label")
    assert about["sex"].dtype == pl.Enum(["Woman", "Man", "Other"])
    assert about["event_id"].dtype.categories[:3].to_list() == ["Baseline", "Week 2", "Week 4"]
    assert set(about["arm_id"]) == {"Zephyrine", "Quandolex"}
    assert about["age__missing"].drop_nulls().to_list() == ["Refused"]
    assert about["is_smoker"].drop_nulls().unique().to_list() == ["No"]
    both = study.form("about", values="both")
    at = both.columns.index("sex")
    assert both.columns[at : at + 2] == ["sex", "sex__label"]
    assert both.row(0, named=True)["sex"] == "1"


def test_repeats(study):
    key = ["subject_id", "event_id"]
    last = study.form("scores", repeats="last")
    assert not last.select(key).is_duplicated().any()
    assert last["total"].to_list() == [1.5, 3.0]
    assert study.form("scores", repeats="first")["total"].to_list() == [1.5, 2.5]


def test_checkboxes_in_one_column(study):
    combined = study.form("about", combine=True, values="label")
    assert combined["illness"].to_list()[0] == ["Asthma"]
    assert "illness___1" not in combined.columns
    assert study.form("about", combine="text")["illness"].to_list() == ["1", "1", "1", ""]


def test_lazy_and_wrong_options(study):
    assert isinstance(study.form("about", lazy=True), pl.LazyFrame)
    with pytest.raises(BadInputError, match=r"values='labels'; allowed are 'raw', 'label', 'both'"):
        study.form("about", values="labels")


def test_labels_remain_through_what_people_do_with_frames(study):
    about, vitals = study.form("about"), study.form("vitals")
    assert study.labels(about.select("age", "sex").filter(pl.col("age") > 60)) == {"age": "Age", "sex": "Sex"}
    assert study.labels(about.with_columns(old=pl.col("age") > 70))["age"] == "Age"
    joined = about.join(vitals, on="subject_id")
    assert study.labels(joined)["sbp"] == "Systolic pressure"
    assert study.labels(joined)["event_id_right"] == "Visit"
    assert study.labels(vitals.group_by("arm_id").agg(pl.col("sbp").mean())) == {
        "arm_id": "Arm",
        "sbp": "Systolic pressure",
    }
    renamed = study.rename(vitals, {"sbp": "systolic"})
    assert study.labels(renamed)["systolic"] == "Systolic pressure"
    assert study.labels(about)["illness____2"] == "Illnesses: Gout"


def test_codebook(study):
    book = {row["field"]: row for row in study.codebook("about").iter_rows(named=True)}
    assert list(book) == ["site_id", "sex", "age", "is_smoker", "cigarettes", "illness"]
    assert book["sex"]["choices"] == "1 = Woman; 2 = Man; 9 = Other"
    assert (book["illness"]["label"], book["illness"]["choices"]) == ("Illnesses", "1 = Asthma; -2 = Gout")
    assert (book["age"]["unit"], book["age"]["is_required"]) == ("years", True)
    assert book["cigarettes"]["logic"] == "[is_smoker] = '1'"
    assert study.codebook()["form_id"].unique(maintain_order=True).to_list()[:2] == ["about", "vitals"]


def test_keys_and_index(study):
    assert study.key("scores") == ["subject_id", "event_id", "form_repeat"]
    index = study.forms().row(0, named=True)
    assert (index["form_id"], index["rows"], index["pct_complete"]) == ("about", 4, 75.0)


def test_binding_gives_tab_completion(study):
    forms = study.bind()
    assert "vitals" in dir(forms)
    assert forms.vitals.equals(study.form("vitals"))
    with pytest.raises(AttributeError, match="no form “nothing_here”"):
        _ = forms.nothing_here


def test_visits_on_another_day(study):
    def week_4(day):
        visits = study.visits(on=day).filter(subject_id="S-2", event_id="week_4_arm_1")
        return visits["state"].item()

    assert week_4(date(2026, 1, 20)) == "upcoming"
    assert week_4(date(2026, 2, 1)) == "due"
    assert week_4(date(2026, 2, 4)) == "overdue"
    assert week_4(date(2026, 3, 1)) == "missed"
    done = study.visits(on=date(2026, 3, 1)).filter(subject_id="S-1", event_id="week_4_arm_1")
    assert done["state"].item() == "done"


def test_other_frames(study):
    assert study.participants(values="label")["arm_id"].dtype == pl.Enum(["Zephyrine", "Quandolex"])
    assert study.status().height > 4
    assert study.consents().is_empty()
    assert study.queries(state="open").is_empty()
    assert study.assessments().is_empty()
    assert study.assessments(level="trial").is_empty()
    assert study.sync_ledger().is_empty()
    assert study.events()["event_id"][0] == "base_arm_1"


def test_a_blinded_reader_has_no_arm_anywhere(notebook):
    study = notebook(is_unblinded=False)
    frames = [study.form(form, values="both") for form in study.forms()["form_id"]]
    frames += [study.participants(values="label"), study.visits(), study.status(), study.codebook(), study.events()]
    said = "".join(str(frame.to_dicts()) + str(frame.columns) for frame in frames) + repr(study) + study._repr_html_()
    for word in ("Zephyrine", "Quandolex", "arm_id", "arm_label"):
        assert word not in said
    assert "arm" not in study.form("drug").columns


def test_a_reader_of_one_site_sees_that_site_only(notebook):
    study = notebook(site="A")
    assert set(study.form("vitals")["site_id"]) == {"A"}
    assert "site A only" in repr(study)


def test_a_study_without_a_mapping_says_so(study):
    with pytest.raises(NotFoundError, match="no SDTM mapping"):
        study.sdtm("DM")


def test_an_older_snapshot_stays_readable(trial, notebook):
    before = notebook(snapshot=1).form("phone")
    trial.revise("phone", ("S-3", "call_arm_1", 1, 0, "complete", {"said": "Later"}))
    trial.take()
    newest = notebook()
    assert newest.form("phone").height == before.height + 1
    assert newest.at(1).form("phone").equals(before)


def test_table_one_by_arm_of_the_study(study):
    table = study.table_one(study.form("about"), by="arm_id", columns=["age", "sex", "is_smoker"])
    wide = {(row["variable"], row["level"]): row for row in table.wide().iter_rows(named=True)}
    assert list(table.groups.items()) == [("Zephyrine", 2), ("Quandolex", 2), ("All", 4)]
    assert wide["age", "Mean (SD)"]["Zephyrine"] == "61.0 (1.41)"
    assert wide["age", "Missing"]["Quandolex"] == "1"
    assert wide["sex", "Man"]["All"] == "0 (0.0 %)"
    assert table.frame().filter(variable="age")["label"][0] == "Age (years)"
    assert "small, snapshot 1 of" in repr(table)
    html = table._repr_html_()
    assert "Zephyrine" in html
    assert "http" not in html


def tables_of(study):
    """Every table of what was opened, by its name."""
    return {name: study.snapshot.frame(name) for name in study.snapshot.tables}


def test_the_study_as_it_was_equals_the_snapshot_of_that_moment(trial, notebook):
    now = notebook()
    then = tables_of(now)
    trial.revise("phone", ("S-3", "call_arm_1", 1, 0, "complete", {"said": "Later"}))
    trial.take()
    past = notebook().as_of(now.snapshot.taken_at)
    assert past.snapshot.position == now.snapshot.position
    assert past.snapshot.number == 0
    found = tables_of(past)
    assert found.keys() == then.keys()
    assert [name for name, frame in then.items() if not frame.equals(found[name])] == []
    assert notebook().form("phone").height == past.form("phone").height + 1
    assert past.at(1).snapshot.number == 1


def test_a_moment_needs_a_zone_a_past_and_a_study(notebook):
    study = notebook()
    with pytest.raises(BadInputError, match="no time zone"):
        study.as_of(datetime(2026, 1, 1))  # noqa: DTZ001 - that is what is tested
    with pytest.raises(BadInputError, match="lies ahead"):
        study.as_of(datetime.now(UTC) + timedelta(days=1))
    with pytest.raises(NotFoundError, match="did not exist yet"):
        study.as_of(datetime(2001, 1, 1, tzinfo=UTC))


def test_a_blinded_reader_has_no_arm_in_the_past_either(trial, notebook):
    past = notebook(is_unblinded=False).as_of(datetime.now(UTC))
    assert "arm_id" not in past.participants().columns
    assert past.snapshot.is_blinded


def test_the_audit_trail_says_who_did_what(trial, notebook):
    frame = notebook("data_manager").audit()
    assert frame.columns[:4] == ["position", "at", "who", "role"]
    assert "marts.open_snapshot" in frame["action"].to_list()
    assert frame["at"].is_sorted(descending=True)
    only = notebook("data_manager").audit(kind="exports")
    assert {one.split(".")[0] for one in only["action"]} == {"marts"}
    assert all(one for one in only["what"])


def test_the_history_of_a_value_says_what_it_was_before(trial, notebook):
    row = ("S-3", "call_arm_1", 1, 0, "complete")
    trial.revise("phone", (*row, {"said": "First"}))
    trial.revise("phone", (*row, {"said": "Second"}))
    frame = notebook("data_manager").history("phone", subject="S-3")
    assert frame.select("field", "old", "new", "revision").rows() == [("said", "First", "Second", 2)]
    assert frame["who"][0]
    entered = notebook("data_manager").history("phone", subject="S-3", first=True)
    assert (None, "First") in entered.select("old", "new").rows()


def test_the_history_hides_what_is_blinded_and_other_sites(trial, notebook):
    blind = notebook("data_manager", is_unblinded=False).history(first=True)
    assert "arm" not in blind["field"].to_list()
    assert "arm" in notebook("data_manager").history(first=True)["field"].to_list()
    assert notebook("data_manager", site="A").history(first=True)["site_id"].unique().to_list() == ["A"]
