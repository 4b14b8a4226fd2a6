"""Every system call of a cached `get`, from strace, each with its reason from a table kept by hand."""

import re
import subprocess
from typing import Dict, List, Tuple

from .hyper import Case

# The first row whose pattern is found in the call's line is its reason.
REASONS: List[Tuple[str, str]] = [
    (r"^execve", "the process"),
    (r"^(arch_prctl|set_tid_address)", "musl: thread-local storage of the one thread"),
    (
        r"^poll\(\[\{fd=0, events=0\}",
        "Rust's start: a standard stream that is closed is opened on /dev/null, so that no file takes its number",
    ),
    (r"^rt_sigaction\(SIGPIPE", "Rust's start: a reader that has gone is an error and no signal"),
    (
        r"^(sigaltstack|rt_sigaction\(SIG(SEGV|BUS)|rt_sigprocmask)",
        "Rust's start and end: the guard that names a stack overflow",
    ),
    (r"MAP_STACK|^mprotect\(0x[0-9a-f]+, 4096, PROT_NONE", "Rust's start: the stack that this guard runs on"),
    (r"^prctl\(PR_SET_DUMPABLE", "no core dump, and no look into memory by a neighbour of the same user"),
    (r"^prctl\(0x41555856|^prctl\(PR_GET_AUXV", "the kernel's vector with the clock's page, for the boot clock"),
    (r"^(brk|mmap|munmap|madvise)", "memory"),
    (r"^ioctl\(0, TIOCGWINSZ", "is standard input a terminal? Then nobody will write a server URL"),
    (r"^(ppoll|poll)\(\[\{fd=0, events=POLLIN", "the wait for the server URL has a deadline"),
    (r"^read\(0", "the server URL, to its end"),
    (r'"/etc/beta9/credential-helper.toml"', "the system's configuration"),
    (r"\.config/beta9/credential-helper.toml", "the user's configuration"),
    (r"/credentials(/[0-9a-f]+)?\",", "the store's directory: nobody else may write to it"),
    (r"\.3\.sealed", "has a newer version stored a secret for this host?"),
    (r"\.sealed", "the sealed secret of this host"),
    (r"/credentials\.key", "the key that opens it"),
    (r"\.cache/beta9/tokens\"", "the cache's directory: nobody else may write to it"),
    (r"tokens/key", "the key of the cache"),
    (r"\.token", "the token, under the name that its secret and host give"),
    (r"^fcntl\(\d+, F_SETFD", "musl: close-on-exec once more, for kernels older than O_CLOEXEC"),
    (r"^uname", "the node's name: each node renews a token at its own point"),
    (r"^stat\(\"", "the home directory: somebody else's counts as none"),
    (r"^lstat\(", "a directory on the way to a file: whoever may write to it could replace the file"),
    (r"^(fstat|statx|newfstatat)\(", "the open file: its owner, who may read it, and its size"),
    (r"^geteuid", "who its owner has to be"),
    (r"^read\(\d+, \"\"", "the file's end"),
    (r"^read\(", "the file"),
    (r"^pread64\(", "the file"),
    (r"^close", "the file is read"),
    (r"^getrandom", "the standard library's hash tables are seeded"),
    (r"^(clock_gettime|clock_gettime64)", "the time, to see whether the token is still good"),
    (r"^write\(1", "the answer"),
    (r"^exit_group", "the end"),
]


def report(case: Case) -> str:
    """The document."""
    lines = trace(case)
    counts: Dict[str, int] = {}
    for line in lines:
        counts[line.split("(")[0]] = counts.get(line.split("(")[0], 0) + 1
    out = [
        "# Every system call of a cached `get`, and its reason",
        "",
        "The token of an ECR host from the cache, its keys in the built-in store, a configuration with one rule.",
        f"Made by `benches/run`: `strace {' '.join(short(word, case) for word in case.command)}`. {len(lines)} calls: "
        + ", ".join(f"{count} {name}" for name, count in sorted(counts.items(), key=lambda pair: -pair[1]))
        + ".",
        "",
        "| call | reason |",
        "|---|---|",
    ]
    for line in lines:
        reason = next((reason for pattern, reason in REASONS if re.search(pattern, line)), "**none is known**")
        text = short(line, case).replace("|", "\\|")
        out.append(f"| `{text}` | {reason} |")
    return "\n".join(out) + "\n"


def trace(case: Case) -> List[str]:
    """The calls, in their order."""
    with open(case.input, "rb") as text:
        command = ["strace", "-f", "-s", "24", *case.command]
        done = subprocess.run(command, env=case.env, stdin=text, capture_output=True, text=True, check=True)
    return [line for line in done.stderr.splitlines() if re.match(r"\w+\(", line)]


def short(line: str, case: Case) -> str:
    """Without what differs from run to run."""
    line = line.replace(case.env["HOME"], "~").replace(case.command[0], "docker-credential-beta9")
    line = re.sub(r"\[\"/[^\"]*\"\.*, ", '["docker-credential-beta9", ', line)
    line = re.sub(r"0x[0-9a-f]{6,}", "0x…", line)
    line = re.sub(r"[0-9a-f]{16,}(-[0-9a-f]{16,})?(?=[./\"])", "…", line)
    line = re.sub(r", sa_restorer=[^}]*|, 0x… /\* \d+ vars? \*/", "", line)
    line = re.sub(r"(read\((?!0)\d+, )\"(?!\")(?:[^\"\\]|\\.)*\"\.*", r'\1"…"', line)
    line = re.sub(r"(getrandom\()\"[^\"]*\"", r'\1"…"', line)
    line = re.sub(r"tv_n?sec=\d+", lambda found: found[0].split("=")[0] + "=…", line)
    line = re.sub(r"(set_tid_address.* = )\d+", r"\1…", line)
    return re.sub(r"\s+= ", " = ", line)


def unexplained(text: str) -> int:
    """How many have no reason."""
    return text.count("**none is known**")
