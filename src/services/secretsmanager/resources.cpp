// SPDX-License-Identifier: Apache-2.0
// CloudFormation's view of secrets, their policies and what they are attached to.
#include <array>

#include "aws/secretsmanager/errors.hpp"
#include "base/strings.hpp"
#include "platform/operation_resource.hpp"
#include "services/secretsmanager/service.hpp"

namespace tarn::secretsmanager {
namespace {

using platform::ResourceRequest;

constexpr const char* k_gone = "ResourceNotFoundException";

std::optional<bool> find_bool(const Json& properties, std::string_view name) {
  const Json* member = find_member(properties, name);
  return member && member->is_bool() ? std::optional(member->get_bool()) : std::nullopt;
}

bool changed(const ResourceRequest& request, std::string_view name) {
  const Json* now = find_member(request.properties, name);
  const Json* before = find_member(request.previous_properties, name);
  if (!now || !before) return now != before;
  return !json_equal(*now, *before);
}

class SecretType : public platform::OperationResource {
 public:
  SecretType()
      : OperationResource({.name = "AWS::SecretsManager::Secret",
                           .properties = {"Name", "Description", "KmsKeyId", "SecretString",
                                          "GenerateSecretString", "Tags"},
                           .replacing = {"Name"},
                           .name_property = "Name",
                           .name_length_max = 128,
                           .exists = {"ResourceExistsException"},
                           .gone = {k_gone}}) {}

 protected:
  // The template's text, or a new random one; none when it has neither.
  static Task<std::optional<std::string>> wanted_value(const ResourceRequest& request) {
    auto text = find_string(request.properties, "SecretString");
    const Json* rules = find_member(request.properties, "GenerateSecretString");
    if (text && rules) {
      throw InvalidRequestException(
          "You can't specify both SecretString and GenerateSecretString.");
    }
    if (!rules) co_return text;
    GetRandomPasswordInput in;
    if (const Json* length = find_member(*rules, "PasswordLength")) {
      in.password_length = length->to_number<std::int64_t>();
    }
    in.exclude_characters = find_string(*rules, "ExcludeCharacters");
    in.exclude_numbers = find_bool(*rules, "ExcludeNumbers");
    in.exclude_punctuation = find_bool(*rules, "ExcludePunctuation");
    in.exclude_uppercase = find_bool(*rules, "ExcludeUppercase");
    in.exclude_lowercase = find_bool(*rules, "ExcludeLowercase");
    in.include_space = find_bool(*rules, "IncludeSpace");
    in.require_each_included_type = find_bool(*rules, "RequireEachIncludedType");
    const auto made = co_await request.call->invoke<GetRandomPassword>(std::move(in));
    const auto key = find_string(*rules, "GenerateStringKey");
    const auto frame = find_string(*rules, "SecretStringTemplate");
    if (!key && !frame) co_return made.random_password;
    if (!key || !frame) {
      throw InvalidRequestException(
          "GenerateStringKey and SecretStringTemplate must be specified together.");
    }
    co_return framed(*frame, *key, *made.random_password);
  }

  static std::string framed(const std::string& frame, const std::string& key,
                            const std::string& password) {
    try {
      Json value = parse_json(frame);
      if (!value.is_object()) throw JsonError("not an object", 0);
      value.as_object()[key] = password;
      return dump_json(value);
    } catch (const JsonError&) {
      throw InvalidRequestException(
          "Could not parse SecretStringTemplate JSON: it must be an "
          "object.");
    }
  }

  Task<void> make(ResourceRequest& request) const override {
    CreateSecretInput in;
    in.name = request.physical_id;
    in.client_request_token = request.client_token;
    in.description = find_string(request.properties, "Description");
    in.kms_key_id = find_string(request.properties, "KmsKeyId");
    in.secret_string = co_await wanted_value(request);
    in.tags = platform::tag_shapes<Tag>(platform::wanted_tags(request));
    co_await request.call->invoke<CreateSecret>(std::move(in));
  }

  Task<bool> is_ours(ResourceRequest& request) const override {
    DescribeSecretInput in{.secret_id = request.physical_id};
    const auto out = co_await request.call->invoke<DescribeSecret>(std::move(in));
    platform::ResourceTags tags;
    if (out.tags) {
      for (const auto& tag : *out.tags) tags[tag.key.value_or("")] = tag.value.value_or("");
    }
    co_return platform::are_our_tags(tags, request);
  }

  Task<JsonObject> settle(ResourceRequest& request) const override {
    if (request.physical_id.starts_with("arn:")) {
      // A value that this very step made before a crash stays as it is.
      DescribeSecretInput look{.secret_id = request.physical_id};
      const auto seen = co_await request.call->invoke<DescribeSecret>(std::move(look));
      const bool made =
          seen.version_ids_to_stages && seen.version_ids_to_stages->contains(request.client_token);
      UpdateSecretInput in{.secret_id = request.physical_id};
      in.client_request_token = request.client_token;
      in.description = string_or(request.properties, "Description");
      in.kms_key_id = string_or(request.properties, "KmsKeyId");
      const bool other_value =
          changed(request, "SecretString") || changed(request, "GenerateSecretString");
      if (other_value && !made) in.secret_string = co_await wanted_value(request);
      co_await request.call->invoke<UpdateSecret>(std::move(in));
      TagResourceInput add{.secret_id = request.physical_id};
      add.tags = platform::tag_shapes<Tag>(platform::wanted_tags(request));
      co_await request.call->invoke<TagResource>(std::move(add));
      UntagResourceInput drop{.secret_id = request.physical_id};
      drop.tag_keys = platform::dropped_tags(request);
      co_await request.call->invoke<UntagResource>(std::move(drop));
    } else {
      DescribeSecretInput look{.secret_id = request.physical_id};
      request.physical_id = *(co_await request.call->invoke<DescribeSecret>(std::move(look))).arn;
    }
    co_return JsonObject{{"Id", request.physical_id}};
  }

