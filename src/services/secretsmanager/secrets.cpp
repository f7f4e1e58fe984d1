// SPDX-License-Identifier: Apache-2.0
// The secrets themselves: made, described, changed, deleted and restored; tags and policies.
#include <fmt/format.h>

#include "aws/policy.hpp"
#include "aws/secretsmanager/errors.hpp"
#include "services/secretsmanager/random_password.hpp"
#include "services/secretsmanager/service.hpp"

namespace tarn::secretsmanager {
namespace {

constexpr std::size_t k_tags_max = 50;
constexpr std::int64_t k_window_days_min = 7, k_window_days_max = 30;

template <class Shapes>
void put_tags(TagMap& tags, const Shapes& shapes) {
  for (const auto& tag : shapes) {
    if (!tag.key || tag.key->empty()) throw InvalidParameterException("A tag needs a key.");
    tags[*tag.key] = tag.value.value_or("");
  }
  if (tags.size() > k_tags_max) {
    throw InvalidParameterException("A secret can have at most 50 tags.");
  }
}

template <class In>
void refuse_unsupported(const In& in, const char* operation) {
  const auto refuse = [&](const char* what) {
    throw aws::not_implemented("secretsmanager", fmt::format("{} with {}", operation, what));
  };
  if (in.type) refuse("Type");
  if constexpr (requires { in.add_replica_regions; }) {
    if (in.add_replica_regions && !in.add_replica_regions->empty()) refuse("AddReplicaRegions");
    if (in.cross_account_primary_arn) refuse("CrossAccountPrimaryARN");
  }
}

// Does the policy let everybody in? Only the plain form is recognised, as a principal of "*".
bool is_public(const std::string& document) {
  const Json policy = parse_json(document);
  const Json* statements = find_member(policy, "Statement");
  if (!statements) return false;
  const JsonArray list = statements->is_array() ? statements->get_array() : JsonArray{*statements};
  for (const Json& statement : list) {
    if (string_or(statement, "Effect") != "Allow" || find_member(statement, "Condition")) continue;
    const Json* principal = find_member(statement, "Principal");
    if (!principal) continue;
    const Json* aws = find_member(*principal, "AWS");
    const Json& who = aws ? *aws : *principal;
    if (who.is_string() && who.get_string() == "*") return true;
  }
  return false;
}

}  // namespace

void SecretsManager::secret_operations(platform::OpTable& t) {
  const auto arn = [this](Call& call, const auto& in) { return arn_of(call, in.secret_id); };
  const auto policy = [this](Call& call, const auto& in) { return policy_of(call, in.secret_id); };
  const auto row = [&](auto builder) { return builder.on(arn).resource_policy(policy); };
  t.op<CreateSecret>(&SecretsManager::create_secret)
      .on([this](Call& call, const auto& in) { return arn_of(call, in.name); })
      .partial("KmsKeyId is recorded: values are sealed under Tarn's own key; no replicas");
  row(t.op<UpdateSecret>(&SecretsManager::update_secret));
  row(t.op<DescribeSecret>(&SecretsManager::describe_secret));
  row(t.op<DeleteSecret>(&SecretsManager::delete_secret));
  row(t.op<RestoreSecret>(&SecretsManager::restore_secret));
  t.op<GetRandomPassword>(&SecretsManager::get_random_password);
  row(t.op<TagResource>(&SecretsManager::tag_resource));
  row(t.op<UntagResource>(&SecretsManager::untag_resource));
  row(t.op<GetResourcePolicy>(&SecretsManager::get_resource_policy));
  row(t.op<PutResourcePolicy>(&SecretsManager::put_resource_policy));
  row(t.op<DeleteResourcePolicy>(&SecretsManager::delete_resource_policy));
}

// The same token with the same value is the same request again.
CreateSecretOutput SecretsManager::create_secret(Call& call, const CreateSecretInput& in) {
  check_name(in.name);
  refuse_unsupported(in, "CreateSecret");
  const auto value = given_value(in.secret_string, in.secret_binary, in.client_request_token);
  auto txn = store_.begin(call.scope());
  if (auto existing = txn.find_for_update<SecretRecord>(in.name)) {
    if (existing->deletion) {
      throw InvalidRequestException(
          "You can't create this secret because a secret with this name is already scheduled for "
          "deletion.");
    }
    const bool again = value && find_version(*existing, value->version);
    if (again && !add_version(txn, *existing, *value, call.now())) {
      return {.arn = existing->arn, .name = existing->name, .version_id = value->version};
    }
    throw ResourceExistsException(
        fmt::format("The operation failed because the secret {} already exists.", in.name));
  }
  SecretRecord secret;
  secret.name = in.name;
  secret.arn = new_arn(call.region(), call.account(), in.name, environment_.random);
  secret.description = in.description.value_or("");
  secret.kms_key = in.kms_key_id.value_or("");
  secret.created = secret.changed = call.now();
  if (in.tags) put_tags(secret.tags, *in.tags);
  if (value) {
    add_version(txn, secret, *value, call.now());
    move_stage(secret, std::string(k_current), value->version);
  }
  txn.put(secret);
  txn.commit();
  CreateSecretOutput out{.arn = secret.arn, .name = secret.name};
  if (value) out.version_id = value->version;
  return out;
}

UpdateSecretOutput SecretsManager::update_secret(Call& call, const UpdateSecretInput& in) {
  refuse_unsupported(in, "UpdateSecret");
  const auto reference = SecretReference::parse(in.secret_id);
  const auto value = given_value(in.secret_string, in.secret_binary, in.client_request_token);
  auto txn = store_.begin(scope_of(call, reference));
  auto secret = require_secret_for_update(txn, reference);
  if (in.description) secret.description = *in.description;
  if (in.kms_key_id) secret.kms_key = *in.kms_key_id;
  UpdateSecretOutput out{.arn = secret.arn, .name = secret.name};
  if (value) {
    if (add_version(txn, secret, *value, call.now())) {
      move_stage(secret, std::string(k_current), value->version);
    }
    out.version_id = value->version;
  }
  secret.changed = call.now();
  txn.put(secret);
  txn.commit();
  return out;
}

DescribeSecretOutput SecretsManager::describe_secret(Call& call, const DescribeSecretInput& in) {
  const auto reference = SecretReference::parse(in.secret_id);
  auto txn = store_.begin(scope_of(call, reference));
  const auto secret = require_secret(txn, reference, Deleted::allowed);
  DescribeSecretOutput out;
  out.arn = secret.arn;
  out.name = secret.name;
  if (!secret.description.empty()) out.description = secret.description;
  if (!secret.kms_key.empty()) out.kms_key_id = secret.kms_key;
  out.created_date = secret.created;
  out.last_changed_date = secret.changed;
  out.last_accessed_date = secret.accessed;
  out.deleted_date = secret.deletion;
  out.tags.emplace();
  for (const auto& [key, value] : secret.tags) out.tags->push_back({.key = key, .value = value});
  out.version_ids_to_stages.emplace();
  for (const auto& [stage, version] : secret.stages) {
    (*out.version_ids_to_stages)[version].push_back(stage);
  }
  return out;
}

DeleteSecretOutput SecretsManager::delete_secret(Call& call, const DeleteSecretInput& in) {
  const bool force = in.force_delete_without_recovery.value_or(false);
  if (force && in.recovery_window_in_days) {
    throw InvalidParameterException(
        "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.");
  }
  const auto days = in.recovery_window_in_days.value_or(k_window_days_max);
  if (days < k_window_days_min || days > k_window_days_max) {
    throw InvalidParameterException(
        "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).");
  }
  const auto reference = SecretReference::parse(in.secret_id);
  auto txn = store_.begin(scope_of(call, reference));
  auto secret = find_secret(txn, reference, true);
  if (!secret && force && !in.secret_id.starts_with("arn:")) {
    // As documented: deleting by force what is not there is a success.
    return {.arn = new_arn(call.region(), call.account(), in.secret_id, environment_.random),
            .name = in.secret_id,
            .deletion_date = call.now()};
  }
  if (!secret) {
    throw ResourceNotFoundException("Secrets Manager can't find the specified secret.");
  }
  DeleteSecretOutput out{.arn = secret->arn, .name = secret->name};
  if (force) {
    if (secret->deletion) txn.clear_timer(k_purge_topic, secret->arn);
    erase_secret(txn, *secret);
    txn.commit();
    out.deletion_date = call.now();
    return out;
  }
  if (secret->deletion) {
    throw InvalidRequestException(
        "You can't perform this operation on the secret because it was already scheduled for "
        "deletion.");
  }
  secret->deletion = call.now() + std::chrono::days(days);
  txn.put(*secret);
  txn.set_timer(secret->arn, *secret->deletion, {k_purge_topic, secret->arn, secret->arn});
  txn.commit();
  out.deletion_date = secret->deletion;
  return out;
}

RestoreSecretOutput SecretsManager::restore_secret(Call& call, const RestoreSecretInput& in) {
  const auto reference = SecretReference::parse(in.secret_id);
  auto txn = store_.begin(scope_of(call, reference));
  auto secret = require_secret_for_update(txn, reference, Deleted::allowed);
  if (secret.deletion) {
    txn.clear_timer(k_purge_topic, secret.arn);
    secret.deletion.reset();
    txn.put(secret);
    txn.commit();
  }
  return {.arn = secret.arn, .name = secret.name};
}

GetRandomPasswordOutput SecretsManager::get_random_password(Call&,
                                                            const GetRandomPasswordInput& in) {
  PasswordRules rules;
  rules.length = static_cast<std::size_t>(in.password_length.value_or(32));
  rules.exclude = in.exclude_characters.value_or("");
  rules.numbers = !in.exclude_numbers.value_or(false);
  rules.punctuation = !in.exclude_punctuation.value_or(false);
  rules.upper = !in.exclude_uppercase.value_or(false);
  rules.lower = !in.exclude_lowercase.value_or(false);
  rules.space = in.include_space.value_or(false);
  rules.require_each = in.require_each_included_type.value_or(true);
  return {.random_password = random_password(rules, environment_.random)};
}

TagResourceOutput SecretsManager::tag_resource(Call& call, const TagResourceInput& in) {
  const auto reference = SecretReference::parse(in.secret_id);
  auto txn = store_.begin(scope_of(call, reference));
  auto secret = require_secret_for_update(txn, reference);
  put_tags(secret.tags, in.tags);
  txn.put(secret);
  txn.commit();
  return {};
}

UntagResourceOutput SecretsManager::untag_resource(Call& call, const UntagResourceInput& in) {
  const auto reference = SecretReference::parse(in.secret_id);
  auto txn = store_.begin(scope_of(call, reference));
  auto secret = require_secret_for_update(txn, reference);
  for (const auto& key : in.tag_keys) secret.tags.erase(key);
  txn.put(secret);
  txn.commit();
  return {};
}

GetResourcePolicyOutput SecretsManager::get_resource_policy(Call& call,
                                                            const GetResourcePolicyInput& in) {
  const auto reference = SecretReference::parse(in.secret_id);
  auto txn = store_.begin(scope_of(call, reference));
  const auto secret = require_secret(txn, reference);
  GetResourcePolicyOutput out{.arn = secret.arn, .name = secret.name};
  if (!secret.policy.empty()) out.resource_policy = secret.policy;
  return out;
}

PutResourcePolicyOutput SecretsManager::put_resource_policy(Call& call,
                                                            const PutResourcePolicyInput& in) {
  try {
    aws::Policy::parse(in.resource_policy);
  } catch (const aws::PolicyError&) {
    throw MalformedPolicyDocumentException("This resource policy contains a syntax error.");
  }
  if (in.block_public_policy.value_or(false) && is_public(in.resource_policy)) {
    throw PublicPolicyException(
        "You can't attach a resource policy that allows broad access to the secret.");
  }
  const auto reference = SecretReference::parse(in.secret_id);
  auto txn = store_.begin(scope_of(call, reference));
  auto secret = require_secret_for_update(txn, reference);
  secret.policy = in.resource_policy;
  txn.put(secret);
  txn.commit();
  return {.arn = secret.arn, .name = secret.name};
}

DeleteResourcePolicyOutput SecretsManager::delete_resource_policy(
    Call& call, const DeleteResourcePolicyInput& in) {
  const auto reference = SecretReference::parse(in.secret_id);
  auto txn = store_.begin(scope_of(call, reference));
  auto secret = require_secret_for_update(txn, reference);
  secret.policy.clear();
  txn.put(secret);
  txn.commit();
  return {.arn = secret.arn, .name = secret.name};
}

}  // namespace tarn::secretsmanager
