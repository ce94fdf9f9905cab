#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Shows that the checks can fail: each gets a bad sample, and most a good one.
set -euo pipefail
lint=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repository=$(cd "$lint/../.." && pwd)
work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
problems=0

must_fail() {
    if "$@" >"$work/output" 2>&1; then
        echo "not noticed by $*: $(cat "$work/sample" 2>/dev/null)"
        problems=1
    fi
}
must_pass() {
    if ! "$@" >"$work/output" 2>&1; then
        echo "wrongly refused by $*: $(cat "$work/output")"
        problems=1
    fi
}

# tree FILE TEXT: a tree with this one file; bad and good: CHECK FILE TEXT
tree() {
    rm -rf "$work/tree"
    mkdir -p "$(dirname "$work/tree/$1")"
    printf '%s\n' "$2" | tee "$work/sample" >"$work/tree/$1"
}
bad() {
    tree "$2" "$3"
    must_fail "$lint/sources.py" "$1" "$work/tree"
}
good() {
    tree "$2" "$3"
    must_pass "$lint/sources.py" "$1" "$work/tree"
}

bad layers src/plan/x.cpp '#include "kernel/fd.h"'
bad layers src/base/x.cpp '#include "kernel/fd.h"'
bad layers include/kernel/x.h '#include "spec/spec.h"'
bad layers src/perform/x.cpp '#include "plan/plan.h"'
bad layers src/perform/x.cpp '#include "finisher/other.h"'
bad layers src/finisher/x.cpp '#include "base/text.h"'
bad layers src/plan/x.cpp '#include <nlohmann/json.hpp>'
bad layers src/state/x.cpp '#include <seccomp.h>'
bad layers src/newlayer/x.cpp 'int x;'
good layers src/perform/x.cpp '#include "finisher/protocol.h"'
good layers src/commands/x.cpp '#include "kernel/fd.h"'
good layers src/spec/x.cpp '#include <nlohmann/json.hpp>'

bad calls src/perform/x.cpp 'void f() { ::mount("a", "b", "c", 0, nullptr); }'
bad calls src/perform/x.cpp 'int f() { return open("/etc/passwd", 0); }'
bad calls src/state/x.cpp 'void f() { int const fd = openat(3, "x", 0); }'
bad calls src/commands/x.cpp 'void f() { if (unlink("x") != 0) return; }'
bad calls src/commands/x.cpp 'void f() { std::rename("a", "b"); }'
bad calls src/plan/x.cpp 'void f() { system("reboot"); }'
bad calls src/plan/x.cpp 'void f() { std::filesystem::remove_all("x"); }'
bad calls src/plan/x.cpp 'void f() { std::ofstream file("x"); }'
bad calls src/perform/x.cpp 'void f() { clone3(&arguments, sizeof arguments); }'
bad calls include/perform/x.h 'inline void f() { (void)setns(3, 0); }'
good calls src/kernel/x.cpp 'void f() { ::mount("a", "b", "c", 0, nullptr); }'
good calls src/perform/x.cpp 'void f() { kernel::mount("a", "b"); }'
good calls src/perform/x.cpp 'void f() { directory.open("x"); directory->unlink("x"); }'
good calls src/perform/x.cpp '// ::mount("a") is forbidden here
char const* text = "mkdir(path)";'
good calls src/state/x.cpp 'Result<Fd> open(std::string const& path);'
good calls src/state/x.cpp 'void f() { auto const open = [] { return 1; }; open(); }'

bad licence src/base/x.cpp 'int x;'
bad licence tests/x.sh '#!/bin/bash'
good licence src/base/x.cpp '// SPDX-License-Identifier: Apache-2.0'
bad words src/base/x.cpp "// $(printf 'TO%s' DO): later"
good words src/base/x.cpp '// done'

tree x.cpp 'int   x ;'
must_fail clang-format --dry-run -Werror --style="file:$repository/.clang-format" "$work/tree/x.cpp"
tree x.cpp 'int x;'
must_pass clang-format --dry-run -Werror --style="file:$repository/.clang-format" "$work/tree/x.cpp"
tree x.cpp 'int* x = 0;'
must_fail clang-tidy --quiet --config-file="$repository/.clang-tidy" "$work/tree/x.cpp" --
tree x.cpp 'int* x = nullptr;'
must_pass clang-tidy --quiet --config-file="$repository/.clang-tidy" "$work/tree/x.cpp" --
tree x.cpp 'int* f(char* text) { return (int*)text; }'
must_fail clang-tidy --quiet --config-file="$repository/.clang-tidy" "$work/tree/x.cpp" --
tree x.cpp 'int f() { int text[2] = {}; return text[2]; }'
must_fail "$lint/cppcheck.sh" "$work/tree" "$work/tree/x.cpp"
tree x.cpp 'int f() { int text[2] = {}; return text[1]; }'
must_pass "$lint/cppcheck.sh" "$work/tree" "$work/tree/x.cpp"
tree x.cpp 'void f(int* x) { __builtin_free(x); __builtin_free(x); }'
must_fail "$lint/analyzer.sh" "$work/tree/x.cpp"
tree x.cpp 'void f(int* x) { __builtin_free(x); }'
must_pass "$lint/analyzer.sh" "$work/tree/x.cpp"
tree x.sh '#!/bin/bash
rm $1'
must_fail shellcheck --severity=info "$work/tree/x.sh"

tree x.c 'int main(void) { return 0; }'
compile() {
    gcc "$work/tree/x.c" -o "$work/tree/x" -s "$@"
    echo "gcc $*" >"$work/sample"
}
hardened=(-static-pie -fPIE "-Wl,-z,relro,-z,now,-z,noexecstack")
compile "${hardened[@]}"
must_pass "$lint/elf.sh" "$work/tree/x"
compile -pie -fPIE -Wl,-z,relro,-z,now
must_fail "$lint/elf.sh" "$work/tree/x"
compile -static -no-pie
must_fail "$lint/elf.sh" "$work/tree/x"
compile "${hardened[@]}" -Wl,-z,execstack
must_fail "$lint/elf.sh" "$work/tree/x"
compile "${hardened[@]}" -Wl,-z,norelro
must_fail "$lint/elf.sh" "$work/tree/x"
compile "${hardened[@]}" -g -Wl,--no-strip-discarded
cp "$work/tree/x" "$work/tree/y" && gcc "$work/tree/x.c" -o "$work/tree/x" "${hardened[@]}"
must_fail "$lint/elf.sh" "$work/tree/x"

exit "$problems"
