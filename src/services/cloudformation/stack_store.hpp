// SPDX-License-Identifier: Apache-2.0
// Reading and writing stacks: look-ups by name or ARN, sealed values, events, statuses, exports.
// Functions on a transaction of the stack's scope; thread-safe, because they keep nothing.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "kernel/store.hpp"
#include "platform/identity.hpp"
#include "platform/secret_box.hpp"
#include "services/cloudformation/parameters.hpp"
#include "services/cloudformation/records.hpp"

namespace tarn::cloudformation {

inline constexpr std::string_view k_stack_type = "AWS::CloudFormation::Stack";

bool is_stack_arn(std::string_view text);
bool in_progress(std::string_view status);
std::string stack_name_of_arn(std::string_view arn);

// By name (live stacks) or ARN (deleted ones too).
std::optional<StackRecord> find_stack(kernel::Txn& txn, const std::string& name_or_id);
std::optional<StackRecord> find_stack_for_update(kernel::Txn& txn, const std::string& name_or_id);
// Throws ValidationError "Stack with id X does not exist" / "Stack [X] does not exist".
StackRecord require_stack(kernel::Txn& txn, const std::string& name_or_id);
StackRecord require_stack_for_update(kernel::Txn& txn, const std::string& name_or_id);

// The text of a stack's template.
std::string template_text(kernel::Txn& txn, const std::string& stack_id, std::uint64_t version);

// Sets the status and tells of it.
void set_status(kernel::Txn& txn, StackRecord& stack, std::string status, std::string reason,
                Timestamp now);
// The event of a resource's status, as the record has it.
void tell(kernel::Txn& txn, const StackRecord& stack, const ResourceRecord& resource,
          const std::string& properties, Timestamp now);

std::vector<ResourceRecord> resources_of(kernel::Txn& txn, const std::string& stack_id);

// What a physical resource is known to be.
struct KnownResource {
  Json properties = JsonObject();
  JsonObject attributes;
  std::map<std::string, std::string> tags;
};

class Vault {
 public:
  explicit Vault(const platform::SecretBox& box) : box_(box) {}
  std::string seal_parameters(const std::vector<ParameterValue>& values) const;
  std::vector<ParameterValue> open_parameters(const std::string& sealed) const;
  std::string seal(const KnownResource& known) const;
  KnownResource open(const std::string& sealed) const;

 private:
  const platform::SecretBox& box_;
};

std::string write_identity(const platform::Identity& identity);
platform::Identity read_identity(const std::string& text);

// Names of the stacks that import `export_name`.
std::vector<std::string> importers(kernel::Txn& txn, const std::string& export_name);

}  // namespace tarn::cloudformation
