"""Formats numbers, durations and timestamps for pages. Pure."""

from datetime import UTC, datetime

#: Narrow no-break space: 1 000 000.
THIN = "\u202f"
#: For missing values.
DASH = "\u2013"

_STEPS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def count(number: float | None, nothing: str = "unlimited") -> str:
    """Format a whole number with thin separators; `nothing` for None."""
    return nothing if number is None else f"{number:,.0f}".replace(",", THIN)


def money(dollars: float | None, nothing: str = "on request") -> str:
    """Format dollars: $0, $14.90, $1 200; amounts below a cent with two significant digits."""
    if dollars is None:
        return nothing
    if 0 < dollars < 0.01:
        return f"${dollars:.2g}"
    whole = dollars == int(dollars)
    return "$" + (f"{dollars:,.0f}" if whole else f"{dollars:,.2f}").replace(",", THIN)


def parameters(billions: float) -> str:
    """Format a model's parameter count: 135 million, 7.6 billion."""
    return f"{billions:g} billion" if billions >= 1 else f"{billions * 1000:g} million"


def span(seconds: float) -> str:
    """Format a duration in its two largest units: 5 h 12 min, 40 s."""
    left = max(0, int(seconds))
    parts = []
    for size, unit in _STEPS:
        if left >= size:
            parts.append(f"{left // size}{THIN}{unit}")
            left %= size
    return " ".join(parts[:2]) or f"0{THIN}s"


def milliseconds(value: float | None) -> str:
    """Format milliseconds: 84 ms, 1.24 s; a dash for None."""
    if value is None:
        return DASH
    if value >= 1000:
        return f"{value / 1000:.2f}{THIN}s"
    return f"{value:.0f}{THIN}ms" if value >= 10 else f"{value:.1f}{THIN}ms"


def timestamp(at: float) -> str:
    """Format a unix time as UTC, to the second."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def ago(at: float, now: float) -> str:
    """Format the distance of a timestamp from now: complete units ago, or in about as many."""
    if abs(now - at) < 1:
        return "now"
    if at < now:
        return f"{_largest(now - at)} ago"
    unit = next(size for size, _ in _STEPS if at - now >= size)
    return f"in {_largest(at - now + unit / 2)}"


def _largest(seconds: float) -> str:
    return span(seconds).split(" ")[0]


def stamp(at: float, now: float) -> str:
    """Format a timestamp for lists: relative within a day, then date and time in UTC."""
    then = datetime.fromtimestamp(at, UTC)
    if abs(now - at) < 86400:
        return ago(at, now)
    if then.year == datetime.fromtimestamp(now, UTC).year:
        return f"{then:%b} {then.day}, {then:%H:%M}"
    return f"{then:%Y-%m-%d}"


def plural(number: int, one: str, many: str = "") -> str:
    """Format a count with its noun: 1 model, 12 models."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"
