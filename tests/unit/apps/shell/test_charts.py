"""Small charts are drawn to one scale and open what they count."""

import re
from datetime import date

from apps.overview.state import Overview
from apps.shell.charts import Line, enrolment, multiples
from datamodel.kernel.ids import new_id
from datamodel.participants.reads import Participant

FIRST, MIDDLE, LAST = date(2026, 1, 1), date(2026, 1, 6), date(2026, 1, 11)


def person(code, site, enrolled_on):
    return Participant(
        id=new_id(),
        code=code,
        site=site,
        site_name="",
        status="enrolled",
        enrolled_on=enrolled_on,
        anchor_on=None,
        language="en",
    )


def test_small_multiples_share_days_and_counts():
    html = multiples(
        [Line("701", "/p?site=701", ((FIRST, 4), (LAST, 4))), Line("<702>", "/p?site=702", ((MIDDLE, 2),))]
    )
    large, small = re.findall(r'polyline class="line" points="([^"]+)"', html)
    assert large.split()[-1] == "160,3.0"
    assert small.split()[-1] == "160,36.0", "a quarter of the largest is drawn a quarter as high"
    assert small.split()[1] == "80.0,47.0", "the line rises where its day is among all days"
    assert re.findall(r'<b class="num">(\d+)</b>', html) == ["8", "2"]
    assert re.findall(r'href="([^"]+)"', html) == ["/p?site=701", "/p?site=702"]
    assert "&lt;702&gt;" in html


def test_who_has_no_list_has_no_link():
    assert "href" not in multiples([Line("No site", "", ((FIRST, 3),))])


def test_days_do_not_run_into_each_other_on_a_phone():
    html = enrolment([(FIRST, 3), (LAST, 2)], planned=None)
    desk, phone = html.split("</svg>")[:2]
    assert desk.count("-Jan-2026") == 3
    assert phone.count("-Jan-2026") == 2


def test_one_day_alone_is_drawn():
    assert 'points="0,47 0.0,47.0 0.0,3.0 160,3.0"' in multiples([Line("1", "/", ((FIRST, 3),))])


def test_sites_count_who_was_ever_enrolled_the_largest_first():
    people = [
        person("1", "701", LAST),
        person("2", "702", FIRST),
        person("3", "702", FIRST),
        person("4", "702", None),
        person("5", "", MIDDLE),
    ]
    assert Overview(people=people).sites == [("702", [(FIRST, 2)]), ("", [(MIDDLE, 1)]), ("701", [(LAST, 1)])]
