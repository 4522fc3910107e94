"""Names of months and weekdays."""

import pytest

from bridge.ottl.locales import _LANGUAGES, ENGLISH, names


@pytest.mark.parametrize("language", sorted(_LANGUAGES))
def test_every_language_has_all_names(language: str) -> None:
    """Twelve months, seven days, none twice."""
    found = names(language)

    for some, count in (
        (found.months, 12),
        (found.short_months, 12),
        (found.weekdays, 7),
        (found.short_weekdays, 7),
    ):
        assert len(set(some)) == len(some) == count


def test_names_go_by_the_language_of_a_tag() -> None:
    """Whatever the country, in any spelling."""
    assert names("de-AT") is names("de_CH") is names("DE")
    assert names("en") is ENGLISH
    with pytest.raises(ValueError, match="none of de, en"):
        names("tlh")
