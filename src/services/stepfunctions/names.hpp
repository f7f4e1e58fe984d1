// SPDX-License-Identifier: Apache-2.0
// ARNs and names of Step Functions, checked in AWS's words. Pure values.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "kernel/record.hpp"
#include "kernel/store.hpp"

namespace tarn::stepfunctions {

// arn:aws:states:REGION:ACCOUNT:stateMachine:NAME and its kin.
struct ResourceName {
  kernel::Scope scope;
  std::string kind;       // "stateMachine", "execution", "express", "activity"
  std::string name;       // of the machine or activity
  std::string execution;  // of an execution
  std::string qualifier;  // of a machine: version or alias
};
// Throws InvalidArn. `kinds` are those allowed, separated by '|'.
ResourceName parse_name(std::string_view arn, std::string_view kinds);
std::optional<ResourceName> find_name(std::string_view arn);

std::string machine_arn(const kernel::Scope& scope, std::string_view name);
std::string execution_arn(const kernel::Scope& scope, std::string_view machine,
                          std::string_view name);
// Throws InvalidName.
void check_name(std::string_view name);

// nextToken: the key of a page's last row. `page_options` throws InvalidToken.
std::string page_token(std::string_view last_key);
kernel::ScanOptions page_options(const std::optional<std::string>& token);

}  // namespace tarn::stepfunctions
