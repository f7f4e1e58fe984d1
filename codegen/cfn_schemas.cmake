# SPDX-License-Identifier: Apache-2.0
# Schemas of the implemented CloudFormation types, compiled into the service.
# Needs TARN_PYTHON and TARN_CFN_SCHEMAS (./dev setup).

if(TARGET tarn_svc_cloudformation AND TARN_CFN_SCHEMAS)
  set(TARN_CFN_TABLE "${CMAKE_BINARY_DIR}/gen/services/cloudformation/type_schemas.cpp")
  file(GLOB resource_files CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/services/*/resources*.cpp")
  add_custom_command(
    OUTPUT "${TARN_CFN_TABLE}"
    COMMAND "${TARN_PYTHON}" "${CMAKE_SOURCE_DIR}/codegen/cfn_schemas.py"
            --schemas "${TARN_CFN_SCHEMAS}" --services "${CMAKE_SOURCE_DIR}/src/services"
            --output "${TARN_CFN_TABLE}"
    COMMAND "${CMAKE_COMMAND}" -E touch "${TARN_CFN_TABLE}"
    DEPENDS "${CMAKE_SOURCE_DIR}/codegen/cfn_schemas.py" ${resource_files}
    COMMENT "CloudFormation schemas"
    VERBATIM)
  # A custom command's output is known to the folder that declares it: hence a library of its own.
  add_library(tarn_cfn_schemas STATIC "${TARN_CFN_TABLE}")
  tarn_target(tarn_cfn_schemas)
  target_link_libraries(tarn_svc_cloudformation PUBLIC tarn_cfn_schemas)
endif()
