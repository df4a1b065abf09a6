"""The entrance's routes, to be put beside the edge's in one application."""

from fastapi import APIRouter, Request
from fastapi.exceptions import HTTPException
from fastapi.responses import Response

from apps.entrance import account, institution, set_up, way_in
from apps.entrance.pages import KINDS, file


def routes() -> APIRouter:
    """Return every route of the entrance."""
    made = APIRouter()
    made.include_router(way_in.ROUTES)
    made.include_router(account.ROUTES)
    made.include_router(institution.ROUTES)
    made.include_router(set_up.ROUTES)

    @made.get("/entrance/{name}")
    def static(name: str, request: Request) -> Response:
        found = file(name)
        if found is None:
            raise HTTPException(404)
        is_versioned = request.query_params.get("v") == found[1]
        keep = "public, max-age=31536000, immutable" if is_versioned else "public, no-cache"
        return Response(
            found[0],
            media_type=KINDS[f".{name.rpartition('.')[2]}"],
            headers={"cache-control": keep, "etag": f'"{found[1]}"'},
        )

    return made
