"""Rules about where a loop ends: iterations, money, tokens, time, tool calls, no progress; and when it starts again."""

import re

from loopdeck.core import limits
from loopdeck.core.durations import written
from loopdeck.core.intent.draft import Draft, Meaning, Rule, either, rule
from loopdeck.core.intent.wish import Missed
from loopdeck.core.intent.words import DURATION, MONEY, NUMBER, TOKENS, number, picodollars, seconds, tokens
from loopdeck.core.usage import dollars

_ROUND = r"(?:more )?(?:passes|pass|iterations?|rounds?|attempts?|tries|try|loops?|times?|cycles?|goes)"
_MOST = either(
    "at most|no more than|not more than|up to|a maximum of|maximum|max\\.?|at the most",
    "fewer than|less than|under|below|within|only",
)
_STOP = (
    r"(?:and )?(?:then )?(?:please )?(?:stop|end|quit|halt|finish|give up|abort|bail out|call it a day|call it)"
    r"(?: it| the loop| the run| trying)?"
)
_STUCK = either(
    r"nothing (?:changes|improves|gets better|moves|has changed|happens)",
    r"there(?:'s| is| was) no (?:more )?(?:progress|improvement|change)",
    r"(?:it|you)(?:'s| is| are|'re|s| gets?| get) stuck",
    r"(?:it|you) (?:makes?|made) no (?:progress|headway)",
    r"no (?:progress|improvement|change)s?(?: (?:is|was|has been) made)?",
    r"it (?:does not|doesn't) (?:get better|improve|progress)",
)


def _iterations(draft: Draft, match: "re.Match[str]") -> Meaning:
    word = next(group for group in match.groups() if group is not None)
    count = number(word)
    if re.search(r"(?:fewer|less) than|under|below", match[0], re.IGNORECASE):
        count -= 1
    if not 1 <= count <= limits.MAX_ITERATIONS:
        return Missed(match[0], f"a run has from 1 to {limits.MAX_ITERATIONS:,} iterations")
    draft.cap("max_iterations", count)
    return f"at most {count} iteration{'s' * (count != 1)}"


def _no_progress(draft: Draft, match: "re.Match[str]") -> Meaning:
    count = number(match["n"]) if match.groupdict().get("n") else 3
    if not 1 <= count <= limits.MAX_NO_PROGRESS:
        return Missed(match[0], f"from 1 to {limits.MAX_NO_PROGRESS:,} iterations without progress can be counted")
    draft.cap("no_progress", count)
    return f"ends after {count} iteration{'s' * (count != 1)} without progress"


def _said(what: str, match: "re.Match[str]") -> str:
    """The amount itself: where several could be read, the last, as in `after a try at $2`."""
    return [one[0] for one in re.finditer(what, match[0], re.IGNORECASE)][-1]


def _money(draft: Draft, match: "re.Match[str]") -> Meaning:
    amount = picodollars(_said(MONEY, match))
    if not limits.LEAST_DOLLARS <= dollars(amount) <= limits.MAX_DOLLARS:
        return Missed(match[0], f"a run's cap is from ${limits.LEAST_DOLLARS} to ${limits.MAX_DOLLARS:,}")
    draft.cap("max_cost", amount)
    return f"spends at most ${dollars(amount):.2f}"


def _tokens(draft: Draft, match: "re.Match[str]") -> Meaning:
    count = tokens(_said(TOKENS, match))
    if not 1 <= count <= limits.MAX_TOKENS:
        return Missed(match[0], f"a run's cap is from 1 to {limits.MAX_TOKENS:,} tokens")
    draft.cap("max_tokens", count)
    return f"takes at most {count:,} tokens"


def _wall(draft: Draft, match: "re.Match[str]") -> Meaning:
    span = seconds(match["time"])
    if span < _SHORT_S and not match["sure"]:
        return None
    if not 1 <= span <= limits.YEAR_S:
        return Missed(match[0], "a run's time is from a second to a year")
    draft.cap("max_wall_s", span)
    return f"works for at most {written(span)}"


