"""What leads out of a command's sandbox: the ports that it was promised, and the proxy where hosts are listed for it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from loopdeck.core import hosts
from loopdeck.errors import WorkspaceError
from loopdeck.sandbox.inlets import Serve, onward
from loopdeck.sandbox.port import Command, OnReached, Reached


@dataclass(frozen=True, slots=True)
class Ways:
    """Ports within the sandbox with what serves them, and the variables that tell of them. `refusals` grow while it runs."""

    served: Mapping[int, Serve]
    env: Mapping[str, str]
    refusals: Callable[[], tuple[str, ...]]


def ways(command: Command, listed: Sequence[str], tell: OnReached | None) -> Ways:
    """What `command` gets: its forwards, and the hosts `listed` for it as loop files write them."""
    served = {one.inside_port: onward(one) for one in command.forwards}
    if not listed:
        return Ways(served, {}, tuple)
    # The proxy brings an HTTP parser, which most runs never need.
    from loopdeck.sandbox.hostproxy import PORT, HostProxy, variables

    key = "setup_network" if command.role == "setup" else "network"
    proxy = HostProxy([one for name in listed if (one := hosts.parse(name))], key, command.role, tell or _unheard)
    return Ways({**proxy.straight(), **served, PORT: proxy.serve}, variables(), lambda: proxy.refusals)


def same_ports(command: Command) -> None:
    """Raise WorkspaceError if the command was promised a port that it can't have where it shares the machine's network."""
    for one in command.forwards:
        if one.inside_port != one.target[1]:
            raise WorkspaceError(f"{one.name}: without a network of its own a command can't be given port {one.inside_port}")


def _unheard(reached: Reached) -> None:
    """Nobody keeps a record of it."""
