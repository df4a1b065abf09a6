"""Pages are declared or they do not exist; each says its path, title and the permission it needs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from datamodel.access.actor import Actor
from datamodel.access.rights import PERMISSIONS, Denied, may
from datamodel.kernel.errors import Allowed, Answer, Refused

#: Answer to whoever asks for a study that is not there, or not theirs: the same words for both.
NO_SUCH_STUDY: Final = Refused(
    "no-such-study",
    "There is no such study among yours.",
    "Go back to your studies, or ask the study's owner to add you.",
)


@dataclass(frozen=True, slots=True)
class Page:
    """One page. `rail` is its heading in the left rail (empty: not in the rail); `key` goes there after `g`."""

    path: str
    title: str
    #: needed in the study of the address, or in none (`system:`); empty: any signed-in member of staff
    permission: str
    build: Callable[..., Any]
    rail: str = ""
    key: str = ""
    icon: str = ""
    #: place in the rail
    order: int = 0

    def address(self, study: str) -> str:
        """Return this page's address in a study."""
        return self.path.replace("{study}", study)


class Registry:
    """All pages, in the order of the rail."""

    def __init__(self) -> None:
        self._pages: dict[str, Page] = {}

    def declare(self, page: Page) -> Page:
        """Add a page; ValueError when its path is taken or its permission unknown."""
        if page.path in self._pages:
            raise ValueError(f"Two pages have the path {page.path}; give one of them another.")
        if page.permission and page.permission not in PERMISSIONS:
            raise ValueError(f"The page {page.path} needs {page.permission}, which is not in the table of permissions.")
        if "{study}" in page.path and not page.permission:
            raise ValueError(f"The page {page.path} shows a study, so it must say which permission it needs.")
        self._pages[page.path] = page
        return page

    def all(self) -> tuple[Page, ...]:
        """Return every page."""
        return tuple(self._pages.values())

    def at(self, path: str) -> tuple[Page, dict[str, str]] | None:
        """Return the page that answers to `path`, with what its address names, or None."""
        asked = path.strip("/").split("/")
        for page in self._pages.values():
            parts = page.path.strip("/").split("/")
            if len(parts) == len(asked) and all(
                part.startswith("{") or part == one for part, one in zip(parts, asked, strict=True)
            ):
                named = zip(parts, asked, strict=True)
                return page, {part.strip("{}"): one for part, one in named if part.startswith("{")}
        return None

    def open_to(self, actor: Actor, study: str) -> list[Page]:
        """Return the pages of the rail that `actor` may open in `study`."""
        found = [page for page in self._pages.values() if page.rail and may(actor, page.permission, study=study)]
        return sorted(found, key=lambda page: page.order)


def may_open(page: Page, actor: Actor, named: dict[str, str]) -> Answer:
    """Answer whether `actor` may open `page` at an address that names these things."""
    if "study" not in named:
        return may(actor, page.permission) if page.permission else Allowed()
    if actor.membership(named["study"]) is None:
        said = (NO_SUCH_STUDY.code, NO_SUCH_STUDY.reason, NO_SUCH_STUDY.next_step)
        return Denied(*said, permission=page.permission, study=named["study"][:60])
    return may(actor, page.permission, study=named["study"])


PAGES: Final = Registry()
