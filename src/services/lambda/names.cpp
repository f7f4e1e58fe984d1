// SPDX-License-Identifier: Apache-2.0
#include "services/lambda/names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "aws/lambda/errors.hpp"
#include "base/strings.hpp"

namespace tarn::lambda {
namespace {

constexpr std::size_t k_name_length_max = 64;

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= k_name_length_max &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
         });
}

}  // namespace

FunctionId FunctionId::parse(const std::string& text, const std::optional<std::string>& qualifier) {
  auto parts = split(text, ':');
  std::size_t at = 0;
  if (parts.size() >= 7 && parts[0] == "arn" && parts[2] == "lambda" && parts[5] == "function") {
    at = 6;
  } else if (parts.size() >= 3 && parts[1] == "function") {
    at = 2;
  } else if (parts.size() >= 2 && parts[0] == "function") {
    at = 1;
  }
  FunctionId id;
  id.name = parts[at];
  if (parts.size() > at + 1) id.qualifier = parts[at + 1];
  if (!is_name(id.name) || parts.size() > at + 2) {
    throw InvalidParameterValueException(
        fmt::format("1 validation error detected: Value '{}' at 'functionName' failed to satisfy "
                    "constraint: Member must satisfy regular expression pattern: "
                    "(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{{2}}(-gov)?-[a-z]+-\\d{{1}}:)?(\\d{{12}}"
                    ":)?(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?",
                    text));
  }
  if (qualifier && !qualifier->empty()) {
    if (!id.qualifier.empty() && id.qualifier != *qualifier) {
      throw InvalidParameterValueException(
          "The derived qualifier from the function name does not match the specified qualifier.");
    }
    id.qualifier = *qualifier;
  }
  return id;
}

std::string function_arn(const kernel::Scope& scope, const std::string& name,
                         const std::string& qualifier) {
  return fmt::format("arn:aws:lambda:{}:{}:function:{}{}{}", scope.region, scope.account, name,
                     qualifier.empty() ? "" : ":", qualifier);
}

std::string layer_arn(const kernel::Scope& scope, const std::string& name) {
  return fmt::format("arn:aws:lambda:{}:{}:layer:{}", scope.region, scope.account, name);
}

LayerVersionId LayerVersionId::parse(const std::string& arn) {
  const auto parts = split(arn, ':');
  const auto version = parts.size() == 8 ? parse_int(parts[7]) : std::nullopt;
  if (!version || parts[0] != "arn" || parts[2] != "lambda" || parts[5] != "layer") {
    throw InvalidParameterValueException(fmt::format("Invalid layer version ARN: {}", arn));
  }
  return {{parts[4], parts[3]}, parts[6], *version};
}

}  // namespace tarn::lambda
