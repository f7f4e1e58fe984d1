# SPDX-License-Identifier: Apache-2.0
# Language, warnings, sanitizers, linker and compiler cache, for every target alike: the one
# precompiled header is shared by all, and clang refuses it where code generation flags differ.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)

set(TARN_SANITIZE "" CACHE STRING "Comma-separated sanitizers for everything (presets set it)")
option(TARN_WERROR "Treat warnings as errors" ON)

set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g1")
set(CMAKE_CXX_FLAGS_SANITIZE "-O1 -g1 -fno-omit-frame-pointer")
set(CMAKE_C_FLAGS_SANITIZE "${CMAKE_CXX_FLAGS_SANITIZE}")

add_compile_options(-Wall -Wextra)
# `{.queue_url = x}` leaves the other fields at their defaults on purpose.
add_compile_options(-Wno-missing-field-initializers)
if(TARN_WERROR)
  add_compile_options(-Werror)
endif()

# One position-independence flag everywhere (libraries are static), see above.
set(CMAKE_POSITION_INDEPENDENT_CODE OFF)
add_compile_options(-fPIE)
add_link_options(-pie -Wl,--as-needed)

if(TARN_SANITIZE)
  add_compile_options(-fsanitize=${TARN_SANITIZE})
  add_link_options(-fsanitize=${TARN_SANITIZE})
  if(TARN_SANITIZE MATCHES "undefined")
    # A finding ends the test. vptr needs type information that third-party libraries lack.
    add_compile_options(-fno-sanitize-recover=all -fno-sanitize=vptr,function)
    add_link_options(-fno-sanitize=vptr,function)
  endif()
endif()

find_program(TARN_MOLD mold)
if(TARN_MOLD)
  add_link_options(-fuse-ld=mold)
endif()

find_program(TARN_CCACHE ccache)
if(TARN_CCACHE)
  # Sloppiness: without it ccache refuses to cache what uses a precompiled header.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime
      ${TARN_CCACHE})
  # A time stamp in the precompiled header would make each build of it a different one.
  add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:SHELL:-Xclang -fno-pch-timestamp>")
endif()

# Libraries that we ship stand beside the program; nothing else is looked for by path.
set(CMAKE_BUILD_RPATH_USE_ORIGIN ON)
set(CMAKE_BUILD_RPATH "$ORIGIN")
add_link_options(-Wl,--disable-new-dtags)

# An object needs its dependencies' headers, never their archives.
set(CMAKE_OPTIMIZE_DEPENDENCIES ON)

set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")

# `./dev setup` keeps what is not in Debian in a cache outside the repository.
if(DEFINED ENV{TARN_CACHE})
  set(TARN_CACHE "$ENV{TARN_CACHE}")
else()
  set(TARN_CACHE "$ENV{HOME}/.cache/tarn")
endif()
# Sets TARN_DUCKDB_{LIBRARY,INCLUDE_DIR}, TARN_DUCKDB_EXTENSIONS, TARN_PYTHON,
# TARN_BOTOCORE_DATA, TARN_CFN_SCHEMAS.
include("${TARN_CACHE}/paths.cmake" OPTIONAL)
