# SPDX-License-Identifier: Apache-2.0
# Code for the codec's own tests, independent of what services declare, and a program that runs the
# codec on request, so that the pytest suite can compare it with botocore.

file(STRINGS "${CMAKE_CURRENT_LIST_DIR}/operations.txt" lines REGEX "^[^#]")
set_property(DIRECTORY "${CMAKE_SOURCE_DIR}" APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
             "${CMAKE_CURRENT_LIST_DIR}/operations.txt")
set(sources)
foreach(line IN LISTS lines)
  string(REPLACE " " ";" words "${line}")
  list(POP_FRONT words service)
  list(TRANSFORM words PREPEND "--operation;")
  tarn_generate_service(files ${service} INCLUDE codec_test NAMESPACE tarn::codec_test
    OPTIONS --registry ${words})
  list(APPEND sources ${files})
endforeach()

# An OBJECT library: what registers itself before main must not be left out by the linker.
add_library(tarn_codec_test_code OBJECT EXCLUDE_FROM_ALL ${sources})
tarn_target(tarn_codec_test_code)
target_link_libraries(tarn_codec_test_code PUBLIC tarn_aws)
if(TARGET aws_test)
  target_link_libraries(aws_test PRIVATE tarn_codec_test_code)
endif()

foreach(program aws_codec_fuzz aws_codec_bench)
  if(TARGET ${program})
    target_link_libraries(${program} PRIVATE tarn_codec_test_code)
  endif()
endforeach()

add_executable(codec_driver EXCLUDE_FROM_ALL "${CMAKE_CURRENT_LIST_DIR}/codec_driver.cpp")
tarn_target(codec_driver)
target_link_libraries(codec_driver PRIVATE tarn_codec_test_code tarn_aws_testing)
add_dependencies(unit_tests codec_driver)
if(TARN_PYTHON)
  add_test(NAME codec_against_botocore
    COMMAND "${TARN_PYTHON}" -m pytest -q -p no:cacheprovider "${CMAKE_CURRENT_LIST_DIR}")
  set_tests_properties(codec_against_botocore PROPERTIES
    ENVIRONMENT "TARN_CODEC_DRIVER=$<TARGET_FILE:codec_driver>;PYTHONDONTWRITEBYTECODE=1")
endif()
