// SPDX-License-Identifier: Apache-2.0
// Sub-resources of a bucket that are kept and given back. What acts: notifications, tags, policy.
// What is recorded only (docs/services/s3.md): encryption, ownership controls, public access block
// beyond refusing public policies.
#include "aws/codec.hpp"
#include "aws/policy.hpp"
#include "aws/s3/errors.hpp"
#include "base/strings.hpp"
#include "services/s3/object_values.hpp"
#include "services/s3/service.hpp"

namespace tarn::s3 {
namespace {

template <class T>
Json to_json(const T& value) {
  return aws::encode_json(aws::shape_of<T>(), &value);
}

template <class T>
T from_json(const Json& json) {
  T value{};
  aws::decode_json(aws::shape_of<T>(), json, &value);
  return value;
}

const Json& require_configuration(const BucketRecord& bucket, const std::string& name,
                                  const char* code, const char* message) {
  const auto found = bucket.configurations.find(name);
  if (found == bucket.configurations.end()) {
    aws::ApiError error(code, message, 404);
    error.extra["BucketName"] = bucket.name;
    throw error;
  }
  return found->second;
}

// Is the resource this bucket, or something in it?
bool is_of_bucket(std::string_view resource, const std::string& bucket) {
  constexpr std::string_view k_arn = "arn:aws:s3:::";
  if (resource == "*") return true;
  if (!resource.starts_with(k_arn)) return false;
  resource.remove_prefix(k_arn.size());
  return glob_match(resource.substr(0, resource.find('/')), bucket);
}

// What AWS asks of a bucket's policy beyond its grammar.
void check_policy_of_bucket(const Json& policy, const std::string& bucket) {
  const auto list_of = [](const Json& value) {
    return value.is_array() ? value.get_array() : JsonArray{value};
  };
  const Json* statements = find_member(policy, "Statement");
  for (const Json& statement : statements ? list_of(*statements) : JsonArray()) {
    if (!find_member(statement, "Principal") && !find_member(statement, "NotPrincipal")) {
      throw aws::ApiError("MalformedPolicy", "Missing required field Principal");
    }
    for (const char* name : {"Resource", "NotResource"}) {
      const Json* resources = find_member(statement, name);
      for (const Json& resource : resources ? list_of(*resources) : JsonArray()) {
        if (resource.is_string() && is_of_bucket(json_text(resource.get_string()), bucket))
          continue;
        throw aws::ApiError("MalformedPolicy", "Policy has invalid resource");
      }
    }
  }
}

constexpr std::size_t k_tags_max = 50;
constexpr const char* k_no_access_block = "NoSuchPublicAccessBlockConfiguration";
constexpr const char* k_no_access_block_text =
    "The public access block configuration was not found";
constexpr const char* k_no_ownership = "OwnershipControlsNotFoundError";
constexpr const char* k_no_ownership_text = "The bucket ownership controls were not found";

}  // namespace

Json configuration_json(const OwnershipControls& controls) { return to_json(controls); }

void S3::configuration_operations(platform::OpTable& t) {
  const auto arn = [](Call&, const auto& in) { return bucket_arn(in.bucket); };
  const auto policy = [this](Call&, const auto& in) { return policy_of(in.bucket); };
  const auto row = [&](auto builder, const char* action) {
    builder.action(action).on(arn).resource_policy(policy);
  };
  row(t.op<PutBucketNotificationConfiguration>(&S3::put_notifications), "s3:PutBucketNotification");
  row(t.op<GetBucketNotificationConfiguration>(&S3::get_notifications), "s3:GetBucketNotification");
  row(t.op<PutBucketTagging>(&S3::put_bucket_tagging), "s3:PutBucketTagging");
  row(t.op<GetBucketTagging>(&S3::get_bucket_tagging), "s3:GetBucketTagging");
  row(t.op<DeleteBucketTagging>(&S3::delete_bucket_tagging), "s3:PutBucketTagging");
  row(t.op<PutBucketPolicy>(&S3::put_bucket_policy), "s3:PutBucketPolicy");
  row(t.op<GetBucketPolicy>(&S3::get_bucket_policy), "s3:GetBucketPolicy");
  row(t.op<DeleteBucketPolicy>(&S3::delete_bucket_policy), "s3:DeleteBucketPolicy");
  row(t.op<PutPublicAccessBlock>(&S3::put_public_access_block).partial("recorded, not enforced"),
      "s3:PutBucketPublicAccessBlock");
  row(t.op<GetPublicAccessBlock>(&S3::get_public_access_block), "s3:GetBucketPublicAccessBlock");
  row(t.op<DeletePublicAccessBlock>(&S3::delete_public_access_block),
      "s3:PutBucketPublicAccessBlock");
  row(t.op<PutBucketEncryption>(&S3::put_encryption).partial("recorded; bytes are not encrypted"),
      "s3:PutEncryptionConfiguration");
  row(t.op<GetBucketEncryption>(&S3::get_encryption), "s3:GetEncryptionConfiguration");
  row(t.op<DeleteBucketEncryption>(&S3::delete_encryption), "s3:PutEncryptionConfiguration");
  row(t.op<PutBucketOwnershipControls>(&S3::put_ownership).partial("recorded: there are no ACLs"),
      "s3:PutBucketOwnershipControls");
  row(t.op<GetBucketOwnershipControls>(&S3::get_ownership), "s3:GetBucketOwnershipControls");
  row(t.op<DeleteBucketOwnershipControls>(&S3::delete_ownership), "s3:PutBucketOwnershipControls");
}

Task<PutBucketNotificationConfigurationOutput> S3::put_notifications(
    CallPtr call, PutBucketNotificationConfigurationInput in) {
  Json configuration = to_json(in.notification_configuration);
  check_notifications(configuration);
  for (const char* list :
       {"QueueConfigurations", "TopicConfigurations", "LambdaFunctionConfigurations"}) {
    const Json* entries = find_member(configuration, list);
    if (!entries) continue;
    for (Json& entry : configuration.at(list).as_array()) {
      if (!find_member(entry, "Id")) entry.as_object()["Id"] = environment_.random.uuid();
    }
  }
  BucketRecord bucket;
  {
    auto txn = begin();
    bucket = require_bucket(txn, in.bucket);
  }
  if (!in.skip_destination_validation.value_or(false)) {
    co_await notifications_.try_destinations(std::move(bucket), configuration, call->request_id());
  }
  store_.transact(k_all_buckets, [&](kernel::Txn& txn) {
    auto record = require_bucket_for_update(txn, in.bucket);
    const bool none = configuration.as_object().empty();
    record.notifications = none ? Json() : configuration;
    txn.put(record);
  });
  co_return PutBucketNotificationConfigurationOutput{};
}

GetBucketNotificationConfigurationOutput S3::get_notifications(
    Call&, const GetBucketNotificationConfigurationInput& in) {
  auto txn = begin();
  const auto bucket = require_bucket(txn, in.bucket);
  if (bucket.notifications.is_null()) return {};
  return from_json<GetBucketNotificationConfigurationOutput>(bucket.notifications);
}

PutBucketTaggingOutput S3::put_bucket_tagging(Call&, const PutBucketTaggingInput& in) {
  TextMap tags;
  for (const auto& tag : in.tagging.tag_set) {
    if (!tags.emplace(tag.key, tag.value).second) {
      throw aws::ApiError("InvalidTag", "Cannot provide multiple Tags with the same key");
    }
  }
  if (tags.size() > k_tags_max) {
    throw aws::ApiError("BadRequest", "Bucket tag count cannot be greater than 50");
  }
  check_tag_texts(tags);
  auto txn = begin();
  auto bucket = require_bucket_for_update(txn, in.bucket);
  bucket.tags = std::move(tags);
  txn.put(bucket);
  txn.commit();
  return {};
}

GetBucketTaggingOutput S3::get_bucket_tagging(Call&, const GetBucketTaggingInput& in) {
  auto txn = begin();
  const auto bucket = require_bucket(txn, in.bucket);
  if (bucket.tags.empty()) {
    aws::ApiError error("NoSuchTagSet", "The TagSet does not exist", 404);
    error.extra["BucketName"] = bucket.name;
    throw error;
  }
  GetBucketTaggingOutput out;
  for (const auto& [key, value] : bucket.tags) out.tag_set.push_back({key, value});
  return out;
}

DeleteBucketTaggingOutput S3::delete_bucket_tagging(Call&, const DeleteBucketTaggingInput& in) {
  auto txn = begin();
  auto bucket = require_bucket_for_update(txn, in.bucket);
  bucket.tags.clear();
  txn.put(bucket);
  txn.commit();
  return {};
}

PutBucketPolicyOutput S3::put_bucket_policy(Call&, const PutBucketPolicyInput& in) {
  try {
    aws::Policy::parse(in.policy);
  } catch (const aws::PolicyError& error) {
    throw aws::ApiError("MalformedPolicy", error.what());
  }
  check_policy_of_bucket(parse_json(in.policy), in.bucket);
  auto txn = begin();
  auto bucket = require_bucket_for_update(txn, in.bucket);
  bucket.policy = in.policy;
  txn.put(bucket);
  txn.commit();
  return {};
}

GetBucketPolicyOutput S3::get_bucket_policy(Call&, const GetBucketPolicyInput& in) {
  auto txn = begin();
  const auto bucket = require_bucket(txn, in.bucket);
  if (bucket.policy.empty()) {
    aws::ApiError error("NoSuchBucketPolicy", "The bucket policy does not exist", 404);
    error.extra["BucketName"] = bucket.name;
    throw error;
  }
  return {.policy = bucket.policy};
}

DeleteBucketPolicyOutput S3::delete_bucket_policy(Call&, const DeleteBucketPolicyInput& in) {
  auto txn = begin();
  auto bucket = require_bucket_for_update(txn, in.bucket);
  bucket.policy.clear();
  txn.put(bucket);
  txn.commit();
  return {};
}

PutPublicAccessBlockOutput S3::put_public_access_block(Call&, const PutPublicAccessBlockInput& in) {
  auto txn = begin();
  auto bucket = require_bucket_for_update(txn, in.bucket);
  bucket.configurations["public-access-block"] = to_json(in.public_access_block_configuration);
  txn.put(bucket);
  txn.commit();
  return {};
}

GetPublicAccessBlockOutput S3::get_public_access_block(Call&, const GetPublicAccessBlockInput& in) {
  auto txn = begin();
  const auto bucket = require_bucket(txn, in.bucket);
  const Json& json = require_configuration(bucket, "public-access-block", k_no_access_block,
                                           k_no_access_block_text);
  return {.public_access_block_configuration = from_json<PublicAccessBlockConfiguration>(json)};
}

DeletePublicAccessBlockOutput S3::delete_public_access_block(
    Call&, const DeletePublicAccessBlockInput& in) {
  auto txn = begin();
  auto bucket = require_bucket_for_update(txn, in.bucket);
  bucket.configurations.erase("public-access-block");
  txn.put(bucket);
  txn.commit();
  return {};
}

PutBucketEncryptionOutput S3::put_encryption(Call&, const PutBucketEncryptionInput& in) {
  auto txn = begin();
  auto bucket = require_bucket_for_update(txn, in.bucket);
  bucket.configurations["encryption"] = to_json(in.server_side_encryption_configuration);
  txn.put(bucket);
  txn.commit();
  return {};
}

GetBucketEncryptionOutput S3::get_encryption(Call&, const GetBucketEncryptionInput& in) {
  auto txn = begin();
  const auto bucket = require_bucket(txn, in.bucket);
  ServerSideEncryptionConfiguration configuration;
  const auto found = bucket.configurations.find("encryption");
  if (found != bucket.configurations.end()) {
    configuration = from_json<ServerSideEncryptionConfiguration>(found->second);
  } else {  // since 2023 every bucket has SSE-S3
    configuration.rules.push_back({.apply_server_side_encryption_by_default =
                                       ServerSideEncryptionByDefault{.sse_algorithm = "AES256"},
                                   .bucket_key_enabled = false});
  }
  return {.server_side_encryption_configuration = std::move(configuration)};
}

DeleteBucketEncryptionOutput S3::delete_encryption(Call&, const DeleteBucketEncryptionInput& in) {
  auto txn = begin();
  auto bucket = require_bucket_for_update(txn, in.bucket);
  bucket.configurations.erase("encryption");
  txn.put(bucket);
  txn.commit();
  return {};
}

PutBucketOwnershipControlsOutput S3::put_ownership(Call&,
                                                   const PutBucketOwnershipControlsInput& in) {
  auto txn = begin();
  auto bucket = require_bucket_for_update(txn, in.bucket);
  bucket.configurations["ownership"] = to_json(in.ownership_controls);
  txn.put(bucket);
  txn.commit();
  return {};
}

GetBucketOwnershipControlsOutput S3::get_ownership(Call&,
                                                   const GetBucketOwnershipControlsInput& in) {
  auto txn = begin();
  const auto bucket = require_bucket(txn, in.bucket);
  const Json& json =
      require_configuration(bucket, "ownership", k_no_ownership, k_no_ownership_text);
  return {.ownership_controls = from_json<OwnershipControls>(json)};
}

DeleteBucketOwnershipControlsOutput S3::delete_ownership(
    Call&, const DeleteBucketOwnershipControlsInput& in) {
  auto txn = begin();
  auto bucket = require_bucket_for_update(txn, in.bucket);
  bucket.configurations.erase("ownership");
  txn.put(bucket);
  txn.commit();
  return {};
}

}  // namespace tarn::s3
