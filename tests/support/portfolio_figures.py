# SPDX-License-Identifier: Apache-2.0
"""What examples/portfolio should find, computed from its CSV files by other means.

No code of the example is used, and where it uses SQL, binary floating point and Newton's method,
this uses loops over days, decimals and fractions, and bisection.
"""

from __future__ import annotations

import csv
import datetime
import functools
import pathlib
import statistics
from collections import defaultdict
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal, getcontext
from fractions import Fraction

from support.server import REPO

DATA = REPO / "examples/portfolio/data"
AS_OF = datetime.date(2010, 3, 31)
CENT = Decimal("0.01")
DAY = datetime.timedelta(days=1)


def table(name: str) -> list[dict[str, str]]:
    with (DATA / f"{name}.csv").open(newline="") as source:
        return list(csv.DictReader(source))


def day(text: str) -> datetime.date:
    return datetime.date.fromisoformat(text)


def cents(value: Decimal) -> Decimal:
    return value.quantize(CENT, ROUND_HALF_UP)


class Figures:
    def __init__(self, stocks: pathlib.Path):
        getcontext().prec = 40
        self.classes = {p["product_id"]: p["asset_class"] for p in table("products")}
        self.sectors = {p["product_id"]: p["sector"] for p in table("products")}
        self.bonds = {b["product_id"]: b for b in table("bonds")}
        self.trades = [
            (day(t["trade_date"]), t["account_id"], t["product_id"],
             Decimal(t["quantity"]) * (1 if t["side"] == "BUY" else -1), Decimal(t["price"]))
            for t in table("trades")]
        self.flows = [(f["product_id"], day(f["flow_date"]), f["kind"], Decimal(f["amount"]))
                      for f in table("cash_flows")]
        self.prices: dict[str, dict[datetime.date, Decimal]] = defaultdict(dict)
        with stocks.open(newline="") as source:
            for line in csv.DictReader(source):
                when = datetime.datetime.strptime(line["date"], "%b %d %Y").date()
                self.prices[line["symbol"]][when] = Decimal(line["price"])
        for quote in table("bond_quotes"):
            self.prices[quote["product_id"]][day(quote["quote_date"])] = Decimal(quote["price"])

    @functools.cached_property
    def positions(self) -> dict[tuple[datetime.date, str, str], tuple[Decimal, ...]]:
        """(day, account, product) → quantity, price, market value, accrued interest."""
        result = {}
        held: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
        latest: dict[str, Decimal] = {}
        first = min(when for when, *_ in self.trades)
        for product, series in self.prices.items():
            before = [when for when in series if when < first]
            if before:
                latest[product] = series[max(before)]
        today = first
        while today <= AS_OF:
            for product, series in self.prices.items():
                latest[product] = series.get(today, latest.get(product))
            for when, account, product, quantity, _ in self.trades:
                if when == today:
                    held[account, product] += quantity
            for (account, product), quantity in held.items():
                if quantity and not self.matured(product, today):
                    value = cents(quantity * latest[product])
                    accrued = self.accrued(product, today) * Fraction(quantity)
                    result[today, account, product] = (quantity, latest[product], value, accrued)
            today += DAY
        return result

    def matured(self, product: str, today: datetime.date) -> bool:
        return product in self.bonds and day(self.bonds[product]["maturity_date"]) <= today

    @functools.lru_cache(maxsize=None)
    def accrued(self, product: str, today: datetime.date) -> Fraction:
        """Interest since the last coupon, for one unit."""
        if product not in self.bonds:
            return Fraction(0)
        since = day(self.bonds[product]["issue_date"])
        for bond, when, kind, amount in sorted(self.flows, key=lambda flow: flow[1]):
            if bond == product and kind == "coupon":
                if when > today:
                    return Fraction(amount) * (today - since).days / (when - since).days
                since = when
        raise AssertionError(f"{product} pays no coupon after {today}")

    @functools.cached_property
    def worth(self) -> dict[tuple[str, str], Decimal]:
        """(account, product) → value with accrued interest at the end, to the cent."""
        result = {}
        for (when, account, product), (_, _, value, accrued) in self.positions.items():
            if when == AS_OF:
                interest = Decimal(accrued.numerator) / Decimal(accrued.denominator)
                result[account, product] = value + cents(interest)
        return result

    @functools.cached_property
    def accounts(self) -> list[str]:
        return [account["account_id"] for account in table("accounts")]

    def members(self, account: str) -> list[str]:
        return self.accounts if account == "ALL" else [account]

    def ladder(self) -> dict[tuple[str, datetime.date], Decimal]:
        """(account, month) → what its bonds still pay."""
        result: dict[tuple[str, datetime.date], Decimal] = defaultdict(Decimal)
        for (when, account, product), (quantity, *_) in self.positions.items():
            if when == AS_OF:
                for bond, paid, _, amount in self.flows:
                    if bond == product and paid > AS_OF:
                        result[account, paid.replace(day=1)] += quantity * amount
        return result

    def cash(self, account: str) -> list[tuple[datetime.date, Decimal]]:
        """All money in (negative) and out of an account, its worth at the end included."""
        result = []
        for member in self.members(account):
            for when, owner, _, quantity, price in self.trades:
                if owner == member:
                    result.append((when, -quantity * price))
            for product, paid, _, amount in self.flows:
                if paid <= AS_OF:
                    units = sum((q for when, owner, what, q, _ in self.trades
                                 if owner == member and what == product and when < paid),
                                Decimal(0))
                    result.append((paid, units * amount))
            worth = sum(v for (owner, _), v in self.worth.items() if owner == member)
            result.append((AS_OF, worth))
        return result

    def money_weighted_return(self, account: str) -> Decimal:
        cash = self.cash(account)
        start = min(when for when, _ in cash)

        def present_value(rate: Decimal) -> Decimal:
            return sum(amount / (1 + rate) ** (Decimal((when - start).days) / 365)
                       for when, amount in cash)
        return bisect(present_value, Decimal("-0.9"), Decimal(5))

    def yield_to_maturity(self, bond: str) -> Decimal:
        terms = self.bonds[bond]
        frequency = int(terms["frequency"])
        coupons = sorted(when for product, when, kind, _ in self.flows
                         if product == bond and kind == "coupon")
        ahead = [when for when in coupons if when > AS_OF]
        before = max([day(terms["issue_date"]), *(w for w in coupons if w <= AS_OF)])
        first = Decimal((ahead[0] - AS_OF).days) / (ahead[0] - before).days
        accrued = self.accrued(bond, AS_OF)
        clean = self.prices[bond][max(w for w in self.prices[bond] if w <= AS_OF)]
        dirty = clean + Decimal(accrued.numerator) / accrued.denominator

        def excess(rate: Decimal) -> Decimal:
            total = -dirty
            for product, when, _, amount in self.flows:
                if product == bond and when > AS_OF:
                    total += amount / (1 + rate / frequency) ** (first + ahead.index(when))
            return total
        return bisect(excess, Decimal("-0.5"), Decimal(1))

    def value_at_risk(self, account: str) -> float:
        """95 %, one month, over sixty monthly returns; interpolated as Excel's PERCENTILE does."""
        held: dict[str, Decimal] = defaultdict(Decimal)
        for (when, owner, product), (_, _, value, _) in self.positions.items():
            if when == AS_OF and owner in self.members(account):
                held[product] += value
        months = []
        year, month = AS_OF.year, AS_OF.month
        while len(months) < 61:
            months.append(datetime.date(year, month, 1))
            year, month = (year, month - 1) if month > 1 else (year - 1, 12)
        months.reverse()
        results = [sum(value * (self.prices[p][now] - self.prices[p][then]) / self.prices[p][then]
                       for p, value in held.items())
                   for then, now in zip(months, months[1:])]
        return -float(statistics.quantiles(results, n=20, method="inclusive")[0])


def bisect(function: Callable[[Decimal], Decimal], low: Decimal, high: Decimal) -> Decimal:
    """The root of a falling function."""
    assert function(low) > 0 > function(high)
    while high - low > Decimal("1e-14"):
        middle = (low + high) / 2
        if function(middle) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
