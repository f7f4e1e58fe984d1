// SPDX-License-Identifier: Apache-2.0
// CloudFormation's durable records. Scope: account and region of the stack.
//
//   stack     by id            what it is, its status, the operation that drives it
//   name      by stack name    the id of the live stack of that name
//   template  by id, version   texts as given
//   resource  by id, logical   what exists, what is being done to it
//   event     by id, time      the history that DescribeStackEvents tells
//   changeset by id, name      and `changeset-id` by its unique part
//   export    by name          and `import` by export's name and importing stack
//
// Values that may carry secrets (parameters, properties, attributes) are sealed texts.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kernel/record.hpp"

namespace tarn::cloudformation {

// What a stack is made from; a stack keeps the present and, during an update, the former.
struct StackInputs {
  std::uint64_t template_version = 0;
  std::string sealed_parameters;
  std::map<std::string, std::string> tags;
  std::vector<std::string> capabilities;
  std::string description;
  void fields(auto& f) { f(template_version, sealed_parameters, tags, capabilities, description); }
};

struct StackOutput {
  std::string key, value, description, export_name;
  void fields(auto& f) { f(key, value, description, export_name); }
};

struct StackRecord {
  static constexpr kernel::RecordKind k_kind{"cloudformation", "stack", 1};
  std::string id, name;
  std::string status, reason;
  Timestamp created{};
  std::optional<Timestamp> updated, deleted;
  StackInputs inputs, former;
  std::vector<StackOutput> outputs;
  std::string role_arn;
  std::string identity;  // JSON: who asked, where there is no role
  std::string on_failure = "ROLLBACK";
  bool retain_except_on_create = false;
  bool termination_protection = false;
  std::int64_t timeout_minutes = 0;
  std::string parent_id, root_id;
  std::string change_set_id;
  std::string client_token;  // of the latest request
  std::string operation;     // the job that drives it, or the latest
  Timestamp operation_began{};
  bool cancel_requested = false;
  std::set<std::string> skipped;  // retained by DeleteStack, left out by ContinueUpdateRollback
  std::uint64_t template_versions = 0;
  auto key() const { return kernel::Key(id); }
  void fields(auto& f) {
    f(id, name, status, reason, created, updated, deleted, inputs, former, outputs, role_arn,
      identity, on_failure, retain_except_on_create, termination_protection, timeout_minutes,
      parent_id, root_id, change_set_id, client_token, operation, operation_began, cancel_requested,
      skipped, template_versions);
  }
};

struct StackNameRecord {
  static constexpr kernel::RecordKind k_kind{"cloudformation", "name", 1};
  std::string name, id;
  auto key() const { return kernel::Key(name); }
  void fields(auto& f) { f(name, id); }
};

struct TemplateRecord {
  static constexpr kernel::RecordKind k_kind{"cloudformation", "template", 1,
                                             kernel::Family::bodies};
  std::string stack_id;
  std::uint64_t version = 0;
  std::string text;
  auto key() const { return kernel::Key(stack_id, version); }
  void fields(auto& f) { f(stack_id, version, text); }
};

// One physical resource.
struct PhysicalResource {
  bool exists = false;  // or may exist
  std::string physical_id;
  std::string sealed;  // {"properties", "attributes", "tags"}
  std::string deletion_policy = "Delete", update_replace_policy = "Delete";
  void fields(auto& f) { f(exists, physical_id, sealed, deletion_policy, update_replace_policy); }
};

// What an operation does to a resource. `done` beside it says that it is over, well or not.
enum class Step : std::uint8_t { none, creating, updating, replacing, reverting, deleting };

struct ResourceRecord {
  static constexpr kernel::RecordKind k_kind{"cloudformation", "resource", 1};
  std::string stack_id, logical_id, type;
  std::string status, reason;
  Timestamp updated{};
  std::string metadata;
  PhysicalResource current;
  std::optional<PhysicalResource> former;   // before `operation` touched it
  std::vector<PhysicalResource> leftovers;  // to be deleted when the operation cleans up
  std::string operation;
  Step step = Step::none;
  bool done = false;
  std::string token;     // the client token of the step
  std::string progress;  // what a pending step left
  auto key() const { return kernel::Key(stack_id, logical_id); }
  void fields(auto& f) {
    f(stack_id, logical_id, type, status, reason, updated, metadata, current, former, leftovers,
      operation, step, done, token, progress);
  }
};

struct EventRecord {
  static constexpr kernel::RecordKind k_kind{"cloudformation", "event", 1, kernel::Family::events};
  std::string stack_id, event_id;
  Timestamp time{};
  std::uint64_t sequence = 0;  // orders what happened in one moment
  std::string logical_id, physical_id, type, status, reason, properties, client_token, operation;
  auto key() const { return kernel::Key(stack_id, time, sequence); }
  void fields(auto& f) {
    f(stack_id, event_id, time, sequence, logical_id, physical_id, type, status, reason, properties,
      client_token, operation);
  }
};

struct ChangeSetRecord {
  static constexpr kernel::RecordKind k_kind{"cloudformation", "changeset", 1,
                                             kernel::Family::bodies};
  std::string stack_id, name, id, description;
  std::string type;  // CREATE or UPDATE
  std::string status, reason, execution_status;
  Timestamp created{};
  std::string template_text;
  StackInputs inputs;   // template_version is not used
  std::string changes;  // JSON: what DescribeChangeSet tells
  std::string role_arn, identity, on_failure, client_token;
  bool include_nested = false;
  bool import_existing = false;
  std::uint64_t based_on = 0;  // the stack's template version and operation when it was made
  std::string based_on_operation;
  auto key() const { return kernel::Key(stack_id, name); }
  void fields(auto& f) {
    f(stack_id, name, id, description, type, status, reason, execution_status, created,
      template_text, inputs, changes, role_arn, identity, on_failure, client_token, include_nested,
      import_existing, based_on, based_on_operation);
  }
};

struct ChangeSetIdRecord {
  static constexpr kernel::RecordKind k_kind{"cloudformation", "changeset-id", 1};
  std::string id, stack_id, name;
  auto key() const { return kernel::Key(id); }
  void fields(auto& f) { f(id, stack_id, name); }
};

struct ExportRecord {
  static constexpr kernel::RecordKind k_kind{"cloudformation", "export", 1};
  std::string name, value, stack_id, stack_name;
  auto key() const { return kernel::Key(name); }
  void fields(auto& f) { f(name, value, stack_id, stack_name); }
};

struct ImportRecord {
  static constexpr kernel::RecordKind k_kind{"cloudformation", "import", 1};
  std::string export_name, stack_id, stack_name;
  auto key() const { return kernel::Key(export_name, stack_id); }
  void fields(auto& f) { f(export_name, stack_id, stack_name); }
};

}  // namespace tarn::cloudformation
