# SPDX-License-Identifier: Apache-2.0
"""--trace: where the time went, as a file that Perfetto opens."""

import json
import os


def read(file):
    """The events; the closing bracket may be missing (Trace Event Format, "JSON Array Format")."""
    text = file.read_text()
    assert text.startswith("[\n") and text.endswith(",\n")
    return json.loads(text.removesuffix(",\n") + "]")


def spans(events, row):
    rows = {event["tid"] for event in events if event["name"] == "thread_name" and event["args"]["name"] == row}
    return [event for event in events if event["ph"] == "X" and event["tid"] in rows]


def test_every_step_has_its_time(oci, bundle):
    file = bundle.path / "trace.json"
    oci.run(bundle.user_namespace().sh("true"), id="traced", before=("--trace", file)).succeeded()
    events = read(file)
    names = {row: [span["name"] for span in spans(events, row)] for row in ("runtime", "container")}
    plan = json.loads(oci("plan", "--format", "json", "--bundle", bundle.path, "traced").succeeded().out)
    # What becomes another program has no end of its own.
    planned = [step["description"] for step in plan if step["actor"] == "container"]
    assert [name for name in names["container"] if name in planned] == planned[:-1] and len(planned) > 10
    assert any("cgroup" in name for name in names["runtime"])
    assert {"run", "read config.json", "plan", "wait for the program's end", "remove the state"} <= set(names["runtime"])
    [whole] = [span for span in events if span["name"] == "run"]
    for span in spans(events, "runtime") + spans(events, "container"):
        assert whole["ts"] <= span["ts"] <= span["ts"] + span["dur"] <= whole["ts"] + whole["dur"] + 0.001


def test_several_commands_in_one_file(oci, bundle):
    file = bundle.path / "trace.json"
    container = oci.create(bundle.sh("sleep 1000"), before=("--trace", file))
    oci("--trace", file, "start", container.id).succeeded()
    oci("--trace", file, "exec", container.id, "true").succeeded()
    oci("--trace", file, "delete", "--force", container.id).succeeded()
    events = read(file)
    done = [event["args"]["name"] for event in events if event["name"] == "process_name"]
    assert done == ["create", "start", "exec", "delete"]
    assert len({event["pid"] for event in events}) == 4


def test_file_that_is_there(oci, bundle):
    """As mktemp(1) leaves it."""
    file = bundle.path / "trace.json"
    file.touch()
    oci.run(bundle.sh("true"), before=("--trace", file)).succeeded()
    assert any(event["name"] == "run" for event in read(file))


def test_nothing_is_inherited(oci, bundle):
    file = bundle.path / "trace.json"
    assert oci.output_of(bundle, "ls /proc/self/fd | wc -l") == oci.run(
        bundle, before=("--trace", file)).succeeded().out


def test_file_that_cannot_be_written(oci, bundle):
    oci.run(bundle.sh("true"), before=("--trace", "/nowhere/trace")).failed(
        "--trace: open /nowhere/trace: no such file or directory")
    fifo = bundle.path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    oci.run(bundle, before=("--trace", fifo)).failed(f"--trace: {fifo} is not a regular file")
    os.close(reader)
