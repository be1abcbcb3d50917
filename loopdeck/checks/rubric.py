"""The rubric check: another model, in a session of its own, grades each written criterion.

The invariants: the grader sees the files and the diff, not only the maker's words; its session begins empty, so nobody grades his own
work; what it does not prove does not pass; an answer that contradicts itself is asked for once more and then is `error`, never a
pass. Criteria with a command of their own are decided by that command, and the verdict merges both by one rule: all must pass.
"""

from collections.abc import Sequence

from msgspec import Struct, structs

from loopdeck.checks.command import run_command
from loopdeck.checks.criteria import RubricCriterion, parse_rubric
from loopdeck.checks.grading import Stopwatch, broken, capped, found, gravest_first, sha256, share, timed, with_snippet
from loopdeck.checks.output import plain, plain_line, tail
from loopdeck.checks.port import CheckContext
from loopdeck.checks.reading import Checkout
from loopdeck.checks.rubric_answer import Answer, Graded, Refused, answer_schema, read_answer
from loopdeck.checks.rubric_prompt import Measured, grader_prompt
from loopdeck.core.conversation import AskModel, Message, ModelReply, ModelRequest, Text
from loopdeck.core.findings import Criterion, Evidence, Finding, Outcome, Verdict
from loopdeck.core.spec import CheckSpec

DEFAULT_MAX_OUTPUT = 4096
_ATTEMPTS = 2
_MOST_LINES = 10_000_000


class _Grading(Struct, frozen=True):
    """What the model said, all of it, and the answer if there is one."""

    said: tuple[str, ...]
    model: str
    answer: Answer | None = None
    refused: str = ""


class _Part(Struct, frozen=True):
    """One criterion's share of the verdict, with what it found."""

    criterion: Criterion
    findings: tuple[Finding, ...] = ()


class RubricCheck:
    """Grades by `rubric_text`, which comes from the run's frozen files.

    `model` is the name sent to `context.ask` (empty: whoever asks decides), `max_output` the most an answer may take, in tokens.
    """

    def __init__(self, rubric_text: str, model: str = "", max_output: int = DEFAULT_MAX_OUTPUT) -> None:
        self._rubric = rubric_text
        self._model = model
        self._max_output = max_output
        self._criteria = parse_rubric(rubric_text)

    async def run(self, spec: CheckSpec, context: CheckContext) -> tuple[Verdict, bytes]:
        """As `Check.run`; ModelFailed and BudgetSpent pass through."""
        watch = Stopwatch()
        if not self._criteria:
            return broken(spec, "rubric", "the rubric has no criteria: write each as an item of a list", context.now)
        written = [one for one in self._criteria if not one.run]
        if written and context.ask is None:
            return broken(spec, "rubric", "there is no model to grade by the rubric", context.now)
        parts: dict[str, _Part] = {}
        outputs: list[bytes] = []
        for one in self._criteria:
            if one.run:
                parts[one.id], output = await _by_command(one, spec, context)
                outputs.append(output)
        grading = _Grading((), "")
        if written and context.ask is not None:
            grading = await self._by_model(written, parts, context, context.ask)
            outputs.extend(said.encode("utf-8", "replace") for said in grading.said)
        output = b"\n\n".join(outputs)
        if written and grading.answer is None:
            verdict, _ = broken(spec, "rubric", f"the grader's answer can't be taken, twice: {grading.refused}", context.now)
            evidence = structs.replace(verdict.evidence, output_hash=sha256(output), model=grading.model)
            return timed(structs.replace(verdict, evidence=evidence), watch.seconds), output
        checkout = Checkout(context.checkout)
        if grading.answer is not None:
            by_id = {one.id: one for one in written}
            parts.update((one.id, _by_grade(one, by_id[one.id], spec, checkout)) for one in grading.answer.criteria)
        verdict = self._verdict(spec, [parts[one.id] for one in self._criteria], grading)
        evidence = Evidence(
            command="; ".join(one.run for one in self._criteria if one.run),
            output_hash=sha256(output),
            tail=tail(plain(grading.answer.explanation)) if grading.answer else "",
            at=context.now,
            model=grading.model,
        )
        return timed(structs.replace(verdict, evidence=evidence), watch.seconds), output

    async def _by_model(
        self, criteria: Sequence[RubricCriterion], decided: dict[str, _Part], context: CheckContext, ask: AskModel
    ) -> _Grading:
        ids = [one.id for one in criteria]
        measured = [Measured(name, part.criterion.outcome == "passed", part.criterion.reason) for name, part in decided.items()]
        prompt = grader_prompt(self._rubric, criteria, measured, context)
        request = ModelRequest(
            model=self._model,
            system=(prompt.system,),
            messages=(Message("user", (Text(prompt.message),)),),
            max_output=self._max_output,
            answer_schema=answer_schema(ids),
            iteration=context.iteration,
        )
        said: list[str] = []
        model = refused = ""
        for _ in range(_ATTEMPTS):
            reply = await ask(request)
            said.append(reply.text)
            model = reply.model or self._model
            try:
                return _Grading(tuple(said), model, _taken(reply, ids))
            except Refused as error:
                refused = str(error)
                request = _again(request, reply, refused)
        return _Grading(tuple(said), model, refused=refused)

    def _verdict(self, spec: CheckSpec, parts: Sequence[_Part], grading: _Grading) -> Verdict:
        passed = sum(part.criterion.outcome == "passed" for part in parts)
        broke = any(part.criterion.outcome == "error" for part in parts)
        unjudged = grading.answer is not None and grading.answer.result == "failed"
        outcome: Outcome = "error" if broke else "unknown" if unjudged else "passed" if passed == len(parts) else "failed"
        findings = gravest_first([one for part in parts for one in part.findings])
        if unjudged and grading.answer is not None:
            findings.insert(0, found(spec, f"the rubric can't be judged: {grading.answer.explanation}", criterion="rubric"))
        return Verdict(
            check=spec.name,
            kind="rubric",
            outcome=outcome,
            score=share(passed, len(parts)),
            severity=spec.severity,
            findings=capped(spec, findings),
            criteria=tuple(part.criterion for part in parts),
        )


