"""A simulator without HTTP: calls go straight to the dispatcher."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from simulators.redcap.api.call import Call, Server, Upload
from simulators.redcap.api.dispatch import answer
from simulators.redcap.store import Store

SUPER = "5" * 64
PROJECT_XML = (Path(__file__).parent / "project.xml").read_text()


@dataclass(frozen=True)
class Answer:
    status: int
    text: str
    media_type: str
    content: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.text)


class Api:
    """One project's API as one user."""

    def __init__(self, server: Server, token: str) -> None:
        self.server, self.token = server, token

    def __call__(self, content: str, *, upload: Upload | None = None, **params: str) -> Answer:
        named = {name.replace("__", "[") + "]" if "__" in name else name: value for name, value in params.items()}
        call = Call(self.server, [("token", self.token), ("content", content), *named.items()], upload)
        reply = answer(call)
        body = reply.body
        raw = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else b"".join(body)
        return Answer(reply.status, raw.decode("utf-8", "replace"), reply.media_type, raw)

    def load(self, rows: list[dict[str, Any]], **params: str) -> Answer:
        return self(
            "record", **({"format": "json", "returnFormat": "json", "data": orjson.dumps(rows).decode()} | params)
        )

    def grant(self, *rights: str) -> None:
        row = {"username": "site_admin"} | dict.fromkeys(rights, 1)
        assert self("user", format="json", data=orjson.dumps([row]).decode()).status == 200


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    store = Store(tmp_path)
    store.set_setting("super_token", SUPER)
    yield Server(store, "https://redcap.example", "15.2.1", "Europe/Berlin")
    store.close()


@pytest.fixture
def create(server: Server) -> Callable[..., Api]:
    def made(odm: str = "", **info: str) -> Api:
        data = orjson.dumps([{"project_title": "Sample", "purpose": "0"} | info]).decode()
        reply = Api(server, SUPER)("project", format="json", data=data, odm=odm)
        assert reply.status == 200, reply.text
        return Api(server, reply.text[-32:])

    return made


@pytest.fixture
def api(create: Callable[..., Api]) -> Api:
    """The sample trial: longitudinal, with a repeating form and a repeating event, and record 10 in it."""
    return create(PROJECT_XML)


@pytest.fixture
def classic(create: Callable[..., Api]) -> Api:
    """A classic project with one form."""
    return create()
