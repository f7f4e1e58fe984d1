// SPDX-License-Identifier: Apache-2.0
// Published versions and aliases.
#include <fmt/format.h>

#include "aws/lambda/errors.hpp"
#include "services/lambda/list_page.hpp"
#include "services/lambda/service.hpp"

namespace tarn::lambda {
namespace {

constexpr std::size_t k_page = 50;

template <class Output>
Output shown(const AliasRecord& alias, const kernel::Scope& scope) {
  Output out;
  out.alias_arn = function_arn(scope, alias.function, alias.name);
  out.name = alias.name;
  out.function_version = alias.version;
  out.description = alias.description;
  out.revision_id = alias.revision;
  return out;
}

[[noreturn]] void no_alias(const kernel::Scope& scope, const std::string& function,
                           const std::string& name) {
  throw ResourceNotFoundException("Alias not found: " + function_arn(scope, function, name));
}

template <class Input>
void refuse_routing(const Input& in) {
  if (in.routing_config && in.routing_config->additional_version_weights &&
      !in.routing_config->additional_version_weights->empty()) {
    throw aws::ApiError("NotImplemented", "lambda: weighted aliases are not implemented by Tarn",
                        501);
  }
}

}  // namespace

void Lambda::version_operations(platform::OpTable& t) {
  const auto function = [](Call& call, const auto& in) {
    return asked_arn(call, in.function_name);
  };
  t.op<PublishVersion>(&Lambda::publish_version).on(function);
  t.op<ListVersionsByFunction>(&Lambda::list_versions).on(function);
  t.op<CreateAlias>(&Lambda::create_alias).on(function).partial("no weighted routing");
  t.op<GetAlias>(&Lambda::get_alias).on(function);
  t.op<ListAliases>(&Lambda::list_aliases).on(function);
  t.op<UpdateAlias>(&Lambda::update_alias).on(function).partial("no weighted routing");
  t.op<DeleteAlias>(&Lambda::delete_alias).on(function);
}

// A version equal to the one published last is that one, as in AWS.
PublishVersionOutput Lambda::publish_version(Call& call, const PublishVersionInput& in) {
  const FunctionId id = FunctionId::parse(in.function_name, std::nullopt);
  auto txn = store_.begin(call.scope());
  const FunctionRecord latest = require_latest_for_update(txn, id);
  if (in.code_sha256 && from_base64(*in.code_sha256) != from_hex(latest.code_digest)) {
    throw InvalidParameterValueException(fmt::format(
        "CodeSHA256 ({}) is different from current CodeSHA256 in $LATEST ({}). Please try again "
        "with the CodeSHA256 in $LATEST.",
        *in.code_sha256, to_base64(from_hex(latest.code_digest).value_or(""))));
  }
  PublishVersionOutput out;
  for (const auto& version : txn.list<FunctionRecord>(kernel::Key(id.name))) {
    if (version.version == k_latest || version.revision != latest.revision) continue;
    show(out, version, call.scope());
    return out;
  }
  FunctionRecord version = latest;
  version.version = std::to_string(next_number(txn, "function", id.name));
  if (in.description) version.description = *in.description;
  txn.put(version);
  txn.commit();
  call.set_response_status(201);
  show(out, version, call.scope());
  return out;
}

ListVersionsByFunctionOutput Lambda::list_versions(Call& call,
                                                   const ListVersionsByFunctionInput& in) {
  const FunctionId id = FunctionId::parse(in.function_name, std::nullopt);
  auto txn = store_.begin(call.scope());
  require_function(txn, {id.name, ""});
  kernel::ScanOptions options;
  if (in.marker) options.after = from_base64(*in.marker).value_or("");
  const auto limit = static_cast<std::size_t>(in.max_items.value_or(k_page));
  ListVersionsByFunctionOutput out{.versions = std::vector<FunctionConfiguration>()};
  std::string last;
  txn.scan<FunctionRecord>(
      kernel::Key(id.name), options, [&](FunctionRecord& function, const std::string& key) {
        if (out.versions->size() == limit) {
          out.next_marker = to_base64(last);
          return false;
        }
        show(out.versions->emplace_back(), function, call.scope(), function.version);
        last = key;
        return true;
      });
  return out;
}

CreateAliasOutput Lambda::create_alias(Call& call, const CreateAliasInput& in) {
  refuse_routing(in);
  const FunctionId id = FunctionId::parse(in.function_name, std::nullopt);
  auto txn = store_.begin(call.scope());
  require_function(txn, {id.name, in.function_version});
  if (txn.find_for_update<AliasRecord>(id.name, in.name)) {
    throw ResourceConflictException("Alias already exists: " +
                                    function_arn(call.scope(), id.name, in.name));
  }
  const AliasRecord alias{id.name, in.name, in.function_version, in.description.value_or(""),
                          environment_.random.uuid()};
  txn.put(alias);
  txn.commit();
  call.set_response_status(201);
  return shown<CreateAliasOutput>(alias, call.scope());
}

GetAliasOutput Lambda::get_alias(Call& call, const GetAliasInput& in) {
  const FunctionId id = FunctionId::parse(in.function_name, std::nullopt);
  auto txn = store_.begin(call.scope());
  const auto alias = txn.find<AliasRecord>(id.name, in.name);
  if (!alias) no_alias(call.scope(), id.name, in.name);
  return shown<GetAliasOutput>(*alias, call.scope());
}

ListAliasesOutput Lambda::list_aliases(Call& call, const ListAliasesInput& in) {
  const FunctionId id = FunctionId::parse(in.function_name, std::nullopt);
  auto txn = store_.begin(call.scope());
  require_function(txn, {id.name, ""});
  ListAliasesOutput out{.aliases = std::vector<AliasConfiguration>()};
  for (const auto& alias : txn.list<AliasRecord>(kernel::Key(id.name))) {
    if (in.function_version && alias.version != *in.function_version) continue;
    out.aliases->push_back(shown<AliasConfiguration>(alias, call.scope()));
  }
  out.aliases = page_of(*std::move(out.aliases), in, out,
                        [](const AliasConfiguration& alias) { return *alias.name; });
  return out;
}

UpdateAliasOutput Lambda::update_alias(Call& call, const UpdateAliasInput& in) {
  refuse_routing(in);
  const FunctionId id = FunctionId::parse(in.function_name, std::nullopt);
  auto txn = store_.begin(call.scope());
  auto alias = txn.find_for_update<AliasRecord>(id.name, in.name);
  if (!alias) no_alias(call.scope(), id.name, in.name);
  if (in.function_version) {
    require_function(txn, {id.name, *in.function_version});
    alias->version = *in.function_version;
  }
  if (in.description) alias->description = *in.description;
  alias->revision = environment_.random.uuid();
  txn.put(*alias);
  txn.commit();
  return shown<UpdateAliasOutput>(*alias, call.scope());
}

DeleteAliasOutput Lambda::delete_alias(Call& call, const DeleteAliasInput& in) {
  const FunctionId id = FunctionId::parse(in.function_name, std::nullopt);
  auto txn = store_.begin(call.scope());
  txn.erase<AliasRecord>(id.name, in.name);
  txn.commit();
  return {};
}

}  // namespace tarn::lambda
