# SPDX-License-Identifier: Apache-2.0
# One folder is one library. Files are found, not listed (a new file needs no edit here):
#
#   x.cpp            part of the library tarn_<name>
#   x_test.cpp       part of the test executable <name>_test (GoogleTest), in `unit_tests`
#   x_bench.cpp      an executable <name>_x_bench, built on request
#   x_fuzz.cpp       a libFuzzer executable <name>_x_fuzz, in the asan preset, on request
#   x_main.cpp       an executable x (dashes for underscores) that ships beside `tarn`
#   x_static_main.cpp  the same, linked statically and without any library, for foreign roots
#   testing/*.cpp    part of tarn_<name>_testing, which only test executables link
#
# Generated code: cmake/codegen.cmake is included after src/. It may define an INTERFACE
# library `tarn_gen` (everything generated: include directories and archives) and a custom
# target `tarn_codegen` (runs the generator). Each service, the command and the server then
# depend on both. For its own libraries it calls tarn_target(<target>).

define_property(GLOBAL PROPERTY TARN_SERVICES BRIEF_DOCS "Names of the services that exist")
define_property(GLOBAL PROPERTY TARN_GENERATED_CODE_USERS BRIEF_DOCS "Targets that include gen/")

# The options that all of our targets share: the include root and the precompiled header.
function(tarn_target target)
  target_include_directories(${target} PUBLIC "${CMAKE_SOURCE_DIR}/src" "${CMAKE_BINARY_DIR}/gen")
  if(TARGET tarn_base AND NOT target STREQUAL "tarn_base")
    get_target_property(type tarn_base TYPE)
    if(NOT type STREQUAL "INTERFACE_LIBRARY")
      target_link_libraries(${target} PUBLIC tarn_base)
      target_precompile_headers(${target} REUSE_FROM tarn_base)
    endif()
  endif()
endfunction()

# tarn_library(name DIR dir [DEPS targets...] [TEST_DEPS targets...] [GENERATED] [PCH headers...])
#   GENERATED  the library includes generated code
#   PCH        this library makes the precompiled header
function(tarn_library name)
  cmake_parse_arguments(arg "GENERATED" "DIR" "DEPS;TEST_DEPS;PCH" ${ARGN})
  set(target tarn_${name})
  file(GLOB_RECURSE all CONFIGURE_DEPENDS "${arg_DIR}/*.cpp")
  set(tests ${all})
  list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
  set(testing ${all})
  list(FILTER testing INCLUDE REGEX "/testing/")
  list(FILTER testing EXCLUDE REGEX "_test\\.cpp$")
  set(sources ${all})
  list(FILTER sources EXCLUDE REGEX "_(test|bench|fuzz|main)\\.cpp$|/main\\.cpp$|/testing/")

  if(sources)
    add_library(${target} STATIC ${sources})
    if(arg_PCH)
      target_precompile_headers(${target} PRIVATE ${arg_PCH})
    endif()
    tarn_target(${target})
    target_link_libraries(${target} PUBLIC ${arg_DEPS})
  else()
    # Nothing to compile yet: headers and dependencies only, so that others can link to it.
    add_library(${target} INTERFACE)
    target_include_directories(${target} INTERFACE
      "${CMAKE_SOURCE_DIR}/src" "${CMAKE_BINARY_DIR}/gen")
    target_link_libraries(${target} INTERFACE ${arg_DEPS})
  endif()
  if(arg_GENERATED)
    set_property(GLOBAL APPEND PROPERTY TARN_GENERATED_CODE_USERS ${target})
  endif()

  set(test_deps ${target} ${arg_TEST_DEPS})
  if(testing)
    add_library(${target}_testing STATIC ${testing})
    tarn_target(${target}_testing)
    target_link_libraries(${target}_testing PUBLIC ${target} GTest::gtest GTest::gmock)
    list(PREPEND test_deps ${target}_testing)
  endif()
  if(tests)
    add_executable(${name}_test ${tests})
    tarn_target(${name}_test)
    target_link_libraries(${name}_test PRIVATE ${test_deps} GTest::gmock GTest::gtest_main)
    add_test(NAME ${name} COMMAND ${name}_test)
    add_dependencies(unit_tests ${name}_test)
    if(arg_GENERATED)
      set_property(GLOBAL APPEND PROPERTY TARN_GENERATED_CODE_USERS ${name}_test)
    endif()
  endif()
  _tarn_extra_executables(${name} "${all}" "${test_deps}")
endfunction()

# Benches, fuzz targets and programs of a folder.
function(_tarn_extra_executables name all deps)
  foreach(file IN LISTS all)
    get_filename_component(stem "${file}" NAME_WE)
    if(stem MATCHES "_bench$")
      set(target ${name}_${stem})
      add_executable(${target} EXCLUDE_FROM_ALL ${file})
    elseif(stem MATCHES "_fuzz$" AND TARN_SANITIZE MATCHES "address")
      set(target ${name}_${stem})
      add_executable(${target} EXCLUDE_FROM_ALL ${file})
      target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    elseif(stem MATCHES "_static_main$")
      _tarn_static_program("${stem}" ${file})
      _tarn_tests_run_program(${name} "${stem}")
      continue()
    elseif(stem MATCHES "_main$")
      string(REGEX REPLACE "_main$" "" target "${stem}")
      string(REPLACE "_" "-" target "${target}")
      add_executable(${target} ${file})
      set_property(GLOBAL APPEND PROPERTY TARN_SHIPPED_PROGRAMS ${target})
    else()
      continue()
    endif()
    tarn_target(${target})
    target_link_libraries(${target} PRIVATE ${deps})
    _tarn_tests_run_program(${name} "${stem}")
  endforeach()
endfunction()

# Tests of a folder may start its programs, so building them builds these too.
function(_tarn_tests_run_program name stem)
  if(stem MATCHES "_main$" AND TARGET ${name}_test)
    string(REGEX REPLACE "(_static)?_main$" "" program "${stem}")
    string(REPLACE "_" "-" program "${program}")
    add_dependencies(${name}_test ${program})
  endif()
endfunction()

function(_tarn_static_program stem file)
  string(REGEX REPLACE "_static_main$" "" target "${stem}")
  string(REPLACE "_" "-" target "${target}")
  add_executable(${target} ${file})
  target_include_directories(${target} PRIVATE "${CMAKE_SOURCE_DIR}/src")
  # No sanitizer has a static runtime, and a run path makes a static program crash at start.
  target_compile_options(${target} PRIVATE -Os -fno-sanitize=all)
  target_link_options(${target} PRIVATE -static-pie -fno-sanitize=all
    -Wno-unused-command-line-argument)  # the -pie of everything else
  set_target_properties(${target} PROPERTIES SKIP_BUILD_RPATH ON)
  set_property(GLOBAL APPEND PROPERTY TARN_SHIPPED_PROGRAMS ${target})
endfunction()

# Called last: services see every generated type, because they call each other's operations.
function(tarn_connect_generated_code)
  get_property(users GLOBAL PROPERTY TARN_GENERATED_CODE_USERS)
  foreach(user IN LISTS users)
    get_target_property(type ${user} TYPE)
    set(scope PUBLIC)
    if(type STREQUAL "INTERFACE_LIBRARY")
      set(scope INTERFACE)
    endif()
    if(TARGET tarn_gen)
      target_link_libraries(${user} ${scope} tarn_gen)
    endif()
    if(TARGET tarn_codegen AND NOT type STREQUAL "INTERFACE_LIBRARY")
      add_dependencies(${user} tarn_codegen)
    endif()
  endforeach()
endfunction()
