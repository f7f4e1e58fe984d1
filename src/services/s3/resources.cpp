// SPDX-License-Identifier: Apache-2.0
// CloudFormation's view of S3: buckets and their policies.
#include <array>

#include <fmt/format.h>

#include "aws/codec.hpp"
#include "aws/s3/errors.hpp"
#include "base/strings.hpp"
#include "platform/operation_resource.hpp"
#include "services/s3/service.hpp"

namespace tarn::s3 {
namespace {

using platform::ResourceRequest;

template <class T>
T shape_from(const Json& value) {
  T shape;
  aws::decode_json(aws::shape_of<T>(), value, &shape);
  return shape;
}

// {"Event": …, "Queue": …, "Filter": {"S3Key": {"Rules": […]}}} as the API has it.
Json notification_entry(const Json& given, const char* target, const char* target_member) {
  JsonObject entry{{target_member, string_or(given, target)},
                   {"Events", JsonArray{Json(string_or(given, "Event"))}}};
  if (const Json* filter = find_member(given, "Filter")) {
    JsonObject key;
    if (const Json* s3_key = find_member(*filter, "S3Key")) {
      if (const Json* rules = find_member(*s3_key, "Rules")) key["FilterRules"] = *rules;
    }
    entry["Filter"] = JsonObject{{"Key", std::move(key)}};
  }
  return entry;
}

Json notification_configuration(const Json& given) {
  struct List {
    const char *property, *member, *target, *target_member;
  };
  constexpr std::array k_lists{
      List{"QueueConfigurations", "QueueConfigurations", "Queue", "QueueArn"},
      List{"TopicConfigurations", "TopicConfigurations", "Topic", "TopicArn"},
      List{"LambdaConfigurations", "LambdaFunctionConfigurations", "Function",
           "LambdaFunctionArn"}};
  JsonObject out;
  for (const auto& list : k_lists) {
    const Json* entries = find_member(given, list.property);
    if (!entries) continue;
    JsonArray converted;
    for (const Json& entry : entries->as_array()) {
      converted.push_back(notification_entry(entry, list.target, list.target_member));
    }
    out[list.member] = std::move(converted);
  }
  const Json* bridge = find_member(given, "EventBridgeConfiguration");
  const Json* enabled = bridge ? find_member(*bridge, "EventBridgeEnabled") : nullptr;
  if (enabled && *enabled == Json(true)) out["EventBridgeConfiguration"] = JsonObject();
  return out;
}

Json encryption_configuration(const Json& given) {
  JsonArray rules;
  if (const Json* list = find_member(given, "ServerSideEncryptionConfiguration")) {
    for (const Json& rule : list->as_array()) {
      JsonObject converted;
      if (const Json* by_default = find_member(rule, "ServerSideEncryptionByDefault")) {
        converted["ApplyServerSideEncryptionByDefault"] = *by_default;
      }
      if (const Json* key = find_member(rule, "BucketKeyEnabled")) {
        converted["BucketKeyEnabled"] = *key;
      }
      rules.push_back(std::move(converted));
    }
  }
  return JsonObject{{"Rules", std::move(rules)}};
}

class BucketType : public platform::OperationResource {
 public:
  BucketType()
      : OperationResource({.name = "AWS::S3::Bucket",
                           .properties = {"BucketName", "Tags", "NotificationConfiguration",
                                          "PublicAccessBlockConfiguration", "BucketEncryption",
                                          "OwnershipControls", "VersioningConfiguration"},
                           .replacing = {"BucketName"},
                           .name_property = "BucketName",
                           .name_length_max = 63,
                           .lower_case = true,
                           .exists = {"BucketAlreadyExists", "BucketAlreadyOwnedByYou"},
                           .gone = {"NoSuchBucket"}}) {}

 protected:
  static void refuse_versioning(const ResourceRequest& request) {
    const Json* versioning = find_member(request.properties, "VersioningConfiguration");
    if (versioning && string_or(*versioning, "Status") != "Suspended") {
      throw aws::not_implemented("s3", "VersioningConfiguration with Status Enabled");
    }
  }

  Task<void> make(ResourceRequest& request) const override {
    refuse_versioning(request);
    // us-east-1 answers a second creation with success, which must not take over another bucket.
    HeadBucketInput head{.bucket = request.physical_id};
    bool exists = true;
    try {
      co_await request.call->invoke<HeadBucket>(std::move(head));
    } catch (const aws::ApiError& error) {
      if (error.code != "NoSuchBucket") throw;
      exists = false;
    }
    if (exists) {
      throw BucketAlreadyOwnedByYou(fmt::format("{} already exists", request.physical_id));
    }
    CreateBucketInput in{.bucket = request.physical_id};
    in.create_bucket_configuration = CreateBucketConfiguration{};
    if (request.call->region() != "us-east-1") {
      in.create_bucket_configuration->location_constraint = request.call->region();
    }
    in.create_bucket_configuration->tags =
        platform::tag_shapes<Tag>(platform::wanted_tags(request));
    co_await request.call->invoke<CreateBucket>(std::move(in));
  }

  Task<bool> is_ours(ResourceRequest& request) const override {
    GetBucketTaggingInput in{.bucket = request.physical_id};
    platform::ResourceTags tags;
    try {
      const auto out = co_await request.call->invoke<GetBucketTagging>(std::move(in));
      for (const auto& tag : out.tag_set) tags[tag.key] = tag.value;
    } catch (const aws::ApiError& error) {
      if (error.code != "NoSuchTagSet") throw;
    }
    co_return platform::are_our_tags(tags, request);
  }

