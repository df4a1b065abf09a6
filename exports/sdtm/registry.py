"""Derivations by name: how a function becomes one, and how a specification's arguments are checked against it.

A derivation is a function of keyword arguments that returns a polars expression. What an argument is follows from its
type: `pl.Expr` is a column (the specification names it, the function gets the expression), `list[pl.Expr]` several, `Study`
is the study's data as a whole and is passed by the engine; anything else is a plain value from the specification.
"""

import inspect
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import polars as pl
from pydantic import TypeAdapter, ValidationError

from exports.sdtm.spec_tables import StudyTables

Function = Callable[..., pl.Expr]


#: What a derivation gives, for its `return`: `Text`, `Number`, or `pl.Expr` where it may be either.
Text = Annotated[pl.Expr, "char"]
Number = Annotated[pl.Expr, "num"]


@dataclass(frozen=True, slots=True)
class Study:
    """What a derivation may look up: frames of forms and tables, tables of the specification, datasets made so far."""

    frames: Mapping[str, pl.DataFrame]
    tables: StudyTables
    #: domain -> its rows with `subject_id` and the working columns
    made: Mapping[str, pl.DataFrame] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Derivation:
    """A registered function, with its arguments sorted by what they are."""

    name: str
    function: Function
    columns: frozenset[str]
    column_lists: frozenset[str]
    values: Mapping[str, Any]
    required: frozenset[str]
    study: str | None
    gives: str | None
    """`char` or `num`, or None when it may be either."""
    summary: str = field(compare=False)


_REGISTERED: dict[str, Derivation] = {}


def derivation(function: Function) -> Function:
    """Register a function as a derivation under its own name.

    Raises
    ------
    ValueError
        If the name is taken by another function.
    TypeError
        If an argument has no type.
    """
    name = function.__name__
    if name in _REGISTERED:
        raise ValueError(f"A derivation named {name!r} exists already. Give yours another name.")
    hints = typing.get_type_hints(function)
    hints.pop("return", None)
    given: Any = typing.get_type_hints(function, include_extras=True).get("return")
    gives: str | None = given.__metadata__[0] if typing.get_origin(given) is Annotated else None
    parameters = inspect.signature(function).parameters
    if untyped := [key for key in parameters if key not in hints]:
        raise TypeError(
            f"The derivation {name!r} does not say what {', '.join(untyped)} is. Give every argument a type: pl.Expr for a "
            "column, list[pl.Expr] for several, Study for the study's data, or that of a plain value (str, int, bool)."
        )
    columns = {key for key, hint in hints.items() if hint in {pl.Expr, pl.Expr | None}}
    lists = {key for key, hint in hints.items() if hint in {list[pl.Expr], list[pl.Expr] | None}}
    study = next((key for key, hint in hints.items() if hint is Study), None)
    values = {key: hint for key, hint in hints.items() if key not in columns | lists | {study}}
    required = {key for key, one in parameters.items() if one.default is inspect.Parameter.empty and key != study}
    summary = (inspect.getdoc(function) or "").split("\n", maxsplit=1)[0]
    _REGISTERED[name] = Derivation(
        name, function, frozenset(columns), frozenset(lists), values, frozenset(required), study, gives, summary
    )
    return function


def registered() -> Mapping[str, Derivation]:
    """Give all derivations by name."""
    return dict(sorted(_REGISTERED.items()))


def argument_faults(name: str, arguments: Mapping[str, Any]) -> list[str]:
    """Say everything that is wrong with a call of the derivation `name`; empty when it can be made."""
    known = _REGISTERED.get(name)
    if known is None:
        return [f"there is no derivation {name!r}; there are {', '.join(sorted(_REGISTERED))}"]
    allowed = known.columns | known.column_lists | set(known.values)
    faults = [
        f"{name} has no argument {key!r}; it takes {', '.join(sorted(allowed))}"
        for key in arguments
        if key not in allowed
    ]
    faults += [f"{name} needs the argument {key!r}" for key in sorted(known.required - set(arguments))]
    for key, given in arguments.items():
        if key in known.columns and not isinstance(given, str):
            faults.append(f"{name}: {key!r} must name a column, not {given!r}")
        if key in known.column_lists and not _names(given):
            faults.append(f"{name}: {key!r} must be a list of columns, not {given!r}")
        if key in known.values:
            faults += _value_faults(name, key, given, known.values[key])
    return faults


def references(name: str, arguments: Mapping[str, Any]) -> list[str]:
    """Give the columns that a call refers to, in order; none of a call that `argument_faults` refuses."""
    known = _REGISTERED.get(name)
    if known is None:
        return []
    single = [given for key, given in arguments.items() if key in known.columns and isinstance(given, str)]
    lists = [given for key, given in arguments.items() if key in known.column_lists and _names(given)]
    return single + [one for given in lists for one in given]


def call(name: str, arguments: Mapping[str, Any], study: Study) -> pl.Expr:
    """Call a derivation whose arguments have been checked."""
    known = _REGISTERED[name]
    ready: dict[str, Any] = {}
    for key, given in arguments.items():
        if key in known.columns:
            ready[key] = pl.col(given)
        elif key in known.column_lists:
            ready[key] = [pl.col(one) for one in given]
        else:
            ready[key] = TypeAdapter(known.values[key]).validate_python(given)
    if known.study:
        ready[known.study] = study
    return known.function(**ready)


def _names(given: object) -> bool:
    return isinstance(given, list) and bool(given) and all(isinstance(one, str) for one in given)


def _value_faults(name: str, key: str, given: object, hint: Any) -> list[str]:
    try:
        TypeAdapter(hint).validate_python(given)
    except ValidationError as error:
        return [f"{name}: {key!r} is {given!r}; {detail['msg'].lower()}" for detail in error.errors()]
    return []
