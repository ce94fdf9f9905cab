// SPDX-License-Identifier: Apache-2.0

//go:build pins

// Package schema names what the tests read, so that `go mod tidy` keeps it in go.mod and go.sum.
package schema

import _ "github.com/opencontainers/runtime-spec/specs-go"
