"""What tells the treatment: the values marked so, and everything that is made from them."""

from exports.sdtm.spec_types import StudySpec


def withheld(spec: StudySpec) -> tuple[str, ...]:
    """Return the datasets that a blinded reader does not get at all."""
    return tuple(one.domain for one in spec.domains if one.unblinds)


def unblinding(spec: StudySpec) -> dict[str, frozenset[str]]:
    """Return, by domain, the values that a blinded reader must not get.

    A value tells the treatment when it is marked, or is made from one that does: of its own domain, of another one, or of the
    rows of another one.
    """
    hidden = {one.domain: {v.name for v in one.values if v.unblinds or one.unblinds} for one in spec.domains}
    while True:
        before = sum(len(names) for names in hidden.values())
        for domain in spec.domains:
            copied = {name for one in domain.sources if one.domain for name in hidden[one.domain]}
            filled = {
                name
                for source in domain.sources
                for row in source.rows
                for name, column in row.fields.items()
                if column in copied and not source.needs
            }
            for value in domain.values:
                named = set(value.references())
                told = {f"{other}.{name}" for other, names in hidden.items() for name in names}
                if named & (hidden[domain.domain] | told | copied | filled):
                    hidden[domain.domain].add(value.name)
        if sum(len(names) for names in hidden.values()) == before:
            return {name: frozenset(names) for name, names in hidden.items()}
