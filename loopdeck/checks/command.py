"""The command check: a program's exit code decides, its output says what is wrong and where.

The invariant: only exit code 0 is a pass. What can't be started is `error`, because the machine is at fault and not the work; what
takes too long or is killed is `failed`.
"""

import re
import signal
from collections.abc import Sequence

from msgspec import structs

from loopdeck.checks.grading import MOST_FINDINGS, broken, capped, found, graded, timed, with_snippet
from loopdeck.checks.locations import parse
from loopdeck.checks.output import head, plain, tail
from loopdeck.checks.places import Place
from loopdeck.checks.port import CheckContext
from loopdeck.checks.reading import Checkout
from loopdeck.core.findings import Evidence, Finding, Outcome, Verdict, fingerprint
from loopdeck.core.spec import CheckSpec
from loopdeck.errors import WorkspaceError
from loopdeck.sandbox.port import Command, Finished

LONGEST_EVIDENCE = 1500
_LAST_LINES = 5
"""Lines at the end of an output that stand for its reason where it names no place: a build tool's own last word is always the same."""
_NOT_EXECUTABLE = 126
_NOT_FOUND = 127
_BY_SIGNAL = 128
_SIGNAL = re.compile(r"signal (\d{1,3})$")


class CommandCheck:
    """Runs `spec.run` by `/bin/sh -c` in the clean checkout."""

    async def run(self, spec: CheckSpec, context: CheckContext) -> tuple[Verdict, bytes]:
        """As `Check.run`."""
        return await run_command(spec, context)


async def run_command(spec: CheckSpec, context: CheckContext) -> tuple[Verdict, bytes]:
    """The verdict on `spec.run`, and its output."""
    command = Command(
        ("/bin/sh", "-c", spec.run), context.checkout, context.env, spec.timeout_s, writable=(context.checkout,), role="check"
    )
    try:
        finished = await context.door.run(command)
    except WorkspaceError as error:
        return broken(spec, "command", f"the command could not be started: {error.what}", context.now)
    # What the walls kept from it is why it failed, more often than not, and it may not have been able to say so.
    text = plain("\n".join((finished.text, *finished.refusals)) if finished.refusals else finished.text)
    evidence = Evidence(
        command=spec.run, exit_code=finished.exit_code, output_hash=finished.output_hash, tail=tail(text), at=context.now
    )
    if finished.exit_code == 0:
        return timed(graded(spec, "command", (), evidence), finished.seconds), finished.output
    outcome: Outcome = "error" if finished.exit_code in {_NOT_FOUND, _NOT_EXECUTABLE} else "failed"
    ending = _ending(spec, finished)
    findings = [found(spec, ending, criterion="the command itself", evidence=tail(text, LONGEST_EVIDENCE))] if ending else []
    if outcome == "failed":
        findings.extend(_complaints(spec, parse(text), Checkout(context.checkout)))
    if not findings:
        findings = [_unplaced(spec, finished, text)]
    verdict = graded(spec, "command", capped(spec, findings), evidence, outcome=outcome)
    return timed(verdict, finished.seconds), finished.output


def _unplaced(spec: CheckSpec, finished: Finished, text: str) -> Finding:
    """The complaint of a program that names no place. What it said last tells one reason from another."""
    last = [line.strip() for line in text.splitlines() if line.strip()][-_LAST_LINES:]
    message = f"`{spec.run}` ended with exit code {finished.exit_code}" + (f": {last[-1]}" if last else " and said nothing")
    one = found(spec, message, evidence=tail(text, LONGEST_EVIDENCE))
    return structs.replace(one, fingerprint=fingerprint(one.check, one.criterion, "", "\n".join([spec.run, *last])))


def _ending(spec: CheckSpec, finished: Finished) -> str:
    """How the command ended, if that is worth saying by itself."""
    match finished.exit_code:
        case None if finished.ended_by == "timeout":
            return f"timed out after {spec.timeout_s:g} s: `{spec.run}`"
        case None:
            number = _SIGNAL.search(finished.ended_by)
            return f"killed by {_signal(int(number[1])) if number else finished.ended_by or 'something unknown'}: `{spec.run}`"
        case code if code == _NOT_FOUND:
            return f"command not found (exit code {code}): `{spec.run}`"
        case code if code == _NOT_EXECUTABLE:
            return f"the command can't be executed (exit code {code}): `{spec.run}`"
        case code if code > _BY_SIGNAL and (name := _signal(code - _BY_SIGNAL)).startswith("SIG"):
            return f"killed by {name} (exit code {code}): `{spec.run}`"
    return ""


def _signal(number: int) -> str:
    try:
        return f"{signal.Signals(number).name} (signal {number})"
    except ValueError:
        return f"signal {number}"


def _complaints(spec: CheckSpec, places: Sequence[Place], checkout: Checkout) -> list[Finding]:
    """The places that are ours, as findings. Those beyond what will be listed carry no code, since nobody would read it."""
    findings: list[Finding] = []
    for place in places:
        path, line = _ours(place, checkout)
        if not path and not place.sure:
            continue
        one = found(
            spec, place.message, criterion=place.criterion, path=path, line=line, evidence=head(place.evidence, LONGEST_EVIDENCE)
        )
        if len(findings) < MOST_FINDINGS:
            one = with_snippet(one, checkout.snippet(path, line) if path else "")
        findings.append(one)
    return findings


def _ours(place: Place, checkout: Checkout) -> tuple[str, int]:
    """The last frame that is a file of the checkout, rather one with a line."""
    for _, name, line in sorted(((bool(line), name, line) for name, line in reversed(place.frames)), key=lambda frame: not frame[0]):
        path = checkout.relative(name)
        if path is not None and checkout.kind(path) == "file":
            return path, line
        if path is not None and "." in path and (only := checkout.named(path)):
            return only, line
    return "", 0
