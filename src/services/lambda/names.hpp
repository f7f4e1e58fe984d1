// SPDX-License-Identifier: Apache-2.0
// How functions and layers are named: a bare name, "account:function:name", or an ARN, each with an
// optional qualifier (a version or an alias). Pure functions.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "kernel/record.hpp"

namespace tarn::lambda {

struct FunctionId {
  std::string name;
  std::string qualifier;  // empty: none given

  // `qualifier` as its own parameter must agree with the one in the name. Throws
  // InvalidParameterValueException.
  static FunctionId parse(const std::string& text, const std::optional<std::string>& qualifier);
};

// arn:aws:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]
std::string function_arn(const kernel::Scope& scope, const std::string& name,
                         const std::string& qualifier = {});
std::string layer_arn(const kernel::Scope& scope, const std::string& name);

struct LayerVersionId {
  kernel::Scope scope;
  std::string name;
  std::int64_t version = 0;
  // arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION; throws InvalidParameterValueException.
  static LayerVersionId parse(const std::string& arn);
};

}  // namespace tarn::lambda
