"""Write XML piece by piece; nothing of what was written stays in memory. Pure but for the stream."""

from typing import Final, TextIO

#: signs that attributes and texts cannot hold as they are; a sign that XML does not allow becomes U+FFFD
_SIGNS: Final = {
    **dict.fromkeys((*range(0x20), 0xFFFE, 0xFFFF), "�"),
    ord("&"): "&amp;",
    ord("<"): "&lt;",
    ord(">"): "&gt;",
    ord('"'): "&quot;",
    ord("\n"): "&#10;",
    ord("\r"): "&#13;",
    ord("\t"): "&#9;",
}


def escaped(text: str) -> str:
    """Return `text` as it stands in an attribute or an element."""
    return text.translate(_SIGNS)


class XmlWriter:
    """Elements onto a stream; `open` and `close` come in pairs. Attributes that are None are left out."""

    def __init__(self, out: TextIO) -> None:
        self.out = out
        self.stack: list[str] = []
        out.write('<?xml version="1.0" encoding="UTF-8"?>\n')

    def open(self, name: str, /, **attributes: str | None) -> None:
        """Begin an element."""
        self.out.write(f"<{name}{_listed(attributes)}>\n")
        self.stack.append(name)

    def close(self, levels: int = 1) -> None:
        """End the newest open elements."""
        for _ in range(levels):
            self.out.write(f"</{self.stack.pop()}>\n")

    def leaf(self, name: str, /, text: str | None = None, **attributes: str | None) -> None:
        """Write an element with nothing, or only text, in it."""
        end = "/>" if text is None else f">{escaped(text)}</{name}>"
        self.out.write(f"<{name}{_listed(attributes)}{end}\n")


def _listed(attributes: dict[str, str | None]) -> str:
    return "".join(
        f' {name.replace("__", ":")}="{escaped(value)}"' for name, value in attributes.items() if value is not None
    )
