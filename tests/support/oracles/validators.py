"""Two checks that odmlib asks of a package whose name is that of a folder of ours; used in a process of its own only."""

import re
from urllib.parse import urlsplit

_LOCAL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}")
_HOST = re.compile(
    r"(?=.{1,253}$)([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)


def email(value: str) -> bool:
    """Say whether `value` is an e-mail address."""
    local, sign, host = value.rpartition("@")
    dotted = not local.startswith(".") and not local.endswith(".") and ".." not in local
    return bool(sign) and dotted and bool(_LOCAL.fullmatch(local)) and "." in host and bool(_HOST.fullmatch(host))


def url(value: str) -> bool:
    """Say whether `value` is an absolute address on the web or of a file server."""
    try:
        parts = urlsplit(value)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https", "ftp"} and bool(_HOST.fullmatch(host)) and " " not in value
