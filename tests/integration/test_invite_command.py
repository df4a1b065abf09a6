"""The command with which an operator lets an installation's first people in."""

import pytest

from datamodel.access import reads as access_reads
from datamodel.access.actor import KNOCKING
from datamodel.credentials import actions
from datamodel.kernel.errors import BadInputError
from datamodel.kernel.settings import settings
from datamodel.kernel.unit import unit_of_work
from metricis.local import people


@pytest.fixture
def url(database_url, home, monkeypatch):
    monkeypatch.setenv("METRICIS_DATABASE_URL", database_url)
    settings.cache_clear()
    return database_url


def test_the_first_administrator_comes_in_by_invitation(url):
    address = people.invitation("Ada@Site.example", name="Ada Berger", is_administrator=True)
    assert address.startswith("http://127.0.0.1:8600/welcome#")
    token = address.partition("#")[2]
    with unit_of_work(url, KNOCKING) as unit:
        entry = actions.accept(unit, token, password="four quiet green boats", has_accepted=True)
        account = access_reads.actor(unit.session, entry.account_id)
    assert (account.name, account.is_administrator) == ("Ada Berger", True)
    again = people.invitation("ada@site.example")
    assert again.partition("#")[2] != token, "whoever has an account gets a new link"


def test_a_name_is_needed_for_a_new_account(url):
    with pytest.raises(BadInputError, match="Give --name"):
        people.invitation("nobody@site.example")
