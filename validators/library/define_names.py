"""Namespaces of Define-XML and its attributes that are yes or nothing."""

from typing import Final

ODM: Final = "http://www.cdisc.org/ns/odm/v1.3"
DEF: Final = "http://www.cdisc.org/ns/def/v2.1"
DEF_2_0: Final = "http://www.cdisc.org/ns/def/v2.0"
XLINK: Final = "http://www.w3.org/1999/xlink"
XML: Final = "http://www.w3.org/XML/1998/namespace"
NCI: Final = "nci:ExtCodeID"
#: The context under which a split dataset names the domain that it is a part of.
DOMAIN: Final = "DomainDescription"
