"""How much one person may ask for."""

from collections import OrderedDict

MAX_BODY = 256 << 10
"""Bytes of any request: a scenario of 64 KiB in a form, with every character escaped, still fits."""
MAX_SCENARIO = 64 << 10
"""Bytes of a scenario's text."""


class TokenBucket:
    """`rate` things a second, with `burst` saved up; the caller brings the clock, in seconds."""

    __slots__ = ("_level", "_when", "burst", "rate")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate = rate
        self.burst = burst
        self._level = burst
        self._when = now

    def take(self, now: float, cost: float = 1.0) -> bool:
        """True when there was enough left; otherwise nothing is taken."""
        self._level = min(self.burst, self._level + (now - self._when) * self.rate)
        self._when = now
        if self._level < cost:
            return False
        self._level -= cost
        return True


class Buckets:
    """A bucket for each key, for the `most` keys seen last: strangers cannot grow it."""

    def __init__(self, rate: float, burst: float, most: int = 4096) -> None:
        self._rate = rate
        self._burst = burst
        self._most = most
        self._buckets: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, key: str, now: float) -> bool:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = TokenBucket(self._rate, self._burst, now)
        self._buckets.move_to_end(key)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        return bucket.take(now)

    def __len__(self) -> int:
        return len(self._buckets)
