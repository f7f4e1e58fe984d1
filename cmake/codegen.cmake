# SPDX-License-Identifier: Apache-2.0
# Wire code from botocore's service models (codegen/), into ${CMAKE_BINARY_DIR}/gen.
#
#   tarn_gen        INTERFACE: everything that is generated, for services and the server
#   tarn_codegen    runs the generator
#
# The operations of a service are those that its folder's `.op<Name>` rows declare. Each service has
# one command that depends on the folder's sources, so that a new row is enough. The generator
# rewrites only what changes, and ninja looks again at what it did not rewrite. The headers are
# outputs of that command by name; when their list changes, the next run configures again.

if(NOT TARN_BOTOCORE_DATA OR NOT EXISTS "${TARN_BOTOCORE_DATA}")
  message(FATAL_ERROR "botocore's service models are not in ${TARN_CACHE}: run ./dev setup")
endif()
find_package(Python3 3.9 REQUIRED COMPONENTS Interpreter)  # its standard library is enough

set(TARN_GENERATOR "${CMAKE_SOURCE_DIR}/codegen/generate.py")
set(TARN_GEN_DIR "${CMAKE_BINARY_DIR}/gen")
file(GLOB TARN_GENERATOR_PARTS CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/codegen/tarn_codegen/*.py")
list(APPEND TARN_GENERATOR_PARTS "${TARN_GENERATOR}")

# tarn_generate_service(result service [SOURCE folder] [INCLUDE first] [NAMESPACE ns]
#                       [DATA folder] [OPTIONS args...])
# Sets `result` to the sources to compile.
function(tarn_generate_service result service)
  cmake_parse_arguments(arg "" "SOURCE;INCLUDE;NAMESPACE;DATA" "OPTIONS" ${ARGN})
  if(NOT arg_INCLUDE)
    set(arg_INCLUDE aws)
  endif()
  if(NOT arg_NAMESPACE)
    set(arg_NAMESPACE tarn)
  endif()
  if(NOT arg_DATA)
    set(arg_DATA "${TARN_BOTOCORE_DATA}")
  endif()
  string(REPLACE "-" "_" folder "${service}")
  set(manifest "${TARN_GEN_DIR}/manifest/${arg_INCLUDE}_${folder}.cmake")
  set(command "${Python3_EXECUTABLE}" "${TARN_GENERATOR}" service --data "${arg_DATA}"
      --service ${service} --out "${TARN_GEN_DIR}" --manifest "${manifest}"
      --include ${arg_INCLUDE} --namespace ${arg_NAMESPACE} ${arg_OPTIONS})
  set(sources)
  if(arg_SOURCE)
    list(APPEND command --from "${arg_SOURCE}")
    file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${arg_SOURCE}/*.cpp")
  endif()
  # Now, for the list of files; again whenever an input changes.
  execute_process(COMMAND ${command} RESULT_VARIABLE failed ERROR_VARIABLE message)
  if(failed)
    message(FATAL_ERROR "${message}")
  endif()
  include("${manifest}")
  list(REMOVE_DUPLICATES TARN_GENERATED_FILES)
  set_property(DIRECTORY "${CMAKE_SOURCE_DIR}" APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
               "${manifest}")
  set(compiled ${TARN_GENERATED_FILES})
  list(FILTER compiled INCLUDE REGEX "\\.cpp$")
  list(REMOVE_ITEM TARN_GENERATED_FILES ${compiled})
  file(GLOB patch CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/codegen/models/patches/${service}.json")
  add_custom_command(
    OUTPUT ${compiled} BYPRODUCTS ${TARN_GENERATED_FILES}
    COMMAND ${command}
    DEPENDS ${TARN_GENERATOR_PARTS} ${sources} ${patch}
    COMMENT "Generating the wire code of ${service}" VERBATIM)
  set(${result} ${compiled} PARENT_SCOPE)
endfunction()

# The services' code.
get_property(services GLOBAL PROPERTY TARN_SERVICES)
set(generated)
foreach(folder IN LISTS services)
  string(REPLACE "_" "-" service "${folder}")
  if(EXISTS "${TARN_BOTOCORE_DATA}/${service}")
    tarn_generate_service(files ${service}
      SOURCE "${CMAKE_SOURCE_DIR}/src/services/${folder}")
    list(APPEND generated ${files})
  endif()
endforeach()

# Every operation of AWS in a compact form, for routing.
set(catalogue "${TARN_GEN_DIR}/aws/catalogue.cpp")
set(command "${Python3_EXECUTABLE}" "${TARN_GENERATOR}" catalogue
    --data "${TARN_BOTOCORE_DATA}" --out "${TARN_GEN_DIR}")
file(GLOB patches CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/codegen/models/patches/*.json")
add_custom_command(OUTPUT "${catalogue}" COMMAND ${command}
  DEPENDS ${TARN_GENERATOR_PARTS} ${patches} COMMENT "Generating the catalogue of operations"
  VERBATIM)
add_library(tarn_gen_catalogue STATIC "${catalogue}")
tarn_target(tarn_gen_catalogue)
get_target_property(type tarn_aws TYPE)
if(NOT type STREQUAL "INTERFACE_LIBRARY")
  target_link_libraries(tarn_aws PUBLIC tarn_gen_catalogue)
endif()

add_custom_target(tarn_codegen DEPENDS ${generated} "${catalogue}")
add_library(tarn_gen INTERFACE)
target_include_directories(tarn_gen INTERFACE "${TARN_GEN_DIR}")
target_link_libraries(tarn_gen INTERFACE tarn_aws)
if(generated)
  add_library(tarn_gen_code STATIC ${generated})
  tarn_target(tarn_gen_code)
  target_link_libraries(tarn_gen_code PUBLIC tarn_aws)
  target_link_libraries(tarn_gen INTERFACE tarn_gen_code)
endif()

include("${CMAKE_SOURCE_DIR}/codegen/tests/tests.cmake" OPTIONAL)
