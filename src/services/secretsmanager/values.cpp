// SPDX-License-Identifier: Apache-2.0
// Values: versions of a secret, and the staging labels that say which is which.
#include <fmt/format.h>

#include <algorithm>

#include "aws/secretsmanager/errors.hpp"
#include "base/strings.hpp"
#include "platform/registry.hpp"
#include "services/secretsmanager/secret_filter.hpp"
#include "services/secretsmanager/service.hpp"

namespace tarn::secretsmanager {
namespace {

constexpr std::size_t k_value_max = 65'536;

// ARNs are unique for good, so a value does not open under another secret.
std::string seal_context(const SecretRecord& secret, const std::string& version) {
  return "secretsmanager/" + secret.arn + "/" + version;
}

[[noreturn]] void throw_no_value(std::string_view what, const std::string& which) {
  throw ResourceNotFoundException(
      fmt::format("Secrets Manager can't find the specified secret value for {}: {}", what, which));
}

// The version that a request means.
std::string chosen_version(const SecretRecord& secret, const std::optional<std::string>& id,
                           const std::optional<std::string>& stage) {
  if (id) {
    if (!find_version(secret, *id)) throw_no_value("VersionId", *id);
    const auto stages = stages_of(secret, *id);
    if (stage && std::ranges::find(stages, *stage) == stages.end()) {
      throw InvalidRequestException(
          "You provided a VersionStage that is not associated to the provided VersionId.");
    }
    return *id;
  }
  const std::string wanted = stage.value_or(std::string(k_current));
  const auto found = secret.stages.find(wanted);
  if (found == secret.stages.end()) throw_no_value("staging label", wanted);
  return found->second;
}

}  // namespace

void SecretsManager::value_operations(platform::OpTable& t) {
  const auto arn = [this](Call& call, const auto& in) { return arn_of(call, in.secret_id); };
  const auto policy = [this](Call& call, const auto& in) { return policy_of(call, in.secret_id); };
  const auto row = [&](auto builder) { return builder.on(arn).resource_policy(policy); };
  row(t.op<GetSecretValue>(&SecretsManager::get_secret_value));
  // Each secret is judged by itself, in the handler.
  t.op<BatchGetSecretValue>(&SecretsManager::batch_get);
  row(t.op<PutSecretValue>(&SecretsManager::put_secret_value));
  row(t.op<UpdateSecretVersionStage>(&SecretsManager::update_stage));
  row(t.op<ListSecretVersionIds>(&SecretsManager::list_versions));
}

std::optional<SecretsManager::NewValue> SecretsManager::given_value(
    const std::optional<std::string>& text, const std::optional<std::string>& binary,
    const std::optional<std::string>& token) {
  if (text && binary) {
    throw InvalidParameterException(
        "You can't specify both a binary secret value and a string secret value in the same "
        "secret.");
  }
  if (!text && !binary) return std::nullopt;
  NewValue value;
  value.bytes = text ? *text : *binary;
  value.binary = binary.has_value();
  value.version = token ? *token : environment_.random.uuid();
  if (value.bytes.size() > k_value_max) {
    throw InvalidParameterException(
        fmt::format("The secret value can't be larger than {} bytes.", k_value_max));
  }
  return value;
}

std::string SecretsManager::open(const SecretRecord& secret, const SecretValueRecord& value) {
  return environment_.secrets.open(value.sealed, seal_context(secret, value.version));
}

bool SecretsManager::add_version(kernel::Txn& txn, SecretRecord& secret, const NewValue& value,
                                 Timestamp now) {
  if (find_version(secret, value.version)) {
    const auto existing = txn.find<SecretValueRecord>(secret.name, value.version);
    if (existing && existing->binary == value.binary &&
        constant_time_equal(open(secret, *existing), value.bytes)) {
      return false;
    }
    throw ResourceExistsException(
        fmt::format("You can't use ClientRequestToken {} because that value is already in use for "
                    "a version of secret {}.",
                    value.version, secret.arn));
  }
  SecretValueRecord record;
  record.name = secret.name;
  record.version = value.version;
  record.binary = value.binary;
  record.sealed = environment_.secrets.seal(value.bytes, seal_context(secret, value.version));
  txn.put(record);
  secret.versions.push_back({value.version, now, std::nullopt});
  secret.changed = now;
  for (const auto& dropped : drop_deprecated(secret)) {
    txn.erase<SecretValueRecord>(secret.name, dropped);
  }
  return true;
}

void SecretsManager::touch(const kernel::Scope& scope, const std::string& name,
                           const std::string& version, Timestamp day) {
  store_.transact(scope, [&](kernel::Txn& txn) {
    auto secret = txn.find_for_update<SecretRecord>(name);
    if (!secret) return;
    secret->accessed = day;
    for (auto& known : secret->versions) {
      if (known.id == version) known.accessed = day;
    }
    txn.put(*secret);
  });
}

GetSecretValueOutput SecretsManager::get_secret_value(Call& call, const GetSecretValueInput& in) {
  const auto reference = SecretReference::parse(in.secret_id);
  const auto scope = scope_of(call, reference);
  const Timestamp today = day_of(call.now());
  GetSecretValueOutput out;
  bool first_today = false;
  {
    auto txn = store_.begin(scope);
    const auto secret = require_secret(txn, reference);
    const auto version = chosen_version(secret, in.version_id, in.version_stage);
    const auto value = txn.peek<SecretValueRecord>(secret.name, version);
    if (!value) throw_no_value("VersionId", version);
    const auto* info = find_version(secret, version);
    first_today = info->accessed != today || secret.accessed != today;
    out.arn = secret.arn;
    out.name = secret.name;
    out.version_id = version;
    (value->binary ? out.secret_binary : out.secret_string) = open(secret, *value);
    out.version_stages = stages_of(secret, version);
    out.created_date = info->created;
  }
  if (first_today) touch(scope, *out.name, *out.version_id, today);
  return out;
}

PutSecretValueOutput SecretsManager::put_secret_value(Call& call, const PutSecretValueInput& in) {
  if (in.rotation_token) {
    throw aws::not_implemented("secretsmanager", "PutSecretValue with RotationToken");
  }
  const auto value = given_value(in.secret_string, in.secret_binary, in.client_request_token);
  if (!value) {
    throw InvalidRequestException("You must provide either SecretString or SecretBinary.");
  }
  const auto reference = SecretReference::parse(in.secret_id);
  auto txn = store_.begin(scope_of(call, reference));
  auto secret = require_secret_for_update(txn, reference);
  if (add_version(txn, secret, *value, call.now())) {
    std::vector<std::string> stages{std::string(k_current)};
    if (in.version_stages && !in.version_stages->empty()) stages = *in.version_stages;
    for (const auto& stage : stages) move_stage(secret, stage, value->version);
    // The first version is the current one, whatever the request says.
    if (!secret.stages.contains(std::string(k_current))) {
      move_stage(secret, std::string(k_current), value->version);
    }
    txn.put(secret);
    txn.commit();
  }
  return {.arn = secret.arn,
          .name = secret.name,
          .version_id = value->version,
          .version_stages = stages_of(secret, value->version)};
}

UpdateSecretVersionStageOutput SecretsManager::update_stage(
    Call& call, const UpdateSecretVersionStageInput& in) {
  const auto reference = SecretReference::parse(in.secret_id);
  auto txn = store_.begin(scope_of(call, reference));
  auto secret = require_secret_for_update(txn, reference);
  for (const auto& id : {in.move_to_version_id, in.remove_from_version_id}) {
    if (id && !find_version(secret, *id)) throw_no_value("VersionId", *id);
  }
  const auto holder = secret.stages.find(in.version_stage);
  if (in.remove_from_version_id) {
    if (holder == secret.stages.end() || holder->second != *in.remove_from_version_id) {
      throw InvalidParameterException(
          fmt::format("The parameter RemoveFromVersionId is not valid. Staging label {} is not "
                      "currently attached to version {}.",
                      in.version_stage, *in.remove_from_version_id));
    }
  } else if (holder != secret.stages.end() && in.move_to_version_id != holder->second) {
    throw InvalidParameterException(
        fmt::format("The parameter RemoveFromVersionId can't be empty. Staging label {} is "
                    "currently attached to version {}, so you must explicitly reference that "
                    "version in RemoveFromVersionId.",
                    in.version_stage, holder->second));
  }
  if (in.move_to_version_id) {
    move_stage(secret, in.version_stage, *in.move_to_version_id);
  } else if (in.version_stage == k_current) {
    throw InvalidParameterException(
        "You can only move staging label AWSCURRENT to a different secret version. It can't be "
        "completely removed.");
  } else {
    secret.stages.erase(in.version_stage);
  }
  secret.changed = call.now();
  txn.put(secret);
  txn.commit();
  return {.arn = secret.arn, .name = secret.name};
}

ListSecretVersionIdsOutput SecretsManager::list_versions(Call& call,
                                                         const ListSecretVersionIdsInput& in) {
  const auto reference = SecretReference::parse(in.secret_id);
  auto txn = store_.begin(scope_of(call, reference));
  const auto secret = require_secret(txn, reference, Deleted::allowed);
  const auto max = static_cast<std::size_t>(in.max_results.value_or(100));
  std::string after;
  if (in.next_token) {
    const auto token = from_base64(*in.next_token);
    if (!token || !find_version(secret, *token)) {
      throw InvalidNextTokenException("The NextToken value is invalid.");
    }
    after = *token;
  }
  ListSecretVersionIdsOutput out;
  out.arn = secret.arn;
  out.name = secret.name;
  out.versions.emplace();
  bool begun = after.empty();
  for (const auto& version : secret.versions) {
    if (!begun) {
      begun = version.id == after;
      continue;
    }
    auto stages = stages_of(secret, version.id);
    if (stages.empty() && !in.include_deprecated.value_or(false)) continue;
    if (out.versions->size() == max) {
      out.next_token = to_base64(*out.versions->back().version_id);
      break;
    }
    SecretVersionsListEntry& entry = out.versions->emplace_back();
    entry.version_id = version.id;
    if (!stages.empty()) entry.version_stages = std::move(stages);
    entry.last_accessed_date = version.accessed;
    entry.created_date = version.created;
  }
  return out;
}

namespace {

SecretValueEntry entry_of(GetSecretValueOutput value) {
  SecretValueEntry entry;
  entry.arn = std::move(value.arn);
  entry.name = std::move(value.name);
  entry.version_id = std::move(value.version_id);
  entry.secret_binary = std::move(value.secret_binary);
  entry.secret_string = std::move(value.secret_string);
  entry.version_stages = std::move(value.version_stages);
  entry.created_date = value.created_date;
  return entry;
}

}  // namespace

BatchGetSecretValueOutput SecretsManager::batch_get(Call& call,
                                                    const BatchGetSecretValueInput& in) {
  const bool by_id = in.secret_id_list && !in.secret_id_list->empty();
  const bool by_filter = in.filters && !in.filters->empty();
  if (by_id == by_filter) {
    throw InvalidParameterException(
        "Either 'SecretIdList' or 'Filters' must be provided, but not both.");
  }
  if (by_id && in.max_results) {
    throw InvalidParameterException(
        "'Filters' not specified. 'Filters' must also be specified when 'MaxResults' is provided.");
  }
  BatchGetSecretValueOutput out;
  std::vector<std::string> ids;
  if (by_id) {
    ids = *in.secret_id_list;
  } else {
    ListSecretsInput listing;
    listing.filters = in.filters;
    listing.max_results = in.max_results.value_or(20);
    listing.next_token = in.next_token;
    auto listed = list_secrets(call, listing);
    for (const auto& secret : *listed.secret_list) ids.push_back(*secret.arn);
    out.next_token = std::move(listed.next_token);
  }
  out.secret_values.emplace();
  out.errors.emplace();
  for (const auto& id : ids) {
    try {
      call.registry().authorize(call, "secretsmanager:GetSecretValue", {arn_of(call, id)},
                                policy_of(call, id));
      GetSecretValueInput one;
      one.secret_id = id;
      out.secret_values->push_back(entry_of(get_secret_value(call, one)));
    } catch (const aws::ApiError& error) {
      out.errors->push_back({.secret_id = id, .error_code = error.code, .message = error.message});
    }
  }
  return out;
}

}  // namespace tarn::secretsmanager
