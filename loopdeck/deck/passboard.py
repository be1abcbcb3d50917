"""One iteration in full, and two beside each other, as facts in sections. Pure.

What failed comes first: whoever opens a run wants to know what is wrong before what is right.
"""

from loopdeck.core.findings import Finding, Verdict
from loopdeck.core.plural import some
from loopdeck.core.shares import checker_share, cost_of, hit_share
from loopdeck.deck.answer import Fact, Tone, signal_line
from loopdeck.deck.board import age, count
from loopdeck.deck.compare import Comparison, Figure
from loopdeck.deck.differences import Differences
from loopdeck.deck.passes import History, Pass, Wait
from loopdeck.deck.why import Section, of_pass

_TAIL = 12
"""Lines of a failing check's output."""


def iteration(one: Pass, history: History) -> tuple[Section, ...]:
    """Verdicts and findings, the failing ones first; then what the maker did, what it cost, who was asked, what went wrong."""
    failing = [said for said in one.verdicts if not said.passed]
    passing = [said for said in one.verdicts if said.passed]
    asked = [wait for wait in history.waits if wait.iteration == one.number and wait.of_person and not wait.until]
    sections = [_open(wait) for wait in asked]
    sections += [_verdict(said) for said in failing]
    if passing:
        facts = tuple(Fact(said.check, f"✓ passed  {proof(said)}", "good") for said in passing)
        sections.append(Section("passed", facts))
    if one.skipped:
        sections.append(Section("not run", tuple(Fact(name, why, "dim") for name, why in one.skipped)))
    carried = [found for found in one.findings if found.check in {name for name, _ in one.skipped}]
    if carried:
        sections.append(Section("open from before", tuple(_finding(found) for found in carried)))
    sections.append(Section("work", tuple(_work(one))))
    sections.append(Section("spent", tuple(_spent(one))))
    noted = [*(signal_line(said, history.run) for said in one.iteration.signals), *of_pass(one, history), *_people(one, history)]
    if noted:
        sections.append(Section("noted", tuple(noted)))
    return tuple(sections)


def _open(wait: Wait) -> Section:
    facts = (Fact("for", wait.subject or "you", "ask"), Fact("since", wait.at))
    return Section(f"waits for you: {wait.awaited}", facts, "ask")


def _verdict(said: Verdict) -> Section:
    facts = [_finding(found) for found in said.findings]
    if len(said.findings) == 1:
        facts += [Fact("", line, "dim") for line in said.findings[0].snippet.splitlines()[:4]]
    if len(said.criteria) > 1:
        facts += [Fact(one.id, f"{one.outcome}: {one.reason}" if one.reason else one.outcome) for one in said.criteria]
    facts.append(Fact("evidence", proof(said), "dim"))
    facts += [Fact("", line, "dim") for line in said.evidence.tail.rstrip().splitlines()[-_TAIL:]]
    return Section(f"✗ {said.check} {said.outcome}, {said.severity}, score {said.score:.2f}", tuple(facts), "bad")


def _finding(found: Finding) -> Fact:
    again = ", a regression" if found.regression else ""
    said = f"{found.message}  ({found.severity}, {found.status}{again})"
    return Fact(found.location or found.criterion, said, _graveness(found), found.path, found.line)


def _graveness(found: Finding) -> Tone:
    return "plain" if found.severity == "minor" else "warn" if found.seen <= 1 and not found.regression else "bad"


def proof(said: Verdict) -> str:
    """How a verdict is proven, in one line."""
    evidence = said.evidence
    parts = [
        f"`{evidence.command}`" if evidence.command else said.kind,
        f"exit {evidence.exit_code}" if evidence.exit_code is not None else "",
        evidence.model,
        f"{said.seconds:.2f} s",
        f"output {evidence.output_hash[:12]}" if evidence.output_hash else "",
        evidence.at,
    ]
    return ", ".join(part for part in parts if part)


def _work(one: Pass) -> list[Fact]:
    of = one.iteration
    made = f"{of.maker or 'at work'}, {some(of.turns, 'turn')}, {some(of.spend.tool_calls, 'tool call')}"
    facts = [Fact("maker", made + (f", {one.model}" if one.model else ""), "plain" if of.maker in (None, "ended") else "warn")]
    if of.commit:
        change = "nothing changed" if of.empty else f"{some(of.files, 'file')} +{of.added} -{of.removed}"
        facts.append(Fact("commit", f"{of.commit[:12]}  {change}"))
    facts += [Fact("put back", f"{path} is protected", "warn") for path in of.protected]
    after = one.state_after[:12] or "not written yet"
    same = one.state_after == of.state_hash
    facts.append(Fact("state", f"{of.state_hash[:12]} → {after}" + (", unchanged" if same else "")))
    return facts + [Fact("was told", words) for words in one.told]


