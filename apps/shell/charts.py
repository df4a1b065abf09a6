"""Small charts drawn on the server: accent and greys, direct labels, links on what is counted, a table beneath each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from markupsafe import Markup, escape

from apps.shell.status import STATES
from apps.shell.words import day, markup, number

_WIDE: Final = 720
_NARROW: Final = 340
#: Enrolment over fewer days than this is labelled by day.
_SHORT: Final = 120


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar: a state of the vocabulary, how many, and the list that it opens."""

    state: str
    count: int
    href: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a stacked bar chart."""

    label: str
    href: str
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One group of small multiples: how many on which day, and the list that it opens (empty: none)."""

    label: str
    href: str
    days: tuple[tuple[date, int], ...]


def spark(values: Sequence[float]) -> Markup:
    """Return a line without axes, 120 × 32; one value alone rises from nothing."""
    values = [0, *values] if len(values) == 1 else values or [0, 0]
    top, step = max(1, *values), 116 / (len(values) - 1)
    points = " ".join(f"{2 + n * step:.1f},{29 - 25 * value / top:.1f}" for n, value in enumerate(values))
    return Markup(  # noqa: S704 - numbers of our own
        '<svg class="spark" viewBox="0 0 120 32" preserveAspectRatio="none" aria-hidden="true">'
        f'<polygon class="area" points="2,31 {points} 118,31"/><polyline class="line" points="{points}"/></svg>'
    )


def enrolment(days: Sequence[tuple[date, int]], *, planned: int | None) -> Markup:
    """Return participants enrolled over time, as a growing line, against the planned number; drawn for desk and phone."""
    return _enrolment(days, planned, wide=_WIDE, kind="desk") + _enrolment(days, planned, wide=_NARROW, kind="phone")


def _enrolment(days: Sequence[tuple[date, int]], planned: int | None, *, wide: int, kind: str) -> Markup:
    height, left, right, bottom = 240, 40, 76, 28
    first, last = days[0][0], days[-1][0]
    length = max((last - first).days, 1)
    total = sum(count for _, count in days)
    ceiling = _ceiling(max(total, planned or 0))

    def x(when: date) -> float:
        return left + (when - first).days / length * (wide - left - right)

    def y(count: float) -> float:
        return 12 + (1 - count / ceiling) * (height - 12 - bottom)

    running, points = 0, [f"{x(first):.1f},{y(0):.1f}"]
    for when, count in days:
        points.append(f"{x(when):.1f},{y(running):.1f}")
        running += count
        points.append(f"{x(when):.1f},{y(running):.1f}")
    parts = [
        f'<line class="axis" x1="{left}" x2="{wide - right}" y1="{y(mark):.1f}" y2="{y(mark):.1f}"/>'
        f'<text x="{left - 8}" y="{y(mark) + 4:.1f}" text-anchor="end">{number(mark)}</text>'
        for mark in (0, ceiling / 2, ceiling)
    ]
    by_day = length < _SHORT
    # three whole days do not fit side by side on a phone
    for share in (0, 1) if by_day and wide == _NARROW else (0, 0.5, 1):
        when = first + timedelta(days=round(length * share))
        anchor = ("start", "middle", "end")[int(share * 2)]
        parts.append(
            f'<text x="{x(when):.1f}" y="{height - 6}" text-anchor="{anchor}">{day(when) if by_day else _month(when)}</text>'
        )
    if planned:
        parts.append(
            f'<line class="plan" x1="{left}" x2="{wide - right}" y1="{y(planned):.1f}" y2="{y(planned):.1f}"/>'
        )
        parts.append(f'<text x="{wide - right + 6}" y="{y(planned) + 4:.1f}">plan {number(planned)}</text>')
    near = planned is not None and abs(y(planned) - y(total)) < 16  # noqa: PLR2004 - height of a label
    parts += [
        f'<polygon class="area" points="{points[0]} {" ".join(points)} {x(last):.1f},{y(0):.1f}"/>',
        f'<polyline class="line" points="{" ".join(points)}"/>',
        f'<text class="strong" x="{wide - right + 6}" y="{y(total) + (20 if near else 4):.1f}">{number(total)} now</text>',
    ]
    return _drawing(
        parts,
        height,
        f"{total} participants enrolled" + (f", {planned} planned" if planned else ""),
        width=wide,
        kind=kind,
    )


