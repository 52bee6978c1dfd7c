from engine.session.rates import Rate


def test_a_rate_needs_two_samples() -> None:
    assert Rate().feed(0.0, 5) == 0.0


def test_it_is_units_a_second_over_the_window() -> None:
    rate = Rate(window=1.0)
    for tick in range(41):
        found = rate.feed(tick / 10, tick * 50)
    assert abs(found - 500.0) < 1e-6


def test_old_samples_do_not_weigh() -> None:
    rate = Rate(window=1.0)
    rate.feed(0.0, 0)
    rate.feed(10.0, 10_000)
    for tick in range(1, 12):
        found = rate.feed(10.0 + tick / 10, 10_000)
    assert found == 0.0


def test_a_counter_that_begins_anew_is_never_a_negative_rate() -> None:
    rate = Rate()
    rate.feed(0.0, 0)
    rate.feed(0.5, 1000)
    assert rate.feed(0.6, 0) == 0.0
    assert abs(rate.feed(0.7, 10) - 100.0) < 1e-6