def _tool_calls(draft: Draft, match: "re.Match[str]") -> Meaning:
    count = number(match["n"])
    if not 1 <= count <= limits.MAX_TOOL_CALLS:
        return Missed(match[0], f"an iteration has from 1 to {limits.MAX_TOOL_CALLS:,} tool calls")
    draft.cap("max_tool_calls", count)
    return f"at most {count} tool calls in an iteration"


def _every(draft: Draft, match: "re.Match[str]") -> Meaning:
    word = (match.groupdict().get("span") or match[0]).lower()
    if draft.cron or draft.every_s:
        return Missed(match[0], "one schedule is enough")
    draft.every_s = 3600.0 if "hourly" in word or word == "hour" else 60.0 if word == "minute" else seconds(word)
    return f"starts every {written(draft.every_s)}"


_DAYS = {
    "weekday": "1-5", "working day": "1-5", "workday": "1-5", "day": "*", "night": "*", "morning": "*", "evening": "*", "week": "1",
    "monday": "1", "tuesday": "2", "wednesday": "3", "thursday": "4", "friday": "5", "saturday": "6", "sunday": "0",
}  # fmt: skip
_HOURS = {"night": 2, "morning": 7, "evening": 19}


def _daily(draft: Draft, match: "re.Match[str]") -> Meaning:
    word = (match["day"] or {"daily": "day", "nightly": "night", "weekly": "week"}[match["often"].lower()]).lower()
    hour, minute = _HOURS.get(word, 7), 0
    if match["hour"]:
        hour, minute = int(match["hour"]), int(match["minute"] or 0)
        half = (match["half"] or "").lower().replace(".", "")
        hour = hour % 12 + (12 if half == "pm" else 0) if half else hour
    if hour > 23 or minute > 59:
        return Missed(match[0], "that is no time of a day")
    if draft.cron or draft.every_s:
        return Missed(match[0], "one schedule is enough")
    draft.cron = f"{minute} {hour} * * {_DAYS[word]}"
    return f"starts by the clock: {draft.cron}"


_SHORT_S = 30
"""What may take less than this is rather something in the work than the work itself, unless it says otherwise."""
_COST = (
    r"(?:(?:the |a |my |its |total |overall )*(?:spend(?:ing)?|costs?|costing|pay|budget|cost cap|cost limit|price|bill)"
    r"(?: it| this)?(?: is| of|:)?)"
)
_EXTRA = r"(?: (?:in total|total|altogether|overall|per run|a run|for (?:it|this|the run)|on (?:it|this)))?"
_LAST = r"(?:or less|max(?:imum)?|at (?:the )?most|tops|budget|cap|limit|in total|total)"
_ALONE = (r"(?:(?<=^)|(?<=[,;.:] )|(?<=and )|(?<=or ))", r"(?=\s*(?:[,;.!]|$|and\b|or\b))")
"""Between commas, where an amount says nothing else."""


def _amount(what: str) -> str:
    """An amount, given as group `what`, where it is said to be a limit: before it, behind it, or by standing alone."""
    return (
        rf"(?:{_STOP} )?(?:after |at |when |once |if |before )"
        rf"(?:it (?:has )?(?:costs?|spends?|spent|used|taken) |spending |using )?{_OVER}{what}"
        r"(?: (?:is|are|were|have been|has been) (?:spent|used))?"
        rf"|(?:for )?(?:use |spend |take |{_COST} )?(?:a budget of |budget:? )?{_MOST} {what}{_EXTRA}"
        rf"|(?:{_COST}|use|take|a budget of|budget:?) {what}{_EXTRA}(?: {_LAST})?"
        rf"|{what} {_LAST}|{_ALONE[0]}{what}{_ALONE[1]}"
    )


