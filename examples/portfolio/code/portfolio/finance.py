# SPDX-License-Identifier: Apache-2.0
"""The mathematics that SQL is no good at. Pure functions of numbers and dates.

Conventions: money is positive where the investor receives it. Rates are fractions (0.05 is 5 %).
"""

import datetime

TOLERANCE = 1e-12
STEPS_MAX = 100


class NoConvergence(ArithmeticError):
    pass


def newton(value_and_slope, guess, floor):
    """The root near guess. A step that would leave (floor, inf) is halved towards the floor."""
    x = guess
    for _ in range(STEPS_MAX):
        value, slope = value_and_slope(x)
        if slope == 0:
            break
        following = x - value / slope
        if following <= floor:
            following = (x + floor) / 2
        if abs(following - x) <= TOLERANCE * max(1.0, abs(x)):
            return following
        x = following
    raise NoConvergence(f"Newton's method found no root from {guess} in {STEPS_MAX} steps")


def coupon_period(flow_days, issued, day):
    """The last coupon day on or before `day` (or the issue), and the next after it."""
    last = max([issued, *(d for d in flow_days if d <= day)])
    following = min(d for d in flow_days if d > day)
    return last, following


def accrued_interest(flows, issued, day):
    """Interest since the last coupon, actual/actual by coupon period.

    flows: [(day, kind, amount)]
    """
    coupons = {when: amount for when, kind, amount in flows if kind == "coupon"}
    last, following = coupon_period(sorted(coupons), issued, day)
    return coupons[following] * (day - last).days / (following - last).days


def yield_to_maturity(clean_price, flows, issued, frequency, day):
    """The nominal annual yield, compounded `frequency` times a year (the bond market's usage).

    It makes the flows after `day`, discounted by whole coupon periods and the broken first one,
    worth the clean price plus accrued interest.
    """
    coupon_days = sorted(when for when, kind, _ in flows if kind == "coupon")
    last, following = coupon_period(coupon_days, issued, day)
    broken = (following - day).days / (following - last).days
    later = [d for d in coupon_days if d > day]
    exponents = {d: broken + periods for periods, d in enumerate(later)}
    ahead = [(exponents[when], amount) for when, _, amount in flows if when > day]
    dirty = clean_price + accrued_interest(flows, issued, day)

    def price_less_dirty(rate):
        base = 1 + rate / frequency
        value = sum(amount * base**-n for n, amount in ahead)
        slope = sum(-n / frequency * amount * base ** (-n - 1) for n, amount in ahead)
        return value - dirty, slope

    return newton(price_less_dirty, 0.05, -frequency + 1e-9)


def money_weighted_return(flows):
    """The annual rate at which the flows [(day, amount)] have no present value, actual/365."""
    start = min(day for day, _ in flows)
    if not (any(a < 0 for _, a in flows) and any(a > 0 for _, a in flows)):
        raise NoConvergence("a return needs money put in and money taken out")
    timed = [((day - start).days / 365, amount) for day, amount in flows]

    def present_value(rate):
        base = 1 + rate
        value = sum(amount * base**-t for t, amount in timed)
        slope = sum(-t * amount * base ** (-t - 1) for t, amount in timed)
        return value, slope

    return newton(present_value, 0.1, -1 + 1e-9)


def quantile(values, share):
    """Linear interpolation between the order statistics (Hyndman and Fan's type 7)."""
    ordered = sorted(values)
    at = (len(ordered) - 1) * share
    below = int(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (at - below)


def historical_value_at_risk(holdings, prices, confidence, months):
    """What the holdings {product: value} lose in a month, not exceeded with `confidence`.

    Today's holdings go through the last `months` monthly returns of prices
    {product: {first day of month: price}}. A loss is positive; no loss is zero.
    """
    days = sorted(set.intersection(*(set(prices[product]) for product in holdings)))
    days = days[-(months + 1) :]
    if len(days) < 3:
        raise ValueError(f"{len(days)} common months of prices are too few")
    results = []
    for before, after in zip(days, days[1:]):
        moves = (
            value * (prices[product][after] / prices[product][before] - 1)
            for product, value in holdings.items()
        )
        results.append(sum(moves))
    return max(0.0, -quantile(results, 1 - confidence))


def month_of(day):
    return datetime.date(day.year, day.month, 1)
