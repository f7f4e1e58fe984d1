// SPDX-License-Identifier: Apache-2.0
#include "services/cloudformation/stack_store.hpp"

#include <atomic>

#include "aws/error.hpp"
#include "base/strings.hpp"
#include "base/time.hpp"

namespace tarn::cloudformation {
namespace {

constexpr std::string_view k_parameters_context = "cloudformation/parameters";
constexpr std::string_view k_resource_context = "cloudformation/resource";

// Orders events of one moment; their time orders the rest.
std::uint64_t next_sequence() {
  static std::atomic<std::uint64_t> sequence{0};
  return sequence.fetch_add(1);
}

template <class Find>
std::optional<StackRecord> find_by(kernel::Txn& txn, const std::string& name_or_id, Find find) {
  if (is_stack_arn(name_or_id)) return find(name_or_id);
  const auto name = txn.find<StackNameRecord>(name_or_id);
  if (!name) return std::nullopt;
  return find(name->id);
}

[[noreturn]] void throw_missing(const std::string& name_or_id) {
  throw aws::ApiError("ValidationError",
                      fmt::format("Stack with id {} does not exist", name_or_id));
}

Json tags_json(const std::map<std::string, std::string>& tags) {
  JsonObject out;
  for (const auto& [key, value] : tags) out[key] = value;
  return out;
}

}  // namespace

bool is_stack_arn(std::string_view text) {
  return text.starts_with("arn:") && text.find(":cloudformation:") != std::string_view::npos;
}

bool in_progress(std::string_view status) {
  return status.ends_with("_IN_PROGRESS") && status != "REVIEW_IN_PROGRESS";
}

std::string stack_name_of_arn(std::string_view arn) {
  const auto parts = split(arn, '/');
  return parts.size() > 1 ? parts[1] : std::string();
}

std::optional<StackRecord> find_stack(kernel::Txn& txn, const std::string& name_or_id) {
  return find_by(txn, name_or_id, [&](const std::string& id) { return txn.find<StackRecord>(id); });
}

std::optional<StackRecord> find_stack_for_update(kernel::Txn& txn, const std::string& name_or_id) {
  return find_by(txn, name_or_id,
                 [&](const std::string& id) { return txn.find_for_update<StackRecord>(id); });
}

StackRecord require_stack(kernel::Txn& txn, const std::string& name_or_id) {
  auto stack = find_stack(txn, name_or_id);
  if (!stack) throw_missing(name_or_id);
  return *std::move(stack);
}

StackRecord require_stack_for_update(kernel::Txn& txn, const std::string& name_or_id) {
  auto stack = find_stack_for_update(txn, name_or_id);
  if (!stack) throw_missing(name_or_id);
  return *std::move(stack);
}

std::string template_text(kernel::Txn& txn, const std::string& stack_id, std::uint64_t version) {
  auto record = txn.find<TemplateRecord>(stack_id, version);
  return record ? std::move(record->text) : std::string();
}

void set_status(kernel::Txn& txn, StackRecord& stack, std::string status, std::string reason,
                Timestamp now) {
  stack.status = std::move(status);
  stack.reason = std::move(reason);
  EventRecord event;
  event.stack_id = stack.id;
  event.time = now;
  event.sequence = next_sequence();
  event.event_id = fmt::format("{}-{}-{}", stack.name, stack.status, to_micros(now));
  event.logical_id = stack.name;
  event.physical_id = stack.id;
  event.type = k_stack_type;
  event.status = stack.status;
  event.reason = stack.reason;
  event.client_token = stack.client_token;
  event.operation = stack.operation;
  txn.put(event);
}

void tell(kernel::Txn& txn, const StackRecord& stack, const ResourceRecord& resource,
          const std::string& properties, Timestamp now) {
  EventRecord event;
  event.stack_id = stack.id;
  event.time = now;
  event.sequence = next_sequence();
  event.event_id = fmt::format("{}-{}-{}", resource.logical_id, resource.status,
                               iso8601(now, Precision::milliseconds));
  event.logical_id = resource.logical_id;
  event.physical_id = resource.current.physical_id;
  event.type = resource.type;
  event.status = resource.status;
  event.reason = resource.reason;
  event.properties = properties;
  event.client_token = stack.client_token;
  event.operation = stack.operation;
  txn.put(event);
}

std::vector<ResourceRecord> resources_of(kernel::Txn& txn, const std::string& stack_id) {
  return txn.list<ResourceRecord>(kernel::Key(stack_id));
}

std::string Vault::seal_parameters(const std::vector<ParameterValue>& values) const {
  JsonArray list;
  for (const auto& value : values) {
    JsonObject item;
    item["name"] = value.name;
    item["text"] = value.text;
    item["resolved"] = value.resolved;
    item["no_echo"] = value.no_echo;
    list.push_back(std::move(item));
  }
  return box_.seal(dump_json(list), k_parameters_context);
}

std::vector<ParameterValue> Vault::open_parameters(const std::string& sealed) const {
  std::vector<ParameterValue> values;
  if (sealed.empty()) return values;
  const Json list = parse_json(box_.open(sealed, k_parameters_context));
  for (const auto& item : list.get_array()) {
    const Json* no_echo = find_member(item, "no_echo");
    values.push_back({string_or(item, "name"), string_or(item, "text"), string_or(item, "resolved"),
                      no_echo && *no_echo == Json(true)});
  }
  return values;
}

std::string Vault::seal(const KnownResource& known) const {
  JsonObject out;
  out["properties"] = known.properties;
  out["attributes"] = known.attributes;
  out["tags"] = tags_json(known.tags);
  return box_.seal(dump_json(out), k_resource_context);
}

KnownResource Vault::open(const std::string& sealed) const {
  KnownResource known;
  if (sealed.empty()) return known;
  const Json value = parse_json(box_.open(sealed, k_resource_context));
  if (const Json* properties = find_member(value, "properties")) known.properties = *properties;
  if (const Json* attributes = find_member(value, "attributes"); attributes->is_object()) {
    known.attributes = attributes->get_object();
  }
  if (const Json* tags = find_member(value, "tags")) {
    for (const auto& [key, text] : tags->get_object()) {
      known.tags[std::string(key)] = json_text(text.get_string());
    }
  }
  return known;
}

std::string write_identity(const platform::Identity& identity) {
  JsonObject out;
  out["kind"] = static_cast<std::int64_t>(identity.kind);
  out["account"] = identity.account;
  out["arn"] = identity.arn;
  out["principal_id"] = identity.principal_id;
  out["role_arn"] = identity.role_arn;
  out["service"] = identity.service;
  out["source_arn"] = identity.source_arn;
  out["session_policy"] = identity.session_policy;
  out["tags"] = tags_json(identity.tags);
  return dump_json(out);
}

platform::Identity read_identity(const std::string& text) {
  platform::Identity identity;
  const Json value = parse_json(text);
  const Json* kind = find_member(value, "kind");
  identity.kind = static_cast<platform::Identity::Kind>(kind ? kind->to_number<int>() : 4);
  identity.account = string_or(value, "account");
  identity.arn = string_or(value, "arn");
  identity.principal_id = string_or(value, "principal_id");
  identity.role_arn = string_or(value, "role_arn");
  identity.service = string_or(value, "service");
  identity.source_arn = string_or(value, "source_arn");
  identity.session_policy = string_or(value, "session_policy");
  if (const Json* tags = find_member(value, "tags")) {
    for (const auto& [key, tag] : tags->get_object()) {
      identity.tags[std::string(key)] = json_text(tag.get_string());
    }
  }
  return identity;
}

std::vector<std::string> importers(kernel::Txn& txn, const std::string& export_name) {
  std::vector<std::string> names;
  for (const auto& record : txn.list<ImportRecord>(kernel::Key(export_name))) {
    names.push_back(record.stack_name);
  }
  return names;
}

}  // namespace tarn::cloudformation
