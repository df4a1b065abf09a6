"""Passwords: an account that does not exist costs what one that does costs."""

from datamodel.access import passwords


def test_nobody_s_hash_is_made_as_those_of_today_are_and_no_password_is_it():
    assert not passwords.is_outdated(passwords.NOBODY)
    assert not passwords.is_password(None, "nobody has this password")
    assert passwords.is_password(passwords.hash_password("correct horse battery"), "correct horse battery")
