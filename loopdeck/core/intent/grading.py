"""Rules about what grades the work: tests, lint, types, build, links, schemas, files, a person; and about what may be changed."""

import re
import shlex

from loopdeck.core import shapes
from loopdeck.core.intent.draft import Draft, Meaning, Means, Part, Rule, either, rule
from loopdeck.core.intent.facts import Purpose
from loopdeck.core.intent.wish import Missed
from loopdeck.core.intent.words import NUMBER, PATH, PATHS, Named, named, number, paths
from loopdeck.core.spec import CheckSpec, SchemaCheck, ScopeCheck

_ALL = r"(?:(?:all|every|each|the|our|my|its|existing|whole|entire|of|project's|repo's) )*"
_BE = either(
    r"is(?: all)?|are(?: all)?|be|gets?|stays?|becomes?|goes|go|runs?|turns?",
    r"comes? (?:out|back)",
    r"must be|should be|has to be|have to be|needs to be",
)
_FINE = r"(?:green|clean|fine|ok|okay|happy|good|silent|quiet)"
_PASS = either(
    r"(?:all |must |should |will |do |does |can |to )*"
    r"(?:pass(?:es|ing)?|succeeds?|works?|runs? through|exits? (?:with )?0)(?: again| now)?",
    rf"(?:{_BE} )?(?:all )?{_FINE}(?: again| now)?",
    rf"{_BE} (?:passing|successful|working|without (?:errors|failures))(?: again)?",
)
_NOTHING = r"(?:no|zero|not a single|not one|without(?: any)?)"
_TOOLS = either(
    "pytest|python -m pytest|ruff|ruff check|mypy|pyright|flake8|pylint|black|tox|nox|pre-commit|shellcheck",
    "eslint|tsc|prettier|jest|vitest|npm test|npm run [a-z:-]+|yarn test|pnpm test",
    "cargo test|cargo clippy|cargo build|cargo check|go test|go vet|go build|make|make [a-z-]+",
)
_ARGUMENTS = {
    "pytest": "pytest -q",
    "python -m pytest": "python3 -m pytest -q",
    "ruff": "ruff check .",
    "ruff check": "ruff check .",
    "mypy": "mypy .",
    "pylint": "pylint .",
    "black": "black --check .",
    "eslint": "npx eslint .",
    "tsc": "npx tsc --noEmit",
    "prettier": "npx prettier --check .",
    "jest": "npx jest",
    "vitest": "npx vitest run",
    "cargo clippy": "cargo clippy -- -D warnings",
    "go test": "go test ./...",
    "go vet": "go vet ./...",
    "go build": "go build ./...",
    "pre-commit": "pre-commit run --all-files",
    "shellcheck": "git ls-files '*.sh' | xargs -r shellcheck",
}
"""What a tool is called with where its name alone is no check."""
_PURPOSES: dict[str, Purpose] = {"pytest": "tests", "ruff": "lint", "mypy": "types", "eslint": "lint", "tsc": "types"}
_LACKING: dict[Purpose, str] = {
    "tests": "test", "lint": "lint", "types": "type checking", "format": "format checking", "build": "build",
}  # fmt: skip


def _by(purpose: Purpose) -> Means:
    """A check with the repository's own command for that purpose."""

    def means(draft: Draft, match: "re.Match[str]") -> Meaning:
        command = draft.facts.command(purpose)
        if not command:
            why = f"the repository shows no {_LACKING[purpose]} command; say it, as in: `make {purpose}` passes"
            return Missed(match[0], why)
        draft.check(CheckSpec(purpose, run=command))
        return f"check: {command}"

    return means


def _quoted(draft: Draft, match: "re.Match[str]") -> Meaning:
    command = match["command"].strip()
    if not command or shapes.command(command) is not None:
        return None
    draft.check(CheckSpec(_name(command), run=command))
    return f"check: {command}"


def _tool(draft: Draft, match: "re.Match[str]") -> Meaning:
    tool = " ".join(match["tool"].lower().split())
    purpose = _PURPOSES.get(tool)
    shown = draft.facts.command(purpose) if purpose else ""
    command = shown if tool in shown.split() else _ARGUMENTS.get(tool, tool)
    draft.check(CheckSpec(purpose or _name(command), run=command))
    return f"check: {command}"


