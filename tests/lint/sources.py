#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the sources: include edges between the layers, calls that only the kernel layer may make, licence lines, words that
have no place here. Prints one line for each violation.
usage: sources.py layers|calls|licence|words [REPOSITORY]"""

import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent

# Calls that change something outside the process, or that look a path up by its name.
MUTATING = """
    mount umount umount2 move_mount open_tree fsopen fsconfig fsmount mount_setattr pivot_root chroot chdir fchdir
    open openat openat2 creat mkdir mkdirat rmdir symlink symlinkat link linkat unlink unlinkat rename renameat renameat2
    mknod mknodat mkfifo mkfifoat chown fchown lchown fchownat chmod fchmod fchmodat truncate ftruncate setxattr
    setns unshare clone clone3 fork vfork execve execveat execv execvp execvpe execl execlp fexecve posix_spawn
    system popen fopen freopen opendir realpath setuid setgid setresuid setresgid setgroups setsid capset prctl setrlimit
    prlimit sethostname setdomainname kill pidfd_send_signal pidfd_open ioctl bind connect listen accept accept4 socket
    socketpair sendmsg recvmsg memfd_create bpf keyctl syscall mkstemp tmpfile remove""".split()
CALL = re.compile(r"(?P<before>[\w>)\]&*]\s+|(?:\w*(?:<[^<>]*>)?::)|\.|->)?\b(?P<name>" + "|".join(MUTATING) + r")\s*\(")
LIBRARY = re.compile(r"std::filesystem::(?!path\b)|\bstd::(?:i|o)?fstream\b|#include <fstream>")
# Where the real calls live.
MAY_CALL = {"kernel", "finisher"}
# Words before a name that make it a call and not a declaration.
KEYWORDS = {"return", "co_return", "else", "do", "case", "throw", "and", "or", "not"}

# Written so that they are not found here themselves.
FORBIDDEN = [r"\bTO[D]O\b", r"\bFIX[M]E\b", r"\bXX[X]\b", r"\bHAC[K]\b", r"/wor[k]/", r"pypi[.]org", r"crates[.]io",
             r"npmjs[.]org", r"proxy[.]golang[.]org", r"deb[.]debian[.]org", r"repo1?[.]maven"]
SOURCE_ENDINGS = {".cpp", ".h", ".c", ".py", ".sh", ".cmake"}


def read(path):
    return path.read_text(errors="replace")


def sources(root):
    for folder in ("src", "include"):
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".cpp", ".h"):
                yield path


def layer_of(root, path):
    parts = path.relative_to(root).parts
    return parts[1] if len(parts) > 2 else "main"


def without_comments(text):
    """Comments and the content of strings as blanks; line numbers stay."""
    blank = lambda match: re.sub(r"[^\n]", " ", match.group())
    pattern = r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\''
    return re.sub(pattern, lambda match: blank(match) if match.group()[0] == "/" else '""' + blank(match)[2:], text,
                  flags=re.DOTALL)


def read_layers(root):
    allowed, libraries = {}, {}
    for line in read(HERE / "layers.txt").splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("library "):
            header, _, layers = line[len("library "):].partition(":")
            libraries[header.strip()] = set(layers.split())
        elif line:
            layer, _, others = line.partition(":")
            allowed[layer.strip()] = set(others.split())
    return allowed, libraries


def check_layers(root):
    allowed, libraries = read_layers(root)
    layers = set(allowed) - {"main"}
    for path in sources(root):
        own = layer_of(root, path)
        if own not in allowed:
            yield f"{path}: layer '{own}' is not in layers.txt"
            continue
        for number, line in enumerate(read(path).splitlines(), 1):
            match = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', line)
            if not match:
                continue
            header = match.group(1)
            other = header.split("/")[0]
            for library, users in libraries.items():
                if header.startswith(library) and own not in users:
                    yield f"{path}:{number}: layer '{own}' may not use {header}"
            if "/" not in header or other not in layers or other == own or "*" in allowed[own]:
                continue
            if other not in allowed[own] and header not in allowed[own]:
                yield f"{path}:{number}: layer '{own}' may not include {header}"


def is_call(match):
    """A declaration has a type before the name, a member or a wrapper has a qualifier; only ::name and bare name count."""
    before = (match.group("before") or "").strip()
    if before.endswith("::"):
        return before == "::" or before == "std::"
    if before in (".", "->"):
        return False
    if not before:
        return True
    word = re.search(r"(\w*)\s*$", match.string[:match.start("name")]).group(1)
    return word in KEYWORDS


def allowed_calls():
    allowed = set()
    for line in read(HERE / "raw_calls_allowed.txt").splitlines():
        words = line.split("#")[0].split()
        if words:
            if len(words) < 3:
                raise SystemExit(f"raw_calls_allowed.txt: no reason given: {line}")
            allowed.add((words[0].rstrip(":"), words[1]))
    return allowed


def check_calls(root):
    allowed = allowed_calls() if root == HERE.parents[1] else set()
    used = set()
    for path in sources(root):
        if layer_of(root, path) in MAY_CALL:
            continue
        name_of_file = str(path.relative_to(root))
        text = without_comments(read(path))
        # Functions, lambdas and parameters of the file's own that happen to have such a name.
        own = set(re.findall(r"^[\w:<>&* ]+?\b(\w+)\([^;{]*\)[^;{]*\{", text, re.MULTILINE))
        own |= set(re.findall(r"\bauto(?:\s+const)?&*\s+(\w+)", text))
        for match in CALL.finditer(text):
            name = match.group("name")
            qualified = (match.group("before") or "").strip() in ("::", "std::")
            if not is_call(match) or (name in own and not qualified):
                continue
            if (name_of_file, name) in allowed:
                used.add((name_of_file, name))
                continue
            line = text.count("\n", 0, match.start("name")) + 1
            yield f"{path}:{line}: {name}() belongs into the kernel layer"
        for match in LIBRARY.finditer(text):
            yield f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()} belongs into the kernel layer"
    for unused in sorted(allowed - used):
        yield f"raw_calls_allowed.txt: {unused[0]} does not call {unused[1]}"


def tracked(root):
    """Files that are, or would be, in the repository; in a folder that is none: all."""
    done = subprocess.run(["git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard"],
                          capture_output=True, text=True)
    names = done.stdout.splitlines() if done.returncode == 0 else [str(path.relative_to(root)) for path in root.rglob("*")]
    for name in names:
        if (root / name).is_file():
            yield root / name


def check_licence(root):
    for path in tracked(root):
        first_lines = "\n".join(read(path).splitlines()[:3])
        is_script = first_lines.startswith("#!")
        if path.suffix in SOURCE_ENDINGS or path.name == "CMakeLists.txt" or is_script:
            if "SPDX-License-Identifier: Apache-2.0" not in first_lines:
                yield f"{path}: no SPDX line among the first three"


def check_words(root):
    pattern = re.compile("|".join(FORBIDDEN))
    for path in tracked(root):
        if path.name == "LICENSE":
            continue
        for number, line in enumerate(read(path).splitlines(), 1):
            match = pattern.search(line)
            if match:
                yield f"{path}:{number}: '{match.group()}'"


def main():
    check = {"layers": check_layers, "calls": check_calls, "licence": check_licence, "words": check_words}[sys.argv[1]]
    root = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else HERE.parents[1]).resolve()
    violations = list(check(root))
    for violation in violations:
        print(violation)
    sys.exit(1 if violations else 0)


main()
