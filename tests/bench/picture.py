#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Draws what `oci-run --trace FILE` has written as text, a line for each step; for the picture in README.

usage: picture.py FILE [SHORTEST]     steps shorter than SHORTEST microseconds (20) are left out
"""

import json
import pathlib
import sys

WIDTH = 50  # characters for the whole time


def main():
    text = pathlib.Path(sys.argv[1]).read_text()
    shortest = float(sys.argv[2]) if len(sys.argv) > 2 else 20
    events = json.loads(text.rstrip().removesuffix(",") + "]")
    rows = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
    spans = sorted((event for event in events if event["ph"] == "X"), key=lambda event: (event["ts"], -event["dur"]))
    begin = spans[0]["ts"]
    scale = WIDTH / max(span["ts"] + span["dur"] - begin for span in spans)
    for span in spans:
        if span["dur"] < shortest:
            continue
        first = round((span["ts"] - begin) * scale)
        length = max(1, round(span["dur"] * scale))
        bar = " " * first + ("━" if rows[span["tid"]] == "runtime" else "═") * length
        name = span["name"] if len(span["name"]) < 48 else span["name"][:45] + "..."
        print(f"{bar:<{WIDTH + 1}}{span['dur']:5.0f} {name}")


main()
