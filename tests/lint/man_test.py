#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The man page and --help name the same commands and options. Usage: man_test.py OCI-RUN MAN-PAGE"""
import re
import subprocess
import sys

OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]*)")


def help_of(program, *words):
    done = subprocess.run([program, *words, "--help"], stdout=subprocess.PIPE, check=True, text=True)
    return done.stdout


def options_in_help(text):
    """(option with its alias and value) of every row below "Options:", as one string."""
    rows = text.split("\nOptions:\n", 1)[1].split("\n\n", 1)[0].splitlines()
    return {re.split(r" {2,}(?=\S)", row.strip())[0] for row in rows}


def commands_in_help(text):
    rows = text.split("\nCommands:\n", 1)[1].split("\n\n", 1)[0].splitlines()
    return {row.split()[0] for row in rows}


def plain(line):
    """A line of roff without requests, fonts and escapes."""
    line = re.sub(r"^\.\w+ ", "", line)
    line = re.sub(r"\\f(\w)", "", line)
    line = line.replace('"', "").replace("\\-", "-")
    return re.sub(r" ,|,(?=\s|$)", ",", re.sub(r"\s+", " ", line)).strip()


def sections_of(page):
    """{"": global options, "create": ...}: the tags of the page that name options."""
    sections = {}
    current = None
    tag_follows = False
    for line in page.splitlines():
        if line.startswith((".SH ", ".SS ")):
            title = plain(line)
            if title == "GLOBAL OPTIONS":
                current = ""
            elif line.startswith(".SS ") and current is not None:
                current = title.split()[0]
            elif title != "COMMANDS":
                current = None
            if current is not None:
                sections.setdefault(current, set())
        elif line in (".TP", ".TQ"):
            tag_follows = True
            continue
        elif tag_follows and current is not None and OPTION.search(plain(line)):
            sections[current].add(plain(line))
        tag_follows = False
    return sections


def main():
    program, page_path = sys.argv[1:]
    with open(page_path, encoding="utf-8") as file:
        sections = sections_of(file.read())
    general = help_of(program)
    expected = {"": options_in_help(general)}
    for command in commands_in_help(general):
        expected[command] = options_in_help(help_of(program, command)) - {"-h, --help"}
    problems = []
    for name in sorted(expected.keys() | sections.keys()):
        in_help, in_page = expected.get(name), sections.get(name)
        if in_help is None or in_page is None:
            problems.append(f"{name or 'global options'}: only in {'the page' if in_help is None else '--help'}")
            continue
        problems += [f"{name}: only in --help: {option}" for option in sorted(in_help - in_page)]
        problems += [f"{name}: only in the page: {option}" for option in sorted(in_page - in_help)]
    print("\n".join(problems) or f"man page and --help agree ({len(expected) - 1} commands)")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
