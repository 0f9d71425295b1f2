# `cmake --install build --prefix DIR`: the libraries of the machine with their headers, for find_package(systole).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# Everything that the machine is linked from.
function(systole_link_closure out)
  set(open ${ARGN})
  set(closed "")
  while(open)
    list(POP_FRONT open name)
    if(NOT TARGET ${name} OR NOT name MATCHES "^systole_" OR name IN_LIST closed)
      continue()
    endif()
    list(APPEND closed ${name})
    get_target_property(links ${name} INTERFACE_LINK_LIBRARIES)
    if(links)
      list(APPEND open ${links})
    endif()
  endwhile()
  set(${out} ${closed} PARENT_SCOPE)
endfunction()

systole_link_closure(libraries systole_top systole_isa)
install(TARGETS ${libraries} EXPORT systole ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}/systole COMPONENT systole)
install(DIRECTORY hw isa sim DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/systole COMPONENT systole FILES_MATCHING PATTERN "*.h" PATTERN "*.def"
        PATTERN "examples" EXCLUDE)
set(config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/systole)
install(EXPORT systole NAMESPACE systole:: FILE systole-targets.cmake DESTINATION ${config_dir} COMPONENT systole)
configure_package_config_file(sim/package/systole-config.cmake.in ${PROJECT_BINARY_DIR}/systole-config.cmake INSTALL_DESTINATION ${config_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/systole-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/systole-config.cmake ${PROJECT_BINARY_DIR}/systole-config-version.cmake sim/package/systemc.cmake DESTINATION ${config_dir}
        COMPONENT systole)
