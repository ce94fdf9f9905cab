# SPDX-License-Identifier: Apache-2.0
# Completions for the shells, written by the program that was built, in the places where the shells look.
set(completions)
foreach(shell bash zsh fish)
  set(file ${CMAKE_CURRENT_BINARY_DIR}/completion.${shell})
  add_custom_command(OUTPUT ${file} COMMAND oci-run completion ${shell} > ${file} DEPENDS oci-run VERBATIM)
  list(APPEND completions ${file})
endforeach()
add_custom_target(completions ALL DEPENDS ${completions})

install(FILES ${CMAKE_CURRENT_BINARY_DIR}/completion.bash
  DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME oci-run)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/completion.zsh
  DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions RENAME _oci-run)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/completion.fish
  DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d RENAME oci-run.fish)
