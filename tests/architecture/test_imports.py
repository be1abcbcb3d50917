"""Each module alone in a fresh interpreter: it imports, and the pure core loads nothing that could do anything."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
IMPURE = ("asyncio", "socket", "threading", "multiprocessing", "textual", "rich", "anthropic", "openai", "git", "psutil", "httpx2")
_EACH = """
import importlib, os, sys
# What is not ours is loaded once for all of them.
for name in sys.argv[1:]:
    importlib.import_module(name)
for name in [name for name in sys.modules if name.partition(".")[0] == "loopdeck"]:
    del sys.modules[name]
for name in sys.argv[1:]:
    child = os.fork()
    if not child:
        try:
            importlib.import_module(name)
        except BaseException as error:
            sys.stderr.write(f"{name}: {error!r}\\n")
            os._exit(1)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        sys.exit(1)
"""


def modules(folder: str) -> list[str]:
    files = sorted((ROOT / "loopdeck" / folder).rglob("*.py"))
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files if "_shipped" not in file.parts]
    return [name.removesuffix(".__init__") for name in names if not name.endswith("__main__")]


def test_every_module_can_be_the_first_to_be_imported():
    done = subprocess.run([sys.executable, "-c", _EACH, *modules(".")], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr


def test_the_core_loads_nothing_that_acts():
    looking = "import importlib, sys; [importlib.import_module(n) for n in sys.argv[1:]]; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", looking, *modules("core")], capture_output=True, text=True, cwd=ROOT, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & set(IMPURE)
    ours = {name.split(".")[1] for name in loaded if name.startswith("loopdeck.") and name.count(".")}
    assert ours <= {"core", "errors"}
