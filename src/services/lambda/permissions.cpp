// SPDX-License-Identifier: Apache-2.0
// Resource policies and tags.
#include <fmt/format.h>

#include <algorithm>

#include "aws/lambda/errors.hpp"
#include "services/lambda/service.hpp"

namespace tarn::lambda {
namespace {

// "events.amazonaws.com", an account, an ARN, or "*".
Json principal_of(const std::string& text) {
  if (text == "*") return "*";
  if (text.size() == 12 && parse_uint(text)) {
    return JsonObject{{"AWS", "arn:aws:iam::" + text + ":root"}};
  }
  if (text.starts_with("arn:")) return JsonObject{{"AWS", text}};
  return JsonObject{{"Service", text}};
}

Json statement_of(const AddPermissionInput& in, const std::string& resource) {
  JsonObject conditions;
  const auto add = [&](const char* test, const char* key, const std::optional<std::string>& value) {
    if (!value) return;
    JsonObject tests;
    if (const auto* found = conditions.if_contains(test)) tests = found->as_object();
    tests[key] = *value;
    conditions[test] = std::move(tests);
  };
  add("ArnLike", "AWS:SourceArn", in.source_arn);
  add("StringEquals", "AWS:SourceAccount", in.source_account);
  add("StringEquals", "aws:PrincipalOrgID", in.principal_org_id);
  add("StringEquals", "lambda:EventSourceToken", in.event_source_token);
  add("StringEquals", "lambda:FunctionUrlAuthType", in.function_url_auth_type);
  JsonObject statement{{"Sid", in.statement_id},
                       {"Effect", "Allow"},
                       {"Principal", principal_of(in.principal)},
                       {"Action", in.action},
                       {"Resource", resource}};
  if (!conditions.empty()) statement["Condition"] = std::move(conditions);
  return statement;
}

std::string document_of(const PolicyRecord& policy) {
  JsonArray statements;
  for (const auto& statement : policy.statements) statements.push_back(statement);
  return dump_json(JsonObject{
      {"Version", "2012-10-17"}, {"Id", "default"}, {"Statement", std::move(statements)}});
}

FunctionId id_of_arn(const std::string& arn) { return FunctionId::parse(arn, std::nullopt); }

}  // namespace

void Lambda::permission_operations(platform::OpTable& t) {
  const auto qualified = [](Call& call, const auto& in) {
    return asked_arn(call, in.function_name, in.qualifier);
  };
  const auto by_arn = [](Call&, const auto& in) { return in.resource; };
  t.op<AddPermission>(&Lambda::add_permission).on(qualified);
  t.op<RemovePermission>(&Lambda::remove_permission).on(qualified);
  t.op<GetPolicy>(&Lambda::get_policy).on(qualified);
  t.op<TagResource>(&Lambda::tag_resource).on(by_arn);
  t.op<UntagResource>(&Lambda::untag_resource).on(by_arn);
  t.op<ListTags>(&Lambda::list_tags).on(by_arn);
}

AddPermissionOutput Lambda::add_permission(Call& call, const AddPermissionInput& in) {
  const FunctionId id = FunctionId::parse(in.function_name, in.qualifier);
  auto txn = store_.begin(call.scope());
  require_function(txn, id);
  auto policy = txn.find_for_update<PolicyRecord>(id.name, id.qualifier)
                    .value_or(PolicyRecord{id.name, id.qualifier, {}, ""});
  for (const auto& statement : policy.statements) {
    if (string_or(statement, "Sid") != in.statement_id) continue;
    throw ResourceConflictException(fmt::format(
        "The statement id ({}) provided already exists. Please provide a new statement id, or "
        "remove the existing statement.",
        in.statement_id));
  }
  Json statement = statement_of(in, function_arn(call.scope(), id.name, id.qualifier));
  std::string text = dump_json(statement);
  policy.statements.push_back(std::move(statement));
  policy.revision = environment_.random.uuid();
  txn.put(policy);
  txn.commit();
  call.set_response_status(201);
  return {.statement = std::move(text)};
}

RemovePermissionOutput Lambda::remove_permission(Call& call, const RemovePermissionInput& in) {
  const FunctionId id = FunctionId::parse(in.function_name, in.qualifier);
  auto txn = store_.begin(call.scope());
  auto policy = txn.find_for_update<PolicyRecord>(id.name, id.qualifier);
  const auto removed = !policy ? 0 : std::erase_if(policy->statements, [&](const Json& statement) {
    return string_or(statement, "Sid") == in.statement_id;
  });
  if (removed == 0) {
    throw ResourceNotFoundException(
        fmt::format("Statement {} is not found in resource policy.", in.statement_id));
  }
  if (policy->statements.empty()) {
    txn.erase<PolicyRecord>(id.name, id.qualifier);
  } else {
    policy->revision = environment_.random.uuid();
    txn.put(*policy);
  }
  txn.commit();
  return {};
}

GetPolicyOutput Lambda::get_policy(Call& call, const GetPolicyInput& in) {
  const FunctionId id = FunctionId::parse(in.function_name, in.qualifier);
  auto txn = store_.begin(call.scope());
  require_function(txn, id);
  const auto policy = txn.find<PolicyRecord>(id.name, id.qualifier);
  if (!policy) throw ResourceNotFoundException("The resource you requested does not exist.");
  return {.policy = document_of(*policy), .revision_id = policy->revision};
}

std::optional<std::string> Lambda::policy_of(Call& call, const std::string& function,
                                             const std::optional<std::string>& qualifier) {
  const FunctionId id = FunctionId::parse(function, qualifier);
  auto txn = store_.begin(call.scope());
  const auto policy = txn.peek<PolicyRecord>(id.name, id.qualifier);
  return policy ? std::optional(document_of(*policy)) : std::nullopt;
}

TagResourceOutput Lambda::tag_resource(Call& call, const TagResourceInput& in) {
  auto txn = store_.begin(call.scope());
  FunctionRecord function = require_latest_for_update(txn, id_of_arn(in.resource));
  for (const auto& [key, value] : in.tags) function.tags[key] = value;
  txn.put(function);
  txn.commit();
  return {};
}

UntagResourceOutput Lambda::untag_resource(Call& call, const UntagResourceInput& in) {
  auto txn = store_.begin(call.scope());
  FunctionRecord function = require_latest_for_update(txn, id_of_arn(in.resource));
  for (const auto& key : in.tag_keys) function.tags.erase(key);
  txn.put(function);
  txn.commit();
  return {};
}

ListTagsOutput Lambda::list_tags(Call& call, const ListTagsInput& in) {
  auto txn = store_.begin(call.scope());
  return {.tags = require_function(txn, {id_of_arn(in.resource).name, ""}).tags};
}

}  // namespace tarn::lambda