_OVER = r"(?:(?:more than|over) )?"
_FOR = rf"(?: (?:for|in|after|over|within) (?P<n>{NUMBER}) (?:straight |consecutive )?{_ROUND}(?: in a row)?)?"
_SURE_ROUND = r"(?:more )?(?:passes|iterations?|rounds|attempts|tries)"
_COUNT = NUMBER.replace("|an|a)", ")")
_TRY = either(
    r"after|at|in|within|try|do|make|run|use|take|give it|have|allow",
    r"limit(?: of| it to)?|cap(?: of| it at)?|let it run|keep trying for",
)
_OFTEN = r"(?P<often>daily|nightly|weekly)"
_EACH = (
    r"(?:every|each) (?P<day>weekday|working day|workday|day|night|morning|evening|week|monday|tuesday|wednesday|thursday|friday"
    r"|saturday|sunday)"
)
_CLOCK = r"(?: at (?P<hour>\d{1,2})(?:[:.](?P<minute>\d{2}))?(?: ?(?P<half>[ap]\.?m\.?)| ?o'clock)?)?"
_START = r"(?:(?:run|runs|start|starts|do|repeat)(?: it| this)? )?"


CAPS: tuple[Rule, ...] = (
    rule(
        "filling",
        either(
            r"(?:don't|do not|never) (?:stop|give up|rest|finish|end)",
            r"keep (?:going|working|trying|at it|on)",
            r"(?:work|loop|run|go on|repeat|continue)(?: on it)?",
        )
        + " (?:until|till|before|unless)",
        lambda _, match: "",
    ),
    rule("cap", rf"(?:{_STOP} |or )?(?:if|when|once|as soon as|after|or) {_STUCK}{_FOR}", _no_progress),
    rule(
        "cap",
        rf"(?:{_STOP} )?(?:after |if |when )?(?P<n>{NUMBER}) (?:straight |consecutive )?{_ROUND}(?: in a row)? (?:without|with no)"
        r" (?:any )?(?:progress|change|improvement|headway)s?",
        _no_progress,
    ),
    rule(
        "cap",
        rf"(?:{_MOST} )?(?P<n>{NUMBER}) tool[ -]calls?(?: (?:per|in an|an|in each|each|in a|a) (?:iteration|round|pass))?(?: at most)?",
        _tool_calls,
    ),
    rule("cap", _amount(TOKENS), _tokens),
    rule("cap", _amount(MONEY), _money),
    rule("cap", rf"{_START}(?:hourly|every (?P<span>hour|minute|{DURATION}))", _every),
    rule("cap", rf"{_START}(?:{_OFTEN}|{_EACH}){_CLOCK}", _daily),
    rule("cap", rf"(?P<sure>{_STOP} (?:after|at) |(?:work|works|run|runs)(?: for)? )(?P<time>{DURATION})(?: of work)?", _wall),
    rule(
        "cap",
        rf"(?P<sure>{_STOP} (?:after|at) |(?:take|takes|work|works|run|runs|spend)(?: for)? )?(?:(?:after|in|within|for) )?"
        rf"(?:{_MOST}|no longer than|a maximum of|within|after) (?P<time>{DURATION})(?: of work)?(?: in total)?",
        _wall,
    ),
    rule("cap", rf"(?P<sure>)(?P<time>{DURATION}) (?:max(?:imum)?|at (?:the )?most|tops|or less|in total)", _wall),
    rule(
        "cap",
        rf"(?:(?:{_STOP} )?(?:{_TRY} )+(?:it )?(?:{_MOST} )?|(?:{_STOP} )?{_MOST} )({NUMBER}) {_ROUND}"
        r"(?: (?:at (?:the )?most|max(?:imum)?|in total|or (?:fewer|less)|tops))?",
        _iterations,
    ),
    rule("cap", rf"({_COUNT}) {_SURE_ROUND}(?: (?:at (?:the )?most|max(?:imum)?|in total|or (?:fewer|less)|tops))?", _iterations),
    rule("cap", rf"({_COUNT}) {_ROUND} (?:at (?:the )?most|max(?:imum)?|in total|or (?:fewer|less)|tops)", _iterations),
    rule("cap", rf"(?:{_STOP} )?(?:(?:after|at) )?(?:{_MOST} )?max[_ ]iterations?(?: of| is| to|:|\s?=)? ?({NUMBER})", _iterations),
    rule("cap", rf"(?:try|run|loop|iterate)(?: it| this| that)? (?:{_MOST} )?(once|twice)(?: at most)?", _iterations),
)
