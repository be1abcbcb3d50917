"""A program that is an agent of its own: it asks a model with the vendor's HTTP API, and its tools are its own.

Run as `python outside_agent.py WAY`, with the instruction on its stdin; WAY says how it behaves. Written with the standard library, as
whatever an operator has at hand may be.
"""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path


def say(text: str) -> None:
    """A line of output."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def tell(**event: object) -> None:
    """A line that loopdeck understands."""
    say(json.dumps(event))


def ask_model(text: str, most: int = 500) -> dict[str, object]:
    """One call of the Messages API, at the address and with the key that the environment names."""
    body = {"model": os.environ["LOOPDECK_MODEL"], "max_tokens": most, "messages": [{"role": "user", "content": text}]}
    request = urllib.request.Request(
        f"{os.environ['ANTHROPIC_BASE_URL']}/v1/messages", json.dumps(body).encode(),
        {"content-type": "application/json", "x-api-key": os.environ["ANTHROPIC_API_KEY"], "anthropic-version": "2023-06-01"},
    )  # fmt: skip
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=60) as page:
        answer: dict[str, object] = json.load(page)
    return answer


def fix(prompt: str) -> None:
    """What a good agent does: asks its model, mends the file, tells what it did."""
    assert Path(os.environ["LOOPDECK_PROMPT_FILE"]).read_text("utf-8") == prompt
    tell(event="session", id="s-1")
    ask_model("What is to be done?")
    tell(event="tool_call", id="t1", tool="write_file", input={"path": "answer.txt", "content": "fixed"})
    Path("answer.txt").write_text("fixed\n", "utf-8")
    tell(event="tool_result", id="t1", output="written")
    ask_model("Is it done?")
    say("I have written answer.txt.")


def mend(prompt: str) -> None:
    """Mends a bug and tries it, telling of each call; asks its model before and after."""
    file = Path("calc.py")
    ask_model(f"What is wrong?\n{file.read_text('utf-8')}")
    tell(event="tool_call", id="t1", tool="edit_file", input={"path": "calc.py", "old": "a - b", "new": "a + b"})
    file.write_text(file.read_text("utf-8").replace("a - b", "a + b"), "utf-8")
    tell(event="tool_result", id="t1", output="replaced")
    tell(event="tool_call", id="t2", tool="bash", input={"command": "python3 -B try_calc.py"})
    tried = subprocess.run(["python3", "-B", "try_calc.py"], capture_output=True, text=True, check=False)
    tell(event="tool_result", id="t2", output=tried.stdout.strip(), is_error=tried.returncode != 0)
    ask_model("Is it done?")
    say(f"Mended: it adds now; {tried.stdout.strip()}; {'as edited' if sys.flags.dont_write_bytecode else 'as it was'}.")


def repeat(prompt: str) -> None:
    """Says what its model has said, word for word, and something of its own."""
    said = ask_model("What is to be done?")["content"]
    tell(event="text", text="".join(block["text"] for block in said))  # type: ignore[attr-defined]
    tell(event="text", text="I go on.")
    Path("answer.txt").write_text("fixed\n", "utf-8")


def spend(prompt: str) -> None:
    """Asks and asks; ends when it is refused."""
    for number in range(200):
        try:
            ask_model(f"Number {number}.")
        except urllib.error.HTTPError as error:
            say(f"refused: {error.code} {error.read().decode()}")
            return


def linger(prompt: str) -> None:
    """Leaves a process behind that outlives it if it can, then waits for ever."""
    subprocess.Popen(["setsid", "sh", "-c", "trap '' TERM INT HUP; while :; do sleep 1; done"], start_new_session=True)
    Path("begun.txt").write_text("x", "utf-8")
    time.sleep(600)


def keys(prompt: str) -> None:
    """Says what it finds of keys in its environment."""
    found = {name: value for name, value in os.environ.items() if "KEY" in name or "TOKEN" in name}
    Path("answer.txt").write_text(f"fixed {sorted(found.values())}\n", "utf-8")


def held(prompt: str) -> None:
    """Asks its model again and again, slowly, and counts the answers."""
    for number in range(8):
        ask_model(f"Number {number}.")
        with Path("count.txt").open("a") as file:
            file.write("x")
        time.sleep(0.1)
    Path("answer.txt").write_text("fixed\n", "utf-8")


def resumed(prompt: str) -> None:
    """Fails in its first process; goes on with its session in the second."""
    session = os.environ["LOOPDECK_SESSION"]
    if not session:
        tell(event="session", id="s-7")
        say("I fall over.")
        sys.exit(3)
    assert session == "s-7"
    assert "Go on where you stopped" in prompt
    Path("answer.txt").write_text("fixed\n", "utf-8")


def circle(prompt: str) -> None:
    """Makes the same call with the same result again and again."""
    for number in range(50):
        tell(event="tool_call", id=f"c{number}", tool="bash", input={"command": "make"})
        tell(event="tool_result", id=f"c{number}", output="make: nothing to do", is_error=True)
        time.sleep(0.05)
    time.sleep(60)


def own_figures(prompt: str) -> None:
    """Tells what it took by its own word, twice the same."""
    for _ in range(2):
        tell(event="usage", id="r1", model="claude-sonnet-4-5", input=1000, output=100, cache_read=5000)
    Path("answer.txt").write_text("fixed\n", "utf-8")


def noisy(prompt: str) -> None:
    """Says a lot, some of it hostile, none of it JSON."""
    sys.stdout.buffer.write(b"{not json\n\x1b]52;c;aGk=\x07\xff\xfe\n" + b"y" * 3_000_000 + b"\n")
    sys.stdout.flush()
    Path("answer.txt").write_text("fixed\n", "utf-8")


def neighbour(prompt: str) -> None:
    """Reaches the server whose port is in the repository, and no other."""
    port = int(Path("port.txt").read_text("utf-8"))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}/ledger", timeout=10) as page:
        Path("answer.txt").write_text(f"fixed {page.read().decode()}\n", "utf-8")
    try:
        opener.open(f"http://127.0.0.1:{port + 1}/ledger", timeout=2)
    except OSError:
        return
    Path("answer.txt").write_text("wrong: another port answers\n", "utf-8")


WAYS = {one.__name__: one for one in (fix, mend, repeat, spend, linger, keys, held, resumed, circle, own_figures, noisy, neighbour)}

if __name__ == "__main__":
    WAYS[sys.argv[1]](sys.stdin.read())
