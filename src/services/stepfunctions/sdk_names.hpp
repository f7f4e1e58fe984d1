// SPDX-License-Identifier: Apache-2.0
// How the aws-sdk integrations name services, and how they shape what operations return: the names
// of the Java SDK, members beginning with a capital. Pure.
#pragma once
#include <string>
#include <string_view>

#include "aws/shape.hpp"
#include "base/json.hpp"

namespace tarn::stepfunctions {

struct SdkService {
  std::string id;      // botocore's: "redshift-data"
  std::string prefix;  // of error names: "RedshiftData"
};
SdkService sdk_service(std::string_view name);        // "redshiftdata"
std::string operation_name(std::string_view action);  // "executeStatement" → "ExecuteStatement"

// Members of structures with a capital, keys of maps as they are.
Json with_capitals(const aws::Shape& shape, const Json& value);

}  // namespace tarn::stepfunctions
