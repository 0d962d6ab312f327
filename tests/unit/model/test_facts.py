"""Facts: what their names and bands mean."""

import pytest

from townsquare.model.facts import KINDS, Fact, band_of, band_start, fact_id, taken_back


def test_an_id_names_one_thing_and_fits_each_engine() -> None:
    ids = {fact_id("favourite", actor, status) for actor in range(50) for status in range(50)}
    assert len(ids) == 2_500
    assert all(0 < each < 2**63 for each in ids)
    assert fact_id("favourite", 1, 23) != fact_id("favourite", 12, 3)


def test_what_takes_back_has_a_name_of_its_own_and_cancels() -> None:
    fact = Fact(id=5, kind="boost", at_ms=1, value=3)
    assert taken_back(fact).value + fact.value == 0
    assert taken_back(fact) == taken_back(fact) != fact


@pytest.mark.parametrize("amount", [*range(200), 1_000_003, 2**40, 2**62 - 1])
def test_an_amount_is_in_its_band(amount: int) -> None:
    band = band_of(amount)
    assert band_start(band) <= amount < band_start(band + 1) or amount == 0 == band
    assert amount < 4 or band_start(band + 1) - band_start(band) <= amount / 4


def test_each_kind_declares_fields_that_a_fact_has() -> None:
    for name, kind in KINDS.items():
        assert set(kind.fields) <= set(Fact.__struct_fields__), name
        assert bool(kind.unit) == ("amount" in kind.fields), name
        assert bool(kind.label) == ("label" in kind.fields), name
        assert kind.privacy != "machine" or not {"actor", "author"} & set(kind.fields), name
