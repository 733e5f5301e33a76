"""Whether a test may do without a component that is missing."""

import os


def required(component: str) -> bool:
    """True where a missing component fails tests, False where it skips them.

    `LAR_TEST_REQUIRE=all` requires everything, `LAR_TEST_REQUIRE="all but docker, root"` what names none of these.
    """
    all_of_them, _, without = os.environ.get("LAR_TEST_REQUIRE", "").partition(" but ")
    names = [name.strip() for name in without.split(",") if name.strip()]
    return all_of_them == "all" and not any(name in component for name in names)
