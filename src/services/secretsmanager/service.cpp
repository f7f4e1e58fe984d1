// SPDX-License-Identifier: Apache-2.0
#include "services/secretsmanager/service.hpp"

#include "aws/secretsmanager/errors.hpp"

namespace tarn::secretsmanager {

void SecretsManager::operations(platform::OpTable& t) {
  secret_operations(t);
  value_operations(t);
  listing_operations(t);
}

void SecretsManager::start() {
  kernel::Subscription subscription;
  subscription.topic = k_purge_topic;
  subscription.subscriber = "secretsmanager.purge";
  subscription.deliver = [this](kernel::Delivery delivery) { return purge(std::move(delivery)); };
  environment_.bus.subscribe(std::move(subscription));
}

// The recovery window of a deleted secret is over.
Task<void> SecretsManager::purge(kernel::Delivery delivery) {
  const auto reference = SecretReference::parse(delivery.payload);
  const kernel::Scope scope{reference.account, reference.region};
  store_.transact(scope, [&](kernel::Txn& txn) {
    const auto secret = find_secret(txn, reference, true);
    if (!secret || !secret->deletion || *secret->deletion > environment_.clock.now()) return;
    erase_secret(txn, *secret);
  });
  co_return;
}

kernel::Scope scope_of(const platform::Call& call, const SecretReference& reference) {
  return reference.account.empty() ? call.scope() : kernel::Scope{reference.account, call.region()};
}

std::optional<SecretRecord> find_secret(kernel::Txn& txn, const SecretReference& reference,
                                        bool for_update) {
  if (!reference.region.empty() && reference.region != txn.scope().region) return std::nullopt;
  for (const auto& candidate : reference.candidates) {
    auto secret = for_update ? txn.find_for_update<SecretRecord>(candidate.name)
                             : txn.find<SecretRecord>(candidate.name);
    if (secret && (candidate.arn.empty() || candidate.arn == secret->arn)) return secret;
  }
  return std::nullopt;
}

namespace {

SecretRecord require(kernel::Txn& txn, const SecretReference& reference, Deleted deleted,
                     bool for_update) {
  auto secret = find_secret(txn, reference, for_update);
  if (!secret) {
    throw ResourceNotFoundException("Secrets Manager can't find the specified secret.");
  }
  if (secret->deletion && deleted == Deleted::refused) {
    throw InvalidRequestException(
        "You can't perform this operation on the secret because it was marked for deletion.");
  }
  return *std::move(secret);
}

}  // namespace

SecretRecord require_secret(kernel::Txn& txn, const SecretReference& reference, Deleted deleted) {
  return require(txn, reference, deleted, false);
}

SecretRecord require_secret_for_update(kernel::Txn& txn, const SecretReference& reference,
                                       Deleted deleted) {
  return require(txn, reference, deleted, true);
}

void erase_secret(kernel::Txn& txn, const SecretRecord& secret) {
  for (const auto& version : secret.versions) {
    txn.erase<SecretValueRecord>(secret.name, version.id);
  }
  txn.erase<SecretRecord>(secret.name);
}

std::string SecretsManager::arn_of(Call& call, const std::string& id) {
  const auto reference = SecretReference::parse(id);
  auto txn = store_.begin(scope_of(call, reference));
  if (const auto secret = find_secret(txn, reference, false)) return secret->arn;
  if (id.starts_with("arn:")) return id;
  return "arn:aws:secretsmanager:" + call.region() + ":" + call.account() + ":secret:" + id;
}

std::optional<std::string> SecretsManager::policy_of(Call& call, const std::string& id) {
  const auto reference = SecretReference::parse(id);
  auto txn = store_.begin(scope_of(call, reference));
  const auto secret = find_secret(txn, reference, false);
  if (!secret || secret->policy.empty()) return std::nullopt;
  return secret->policy;
}

}  // namespace tarn::secretsmanager
