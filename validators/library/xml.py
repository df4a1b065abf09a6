"""XML that others wrote, parsed without trusting it: no entities, no network, no document type, bounded depth and size.

Source: OWASP, XML External Entity Prevention; libxml2's own limits hold too (depth 256, 10 MB a text), as `huge_tree` is off.
"""

from typing import Any, Final

from lxml import etree

#: Bytes of the largest document that is read: what parsing takes is about eight times as much memory.
LARGEST: Final = 200 * 1024 * 1024


class RefusedXmlError(ValueError):
    """XML that is not read; the message says why, after the name of the file."""


def parse(content: bytes) -> Any:
    """Return the root of a document, without its comments and processing instructions.

    Raises
    ------
    RefusedXmlError
        When it is too large, not well-formed, or declares a document type (in whatever encoding).
    """
    if len(content) > LARGEST:
        raise RefusedXmlError(f"has {len(content):,} bytes; at most {LARGEST:,} are read.")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise RefusedXmlError(f"is not XML that can be read: {error.msg}.") from error
    about: Any = root.getroottree().docinfo
    if about.doctype:
        raise RefusedXmlError("declares a document type (DOCTYPE), which is refused.")
    return root
