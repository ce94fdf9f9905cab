// Pins the specification, for its schemas and samples; nothing of it is copied here.
module oci-run-schema-tests

go 1.19

require github.com/opencontainers/runtime-spec v1.3.0