def _spent(one: Pass) -> list[Fact]:
    of, usage = one.iteration, one.iteration.spend.usage
    cost = cost_of(of.spend)
    said = "unknown: no price" if cost is None else f"${cost:.4f} ({of.spend.certainty})"
    hits = hit_share(usage)
    tokens = f"{usage.input:,} in, {usage.output:,} out, {usage.cache_read:,} from cache, {usage.cache_write:,} into it"
    facts = [
        Fact("cost", f"{said} in {some(of.spend.model_calls, 'model call')}"),
        Fact("tokens", tokens + ("" if hits is None else f"; {100 * hits:.0f} % of the input from cache")),
    ]
    dear, slow = checker_share(of), one.checker_time_share
    facts.append(Fact("the checks'", f"{_percent(dear)} of cost, {_percent(slow)} of time ({of.check_seconds:.1f} s)"))
    whole = f"{of.seconds:.1f} s active" if one.over else "not over yet"
    return [*facts, Fact("time", f"{whole}, began {of.started}")]


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


def _people(one: Pass, history: History) -> list[Fact]:
    facts = []
    for wait in history.waits:
        if wait.iteration != one.number:
            continue
        took = "still open" if wait.seconds is None else f"after {age(wait.seconds)}"
        who = f"{wait.answer or 'open'} {'by ' + wait.by if wait.by else ''}".strip()
        why = f" ({wait.why})" if wait.why else ""
        tone: Tone = "ask" if wait.seconds is None and wait.of_person else "plain"
        facts.append(Fact(wait.awaited.replace("_", "-"), f"{wait.subject}: {who}{why}, {took}", tone))
    for touch in history.touches:
        if touch.iteration == one.number:
            facts.append(Fact(touch.deed, " ".join(part for part in (touch.by, touch.text) if part)))
    return facts


# Two beside each other


def compared(seen: Comparison) -> tuple[Section, ...]:
    """Findings mended, new and still there; what the checks say; the figures."""
    counts = f"{len(seen.fixed)} fixed, {len(seen.new)} new, {len(seen.still)} still there"
    told: tuple[tuple[tuple[Finding, ...], str, Tone], ...] = (
        (seen.new, "new", "bad"), (seen.still, "still there", "warn"), (seen.fixed, "fixed", "good"),
    )  # fmt: skip
    facts = tuple(_told(found, f"{word}  ", tone) for findings, word, tone in told for found in findings)
    sections = [Section(f"findings: {counts}", facts)]
    checks = []
    for one in seen.checks:
        was, now = one.before or "not run", one.after or "not run"
        scores = f"  {_score(one.score_before)} → {_score(one.score_after)}"
        tone: Tone = "plain" if not one.changed else "good" if one.after == "passed" else "bad"
        checks.append(Fact(one.check, (f"{was} → {now}" if was != now else was) + scores, tone))
    sections.append(Section("checks", tuple(checks)))
    sections.append(Section("figures", tuple(_figure(one, seen.before > 0) for one in seen.figures)))
    return tuple(sections)


def _told(found: Finding, word: str, tone: Tone) -> Fact:
    said = f"{word}{found.check}: {found.message}  ({found.severity}, {found.status})"
    return Fact(found.location or found.criterion, said, tone, found.path, found.line)


def _score(score: float | None) -> str:
    return "–" if score is None else f"{score:.2f}"


def _figure(one: Figure, both: bool) -> Fact:
    change = one.change
    said = f"{number(one.before, one)} → {number(one.after, one)}" if both else number(one.after, one)
    if not change or one.better == "neither":
        return Fact(one.name, said, "dim" if not change else "plain")
    better = change > 0 if one.better == "more" else change < 0
    sign = "+" if change > 0 else "-"
    return Fact(one.name, f"{said}   {sign}{number(abs(change), one)} {'better' if better else 'worse'}", "good" if better else "warn")


def number(value: float | None, of: Figure) -> str:
    """A figure in its unit."""
    if value is None:
        return "?" if of.unit == "dollars" else "–"
    match of.unit:
        case "dollars":
            return f"${value:.4f}"
        case "seconds":
            return f"{value:.1f} s"
        case "share":
            return f"{100 * value:.0f} %"
        case "score":
            return f"{value:.2f}"
        case _:
            return count(value)


def _same(found: Differences) -> str:
    """That nobody changed the state, though the checks may have."""
    return " (the same; only the checks' block differs)" if found.block else " (the same)"


def lines_of(found: Differences) -> tuple[str, ...]:
    """State and diff as lines, each under a heading of its own; what is missing above them. `found.state` has no verdicts in it."""
    lines = [f"@@ {words} @@" for words in found.missing]
    changed = ", ".join(f"{one.path} +{one.added} -{one.removed}" for one in found.changes) or "nothing"
    lines += ["@@ STATE.md @@", *(found.state or (_same(found),)), "", f"@@ files: {changed} @@", *found.patch]
    return (*lines, "@@ cut here: `loopdeck diff` has it all @@") if found.cut else tuple(lines)
