"""What a loop's file says that a row shows: who makes, what starts it, which of the four layers are on. Pure."""

from typing import NamedTuple

from loopdeck.core.spec import LoopSpec, Trigger

Layers = tuple[int, ...]


class Facts(NamedTuple):
    """Of one loop, or of one run as it was frozen: `trigger` is what starts it besides a person, in words."""

    agent: str = ""
    model: str = ""
    level: str = ""
    trigger: str = ""
    layers: Layers = ()


UNKNOWN = Facts()
"""Of a loop whose file has not been read yet, or can't be."""


def facts_of(spec: LoopSpec) -> Facts:
    """What `spec` says."""
    return Facts(spec.maker.agent, spec.maker.model, spec.level, trigger_words(spec.trigger), layers_of(spec))


def layers_of(spec: LoopSpec) -> Layers:
    """Which of the four layers are on, each around the one before.

    1: a maker with tools; 2: checks that send it back; 3: something that starts it with nobody there; 4: a climb, in which variants
    are tried, measured and kept only if they are better.
    """
    on = (
        # Outside agents bring tools of their own.
        bool(spec.maker.tools) or bool(spec.maker.connectors) or spec.maker.agent not in ("anthropic", "openai", "scripted"),
        bool(spec.checks),
        spec.trigger.scheduled and spec.trigger.enabled,
        spec.experiment is not None,
    )
    return tuple(number for number, is_on in enumerate(on, 1) if is_on)


def trigger_words(trigger: Trigger) -> str:
    """What starts the loop, in a few words; empty if only a person does."""
    words = [
        f"cron {trigger.cron}" if trigger.cron else "",
        f"every {_duration(trigger.every_s)}" if trigger.every_s else "",
        f"watch {', '.join(trigger.watch)}" if trigger.watch else "",
        " ".join((f"webhook {trigger.webhook}", *trigger.on)) if trigger.webhook else "",
        f"message {trigger.message}" if trigger.message else "",
        f"after {trigger.after}" if trigger.after else "",
        f"git {trigger.git}" if trigger.git else "",
    ]
    said = ", ".join(one for one in words if one)
    return f"{said} (off)" if said and not trigger.enabled else said


def _duration(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= size and not seconds % size:
            return f"{seconds / size:g}{unit}"
    return f"{seconds:g}s"
