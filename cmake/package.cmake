# SPDX-License-Identifier: Apache-2.0
# `cpack --config build/release/CPackConfig.cmake` makes a package for Debian and Ubuntu: of the release preset, whose
# program needs no library.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME oci-run)
set(CPACK_PACKAGE_CONTACT "The oci-run authors <oci-run@example.org>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Open Container Initiative low-level runtime")
set(CPACK_PACKAGE_DESCRIPTION "Makes and runs containers from OCI bundles, as runc and crun do: a runtime for\
 containerd, Docker, Podman, CRI-O and Buildah. For cgroup v2.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS uidmap)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS criu)
set(CPACK_STRIP_FILES ON)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/oci-run RENAME copyright)
include(CPack)
