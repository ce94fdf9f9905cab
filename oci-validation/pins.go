// SPDX-License-Identifier: Apache-2.0

//go:build pins

// Package validation names what run.sh builds, so that `go mod tidy` keeps all that it needs in go.mod and go.sum.
package validation

import (
	_ "github.com/opencontainers/runtime-tools/cmd/runtimetest"
	_ "github.com/opencontainers/runtime-tools/validation/create"
)
