// SPDX-License-Identifier: Apache-2.0
// Secrets Manager: versioned secrets, sealed at rest. Handlers only: secrets.cpp (the secrets
// themselves), values.cpp (versions and staging labels), listing.cpp; the rules stand in
// secret.hpp.
//
// Threading: handlers run on the call pool, several at a time; all state is in the store.
#pragma once
#include "aws/secretsmanager/operations.hpp"
#include "platform/service.hpp"
#include "services/secretsmanager/records.hpp"
#include "services/secretsmanager/secret.hpp"

namespace tarn::secretsmanager {

class SecretsManager : public platform::ServiceOf<SecretsManager> {
 public:
  explicit SecretsManager(platform::Environment& environment)
      : environment_(environment),
        store_(environment.store) {}
  std::string_view name() const override { return "secretsmanager"; }
  void operations(platform::OpTable& t);
  void resources(platform::ResourceTypes& types) override;
  void start() override;

 private:
  using Call = platform::Call;
  void secret_operations(platform::OpTable& t);
  void value_operations(platform::OpTable& t);
  void listing_operations(platform::OpTable& t);

  CreateSecretOutput create_secret(Call&, const CreateSecretInput&);
  UpdateSecretOutput update_secret(Call&, const UpdateSecretInput&);
  DescribeSecretOutput describe_secret(Call&, const DescribeSecretInput&);
  DeleteSecretOutput delete_secret(Call&, const DeleteSecretInput&);
  RestoreSecretOutput restore_secret(Call&, const RestoreSecretInput&);
  GetRandomPasswordOutput get_random_password(Call&, const GetRandomPasswordInput&);
  TagResourceOutput tag_resource(Call&, const TagResourceInput&);
  UntagResourceOutput untag_resource(Call&, const UntagResourceInput&);
  GetResourcePolicyOutput get_resource_policy(Call&, const GetResourcePolicyInput&);
  PutResourcePolicyOutput put_resource_policy(Call&, const PutResourcePolicyInput&);
  DeleteResourcePolicyOutput delete_resource_policy(Call&, const DeleteResourcePolicyInput&);

  GetSecretValueOutput get_secret_value(Call&, const GetSecretValueInput&);
  BatchGetSecretValueOutput batch_get(Call&, const BatchGetSecretValueInput&);
  PutSecretValueOutput put_secret_value(Call&, const PutSecretValueInput&);
  UpdateSecretVersionStageOutput update_stage(Call&, const UpdateSecretVersionStageInput&);
  ListSecretVersionIdsOutput list_versions(Call&, const ListSecretVersionIdsInput&);

  ListSecretsOutput list_secrets(Call&, const ListSecretsInput&);

  // A value as a request gives it.
  struct NewValue {
    std::string bytes, version;
    bool binary = false;
  };
  // nullopt when the request has none; throws when it has both forms.
  std::optional<NewValue> given_value(const std::optional<std::string>& text,
                                      const std::optional<std::string>& binary,
                                      const std::optional<std::string>& token);
  // False when the version exists already with the same value; throws ResourceExistsException when
  // with another one.
  bool add_version(kernel::Txn& txn, SecretRecord& secret, const NewValue& value, Timestamp now);
  std::string open(const SecretRecord& secret, const SecretValueRecord& value);
  // Notes the day of the access; at most one write a day.
  void touch(const kernel::Scope& scope, const std::string& name, const std::string& version,
             Timestamp day);
  Task<void> purge(kernel::Delivery delivery);
  // For rows of operation tables: the ARN that a SecretId means, and that secret's policy.
  std::string arn_of(Call& call, const std::string& id);
  std::optional<std::string> policy_of(Call& call, const std::string& id);

  platform::Environment& environment_;
  kernel::Store& store_;
};

// Shared by the files above.

// Where the secret lives: in the caller's account, or in that of the ARN.
kernel::Scope scope_of(const platform::Call& call, const SecretReference& reference);
std::optional<SecretRecord> find_secret(kernel::Txn& txn, const SecretReference& reference,
                                        bool for_update);
enum class Deleted { allowed, refused };
// Throws ResourceNotFoundException, or InvalidRequestException for one that is being deleted.
SecretRecord require_secret(kernel::Txn& txn, const SecretReference& reference,
                            Deleted deleted = Deleted::refused);
SecretRecord require_secret_for_update(kernel::Txn& txn, const SecretReference& reference,
                                       Deleted deleted = Deleted::refused);
void erase_secret(kernel::Txn& txn, const SecretRecord& secret);
inline constexpr const char* k_purge_topic = "secretsmanager.purge";

}  // namespace tarn::secretsmanager
