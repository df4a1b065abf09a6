"""Running the operations of a rule, one after the other; each may use what came before it."""

from collections.abc import Mapping, Sequence

import polars as pl

from validators.operations.catalogue import CATALOGUE
from validators.operations.context import Context, Operation, Spec
from validators.operations.texts import TEXTS
from validators.operations.values import VALUES
from validators.operators.table import Table, UnsupportedError

OPERATIONS: Mapping[str, Operation] = {**VALUES, **TEXTS, **CATALOGUE}


def operate(context: Context, specs: Sequence[Spec]) -> Table:
    """The table with the results of operations, each under its id.

    Raises
    ------
    UnsupportedError
        An operation is not one that this engine has.
    SkipError
        An operation needs what is not there.
    """
    for spec in specs:
        if "id" not in spec:
            raise UnsupportedError(f"The operation {spec.get('operator')} has no id.")
        run = OPERATIONS.get(str(spec.get("operator")))
        if run is None:
            raise UnsupportedError(f"The operation {spec.get('operator')} is not one that this engine has.")
        try:
            result = run(context, spec)
        except KeyError as error:
            raise UnsupportedError(
                f"The operation {spec['operator']} needs the parameter {error}; the rule lacks it."
            ) from error
        except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
            raise UnsupportedError(f"The operation {spec['operator']} cannot be made here: {error}") from error
        if isinstance(result, Mapping) and all(isinstance(one, pl.Series) for one in result.values()) and result:
            columns = [one.alias(name) for name, one in result.items()]
            context.table.frame = context.table.frame.with_columns(columns)
        elif isinstance(result, pl.Series):
            context.table.frame = context.table.frame.with_columns(result.alias(str(spec["id"])))
        else:
            context.table.constants[str(spec["id"])] = result
    return context.table
