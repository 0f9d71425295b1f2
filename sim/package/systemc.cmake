# The target systemc::systemc. Debian's libsystemc-dev ships no CMake package file.
if(NOT TARGET systemc::systemc)
  find_path(SYSTEMC_INCLUDE_DIR systemc.h REQUIRED)
  find_library(SYSTEMC_LIBRARY systemc REQUIRED)
  add_library(systemc::systemc UNKNOWN IMPORTED)
  set_target_properties(systemc::systemc PROPERTIES IMPORTED_LOCATION ${SYSTEMC_LIBRARY}
                        INTERFACE_INCLUDE_DIRECTORIES ${SYSTEMC_INCLUDE_DIR}
                        INTERFACE_SYSTEM_INCLUDE_DIRECTORIES ${SYSTEMC_INCLUDE_DIR}
                        INTERFACE_COMPILE_DEFINITIONS SC_INCLUDE_DYNAMIC_PROCESSES)
endif()