def _name(command: str) -> str:
    line = "".join(character for character in " ".join(command.split()) if character.isprintable())
    return line if len(line) <= 40 else line[:39] + "…"


def _at_end(draft: Draft, match: "re.Match[str]", group: str) -> Named:
    """The paths of a group; what follows them in it is none of it, if the group is the end of the match."""
    found = named(match[group], draft.facts)
    return found if match.end(group) == match.end() or found.taken == len(match[group]) else Named((), 0)


def _links(draft: Draft, match: "re.Match[str]") -> Meaning:
    globs, end = _where(draft, match)
    if globs is None:
        return None
    if not globs:
        folders = [folder for folder in ("docs", "doc", "documentation") if folder in draft.facts.folders]
        readme = [file for file in draft.facts.files if file.lower() == "readme.md"]
        globs = (*readme, *(f"{folder}/**/*.md" for folder in folders)) or ("**/*.md",)
    globs = tuple(f"{one}/*.md" if one.endswith("/**") else one for one in globs)
    draft.check(CheckSpec("links", links=globs))
    return Part(f"check: links in {', '.join(globs)}", end)


def _where(draft: Draft, match: "re.Match[str]") -> tuple[tuple[str, ...] | None, int]:
    """The paths in which something is to hold: none if none are said, None if it is not of paths that the words speak."""
    if not match["where"]:
        return (), match.end()
    found = _at_end(draft, match, "where")
    if found.globs:
        return found.globs, match.end() - (match.end("where") - match.start("where") - found.taken)
    # `broken links in two passes` speaks of all links.
    return ((), match.start("in")) if match.end("where") == match.end() else (None, 0)


def _schema(draft: Draft, match: "re.Match[str]") -> Meaning:
    files, schema = paths(match["files"], draft.facts), paths(match["schema"], draft.facts)
    if files is None or schema is None or len(schema) != 1:
        return None
    files = tuple(f"{one}/*.json" if one.endswith("/**") else one for one in files)
    draft.check(CheckSpec("schema", schema=SchemaCheck(files, schema[0])))
    return f"check: {', '.join(files)} against {schema[0]}"


def _there(draft: Draft, match: "re.Match[str]") -> Meaning:
    found = paths(match["path"], draft.facts)
    if found is None or any("*" in one for one in found):
        return None
    command = " && ".join(f"test -e {shlex.quote(one)}" for one in found)
    draft.check(CheckSpec(f"{found[0]} is there", run=command))
    return f"check: {command}"


def _no_word(draft: Draft, match: "re.Match[str]") -> Meaning:
    globs, end = _where(draft, match)
    if globs is None:
        return None
    word = match["word"].rstrip("sS").upper()
    where = " ".join(shlex.quote(one.removesuffix("/**")) for one in globs)
    command = f"git grep -n {word}{f' -- {where}' if where else ''}; test $? -eq 1"
    draft.check(CheckSpec(f"no {word}", run=command))
    return Part(f"check: {command}", end)


def _human(draft: Draft, match: "re.Match[str]") -> Meaning:
    draft.check(CheckSpec("a person agrees", human=True, when="others_pass"))
    return "check: a person gives the verdict, when the others pass"


def _only(draft: Draft, match: "re.Match[str]") -> Meaning:
    found = _at_end(draft, match, "paths")
    if not found.globs:
        return None
    draft.check(CheckSpec("scope", scope=ScopeCheck(paths=found.globs)))
    return Part(f"check: changes only in {', '.join(found.globs)}", match.start("paths") + found.taken)


def _size(draft: Draft, match: "re.Match[str]") -> Meaning:
    count = number(match["n"])
    if count < 1:
        return None
    files = match["what"].lower().startswith("file")
    scope = ScopeCheck(max_files=count) if files else ScopeCheck(max_lines=count)
    draft.check(CheckSpec("size", scope=scope))
    return f"check: changes at most {count} {'files' if files else 'lines'}"


