"""Sets of ids as arrays.

Suite: unit.
"""

from hypothesis import given
from hypothesis import strategies as st

from townsquare.kit.id_set import IdSet

IDS = st.lists(st.integers(1, 40) | st.integers(1 << 56, (1 << 63) - 1))


@given(IDS, IDS)
def test_it_is_as_a_set(ids: list[int], others: list[int]) -> None:
    made, model = IdSet(ids), set(ids)
    assert list(made) == sorted(model)
    assert len(made) == len(model)
    assert [each in made for each in (*ids, *others, 0)] == [each in model for each in (*ids, *others, 0)]
    assert IdSet.unpack(made.pack()) == made