  static Task<void> settle_notifications(const ResourceRequest& request) {
    const Json* given = find_member(request.properties, "NotificationConfiguration");
    if (!given && !find_member(request.previous_properties, "NotificationConfiguration")) co_return;
    PutBucketNotificationConfigurationInput in{.bucket = request.physical_id};
    if (given) {
      const Json configuration = notification_configuration(*given);
      in.notification_configuration = shape_from<NotificationConfiguration>(configuration);
    }
    co_await request.call->invoke<PutBucketNotificationConfiguration>(std::move(in));
  }

  static Task<void> settle_access_block(const ResourceRequest& request) {
    constexpr const char* k_property = "PublicAccessBlockConfiguration";
    if (const Json* given = find_member(request.properties, k_property)) {
      PutPublicAccessBlockInput in{.bucket = request.physical_id};
      in.public_access_block_configuration = shape_from<PublicAccessBlockConfiguration>(*given);
      co_await request.call->invoke<PutPublicAccessBlock>(std::move(in));
    } else if (find_member(request.previous_properties, k_property)) {
      DeletePublicAccessBlockInput in{.bucket = request.physical_id};
      co_await request.call->invoke<DeletePublicAccessBlock>(std::move(in));
    }
  }

  static Task<void> settle_encryption(const ResourceRequest& request) {
    if (const Json* given = find_member(request.properties, "BucketEncryption")) {
      PutBucketEncryptionInput in{.bucket = request.physical_id};
      const Json configuration = encryption_configuration(*given);
      in.server_side_encryption_configuration =
          shape_from<ServerSideEncryptionConfiguration>(configuration);
      co_await request.call->invoke<PutBucketEncryption>(std::move(in));
    } else if (find_member(request.previous_properties, "BucketEncryption")) {
      DeleteBucketEncryptionInput in{.bucket = request.physical_id};
      co_await request.call->invoke<DeleteBucketEncryption>(std::move(in));
    }
  }

  static Task<void> settle_ownership(const ResourceRequest& request) {
    if (const Json* given = find_member(request.properties, "OwnershipControls")) {
      PutBucketOwnershipControlsInput in{.bucket = request.physical_id};
      in.ownership_controls = shape_from<OwnershipControls>(*given);
      co_await request.call->invoke<PutBucketOwnershipControls>(std::move(in));
    } else if (find_member(request.previous_properties, "OwnershipControls")) {
      DeleteBucketOwnershipControlsInput in{.bucket = request.physical_id};
      co_await request.call->invoke<DeleteBucketOwnershipControls>(std::move(in));
    }
  }

  Task<JsonObject> settle(ResourceRequest& request) const override {
    refuse_versioning(request);
    const std::string& bucket = request.physical_id;
    if (!request.previous_properties.as_object().empty()) {
      PutBucketTaggingInput in{.bucket = bucket};
      in.tagging.tag_set = platform::tag_shapes<Tag>(platform::wanted_tags(request));
      co_await request.call->invoke<PutBucketTagging>(std::move(in));
    }
    co_await settle_access_block(request);
    co_await settle_encryption(request);
    co_await settle_ownership(request);
    co_await settle_notifications(request);
    const std::string region = request.call->region();
    co_return JsonObject{
        {"Arn", bucket_arn(bucket)},
        {"DomainName", bucket + ".s3.amazonaws.com"},
        {"RegionalDomainName", fmt::format("{}.s3.{}.amazonaws.com", bucket, region)},
        {"DualStackDomainName", fmt::format("{}.s3.dualstack.{}.amazonaws.com", bucket, region)}};
  }

  Task<void> erase(ResourceRequest& request) const override {
    DeleteBucketInput in{.bucket = request.physical_id};
    co_await request.call->invoke<DeleteBucket>(std::move(in));
  }
};

class BucketPolicyType : public platform::OperationResource {
 public:
  BucketPolicyType()
      : OperationResource({.name = "AWS::S3::BucketPolicy",
                           .properties = {"Bucket", "PolicyDocument"},
                           .replacing = {"Bucket"},
                           .required = {"Bucket", "PolicyDocument"},
                           .name_property = "Bucket",
                           .exists = {},
                           .gone = {"NoSuchBucket"}}) {}

 protected:
  // As AWS does: a policy that stands there already belongs to somebody.
  Task<void> make(ResourceRequest& request) const override {
    GetBucketPolicyInput in{.bucket = request.physical_id};
    std::string standing;
    try {
      standing =
          (co_await request.call->invoke<GetBucketPolicy>(std::move(in))).policy.value_or("");
    } catch (const aws::ApiError& error) {
      if (error.code != "NoSuchBucketPolicy") throw;
    }
    const bool same =
        standing.empty() ||
        json_equal(parse_json(standing),
                   parse_json(platform::document_text(request.properties, "PolicyDocument")));
    if (!same) {
      throw aws::ApiError("AlreadyExists", fmt::format("The bucket policy already exists on bucket "
                                                       "{}.",
                                                       request.physical_id));
    }
  }

  Task<JsonObject> settle(ResourceRequest& request) const override {
    PutBucketPolicyInput in{.bucket = request.physical_id};
    in.policy = platform::document_text(request.properties, "PolicyDocument");
    co_await request.call->invoke<PutBucketPolicy>(std::move(in));
    co_return JsonObject();
  }

  Task<void> erase(ResourceRequest& request) const override {
    DeleteBucketPolicyInput in{.bucket = request.physical_id};
    co_await request.call->invoke<DeleteBucketPolicy>(std::move(in));
  }
};

}  // namespace

void S3::resources(platform::ResourceTypes& types) {
  types.add(std::make_unique<BucketType>());
  types.add(std::make_unique<BucketPolicyType>());
}

}  // namespace tarn::s3
