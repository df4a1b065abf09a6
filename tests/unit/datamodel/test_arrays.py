"""Packed columns arrive in PostgreSQL as the arrays that psycopg's own dumpers would have sent."""

import struct
from uuid import UUID

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodel.kernel import arrays

COLUMNS = {
    "text": (arrays.texts, st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))),
    "int4": (arrays.numbers, st.integers(-(2**31), 2**31 - 1)),
    "bool": (arrays.flags, st.booleans()),
    "bytea": (arrays.hashes, st.binary(max_size=40)),
    "uuid": (arrays.ids, st.uuids()),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_a_packed_column_is_the_array_psycopg_would_send(kind):
    pack, values = COLUMNS[kind]
    item, array = psycopg.adapters.types[kind].oid, psycopg.adapters.types[kind].array_oid

    @settings(max_examples=50, deadline=None)
    @given(st.lists(values, max_size=30))
    def same(column):
        packed = pack(column)
        transformer = psycopg.adapt.Transformer()
        (found,) = transformer.dump_sequence([packed], [psycopg.adapt.PyFormat.BINARY])
        assert transformer.types == (array,)
        assert struct.unpack_from("!I", found, 8) == (item,)
        read = psycopg.adapters.get_loader(array, psycopg.pq.Format.BINARY)(array, None).load(found)
        assert [bytes(one) if kind == "bytea" else one for one in read] == column

    same()


def test_a_number_that_does_not_fit_is_refused():
    with pytest.raises(struct.error):
        arrays.numbers([2**31])


def test_ids_keep_their_order():
    assert arrays.ids([UUID(int=1), UUID(int=2)]).raw[-1] == 2
