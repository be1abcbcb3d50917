"""The gate as a runner keeps it: what the rules say of a call, what a person is asked, and whether their yes still holds.

The same for every agent's calls, ours and an outside agent's. Invariant: a grant is durable before its call runs, and a person's yes
counts for the call they saw and no other.
"""

from collections.abc import Callable

from msgspec import Struct, structs

from loopdeck.core import events as ev
from loopdeck.core import gate
from loopdeck.core.conversation import ToolUse
from loopdeck.core.findings import Problem
from loopdeck.core.run import Call
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
        approval = f"{self._record.run.id}-{len(self._record.run.approvals) + 1}"
        self._record.happened(
            ev.ApprovalRequested(
                approval, use.id, use.tool, gate.summary(use.tool, use.arguments), use.arguments, str(self._site.workplace.path),
                ruling.rule, ruling.tier, self._site.digest(use.tool, use.arguments), ruling.reason, walls=self._site.walls,
            ),
            durable=True,
        )  # fmt: skip

    def approved(self, call: Call, use: ToolUse, misfit: Callable[[ToolUse], str] = lambda use: "") -> Yes:
        """A person said yes to `call`: see that `use` still is what they saw, and that what they edited may run.

        `misfit` says what is wrong with a call's arguments, or nothing.
        """
        approval = self._record.run.approvals[call.approval]
        edited = bool(call.arguments)
        asked = structs.replace(use, arguments=approval.arguments) if edited else use
        if self._site.digest(asked.tool, asked.arguments) != approval.digest:
            again = structs.replace(self.ruling(use), reason="the call is no longer the one that was approved")
            return Yes(use, again=again)
        use = structs.replace(use, arguments=call.arguments or use.arguments)
        wrong = misfit(use)
        if wrong:
            return Yes(use, "operator", refused=f"the edited arguments make no sense: {wrong}")
        ruling = self.ruling(use)
        if ruling.verdict == "deny":
            return Yes(use, ruling.rule, refused=f"as edited, {ruling.reason}")
        return Yes(use, f"approval {approval.id}", approval.id)
