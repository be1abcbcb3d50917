"""What commands of a run see of the operator's environment: setup, tool calls and checks alike, in the run and before a merge.

Invariant: only variables that toolchains need to be found, and those that the loop file names. Keys and tokens are none of them.
"""

import os
from collections.abc import Iterable, Mapping

LET_THROUGH = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR", "VIRTUAL_ENV", "CONDA_PREFIX",
    "CONDA_DEFAULT_ENV", "PYENV_ROOT", "PYENV_VERSION", "NVM_DIR", "CARGO_HOME", "RUSTUP_HOME", "GOPATH", "GOROOT", "JAVA_HOME",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "XDG_CACHE_HOME", "LD_LIBRARY_PATH",
)  # fmt: skip


def environment(environ: Mapping[str, str], more: Iterable[str], python_bin: str, loop: str) -> dict[str, str]:
    """The variables of `environ` that a command of `loop` sees: `LET_THROUGH`, the locale, and those in `more` (`sandbox.env`).

    `python_bin`, the folder of our own interpreter, comes last on the PATH: the operator's tools win, ours are there at all.
    """
    seen = {name: value for name, value in environ.items() if name in LET_THROUGH or name.startswith("LC_")}
    seen.update({name: environ[name] for name in more if name in environ})
    seen["PATH"] = os.pathsep.join(part for part in (environ.get("PATH", os.defpath), python_bin) if part)
    seen.update({"TERM": "dumb", "NO_COLOR": "1", "GIT_TERMINAL_PROMPT": "0", "LOOPDECK_LOOP": loop})
    return seen
