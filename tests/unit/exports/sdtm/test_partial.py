"""Dates as sites write them."""

import pytest

from exports.sdtm.partial import iso_date, iso_time, with_time

WRITTEN = {
    "2023-10-NK": "2023-10", "2023-UN-UN": "2023", "2023": "2023", "2023-10": "2023-10", "2023-10-05": "2023-10-05",
    "UN-OCT-2023": "2023-10", "UN-UNK-2023": "2023", "un oct 2023": "2023-10", "26-Dec-2013": "2013-12-26",
    "26DEC2013": "2013-12-26", "UNOCT2023": "2023-10", "2 Jan 2014": "2014-01-02", "Oct 2023": "2023-10",
    "OCT-2023": "2023-10", "October 2023": "2023-10", "10/2023": "2023-10", "20231005": "2023-10-05",
    "2003-UN-15": "2003---15", "2003---15": "2003---15", "--12-15": "--12-15", "2014/01/02": "2014-01-02",
    "NK/10/2023": "2023-10", "2023-XX-XX": "2023", "2014-01-02 11:45": "2014-01-02T11:45",
    "2014-01-02T11:45:30": "2014-01-02T11:45:30", "02-Jan-2014 9:05": "2014-01-02T09:05", "2014-01-02 UN:UN": None,
    # No date, or one that cannot be.
    "": None, "unknown": None, "2014-02-30": None, "2014-13": None, "31/12/2013": None, "12/26/13": None, "yes": None,
    "32-JAN-2014": None, "2014-2015": None,
}  # fmt: skip


@pytest.mark.parametrize("written", WRITTEN)
def test_a_date_is_written_as_far_as_it_is_known(written):
    assert iso_date(written) == WRITTEN[written]


def test_the_order_tells_a_day_from_a_month():
    assert iso_date("26/12/2013", "dmy") == "2013-12-26"
    assert iso_date("12/26/2013", "mdy") == "2013-12-26"
    assert iso_date("01-02-2014", "mdy") == "2014-01-02"
    assert iso_date("01-02-2014", "dmy") == "2014-02-01"
    assert iso_date("UN/02/2014", "dmy") == "2014-02"
    assert iso_date("02/UN/2014", "mdy") == "2014-02"
    assert iso_date("26/12/UNK", "dmy") == "--12-26"
    assert iso_date("26/12/2013", "mdy") is None


@pytest.mark.parametrize(
    ("written", "iso"),
    [("11:45", "11:45"), ("9:05", "09:05"), ("9:05 pm", "21:05"), ("12:10 AM", "00:10"), ("1145", "11:45"),
     ("11:45:30.5", "11:45:30"), ("11:UN", "11"), ("25:00", None), ("11:75", None), ("13:00 pm", None), ("soon", None)],
)  # fmt: skip
def test_a_time_is_written_as_far_as_it_is_known(written, iso):
    assert iso_time(written) == iso


def test_a_time_needs_a_whole_day():
    assert with_time("2014-01-02", "11:45") == "2014-01-02T11:45"
    assert with_time("2014-01", "11:45") == "2014-01"
    assert with_time(None, "11:45") is None