def multiples(lines: Sequence[Line]) -> Markup:
    """Return one small growing line for each group, all on one scale of days and counts; each opens the list that it counts, if any."""
    every = [when for line in lines for when, _ in line.days]
    first, length = min(every), max((max(every) - min(every)).days, 1)
    top = max(sum(count for _, count in line.days) for line in lines)
    made = [
        Markup('<li><{0} class="quiet"{1}><span>{2}</span><b class="num">{3}</b>{4}</{0}></li>').format(
            "a" if line.href else "div",
            Markup(' href="{}"').format(line.href) if line.href else "",
            line.label,
            number(sum(count for _, count in line.days)),
            _small(line, first, length, top),
        )
        for line in lines
    ]
    return Markup('<ul class="multiples">{}</ul>').format(Markup("").join(made))


def _small(line: Line, first: date, length: int, top: int) -> Markup:
    running, points = 0, ["0,47"]
    for when, count in sorted(line.days):
        x = 160 * (when - first).days / length
        points.append(f"{x:.1f},{47 - 44 * running / top:.1f}")
        running += count
        points.append(f"{x:.1f},{47 - 44 * running / top:.1f}")
    points.append(f"160,{47 - 44 * running / top:.1f}")
    path = " ".join(points)
    return Markup(  # noqa: S704 - numbers of our own
        '<svg class="spark" viewBox="0 0 160 48" preserveAspectRatio="none" aria-hidden="true">'
        '<line class="base" x1="0" x2="160" y1="47.5" y2="47.5"/>'
        f'<polygon class="area" points="{path} 160,47"/><polyline class="line" points="{path}"/></svg>'
    )


def series(values: Sequence[tuple[str, float]], *, unit: str) -> Markup:
    """Return a person's own values over time as dots on a line, with the first and last labelled."""
    height, numbers = 96, [value for _, value in values]
    low, high = min(numbers), max(numbers)
    room = (high - low) or abs(high) or 1
    step = 300 / max(len(values) - 1, 1)
    spots = [(24 + n * step, 64 - 44 * (value - low) / room) for n, value in enumerate(numbers)]
    parts = (
        [f'<polyline class="line" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in spots)}"/>']
        if len(spots) > 1
        else []
    )
    for n, ((label, value), (x, y)) in enumerate(zip(values, spots, strict=True)):
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="var(--mx-accent)"><title>{escape(label)}: {number(value)} {escape(unit)}</title></circle>'
        )
        if n in {0, len(spots) - 1}:
            parts.append(
                f'<text class="strong" x="{x:.1f}" y="{y - 9:.1f}" text-anchor="{"start" if n == 0 else "end"}">{number(value)}</text>'
            )
            parts.append(
                f'<text x="{x:.1f}" y="{height - 6}" text-anchor="{"start" if n == 0 else "end"}">{escape(label) if n or len(spots) == 1 else ""}</text>'
            )
    return _drawing(parts, height, f"{len(values)} values, newest {number(numbers[-1])} {unit}", width=350)


def stacked(bars: Sequence[Bar]) -> Markup:
    """Return one row for each bar; each segment opens the list that it counts."""
    rows = []
    for bar in bars:
        total = sum(part.count for part in bar.segments) or 1
        parts = Markup("").join(
            Markup(
                '<a href="{}" style="flex:{} 1 0;background:var(--ink-{})" class="seg fill-{}" aria-label="{}: {} {}" data-tip="{}: {} {}">{}</a>'
            ).format(
                part.href,
                part.count,
                STATES[part.state].family,
                part.state,
                bar.label,
                part.count,
                STATES[part.state].word.lower(),
                bar.label,
                part.count,
                STATES[part.state].word.lower(),
                number(part.count) if part.count / total > 0.055 else "",  # noqa: PLR2004 - room for the number
            )
            for part in bar.segments
            if part.count
        )
        rows.append(
            Markup('<li><a class="quiet name" href="{}">{}</a><span class="bar">{}</span></li>').format(
                bar.href, bar.label, parts
            )
        )
    return Markup('<ul class="stacked">{}</ul>').format(Markup("").join(rows))


def figure(
    drawing: Markup, *, name: str, head: Sequence[str], rows: Sequence[Sequence[object]], is_svg: bool = True
) -> Markup:
    """Return a chart with its table one click away and its downloads."""
    return markup("shell/figure.html", drawing=drawing, name=name, head=head, rows=rows, is_svg=is_svg)


def _drawing(parts: Sequence[str], height: int, words: str, *, width: int = _WIDE, kind: str = "") -> Markup:
    body = "".join(parts)
    return Markup(  # noqa: S704 - numbers and escaped labels
        f'<svg class="chart {kind}" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(words)}">{body}</svg>'
    )


def _month(when: date) -> str:
    return day(when)[3:]


def _ceiling(value: float) -> int:
    """Return the next round number that is not below `value`."""
    for size in (10, 20, 50, 100, 200, 300, 400, 500, 800, 1000, 2000, 5000, 10_000, 50_000, 100_000):
        if value <= size:
            return size
    return int(value)
