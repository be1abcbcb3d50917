"""What the words of a command can do that its name does not say: options that run or overwrite something, and how grave a command is.

A rule that lets `find` or `git log` through means the program as it is known, not `find -exec` or `git log --output`. Such words are
fine where the rule itself spells them out; beyond the words of the rule they make the call one for a person to see.
"""

import re
from collections.abc import Callable, Sequence


def _words(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


SHELLS = _words("sh bash dash zsh ksh fish ash busybox")
SOURCING = _words("eval source . trap")
WRAPPERS = _words(
    "env xargs sudo doas su runuser nice ionice nohup timeout stdbuf setsid exec command builtin chroot unshare nsenter",
    "strace ltrace gdb watch parallel flock script ssh time npx uvx",
)
"""Programs that run what some of their words say."""
_TAME_BUILTINS = _words(
    ": true false echo pwd cd pushd popd dirs type times help exit return break continue shift kill hash umask ulimit alias unalias",
    "bg fg disown suspend logout caller shopt",
)
"""Builtins of a shell that take literal words for what they are."""
_SUBSCRIPTS = _words("test [ printf")
"""Builtins that evaluate a word as the name of a variable, with commands in its subscript, if an option says that it is one."""
_EVALUATING = _words(
    "declare typeset local export readonly unset let read readarray mapfile getopts wait set compgen complete compopt bind enable",
    "history fc jobs coproc",
)
"""Builtins that evaluate, load or run what their words say: `let 'a[$(id)]'` runs `id`."""
BEFORE_A_COMMAND = _words("exec run foreach -exec -execdir -ok -okdir -x -X --exec --exec-batch --")
"""Words of any program after which another command may start."""
INTERPRETERS = re.compile(r"(?:python|pypy|perl|ruby|node|nodejs|deno|bun|php|lua|Rscript|osascript|tclsh|pwsh)[\d.]*")

BUILTINS = _TAME_BUILTINS | _SUBSCRIPTS | _EVALUATING | SOURCING | _words("exec command builtin")
"""Names that a shell looks for in itself before it looks for a program."""

_OPTIONS: dict[str, tuple[str, ...]] = {
    "find": ("-exec", "-execdir", "-ok", "-okdir", "-delete", "-fprint", "-fprint0", "-fprintf", "-fls"),
    **dict.fromkeys(("fd", "fdfind"), ("-x", "-X", "--exec", "--exec-batch")),
    "rg": ("--pre", "--hostname-bin"),
    "ag": ("--pager",),
    "sort": ("-o", "--output", "--compress-program"),
    "shuf": ("-o", "--output"),
    "split": ("--filter",),
    "install": ("--strip-program",),
    "cmake": ("-P", "-E", "-C"),
    "fzf": ("--preview", "--bind", "--become"),
    "bat": ("--pager",),
    "batcat": ("--pager",),
    "file": ("-C", "--compile", "-m", "--magic-file"),
    "ssh-keygen": ("-D", "-f"),
    "java": ("-javaagent", "-agentpath", "-agentlib", "-XX:OnError", "-XX:OnOutOfMemoryError"),
    "psql": ("-c", "-f", "-o", "-L", "--command", "--file", "--output"),
    "mysql": ("-e", "--execute", "--pager", "--tee"),
    "tar": (
        *("-I", "-F", "--checkpoint-action", "--to-command", "--use-compress-program", "--rsh-command", "--rmt-command"),
        *("--info-script", "--new-volume-script"),
    ),
    "zip": ("-T", "--unzip-command"),
    "curl": (
        *("-o", "-O", "-K", "-T", "-F", "-d", "-D", "-c", "-E", "--output", "--remote-name", "--config", "--upload-file", "--form"),
        *("--data", "--data-binary", "--data-raw", "--data-ascii", "--data-urlencode", "--url-query", "--json", "--form-string"),
        *("--dump-header", "--cookie-jar", "--trace", "--trace-ascii", "--stderr", "--libcurl", "--hsts", "--alt-svc", "--etag-save"),
    ),
    **dict.fromkeys(("nc", "ncat", "netcat"), ("-e", "-c", "--exec", "--sh-exec")),
    "yarn": ("plugin", "dlx", "exec", "node", "--cwd"),
    "pip": ("--index-url", "--extra-index-url", "--config-settings", "-i", "--target", "--editable"),
    "wget": ("-O", "-e", "-i", "-P", "--output-document", "--execute", "--post-file", "--use-askpass", "--config"),
    "man": ("-P", "-H", "-C", "--pager", "--html", "--config-file"),
    "rsync": ("-e", "--rsh", "--rsync-path"),
    "scp": ("-S", "-o", "-F"),
    "make": ("-f", "-C", "-E", "-I", "--file", "--makefile", "--directory", "--eval", "--include-dir"),
    "go": ("-exec", "-toolexec", "-vettool", "-o"),
    "cargo": ("--config", "--manifest-path"),
    "npm": ("-C", "--prefix", "--script-shell", "--node-options"),
    "pandoc": ("-F", "-L", "-o", "--filter", "--lua-filter", "--output", "--pdf-engine"),
    **dict.fromkeys(("gcc", "g++", "cc", "c++", "clang", "clang++"), ("-wrapper", "-B", "-fplugin", "-specs", "-Xclang")),
    "tree": ("-o",),
    "xxd": ("-r",),
    "date": ("-s", "--set"),
    "less": ("-o", "-O", "-k"),
}
_GIT_BEFORE = ("-c", "-C", "-p", "--config-env", "--exec-path", "--git-dir", "--work-tree", "--paginate")
_GIT = (
    *("--upload-pack", "--receive-pack", "--exec", "--open-files-in-pager", "--ext-diff", "--textconv", "--output", "--extcmd"),
    *("--template", "--separate-git-dir", "--config", "--edit", "--edit-description", "--strategy"),
    *("--sendmail-cmd", "--smtp-server", "--to-cmd", "--cc-cmd", "--header-cmd", "--exec-path", "--remote"),
)
_GIT_SHORT = {"rebase": ("-x",), "grep": ("-O",), "clone": ("-u", "-c"), "archive": ("-o",), "format-patch": ("-o",)}
_GIT_RUNS = frozenset({"config", "difftool", "mergetool", "filter-branch", "bisect", "submodule", "alias", "help", "web--browse"})
_SED_HARMLESS = re.compile(r"[\d,$]*p|/[^/;{}]*/p|[\d,$]*s/(?:[^/\\;]|\\[^\n])*/(?:[^/\\;]|\\[^\n])*/[gpI\d]*")

_QUIET = _words("ls cat head tail wc pwd echo true false test which stat file du df basename dirname realpath grep diff")
_GRAVE = _words(
    "sudo doas su ssh scp sftp rsync curl wget nc ncat socat telnet ftp dd mkfs fdisk mount umount chown chroot kill pkill",
    "killall shutdown reboot systemctl service crontab at docker podman kubectl helm terraform pulumi ansible",
    "ansible-playbook aws gcloud az gh glab heroku flyctl vercel netlify twine eval exec shred mail sendmail iptables",
    "launchctl osascript",
)
_GRAVE_WORDS = {
    "git": frozenset({"push", "clean", "reset", "filter-branch", "update-ref", "gc", "reflog"}),
    "npm": frozenset({"publish", "unpublish", "login"}),
    "yarn": frozenset({"publish", "login"}),
    "pnpm": frozenset({"publish", "login"}),
    "cargo": frozenset({"publish", "login", "yank"}),
    "gem": frozenset({"push", "yank"}),
    "poetry": frozenset({"publish"}),
    "uv": frozenset({"publish"}),
    "make": frozenset({"deploy", "publish", "release"}),
}


def name_of(word: str) -> str:
    """The program a command word names, without its folder."""
    return word.rpartition("/")[2]


def beyond(words: Sequence[str], spelled: int) -> str:
    """The first word of a plain command beyond the `spelled` ones of a rule that can run or overwrite something; empty if none can."""
    name = name_of(words[0])
    rest = words[spelled:]
    if not rest:
        return ""
    if name in _EVALUATING:
        return rest[0]
    if name in WRAPPERS or name in SHELLS or name in SOURCING or INTERPRETERS.fullmatch(name):
        return _unspelled(name, words, spelled)
    special = _SPECIAL.get(name)
    if special:
        return special(words, spelled)
    return next((word for word in rest if _any_option(word, _OPTIONS.get(name, ()))), "")


def evaluated(name: str, words: Sequence[str]) -> bool:
    """True if the builtin `name` may evaluate one of its `words`, and run the commands in it."""
    return name in _EVALUATING or (name in _SUBSCRIPTS and any(_names_variable(word) for word in words))


def grave(name: str, words: Sequence[str]) -> bool:
    """True if a command is known to reach out of the machine, to need special rights, or to destroy what can't be brought back."""
    if name in _GRAVE or _GRAVE_WORDS.get(name, frozenset()).intersection(words):
        return True
    return name in {"rm", "chmod"} and any(re.match(r"-\w*[rRf]|--rec|--force", word) for word in words)


def quiet(words: Sequence[str]) -> bool:
    """True if a plain command is known only to look."""
    return name_of(words[0]) in _QUIET and not beyond(words, 1)


def _any_option(word: str, options: Sequence[str]) -> bool:
    return any(_is_option(word, option) for option in options)


def _is_option(word: str, option: str) -> bool:
    if option.startswith("--"):
        # Long options may be cut to what tells them apart.
        head = word.partition("=")[0]
        return len(head) > 2 and option.startswith(head)
    if len(option) == 2:
        return re.match(rf"-[A-Za-z0-9]*{option[1]}", word) is not None
    return word == option or word.startswith((option + "=", option + ":"))


def _names_variable(word: str) -> bool:
    return word.startswith(("-v", "-R"))


def _subscripts(words: Sequence[str], spelled: int) -> str:
    return words[spelled] if any(_names_variable(word) for word in words[1:]) else ""


def _uniq(words: Sequence[str], spelled: int) -> str:
    # Its second operand is the file that it overwrites.
    operands = [at for at, word in enumerate(words) if at and not re.match(r"[-+].", word)]
    return words[operands[1]] if len(operands) > 1 and operands[1] >= spelled else ""


def _statements(words: Sequence[str], spelled: int) -> str:
    return next(
        (word for word in words[spelled:] if re.search(r"^\s*\.|[\r\n]\.|readfile|writefile|load_extension|-cmd|-init", word)), ""
    )


def _unspelled(name: str, words: Sequence[str], spelled: int) -> str:
    """Programs that run what they are given: fine if the rule itself says what that is."""
    named = [word for word in words[1:spelled] if not word.startswith("-") and not re.fullmatch(r"[\d.]+[smhd]?|\w+=.*", word)]
    if named or "-m" in words[1:spelled]:
        return ""
    if INTERPRETERS.fullmatch(name):
        codes = ("-c", "-e", "-E", "-p", "-r", "-i", "-X", "--eval", "--print", "--require", "--import")
        return next((word for word in words[spelled:] if _any_option(word, codes)), "")
    return words[spelled]


def _git(words: Sequence[str], spelled: int) -> str:
    command = next((at for at, word in enumerate(words) if at and not word.startswith("-")), len(words))
    name = words[command] if command < len(words) else ""
    for at in range(spelled, len(words)):
        word = words[at]
        if at < command and _any_option(word, _GIT_BEFORE):
            return word
        if at == command and word in _GIT_RUNS:
            return word
        if _any_option(word, _GIT) or _any_option(word, _GIT_SHORT.get(name, ())) or "::" in word:
            return word
    return ""


def _sed(words: Sequence[str], spelled: int) -> str:
    for at in range(spelled, len(words)):
        word = words[at]
        if word.startswith("-"):
            if not re.fullmatch(r"-[nErsuz]+|--(?:quiet|silent|regexp-extended|posix)", word):
                return word
            continue
        scripts = [one for one in words[1:at] if not one.startswith("-")]
        if not scripts and not _SED_HARMLESS.fullmatch(word):
            return word
    return ""


def _awk(words: Sequence[str], spelled: int) -> str:
    doubtful = re.compile(r"system|getline|[|>@]|-f|-i|-l|-E|--file|--include|--load|--exec")
    return next((word for word in words[spelled:] if doubtful.search(word)), "")


def _make(words: Sequence[str], spelled: int) -> str:
    return next((word for word in words[spelled:] if "=" in word or _any_option(word, _OPTIONS["make"])), "")


def _tar(words: Sequence[str], spelled: int) -> str:
    # The oldest form writes its options without a dash: `tar xIf ...`.
    bundled = [f"-{word}" if at == 1 and not word.startswith("-") else word for at, word in enumerate(words)]
    return next((word for word in bundled[spelled:] if _any_option(word, _OPTIONS["tar"])), "")


def _editor(words: Sequence[str], spelled: int) -> str:
    return words[spelled]


_SPECIAL: dict[str, Callable[[Sequence[str], int], str]] = {
    "git": _git,
    "sed": _sed,
    "gsed": _sed,
    "awk": _awk,
    "gawk": _awk,
    "mawk": _awk,
    "nawk": _awk,
    **dict.fromkeys(_SUBSCRIPTS, _subscripts),
    "uniq": _uniq,
    "sqlite3": _statements,
    "make": _make,
    "gmake": _make,
    "tar": _tar,
    **dict.fromkeys(("vi", "vim", "nvim", "view", "ex", "ed", "emacs", "nano"), _editor),
}
