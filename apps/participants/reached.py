"""How one participant is reached: sign-in links, and caregivers who act for them. For those who may enrol."""

from typing import Any

import panel_material_ui as pmui

from apps.participants.views import record_style
from apps.shell.frame import Visit, acts, column, pane
from apps.shell.session import acting, reading
from apps.shell.words import markup
from datamodel.access.rights import may
from datamodel.kernel.settings import settings
from datamodel.links import actions as links
from datamodel.participants import caregivers
from datamodel.participants.caregivers import RELATIONS, Caregiver

_OWN = "The participant"


def section(visit: Visit, *, subject: str, site: str) -> Any | None:
    """Return the section for who may enrol participants at this site, else None."""
    if not may(visit.visitor.actor, "study:participants:enrol", study=visit.code, site=site or None):
        return None
    return _Section(visit, subject).made


class _Section:
    """The section's widgets, and what they do."""

    def __init__(self, visit: Visit, subject: str) -> None:
        self.visit, self.subject = visit, subject
        plain = {"size": "small", "margin": 0}
        self.shown = pane(markup("participants/reached.html", **self._values([], None)), record_style())
        self.relation = pmui.Select(
            label="Relation", options={one.capitalize(): one for one in RELATIONS}, value="other", width=150, **plain
        )
        self.mail = pmui.TextInput(label="Mail address (may stay empty)", max_length=254, width=260, **plain)
        self.add = pmui.Button(label="Add caregiver", variant="outlined", margin=0)
        self.whom = pmui.RadioBoxGroup(label="Who", options={_OWN: "own"}, value="own", inline=True, margin=0)
        self.hand = pmui.Button(label="Make a sign-in link", variant="outlined", margin=0)
        self.end = pmui.Button(label="End caregiver", variant="outlined", margin=0)
        for button, done in ((self.add, self._add), (self.hand, self._hand), (self.end, self._end)):
            button.on_click(acts(visit, done))
        self.whom.param.watch(acts(visit, self._enable), "value")
        self._draw()
        bar = {"gap": "12px", "align_items": "center", "margin": (0, 0, 12, 0), "sizing_mode": "stretch_width"}
        self.made = column(
            self.shown,
            pmui.FlexBox(self.whom, self.hand, self.end, **bar),
            pmui.FlexBox(self.relation, self.mail, self.add, **bar),
        )

    def _present(self) -> list[Caregiver]:
        actor = self.visit.visitor.actor
        with reading(actor) as session:
            return caregivers.of_participant(session, actor, study=self.visit.code, code=self.subject)

    def _values(self, people: list[Caregiver], handed: dict[str, str] | None) -> dict[str, Any]:
        return {"people": people, "code": self.subject, "zone": self.visit.zone, "handed": handed}

    def _draw(self, handed: dict[str, str] | None = None) -> None:
        people = self._present()
        self.shown.object = str(markup("participants/reached.html", **self._values(people, handed)))
        names = {one.name: str(one.account_id) for one in people if one.ends_at is None}
        kept = self.whom.value
        self.whom.options = {_OWN: "own"} | names
        self.whom.value = kept if kept in self.whom.options.values() else "own"
        self._enable()

    def _enable(self, *_: Any) -> None:
        self.end.disabled = self.whom.value == "own"

    def _chosen(self) -> Any:
        people = {str(one.account_id): one for one in self._present()}
        return people.get(self.whom.value)

    def _add(self, _: Any) -> None:
        with acting(self.visit.visitor) as unit:
            caregivers.add(
                unit,
                study=self.visit.code,
                code=self.subject,
                relation=self.relation.value,
                mail=self.mail.value_input or self.mail.value or "",
            )
        self.mail.value = ""
        self.visit.notify("The caregiver may act from now on. Make a sign-in link for them.", kind="good")
        self._draw()

    def _end(self, _: Any) -> None:
        one = self._chosen()
        if one is None:
            return
        with acting(self.visit.visitor) as unit:
            caregivers.end(unit, study=self.visit.code, code=self.subject, account_id=one.account_id)
        self.visit.notify(f"{one.name} acts no more for {self.subject}.", kind="good")
        self._draw()

    def _hand(self, _: Any) -> None:
        one = self._chosen()
        with acting(self.visit.visitor) as unit:
            handed = links.hand_out(
                unit, study=self.visit.code, code=self.subject, account_id=one.account_id if one else None
            )
        self._draw(
            {
                "name": one.name if one else self.subject,
                "address": f"{settings().base_url}{links.PATH}{handed.token}",
                "code": handed.code,
            }
        )
