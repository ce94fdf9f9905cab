# SPDX-License-Identifier: Apache-2.0
"""Many containers, one after the other and at the same time: nothing may add up."""

import subprocess
import time

RUNS = 200
PARALLEL, AT_ONCE = 100, 8


def run_many(oci, bundle, total, at_once):
    """Runs the bundle `total` times, at most `at_once` at a time; the exit codes."""
    codes, running = [], []
    for number in range(total):
        if len(running) == at_once:
            codes.append(running.pop(0).wait())
        running.append(oci.popen("run", "--bundle", bundle.path, f"many{number}", stdout=subprocess.DEVNULL))
    return codes + [process.wait() for process in running]


def test_many_runs(oci, bundle, surroundings, capsys):
    bundle.args("/bin/only_exit").write()
    begin = time.monotonic()
    one_by_one = run_many(oci, bundle, RUNS, 1)
    middle = time.monotonic()
    parallel = run_many(oci, bundle, PARALLEL, AT_ONCE)
    end = time.monotonic()
    left = surroundings.left()
    with capsys.disabled():
        print(f"\n{RUNS} runs one by one in {middle - begin:.2f} s, {PARALLEL} runs {AT_ONCE} at a time in "
              f"{end - middle:.2f} s; failed {sum(code != 42 for code in one_by_one + parallel)}; left: "
              + ", ".join(f"{len(items)} {what}" for what, items in left.items()))
    assert set(one_by_one) == set(parallel) == {42}
    assert not any(left.values()), left


def test_many_lives_at_the_same_time(oci, bundle, surroundings):
    """create, start, kill and delete of 40 containers, 8 commands at a time."""
    bundle.sh("sleep 1000").write()
    ids = [f"life{number}" for number in range(40)]
    oci.made += ids

    def all_of(*words):
        codes, running = [], []
        for id in ids:
            if len(running) == AT_ONCE:
                codes.append(running.pop(0).wait())
            running.append(oci.popen(*[id if word == "ID" else word for word in words], stdout=subprocess.DEVNULL))
        codes += [process.wait() for process in running]
        assert set(codes) == {0}, words

    all_of("create", "--bundle", bundle.path, "ID")
    assert oci("list", "-q").out.split() == sorted(ids)
    all_of("start", "ID")
    all_of("state", "ID")
    all_of("kill", "ID", "KILL")
    all_of("delete", "--force", "ID")
    assert oci("list", "-q").out == ""


def test_one_id_for_many(oci, bundle):
    """Exactly one of those who want the same id at the same time gets it."""
    bundle.sh("true").write()
    for _ in range(5):
        processes = [oci.popen("create", "--bundle", bundle.path, "wanted", stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True) for _ in range(10)]
        codes, errors = [], []
        for process in processes:
            codes.append(process.wait())
            errors.append(process.stderr.read() if codes[-1] else "")
            process.stderr.close()
        assert sorted(codes) == [0] + [1] * 9
        assert all("container with given ID already exists" in text for text in errors if text)
        oci("delete", "--force", "wanted").succeeded()


def test_storm_on_one_container(oci, bundle):
    """Commands that read may come at any time, also in the middle of others that change."""
    bundle.sh("true").write()
    for _ in range(10):
        readers = [oci.popen(*words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                   for words in (["list"], ["state", "storm"], ["list", "-f", "json"])]
        oci("run", "--bundle", bundle.path, "storm").succeeded()
        assert readers[0].wait() == 0 and readers[2].wait() == 0
        assert readers[1].wait() in (0, 1)