def _taken(reply: ModelReply, ids: Sequence[str]) -> Answer:
    if reply.stop == "max_output":
        raise Refused("it was cut off; be brief")
    if reply.stop == "refused":
        raise Refused("the model refused to grade")
    return read_answer(reply.text, ids)


def _again(request: ModelRequest, reply: ModelReply, refused: str) -> ModelRequest:
    """The same conversation, with the answer and why it can't be taken."""
    words = f"That answer can't be taken: {refused}. Grade again, each criterion exactly once, and answer with JSON only."
    turn = (Message("assistant", (Text(reply.text or "(nothing)"),)), Message("user", (Text(words),)))
    return structs.replace(request, messages=(*request.messages, *turn), session=reply.session)


async def _by_command(one: RubricCriterion, spec: CheckSpec, context: CheckContext) -> tuple[_Part, bytes]:
    severity = one.severity or spec.severity
    verdict, output = await run_command(structs.replace(spec, run=one.run, rubric=None, severity=severity), context)
    code = verdict.evidence.exit_code
    reason = verdict.findings[0].message if verdict.findings else f"`{one.run}` ended with exit code {code}"
    findings = tuple(structs.replace(each, criterion=one.id) for each in verdict.findings)
    return _Part(Criterion(one.id, verdict.outcome, reason), findings), output


def _by_grade(grade: Graded, one: RubricCriterion, spec: CheckSpec, checkout: Checkout) -> _Part:
    reason = plain_line(grade.reason, 1000)
    criterion = Criterion(one.id, grade.outcome, reason)
    if grade.outcome == "passed":
        return _Part(criterion)
    path, line = _place(grade, checkout)
    what = "not proven" if grade.outcome == "unknown" else "not met"
    finding = found(
        structs.replace(spec, severity=one.severity or spec.severity),
        f"{what}: {reason}",
        criterion=one.id,
        path=path,
        line=line,
        evidence=f"Criterion: {plain_line(one.text, 1000)}",
    )
    return _Part(criterion, (with_snippet(finding, checkout.snippet(path, line) if path else ""),))


def _place(grade: Graded, checkout: Checkout) -> tuple[str, int]:
    """Where the grader points, if there is such a file; a model's word for a path is not taken on trust."""
    path = checkout.relative((grade.path or "").strip())
    if path is None or checkout.kind(path) != "file":
        return "", 0
    return path, min(max(grade.line or 0, 0), _MOST_LINES)
