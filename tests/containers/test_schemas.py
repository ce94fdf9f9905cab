# SPDX-License-Identifier: Apache-2.0
"""What is written of a real container is what schema/ says of it."""

import json

import jsonschema
import pytest

from harness import REPOSITORY


def validate(document, name):
    schema = json.loads((REPOSITORY / "schema" / f"{name}.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.Draft7Validator(schema).validate(document)


def test_state_directory_and_state(oci, bundle):
    bundle.config["annotations"] = {"org.example.key": "value"}
    container = oci.create(bundle.sh("sleep 1000"))
    folder = oci.state_root / container.id
    for name in ("record", "state"):
        validate(json.loads((folder / f"{name}.json").read_text()), f"{name}-file")
    validate(json.loads((folder / "config.json").read_text()), "config")
    for status in ("created", "running", "stopped"):
        state = container.state()
        assert state["status"] == status
        validate(state, "state")
        if status == "created":
            container.start()
        elif status == "running":
            container.kill("KILL")
            container.wait()


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"])
def test_state_that_hooks_read(oci, bundle, kind):
    # createContainer and startContainer hooks are in the container: only its root file system is the same for all.
    file = bundle.rootfs / "hook-state"
    path = "/hook-state" if kind == "startContainer" else str(file)
    bundle.hook(kind, "/bin/sh", "-c", f"cat > {path}")
    bundle.config["root"]["readonly"] = False
    oci.run(bundle.sh("true")).succeeded()
    validate(json.loads(file.read_text()), "state")


def test_features(oci):
    validate(json.loads(oci("features", root=False).succeeded().out), "features")


def test_numbers_of_64_bits(bundle):
    """The unit tests' validator cannot read these."""
    resources = bundle.linux.setdefault("resources", {})
    resources["cpu"] = {"shares": 2**64 - 1, "quota": 2**63 - 1}
    validate(bundle.config, "config")
    for name, value in (("shares", 2**64), ("quota", 2**63)):
        with pytest.raises(jsonschema.ValidationError, match="maximum"):
            validate({**bundle.config, "linux": {"resources": {"cpu": {name: value}}}}, "config")
