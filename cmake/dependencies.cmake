# SPDX-License-Identifier: Apache-2.0
# Third-party libraries as imported targets, all from Debian 12 except DuckDB (from the cache).

find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json url)
find_package(OpenSSL 3 REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(pugixml REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CURL REQUIRED)
find_package(LibArchive REQUIRED)
find_package(PostgreSQL REQUIRED)
find_package(GTest REQUIRED)

# tarn_system_library(NAME header lib): for those without a usable CMake package.
function(tarn_system_library name header lib)
  find_path(TARN_${name}_INCLUDE ${header} REQUIRED)
  find_library(TARN_${name}_LIBRARY ${lib} REQUIRED)
  add_library(ext::${name} INTERFACE IMPORTED GLOBAL)
  target_include_directories(ext::${name} SYSTEM INTERFACE ${TARN_${name}_INCLUDE})
  target_link_libraries(ext::${name} INTERFACE ${TARN_${name}_LIBRARY})
endfunction()
tarn_system_library(rocksdb rocksdb/db.h rocksdb)
tarn_system_library(zstd zstd.h zstd)
tarn_system_library(re2 re2/re2.h re2)
tarn_system_library(xxhash xxhash.h xxhash)
find_path(TARN_CLI11_INCLUDE CLI/CLI.hpp REQUIRED)

# yaml-cpp 0.7's package defines a plain target without a namespace.
add_library(ext::yaml INTERFACE IMPORTED GLOBAL)
target_link_libraries(ext::yaml INTERFACE yaml-cpp)

if(TARN_DUCKDB_LIBRARY AND EXISTS "${TARN_DUCKDB_LIBRARY}")
  add_library(ext::duckdb INTERFACE IMPORTED GLOBAL)
  target_include_directories(ext::duckdb SYSTEM INTERFACE "${TARN_DUCKDB_INCLUDE_DIR}")
  # The program finds the library and its extensions in its own folder.
  set(TARN_BIN "${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
  file(MAKE_DIRECTORY "${TARN_BIN}/duckdb_extensions")
  file(COPY_FILE "${TARN_DUCKDB_LIBRARY}" "${TARN_BIN}/libduckdb.so" ONLY_IF_DIFFERENT)
  file(GLOB extensions "${TARN_DUCKDB_EXTENSIONS}/*.duckdb_extension")
  foreach(extension IN LISTS extensions)
    get_filename_component(name "${extension}" NAME)
    file(COPY_FILE "${extension}" "${TARN_BIN}/duckdb_extensions/${name}" ONLY_IF_DIFFERENT)
  endforeach()
  target_link_libraries(ext::duckdb INTERFACE "${TARN_BIN}/libduckdb.so")
else()
  message(WARNING "DuckDB is not in ${TARN_CACHE}: run ./dev setup. engines/sql cannot build.")
endif()
