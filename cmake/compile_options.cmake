# SPDX-License-Identifier: Apache-2.0
# Flags for our own code, as an interface target that every layer links.
set(CMAKE_CXX_FLAGS_RELEASE "-Os -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")

add_library(oci_compile_options INTERFACE)
target_compile_options(oci_compile_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -fPIE -fno-plt
  -fstack-protector-strong -fstack-clash-protection -fcf-protection=full -ffunction-sections -fdata-sections)
if(OCI_RUN_WERROR)
  target_compile_options(oci_compile_options INTERFACE -Werror)
endif()
if(OCI_RUN_SANITIZE)
  target_compile_options(oci_compile_options INTERFACE
    -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(oci_compile_options INTERFACE -fsanitize=address,undefined)
endif()
if(OCI_RUN_FUZZ)
  # Every layer reports to the fuzzer which of its branches an input has taken.
  set(fuzz_flags -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_compile_options(oci_compile_options INTERFACE ${fuzz_flags})
  target_link_options(oci_compile_options INTERFACE ${fuzz_flags})
endif()
if(OCI_RUN_COVERAGE)
  target_compile_options(oci_compile_options INTERFACE --coverage)
  target_link_options(oci_compile_options INTERFACE --coverage)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(oci_compile_options INTERFACE
    -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -D_GLIBCXX_ASSERTIONS)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # clang takes the first since version 16, and the second since 15
    target_compile_options(oci_compile_options INTERFACE -ftrivial-auto-var-init=zero -fzero-call-used-regs=used-gpr)
  endif()
endif()
if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64")
  # -fcf-protection is an x86 feature
  get_target_property(flags oci_compile_options INTERFACE_COMPILE_OPTIONS)
  list(REMOVE_ITEM flags -fcf-protection=full)
  set_target_properties(oci_compile_options PROPERTIES INTERFACE_COMPILE_OPTIONS "${flags}")
endif()

# Link flags of the shipped program: full RELRO, no executable stack, no unused sections; static-pie for release.
function(oci_link_hardened target)
  target_link_options(${target} PRIVATE
    -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code -Wl,--gc-sections)
  if(OCI_RUN_STATIC)
    target_link_options(${target} PRIVATE -static-pie -s)
  else()
    target_link_options(${target} PRIVATE -pie)
  endif()
endfunction()