def _protect(draft: Draft, match: "re.Match[str]") -> Meaning:
    found = _at_end(draft, match, "paths")
    if not found.globs:
        return None
    draft.keep_out(found.globs)
    return Part(f"protected: {', '.join(found.globs)}", max(match.start("paths") + found.taken, match.end() - _behind(match)))


def _behind(match: "re.Match[str]") -> int:
    """Characters of a group at the end of the match; 0 if words of the rule stand behind it."""
    return match.end("paths") - match.start("paths") if match.end("paths") == match.end() else 0


_CHANGE = (
    r"(?:touch|chang|edit|modif|delet|remov|writ|alter|weaken|loosen|skip|rewrit)(?:e|y|ing|es|ies)?(?: to| in| into)?"
    r"(?: (?:any of|any|anything in|any file in|files in|or|and|in))?"
)
_EDIT = r"(?:touch|change|edit|modify|write(?: to| in)?|work (?:in|on)|alter)"
_LIMIT = r"(?:at most|no more than|not more than|up to|max(?:imum)?|fewer than|less than|only)"
_PATHS = rf"(?P<paths>{PATHS})"
_WHERE = rf"(?:(?P<in> )(?:in|of|within|inside|under) (?P<where>{PATHS}))?"
_THAT = r"(?:(?:until|when|once|if|and|as long as) )?"

BOUNDS: tuple[Rule, ...] = (
    rule("bound", rf"{_EDIT} nothing (?:but|except|outside(?: of)?|other than|beyond|apart from) {_PATHS}", _only),
    rule("bound", rf"(?:only|just) (?:ever )?{_EDIT} (?:files in |what is in |things in )?{_PATHS}", _only),
    rule("bound", rf"{_EDIT} (?:only|just) (?:files in )?{_PATHS}", _only),
    rule("bound", rf"(?:stay|remain) (?:in|inside|within) {_PATHS}", _only),
    rule(
        "bound",
        r"(?:keep|limit|restrict|confine) (?:all |your |the |any )?(?:changes|edits|work|it|yourself) (?:in|inside|within|to) "
        + _PATHS,
        _only,
    ),
    rule("bound", rf"(?:(?:don't|do not|dont|never|must not|without|not|no) {_CHANGE}|hands off) {_PATHS}", _protect),
    rule("bound", rf"leave {_PATHS} (?:alone|untouched|unchanged|as (?:it|they) (?:is|are)|as is|be)", _protect),
    rule(
        "bound",
        rf"(?:keep )?{_PATHS} (?:is |are |(?:must )?(?:stays?|remains?) )?(?:off limits|untouched|unchanged|read-only|protected)",
        _protect,
    ),
    rule("bound", rf"no (?:changes|edits) (?:to|in) {_PATHS}", _protect),
    rule("bound", rf"protect {_PATHS}", _protect),
    rule(
        "bound",
        rf"(?:change|touch|edit|changing|touching|modify)? ?{_LIMIT} (?P<n>{NUMBER}) (?:changed )?(?P<what>files?|lines?)"
        r"(?: (?:changed|of code|of changes?|of diff))?",
        _size,
    ),
)

