"""The gate as a runner keeps it: what the rules say of a call, what a person is asked, and whether their yes still holds.

The same for every agent's calls, ours and an outside agent's. Invariant: a grant is durable before its call runs, and a person's yes
counts for the call they saw and no other.
"""

from collections.abc import Callable

from msgspec import Struct, structs

from loopdeck.core import binding, gate
from loopdeck.core import events as ev
from loopdeck.core.binding import Parts
from loopdeck.core.conversation import ToolUse
from loopdeck.core.findings import Problem
from loopdeck.core.run import Approval, Call
from loopdeck.runner.gating import Gating
from loopdeck.runner.site import Site


class Yes(Struct, frozen=True):
    """What a person's yes comes to: `use` may run; or it is `refused`, and why; or it has to be asked for `again`."""

    use: ToolUse
    rule: str = ""
    approval: str = ""
    refused: str = ""
    again: gate.Ruling | None = None


class Desk:
    """Weighs calls and writes down what becomes of them."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._record = site.record
        self._gating = Gating(site)
        self._granted: dict[str, Parts] = {}

    def ruling(self, use: ToolUse) -> gate.Ruling:
        """What the rules say, as they hold now. No rule lets a connector's tool through that is no longer what it was."""
        ruling = self._gating.judged(use.tool, use.arguments)
        doubt = self._site.connected.doubt(use.tool)
        return structs.replace(ruling, verdict="ask", rule="connector", reason=doubt) if doubt and ruling.verdict == "allow" else ruling

    def grant(self, use: ToolUse, rule: str, approval: str = "") -> None:
        """The call may run, once."""
        self._record.happened(ev.ToolCallGranted(use.id, use.tool, rule, approval), durable=True)

    def refuse(self, use: ToolUse, why: str, rule: str, problem: Problem | None = None) -> None:
        """The call may not run."""
        self._record.happened(ev.ToolCallRefused(use.id, use.tool, rule, why, problem))

    def ask(self, use: ToolUse, ruling: gate.Ruling) -> None:
        """Put the call before a person."""
        run = self._record.run
        approval = f"{run.id}-{len(run.approvals) + 1}"
        bound = self._gating.bound(use.tool, use.arguments)
        self._record.happened(
            ev.ApprovalRequested(
                approval, use.id, use.tool, gate.summary(use.tool, use.arguments), use.arguments, str(self._site.workplace.path),
                ruling.rule, ruling.tier, binding.digest(f"{approval} in life {run.life}", bound), ruling.reason,
                self._record.later(binding.LASTS_S), self._site.walls, bound,
            ),
            durable=True,
        )  # fmt: skip

    def approved(self, call: Call, use: ToolUse, misfit: Callable[[ToolUse], str] = lambda use: "") -> Yes:
        """A person said yes to `call`: see that `use` still is what they saw, and that what they edited may run.

        `misfit` says what is wrong with a call's arguments, or nothing.
        """
        approval = self._record.run.approvals[call.approval]
        wrong = misfit(structs.replace(use, arguments=call.arguments or use.arguments))
        if wrong:
            return Yes(use, "operator", refused=f"the edited arguments make no sense: {wrong}")
        doubt = binding.stale(approval, self._record.now()) or self._changed(approval, call, use)
        if doubt:
            return Yes(use, again=structs.replace(self.ruling(use), reason=f"asked again: {doubt}"))
        use = structs.replace(use, arguments=call.arguments or use.arguments)
        ruling = self.ruling(use)
        if ruling.verdict == "deny":
            return Yes(use, ruling.rule, refused=f"as edited, {ruling.reason}")
        self._granted[call.id] = self._gating.bound(use.tool, use.arguments)
        return Yes(use, f"approval {approval.id}", approval.id)

    def changed(self, call: Call, use: ToolUse) -> gate.Ruling | None:
        """Whether a call that a person allowed has to be asked for again at the moment it starts; None if it may start."""
        approval = self._record.run.approvals.get(call.approval)
        if approval is None or not approval.approved:
            return None
        before = self._granted.pop(call.id, None)
        doubt = binding.stale(approval, self._record.now())
        if not doubt and before is not None:
            doubt = "; ".join(binding.differences(before, self._gating.bound(use.tool, use.arguments)))
        elif not doubt:
            doubt = self._changed(approval, call, use)
        return structs.replace(self.ruling(use), reason=f"asked again: {doubt}") if doubt else None

    def is_same(self, approval: Approval, use: ToolUse) -> bool:
        """True if the question was about this call: the tool and the arguments, whatever else may have changed since."""
        return approval.tool == use.tool and binding.canonical(approval.arguments) == binding.canonical(use.arguments)

    def _changed(self, approval: Approval, call: Call, use: ToolUse) -> str:
        """What has changed since the question was asked, or since its arguments were edited; empty if nothing has."""
        asked = structs.replace(use, arguments=approval.arguments) if call.arguments else use
        found = binding.differences(approval.bound, self._gating.bound(asked.tool, asked.arguments))
        if call.arguments:
            found = (*found, *binding.differences(approval.edited, self._gating.files(use.tool, call.arguments)))
        return "; ".join(dict.fromkeys(found))
