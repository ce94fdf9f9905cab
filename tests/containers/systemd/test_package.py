# SPDX-License-Identifier: Apache-2.0
"""The package for Debian: installed, used, removed. Changes the machine, which is a throw-away one."""

import os
import pathlib
import shutil
import subprocess

import harness

INSTALLED = ["bin/oci-run", "share/man/man8/oci-run.8", "share/bash-completion/completions/oci-run",
             "share/zsh/site-functions/_oci-run", "share/fish/vendor_completions.d/oci-run.fish",
             "share/oci-run/schema/config.schema.json"]


def run(*command):
    completed = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"})
    assert completed.returncode == 0, f"{command}: {completed.stdout}{completed.stderr}"
    return completed.stdout


def test_package(bundle, oci, monkeypatch):
    packages = list((harness.REPOSITORY / "build/release").glob("oci-run_*.deb"))
    assert len(packages) == 1, "made by cpack, see tests/run.sh"
    # Debian's slim images leave documentation out.
    for file in pathlib.Path("/etc/dpkg/dpkg.cfg.d").glob("*"):
        file.unlink()
    run("dpkg", "--install", str(packages[0]))
    assert all(pathlib.Path("/usr", name).exists() for name in INSTALLED)
    assert run("oci-run", "--version").startswith("oci-run version ")
    monkeypatch.setattr(harness, "PROGRAM", shutil.which("oci-run"))
    assert oci.output_of(bundle.sh("echo from the package")) == "from the package\n"
    run("dpkg", "--remove", "oci-run")
    assert not any(pathlib.Path("/usr", name).exists() for name in INSTALLED)