  // CloudFormation deletes without a recovery window.
  Task<void> erase(ResourceRequest& request) const override {
    DeleteSecretInput in{.secret_id = request.physical_id};
    in.force_delete_without_recovery = true;
    co_await request.call->invoke<DeleteSecret>(std::move(in));
  }
};

class ResourcePolicyType : public platform::OperationResource {
 public:
  ResourcePolicyType()
      : OperationResource({.name = "AWS::SecretsManager::ResourcePolicy",
                           .properties = {"SecretId", "ResourcePolicy", "BlockPublicPolicy"},
                           .replacing = {"SecretId"},
                           .required = {"SecretId", "ResourcePolicy"},
                           .gone = {k_gone}}) {}

 protected:
  Task<void> make(ResourceRequest& request) const override {
    DescribeSecretInput in{.secret_id = string_or(request.properties, "SecretId")};
    request.physical_id = *(co_await request.call->invoke<DescribeSecret>(std::move(in))).arn;
  }

  Task<JsonObject> settle(ResourceRequest& request) const override {
    PutResourcePolicyInput in{.secret_id = request.physical_id};
    in.resource_policy = platform::document_text(request.properties, "ResourcePolicy");
    in.block_public_policy = find_bool(request.properties, "BlockPublicPolicy");
    co_await request.call->invoke<PutResourcePolicy>(std::move(in));
    co_return JsonObject{{"Id", request.physical_id}};
  }

  Task<void> erase(ResourceRequest& request) const override {
    if (request.physical_id.empty()) co_return;
    DeleteResourcePolicyInput in{.secret_id = request.physical_id};
    co_await request.call->invoke<DeleteResourcePolicy>(std::move(in));
  }
};

// Completes a secret with where its database answers, as rotation and clients expect it.
class TargetAttachmentType : public platform::OperationResource {
 public:
  TargetAttachmentType()
      : OperationResource({.name = "AWS::SecretsManager::SecretTargetAttachment",
                           .properties = {"SecretId", "TargetId", "TargetType"},
                           .replacing = {"SecretId"},
                           .required = {"SecretId", "TargetId", "TargetType"},
                           .gone = {k_gone}}) {}

 protected:
  static constexpr std::array k_keys{"engine", "host", "port", "dbname", "dbClusterIdentifier"};

  static Task<Json> secret_object(const ResourceRequest& request) {
    GetSecretValueInput in{.secret_id = request.physical_id};
    const auto out = co_await request.call->invoke<GetSecretValue>(std::move(in));
    try {
      Json value = parse_json(out.secret_string.value_or(""));
      if (value.is_object()) co_return value;
    } catch (const JsonError&) {
      // Said below.
    }
    throw InvalidRequestException("Secret string must be a valid JSON object.");
  }

  static Task<void> write(const ResourceRequest& request, const Json& value) {
    PutSecretValueInput in{.secret_id = request.physical_id};
    in.secret_string = dump_json(value);
    co_await request.call->invoke<PutSecretValue>(std::move(in));
  }

  static Task<Json> target(const ResourceRequest& request) {
    const std::string type = string_or(request.properties, "TargetType");
    if (type != "AWS::Redshift::Cluster") {
      throw aws::not_implemented("secretsmanager", "SecretTargetAttachment to " + type);
    }
    const std::string id = string_or(request.properties, "TargetId");
    Json query = JsonObject{{"ClusterIdentifier", id}};
    const Json found =
        co_await request.call->invoke_json("redshift", "DescribeClusters", std::move(query));
    const Json& cluster = found.at("Clusters").at(0);
    const Json& endpoint = cluster.at("Endpoint");
    co_return JsonObject{{"engine", "redshift"},
                         {"host", endpoint.at("Address")},
                         {"port", endpoint.at("Port")},
                         {"dbname", cluster.at("DBName")},
                         {"dbClusterIdentifier", id}};
  }

  Task<void> make(ResourceRequest& request) const override {
    DescribeSecretInput in{.secret_id = string_or(request.properties, "SecretId")};
    request.physical_id = *(co_await request.call->invoke<DescribeSecret>(std::move(in))).arn;
  }

  Task<JsonObject> settle(ResourceRequest& request) const override {
    const Json before = co_await secret_object(request);
    const Json place = co_await target(request);
    Json after = before;
    for (const auto& [key, value] : place.as_object()) after.as_object()[key] = value;
    if (!json_equal(before, after)) co_await write(request, after);
    co_return JsonObject{{"Id", request.physical_id}};
  }

  Task<void> erase(ResourceRequest& request) const override {
    if (request.physical_id.empty()) co_return;
    Json value = co_await secret_object(request);
    std::size_t erased = 0;
    for (const char* key : k_keys) erased += value.as_object().erase(key);
    if (erased > 0) co_await write(request, value);
  }
};

}  // namespace

void SecretsManager::resources(platform::ResourceTypes& types) {
  types.add(std::make_unique<SecretType>());
  types.add(std::make_unique<ResourcePolicyType>());
  types.add(std::make_unique<TargetAttachmentType>());
}

}  // namespace tarn::secretsmanager
