// SPDX-License-Identifier: Apache-2.0
#include "services/ssm/service.hpp"

#include <fmt/format.h>

#include "aws/ssm/errors.hpp"
#include "base/strings.hpp"

namespace tarn::ssm {

void Ssm::operations(platform::OpTable& t) {
  writing_operations(t);
  reading_operations(t);
  tag_operations(t);
}

ParameterRecord require_parameter(kernel::Txn& txn, const ParameterReference& reference) {
  auto record = txn.find<ParameterRecord>(reference.name);
  if (!record && !reference.other_name.empty()) {
    record = txn.find<ParameterRecord>(reference.other_name);
  }
  if (!record) throw ParameterNotFound();
  return *std::move(record);
}

ParameterRecord require_parameter_for_update(kernel::Txn& txn, const std::string& name) {
  auto record = txn.find_for_update<ParameterRecord>(name);
  if (!record) throw ParameterNotFound();
  return *std::move(record);
}

std::optional<VersionData> find_version(kernel::Txn& txn, const ParameterRecord& record,
                                        std::int64_t number) {
  if (number == record.current.number) return record.current;
  auto former = txn.peek<FormerVersionRecord>(record.name, number);
  if (!former) return std::nullopt;
  return std::move(former->version);
}

[[noreturn]] void throw_no_version(const std::string& name, const std::string& version) {
  throw ParameterVersionNotFound(
      fmt::format("Systems Manager could not find version {} of {}. Verify the version and try "
                  "again.",
                  version, name));
}

std::string seal_context(const kernel::Scope& scope, const std::string& name,
                         std::int64_t version) {
  return fmt::format("ssm/{}/{}/{}/{}", scope.account, scope.region, name, version);
}

std::string read_token(const std::optional<std::string>& token) {
  if (!token || token->empty()) return {};
  const auto after = from_base64(*token);
  if (!after || after->empty()) throw InvalidNextToken("The specified token isn't valid.");
  return *after;
}

}  // namespace tarn::ssm
