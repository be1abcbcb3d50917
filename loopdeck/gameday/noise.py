"""Makers that are loud: floods of output, codes for the terminal, secrets where everybody could read them."""

import os
import re

from loopdeck.core import trace as tr
from loopdeck.gameday.scenario import Outcome, Scenario, Seen, ruling
from loopdeck.gameday.script import bash, loop, turn
from loopdeck.gameday.stage import Stage

FLOOD_BYTES = 10_000_000
MOST_TRACE_BYTES = 1_000_000
MOST_PROMPT_BYTES = 400_000
VERBS = ("status", "show", "trace", "diff")
MARK = "gameday-mark"
CODES = (
    "\x1b]0;pwned\x07",
    "\x1b]52;c;cm0gLXJmIH4=\x07",
    "\x1b[2J\x1b[31m",
    "\u202egnp.exe\u202c",
    "\u2066x\u2069",
    "\x9b31m",
    "a\rb",
    "\u200b",
)
"""A title, the clipboard, a cleared screen, bidi override and isolate, an 8-bit sequence, an overwritten line, an unseen space."""
_HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


def flood(stage: Stage, name: str) -> Seen:
    """Let it run, and weigh the trace and what the model was sent."""
    paths = stage.start(name)
    stage.ended(paths)
    seen = stage.seen(paths)
    counted = stage.deck.home.worktree(name, paths.run) / "printed.txt"
    printed = int(counted.read_text(encoding="utf-8")) if counted.exists() else 0
    return stage.seen(paths, {"printed": printed, "trace": paths.trace.stat().st_size, "prompt": _largest_prompt(seen)})


def _largest_prompt(seen: Seen) -> int:
    """Bytes of all that the maker was sent in its largest call: the parts, and every tool's answer."""
    parts = [sum(part.size for part in one.parts) for one in seen.trace if isinstance(one, tr.PromptSent)]
    told = sum(len(one.output.encode("utf-8", "replace")) for one in seen.trace if isinstance(one, tr.ToolReturned))
    return max(parts, default=0) + told


def judge_flood(seen: Seen) -> Outcome:
    """All of it was printed, and little of it went further."""
    printed, trace, prompt = (int(seen.numbers[name]) for name in ("printed", "trace", "prompt"))
    return ruling(
        f"{printed / 1e6:.0f} MB printed, {trace / 1000:.0f} kB trace, {prompt / 1000:.0f} kB prompt",
        (printed < FLOOD_BYTES, "it was not all printed"),
        (trace > MOST_TRACE_BYTES, f"the trace is larger than {MOST_TRACE_BYTES:,} bytes"),
        (prompt > MOST_PROMPT_BYTES, f"the prompt is larger than {MOST_PROMPT_BYTES:,} bytes"),
        (seen.reason != "done", f"the run is {seen.status}, {seen.reason}: {seen.run.why}"),
    )


def codes(stage: Stage, name: str) -> Seen:
    """Let it run, and have every reading verb tell of it."""
    paths = stage.start(name)
    stage.ended(paths)
    said = {verb: stage.say(verb, *([] if verb == "status" else [paths.run])) for verb in VERBS}
    failed = sum(one.code != 0 for one in said.values())
    return stage.seen(paths, {"failed": failed}, {verb: one.text for verb, one in said.items()})


def judge_codes(seen: Seen) -> Outcome:
    """Each verb told of it, and none of it raw."""
    raw = {verb: len(_HARMFUL.findall(seen.texts[verb])) for verb in VERBS}
    silent = [verb for verb in ("show", "trace", "diff") if MARK not in seen.texts[verb]]
    return ruling(
        f"{len(CODES)} codes, {len(VERBS)} verbs, {sum(raw.values())} printed raw",
        (seen.numbers["failed"] > 0, f"{int(seen.numbers['failed'])} verbs failed"),
        (bool(silent), f"{', '.join(silent)} told nothing of it"),
        *((count > 0, f"{verb} printed {count} raw") for verb, count in raw.items()),
    )


def secrets(stage: Stage, name: str) -> Seen:
    """Let it run, and search every file of the run and the loop's state for the whole tokens."""
    paths = stage.start(name)
    stage.ended(paths)
    files = [file for place in (paths.dir, stage.deck.home.state_dir(name)) for file in place.rglob("*") if file.is_file()]
    tokens = [(head + tail).encode() for head, tail in FAKES]
    held = sum(any(token in content for token in tokens) for file in files for content in (file.read_bytes(),))
    return stage.seen(paths, {"files": len(files), "held": held})


def judge_secrets(seen: Seen) -> Outcome:
    """The tokens were printed, seen to be tokens, and are nowhere."""
    redacted = sum(one.output.count("[redacted:") for one in seen.trace if isinstance(one, tr.ToolReturned))
    files, held = int(seen.numbers["files"]), int(seen.numbers["held"])
    return ruling(
        f"{len(FAKES)} tokens, {redacted} redacted, in {held} of {files} files",
        (redacted < len(FAKES), f"only {redacted} of {len(FAKES)} were printed and seen"),
        (files < 1, "there are no files of the run"),
        (held > 0, f"{held} files hold a token"),
    )


def _fakes() -> tuple[tuple[str, str], ...]:
    """Tokens that nobody has, in two parts: only their command puts them together."""
    tail = os.urandom(24).hex()
    return ("sk-ant-", f"api03-{tail}"), ("ghp_", tail[:36]), ("AKIA", "".join(chr(65 + byte % 26) for byte in os.urandom(16)))


FAKES = _fakes()

_PRINT = " ".join(f"'{head}' '{tail}'" for head, tail in FAKES)
_LINE = "x" * 99
_FILE = f"printf 'mine\\n' > \"{MARK}$(printf '\\033]0;pwned\\007\\342\\200\\256txt')\""
_SHOUT = "printf '%s\\n' '" + "' '".join(f"{MARK} {code}" for code in CODES) + "'"

_FLOOD = f"yes {_LINE} | head -c {FLOOD_BYTES} | tee counted.tmp; wc -c < counted.tmp > printed.txt; rm counted.tmp"

SCENARIOS = (
    Scenario(
        "spam",
        "What a tool prints can't fill the trace, or the prompt",
        f"a tool that prints {FLOOD_BYTES / 1e6:.0f} MB",
        loop("spam", [turn("Shouting.", bash(
            _FLOOD)), turn("Done.")]),
        flood, judge_flood,
    ),
    Scenario(
        "codes",
        "No text of an agent's reaches the terminal as a code",
        "titles, clipboard and bidi codes in a reply, an output, a file and its name",
        loop("codes", [
            turn(f"{MARK} {' '.join(CODES)}", bash(_SHOUT), bash(f"{_FILE}; {_SHOUT} > plain.txt")),
            turn("Done."),
        ], checks=[{"name": "loud", "run": "cat plain.txt; exit 1"}], end={"max_iterations": 1}),
        codes, judge_codes,
    ),
    Scenario(
        "secrets",
        "A secret that a tool prints is in no file of the run",
        "tokens of three providers' looks in a tool's output",
        loop("secrets", [turn("Printing.", bash(f"printf '%s%s\\n' {_PRINT}")), turn("Done.")]),
        secrets, judge_secrets,
    ),
)  # fmt: skip