CHECKS: tuple[Rule, ...] = (
    rule(
        "check",
        rf"(?:(?:run|make sure|check(?: that| with)?|graded? by|verify with) )?`(?P<command>[^`\n]{{1,400}})` (?:command )?{_PASS}",
        _quoted,
    ),
    rule(
        "check",
        r"(?:run(?:ning)?|check with|graded? by|verify with|verified by|checked by|grade with) `(?P<command>[^`\n]{1,400})`",
        _quoted,
    ),
    rule(
        "check",
        rf"(?P<tool>{_TOOLS}) "
        + either(
            _PASS,
            r"(?:has|reports|finds|shows) (?:no|nothing)(?: (?:errors|complaints|problems|issues|to complain about))?",
            r"(?:does not|doesn't) complain",
        ),
        _tool,
    ),
    rule("check", rf"(?:fix|mend|repair|resolve) {_ALL}(?:broken|dead) (?:links?|anchors?){_WHERE}", _links),
    rule("check", rf"{_NOTHING} (?:broken|dead) (?:links?|anchors?)(?: (?:is|are) left| left| remain)?{_WHERE}", _links),
    rule(
        "check",
        rf"{_ALL}(?:internal )?(?:links?|anchors?)(?: and anchors?)?{_WHERE} (?:all |must |should )?"
        r"(?:resolves?|work|leads? somewhere|hold|pass|(?:is|are) (?:valid|whole|fine|ok|good|not broken|unbroken|alive))",
        _links,
    ),
    rule(
        "check",
        rf"(?P<files>{PATHS}) (?:all )?"
        r"(?:match(?:es)?|holds? to|conforms? to|validates? against|fits?|follows?|(?:is|are) valid against) "
        rf"(?P<schema>{PATH})",
        _schema,
    ),
    rule("check", rf"{_NOTHING} (?P<word>todos?|fixmes?|xxx)(?: (?:is |are )?left| remains?)?{_WHERE}", _no_word),
    rule("check", rf"{_ALL}(?:unit |automated )?(?:tests?|test suite|suite|test run|specs?) {_PASS}", _by("tests")),
    rule(
        "check",
        either(
            rf"{_NOTHING} (?:failing|broken|red|failed) tests?(?: left| remain)?",
            rf"{_NOTHING} tests? (?:fails?|is red|is failing|is broken)",
            rf"(?:fix|mend|repair) {_ALL}(?:failing |broken |red )?(?:tests?|test suite)",
            r"(?:green|passing) (?:tests?|test suite)",
        ),
        _by("tests"),
    ),
    rule("check", rf"{_ALL}(?:lint(?:er|ers|ing)?|lint checks?|style checks?)(?: checks?)? {_PASS}", _by("lint")),
    rule(
        "check",
        either(
            rf"{_NOTHING} (?:more )?(?:lint(?:er|ing)?|style) (?:errors?|warnings?|findings?|problems?|issues?|complaints?)"
            r"(?: left| remain)?",
            rf"(?:{_ALL}code (?:is |must be )?)?(?:lint[ -]free|lint[ -]clean|clean lint)",
            rf"(?:fix|mend) {_ALL}lint(?:er|ing)?(?: errors| warnings| findings| problems| issues)?",
        ),
        _by("lint"),
    ),
    rule(
        "check",
        either(
            rf"{_ALL}(?:types? ?check(?:s|er|ing)?|typing|types) (?:{_PASS}|check)",
            rf"{_NOTHING} (?:type|typing) (?:errors?|problems?|issues?)(?: left| remain)?",
            r"(?:it|the code|everything|code) type[ -]?checks",
        ),
        _by("types"),
    ),
    rule(
        "check",
        rf"{_ALL}(?:code|files|everything|formatting|format) "
        r"(?:(?:is|are|stays?) (?:well |properly )?formatted|(?:is|are) (?:clean|right|consistent|ok|fine))",
        _by("format"),
    ),
    rule(
        "check",
        either(
            rf"{_ALL}(?:build|compilation|compile) {_PASS}",
            r"(?:it|the project|the code|the package|everything|the app) (?:still )?(?:builds|compiles)",
            rf"{_NOTHING} (?:compile|compiler|compilation|build) errors?",
        ),
        _by("build"),
    ),
    rule(
        "check",
        either(
            _THAT + r"(?:i|we) (?:approve|agree|accept|sign(?: it)? off|am happy|are happy|like it|say so|confirm)"
            r"(?: (?:it|of it|with it|on it|to it))?",
            r"(?:my|our|a person's|human) (?:approval|review|sign-?off|verdict)",
            r"(?:a|some) (?:human|person)(?: has)? (?:approves?|agrees?|reviewed|reviews|looks at|looked at|signs off)(?: it)?",
            r"(?:reviewed|approved|checked|graded|judged) by (?:me|a person|a human|somebody)",
        ),
        _human,
    ),
    rule(
        "check",
        rf"(?P<path>{PATHS}) "
        r"(?:exists?|is there|are there|has been (?:written|made|created)|(?:is|are) (?:written|made|created|present))",
        _there,
    ),
    rule("check", rf"there (?:is|are) (?:a |an )?(?:file )?(?P<path>{PATHS})", _there),
)
