# SPDX-License-Identifier: Apache-2.0
# The finisher (src/finisher): a static program of its own, built by musl-gcc and embedded in oci-run.
#
# musl-gcc is the distribution's gcc with musl's C headers and library. The headers of C++ and of the kernel are taken from
# the g++ of the same version, whatever compiles the rest; of the C++ library only headers are used.

# Where g++ finds its headers: those of C++, and the rest (the kernel's are among them) without gcc's own.
function(oci_finisher_header_flags musl_gcc result)
  execute_process(COMMAND ${musl_gcc} -dumpversion OUTPUT_VARIABLE version OUTPUT_STRIP_TRAILING_WHITESPACE
    COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCH "^[0-9]+" version "${version}")
  find_program(OCI_RUN_FINISHER_GXX NAMES g++-${version} g++ ${CMAKE_CXX_COMPILER} REQUIRED
    DOC "g++ whose headers the finisher is built with")
  execute_process(COMMAND ${CMAKE_COMMAND} -E env LC_ALL=C ${OCI_RUN_FINISHER_GXX} -E -v -x c++ /dev/null
    ERROR_VARIABLE said OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
  if(NOT said MATCHES "#include <\\.\\.\\.> search starts here:\n(.*)End of search list")
    message(FATAL_ERROR "${OCI_RUN_FINISHER_GXX} does not tell where it finds headers")
  endif()
  string(REPLACE "\n" ";" folders "${CMAKE_MATCH_1}")
  set(flags -nostdinc++)
  foreach(folder IN LISTS folders)
    string(STRIP "${folder}" folder)
    if(folder MATCHES "/c\\+\\+/[^/]+/backward$" OR folder STREQUAL "")
      continue()
    elseif(folder MATCHES "/c\\+\\+/")
      list(APPEND flags -isystem ${folder})
    elseif(EXISTS ${folder}/linux OR EXISTS ${folder}/asm)
      list(APPEND flags -idirafter ${folder})
    endif()
  endforeach()
  # The C++ headers were configured for glibc; this is the only question that they ask of it.
  list(APPEND flags "-D__GLIBC_PREREQ(a,b)=0")
  set(${result} ${flags} PARENT_SCOPE)
endfunction()

# Embeds the finisher in `target`: oci::perform::finisher_image().
function(oci_embed_finisher target)
  find_program(OCI_RUN_MUSL_GCC NAMES musl-gcc REQUIRED DOC "the compiler of the finisher (package musl-tools)")
  oci_finisher_header_flags(${OCI_RUN_MUSL_GCC} header_flags)
  file(GLOB sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/finisher/*.cpp)
  file(GLOB headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/finisher/*.h ${PROJECT_SOURCE_DIR}/include/finisher/*.h)
  set(warning_flags -Wall -Wextra -Wshadow -Wconversion $<$<BOOL:${OCI_RUN_WERROR}>:-Werror>)
  # One call for all sources (they are small), so that what no other file uses is left out. Constructors and destructors of
  # static objects, exceptions and type information would need the C++ runtime library, which is not linked.
  # noseparate-code: constants share the pages of the code (read-only in any case), a waiting container costs two pages less.
  set(image ${CMAKE_CURRENT_BINARY_DIR}/finisher)
  add_custom_command(OUTPUT ${image}
    COMMAND ${OCI_RUN_MUSL_GCC} -x c++ -std=c++20 -Os -static ${header_flags} ${warning_flags}
      -fno-exceptions -fno-rtti -fno-threadsafe-statics -fno-asynchronous-unwind-tables -fno-unwind-tables
      -ffunction-sections -fdata-sections -fvisibility=hidden -fno-ident -U_FORTIFY_SOURCE -U_GLIBCXX_ASSERTIONS
      -fstack-protector-strong -ftrivial-auto-var-init=zero
      -I ${PROJECT_SOURCE_DIR}/include ${sources} -o ${image}
      -s -Wl,--gc-sections,--build-id=none,-z,noexecstack,-z,relro,-z,now,-z,noseparate-code
    DEPENDS ${sources} ${headers} ${CMAKE_CURRENT_FUNCTION_LIST_FILE}
    COMMENT "Building the finisher" VERBATIM COMMAND_EXPAND_LISTS)
  set(embedding ${CMAKE_CURRENT_BINARY_DIR}/finisher_image.cpp)
  file(CONFIGURE OUTPUT ${embedding} @ONLY CONTENT [==[
// Made by cmake/finisher.cmake.
#include "perform/finisher_image.h"

asm(".pushsection .rodata\n"
    ".balign 16\n"
    ".globl oci_finisher_image_begin\n.hidden oci_finisher_image_begin\n"
    ".globl oci_finisher_image_end\n.hidden oci_finisher_image_end\n"
    "oci_finisher_image_begin:\n.incbin \"@image@\"\n"
    "oci_finisher_image_end:\n"
    ".popsection\n");

extern "C" {
[[gnu::visibility("hidden")]] extern unsigned char const oci_finisher_image_begin[];
[[gnu::visibility("hidden")]] extern unsigned char const oci_finisher_image_end[];
}

namespace oci::perform {

std::span<unsigned char const> finisher_image() {
    return {oci_finisher_image_begin, oci_finisher_image_end};
}

} // namespace oci::perform
]==])
  set_source_files_properties(${embedding} PROPERTIES OBJECT_DEPENDS ${image})
  target_sources(${target} PRIVATE ${embedding})
endfunction()
