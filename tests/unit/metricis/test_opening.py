from datamodel.kernel.settings import settings
from metricis.opening import find_home


def test_the_installation_of_a_folder_above_is_found(tmp_path, monkeypatch):
    (tmp_path / ".metricis").mkdir()
    (tmp_path / "notebooks").mkdir()
    monkeypatch.setenv("METRICIS_HOME", "x")  # so that the test puts it back
    monkeypatch.delenv("METRICIS_HOME")
    monkeypatch.chdir(tmp_path / "notebooks")
    settings.cache_clear()
    find_home()
    assert settings().home == tmp_path / ".metricis"
    settings.cache_clear()


def test_a_named_installation_is_left_alone(tmp_path, monkeypatch):
    (tmp_path / ".metricis").mkdir()
    (tmp_path / "deep").mkdir()
    monkeypatch.setenv("METRICIS_HOME", str(tmp_path / "named"))
    monkeypatch.chdir(tmp_path / "deep")
    settings.cache_clear()
    find_home()
    assert settings().home == tmp_path / "named"
    settings.cache_clear()
