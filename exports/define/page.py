"""A Define-XML as a page for people: the stylesheet of CDISC's community, run here, so that one file is all there is."""

import importlib.util
import os
from functools import cache
from pathlib import Path
from typing import Any

from lxml import etree

from exports.define.write import define_bytes
from validators.library.define import Define


def define_html(define: Define) -> bytes:
    """Return the Define as one HTML file that needs no other file and no network.

    Raises
    ------
    FileNotFoundError
        When the package that carries the stylesheet is not installed.
    """
    tree = etree.fromstring(define_bytes(define), etree.XMLParser(resolve_entities=False, no_network=True))
    return bytes(_transform()(tree))


def write_define_html(define: Define, path: str | os.PathLike[str]) -> None:
    """Write the page of a Define to a file. Errors as `define_html`."""
    Path(path).write_bytes(define_html(define))


@cache
def _transform() -> Any:
    control: Any = etree.XSLTAccessControl  # its types lack the arguments
    access = control(read_network=False, write_network=False, write_file=False, create_dir=False)
    return etree.XSLT(etree.parse(stylesheet()), access_control=access)


def stylesheet() -> Path:
    """Return the stylesheet `define2-1.xsl` of the installed package defineutils."""
    found = importlib.util.find_spec("defineutils")
    places = list(found.submodule_search_locations or ()) if found else []
    for place in places:
        path = Path(place) / "definehtml" / "define2-1.xsl"
        if path.is_file():
            return path
    raise FileNotFoundError("The stylesheet define2-1.xsl is not there: the package defineutils is not installed.")
