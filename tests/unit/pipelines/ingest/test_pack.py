import orjson
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodel.records.content import canonical_values
from pipelines.ingest.pack import values_json

TEXT = st.one_of(
    st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12),
    st.sampled_from(["", '"', "\\", "a\nb", "\t", "\x1f", "Muñoz – 測試", "1", " ", "\x7f", "{}", ","]),
)


@given(st.lists(st.tuples(TEXT, TEXT, TEXT), max_size=20))
@settings(max_examples=150, deadline=None)
def test_packed_values_equal_the_canonical_text_byte_for_byte(rows):
    names = ["zeta", "alpha", "mid___1"]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    packed = values_json(frame, names).to_list()
    assert packed == [canonical_values(dict(zip(names, row, strict=True))) for row in rows]
    assert all(orjson.loads(one) is not None for one in packed)


def test_a_form_without_fields_packs_to_nothing():
    assert values_json(pl.DataFrame({"x": ["1", "2"]}), []).to_list() == ["{}", "{}"]
