// SPDX-License-Identifier: Apache-2.0
// CloudFormation's view of Lambda.
#include <fmt/format.h>

#include "aws/codec.hpp"
#include "aws/lambda/errors.hpp"
#include "platform/operation_resource.hpp"
#include "services/lambda/inline_code.hpp"
#include "services/lambda/service.hpp"

namespace tarn::lambda {
namespace {

using platform::OperationResource;
using platform::ResourceRequest;

const std::set<std::string, std::less<>> k_exists{"ResourceConflictException"};
const std::set<std::string, std::less<>> k_gone{"ResourceNotFoundException"};

// The properties of one structure, spelled as in the API; texts for numbers are understood.
template <class Input>
Input read(const JsonObject& properties) {
  Input in;
  aws::JsonStyle style;
  style.lenient = true;
  aws::decode_json(aws::shape_of<Input>(), Json(properties), &in, style);
  return in;
}

JsonObject object_of(const Json& properties, std::initializer_list<std::string_view> names) {
  JsonObject chosen;
  for (const auto name : names) {
    if (const Json* value = find_member(properties, name)) chosen[name] = *value;
  }
  return chosen;
}

// Values of environment variables may be numbers or booleans in a template.
void texts_for_variables(JsonObject& properties) {
  Json* environment = properties.if_contains("Environment");
  Json* variables = environment && environment->is_object()
                        ? environment->get_object().if_contains("Variables")
                        : nullptr;
  if (!variables || !variables->is_object()) return;
  for (auto& entry : variables->get_object()) {
    if (!entry.value().is_string()) entry.value() = Json(dump_json(entry.value()));
  }
}

constexpr std::initializer_list<std::string_view> k_configuration{
    "Description", "Handler",          "KmsKeyArn",     "Layers",           "LoggingConfig",
    "MemorySize",  "DeadLetterConfig", "Environment",   "EphemeralStorage", "Role",
    "Runtime",     "SnapStart",        "TracingConfig", "Timeout",          "VpcConfig"};

JsonObject configuration_of(const Json& properties) {
  JsonObject chosen = object_of(properties, k_configuration);
  if (const Json* key = chosen.if_contains("KmsKeyArn")) {
    chosen["KMSKeyArn"] = *key;  // the API's spelling
    chosen.erase("KmsKeyArn");
  }
  texts_for_variables(chosen);
  return chosen;
}

struct CodeSource {
  std::optional<std::string> zip, bucket, key, version;
  explicit CodeSource(const Json& properties) {
    const Json* code = find_member(properties, "Code");
    if (!code) throw InvalidParameterValueException("The function has no Code");
    bucket = find_string(*code, "S3Bucket");
    key = find_string(*code, "S3Key");
    version = find_string(*code, "S3ObjectVersion");
    if (find_member(*code, "ImageUri")) {
      throw InvalidParameterValueException("Functions from images are not supported by Tarn");
    }
    if (const auto source = find_string(*code, "ZipFile")) zip = zip_of_python_source(*source);
  }
};

class FunctionType : public OperationResource {
 public:
  FunctionType()
      : OperationResource({.name = "AWS::Lambda::Function",
                           .properties = {"FunctionName",
                                          "Code",
                                          "Architectures",
                                          "PackageType",
                                          "Tags",
                                          "ReservedConcurrentExecutions",
                                          "Description",
                                          "Handler",
                                          "KmsKeyArn",
                                          "Layers",
                                          "LoggingConfig",
                                          "MemorySize",
                                          "DeadLetterConfig",
                                          "Environment",
                                          "EphemeralStorage",
                                          "Role",
                                          "Runtime",
                                          "SnapStart",
                                          "TracingConfig",
                                          "Timeout",
                                          "VpcConfig"},
                           .replacing = {"FunctionName", "PackageType"},
                           .required = {"Code", "Role"},
                           .name_property = "FunctionName",
                           .name_length_max = 64,
                           .exists = k_exists,
                           .gone = k_gone}) {}

 protected:
  Task<void> make(ResourceRequest& request) const override {
    JsonObject wanted = configuration_of(request.properties);
    for (const char* name : {"Architectures", "PackageType"}) {
      if (const Json* value = find_member(request.properties, name)) wanted[name] = *value;
    }
    wanted["FunctionName"] = request.physical_id;
    wanted["Code"] = JsonObject();
    auto in = read<CreateFunctionInput>(wanted);
    const CodeSource code(request.properties);
    in.code.zip_file = code.zip;
    in.code.s3_bucket = code.bucket;
    in.code.s3_key = code.key;
    in.code.s3_object_version = code.version;
    in.tags = platform::wanted_tags(request);
    co_await request.call->invoke<CreateFunction>(std::move(in));
  }

  Task<bool> is_ours(ResourceRequest& request) const override {
    ListTagsInput in{.resource = function_arn(request.call->scope(), request.physical_id)};
    const auto out = co_await request.call->invoke<ListTags>(std::move(in));
    co_return platform::are_our_tags(*out.tags, request);
  }

  static Task<void> change(ResourceRequest& request) {
    const Json* code_now = find_member(request.properties, "Code");
    const Json* code_before = find_member(request.previous_properties, "Code");
    if (code_now && (!code_before || !json_equal(*code_now, *code_before))) {
      const CodeSource code(request.properties);
      UpdateFunctionCodeInput in;
      in.function_name = request.physical_id;
      in.zip_file = code.zip;
      in.s3_bucket = code.bucket;
      in.s3_key = code.key;
      in.s3_object_version = code.version;
      co_await request.call->invoke<UpdateFunctionCode>(std::move(in));
    }
    JsonObject wanted = configuration_of(request.properties);
    wanted["FunctionName"] = request.physical_id;
    // What the template no longer says goes back to its default.
    wanted.insert_or_assign("Description", string_or(request.properties, "Description"));
    if (!wanted.contains("Environment"))
      wanted["Environment"] = JsonObject{{"Variables", JsonObject()}};
    if (!wanted.contains("Layers")) wanted["Layers"] = JsonArray();
    if (!wanted.contains("Timeout")) wanted["Timeout"] = 3;
    if (!wanted.contains("MemorySize")) wanted["MemorySize"] = 128;
    if (!wanted.contains("DeadLetterConfig")) {
      wanted["DeadLetterConfig"] = JsonObject{{"TargetArn", ""}};
    }
    auto in = read<UpdateFunctionConfigurationInput>(wanted);
    co_await request.call->invoke<UpdateFunctionConfiguration>(std::move(in));
    const std::string arn = function_arn(request.call->scope(), request.physical_id);
    TagResourceInput tags{.resource = arn, .tags = platform::wanted_tags(request)};
    if (!tags.tags.empty()) co_await request.call->invoke<TagResource>(std::move(tags));
    UntagResourceInput dropped{.resource = arn, .tag_keys = platform::dropped_tags(request)};
    if (!dropped.tag_keys.empty()) {
      co_await request.call->invoke<UntagResource>(std::move(dropped));
    }
  }

  Task<JsonObject> settle(ResourceRequest& request) const override {
    const bool update = !request.previous_properties.as_object().empty();
    if (update) co_await change(request);
    if (const Json* reserved = find_member(request.properties, "ReservedConcurrentExecutions")) {
      PutFunctionConcurrencyInput in;
      in.function_name = request.physical_id;
      in.reserved_concurrent_executions =
          reserved->is_string() ? std::stoi(std::string(json_text(reserved->get_string())))
                                : reserved->to_number<std::int32_t>();
      co_await request.call->invoke<PutFunctionConcurrency>(std::move(in));
    } else if (find_member(request.previous_properties, "ReservedConcurrentExecutions")) {
      DeleteFunctionConcurrencyInput in{.function_name = request.physical_id};
      co_await request.call->invoke<DeleteFunctionConcurrency>(std::move(in));
    }
    co_return JsonObject{{"Arn", function_arn(request.call->scope(), request.physical_id)}};
  }

  Task<void> erase(ResourceRequest& request) const override {
    DeleteFunctionInput in{.function_name = request.physical_id};
    co_await request.call->invoke<DeleteFunction>(std::move(in));
  }
};

// Its physical id is the statement's id, generated, so a repeated create finds itself.
class PermissionType : public OperationResource {
 public:
  PermissionType()
      : OperationResource(
            {.name = "AWS::Lambda::Permission",
             .properties = {"FunctionName", "Action", "Principal", "SourceArn", "SourceAccount",
                            "EventSourceToken", "PrincipalOrgID", "FunctionUrlAuthType"},
             .replacing = {"FunctionName", "Action", "Principal", "SourceArn", "SourceAccount",
                           "EventSourceToken", "PrincipalOrgID", "FunctionUrlAuthType"},
             .required = {"FunctionName", "Action", "Principal"},
             .name_length_max = 100,
             .exists = k_exists,
             .gone = k_gone}) {}

 protected:
  Task<void> make(ResourceRequest& request) const override {
    JsonObject wanted = request.properties.as_object();
    wanted["StatementId"] = request.physical_id;
    auto in = read<AddPermissionInput>(wanted);
    co_await request.call->invoke<AddPermission>(std::move(in));
  }
  Task<JsonObject> settle(ResourceRequest& request) const override {
    co_return JsonObject{{"Id", request.physical_id}};
  }
  Task<void> erase(ResourceRequest& request) const override {
    RemovePermissionInput in;
    in.function_name = string_or(request.properties, "FunctionName");
    in.statement_id = request.physical_id;
    co_await request.call->invoke<RemovePermission>(std::move(in));
  }
};

class LayerVersionType : public OperationResource {
 public:
  LayerVersionType()
      : OperationResource({.name = "AWS::Lambda::LayerVersion",
                           .properties = {"LayerName", "Content", "Description", "LicenseInfo",
                                          "CompatibleRuntimes", "CompatibleArchitectures"},
                           .replacing = {"LayerName", "Content", "Description", "LicenseInfo",
                                         "CompatibleRuntimes", "CompatibleArchitectures"},
                           .required = {"Content"},
                           .gone = k_gone}) {}

 protected:
  Task<void> make(ResourceRequest& request) const override {
    JsonObject wanted = request.properties.as_object();
    if (!wanted.contains("LayerName")) wanted["LayerName"] = request.logical_id;
    auto in = read<PublishLayerVersionInput>(wanted);
    const auto out = co_await request.call->invoke<PublishLayerVersion>(std::move(in));
    request.physical_id = out.layer_version_arn.value_or("");
  }
  Task<JsonObject> settle(ResourceRequest& request) const override {
    co_return JsonObject{{"LayerVersionArn", request.physical_id}};
  }
  Task<void> erase(ResourceRequest& request) const override {
    const auto id = LayerVersionId::parse(request.physical_id);
    DeleteLayerVersionInput in{.layer_name = id.name, .version_number = id.version};
    co_await request.call->invoke<DeleteLayerVersion>(std::move(in));
  }
};

class VersionType : public OperationResource {
 public:
  VersionType()
      : OperationResource({.name = "AWS::Lambda::Version",
                           .properties = {"FunctionName", "Description", "CodeSha256"},
                           .replacing = {"FunctionName", "Description", "CodeSha256"},
                           .required = {"FunctionName"},
                           .gone = k_gone}) {}

 protected:
  Task<void> make(ResourceRequest& request) const override {
    auto in = read<PublishVersionInput>(request.properties.as_object());
    const auto out = co_await request.call->invoke<PublishVersion>(std::move(in));
    request.physical_id = out.function_arn.value_or("");
  }
  Task<JsonObject> settle(ResourceRequest& request) const override {
    const auto id = FunctionId::parse(request.physical_id, std::nullopt);
    co_return JsonObject{{"Version", id.qualifier}, {"FunctionArn", request.physical_id}};
  }
  Task<void> erase(ResourceRequest& request) const override {
    DeleteFunctionInput in{.function_name = request.physical_id};
    co_await request.call->invoke<DeleteFunction>(std::move(in));
  }
};

class AliasType : public OperationResource {
 public:
  AliasType()
      : OperationResource({.name = "AWS::Lambda::Alias",
                           .properties = {"FunctionName", "FunctionVersion", "Name", "Description"},
                           .replacing = {"FunctionName", "Name"},
                           .required = {"FunctionName", "FunctionVersion", "Name"},
                           .gone = k_gone}) {}

 protected:
  Task<void> make(ResourceRequest& request) const override {
    const auto function =
        FunctionId::parse(string_or(request.properties, "FunctionName"), std::nullopt);
    request.physical_id =
        function_arn(request.call->scope(), function.name, string_or(request.properties, "Name"));
    auto in = read<CreateAliasInput>(request.properties.as_object());
    co_await request.call->invoke<CreateAlias>(std::move(in));
  }
  Task<JsonObject> settle(ResourceRequest& request) const override {
    if (!request.previous_properties.as_object().empty()) {
      auto in = read<UpdateAliasInput>(request.properties.as_object());
      co_await request.call->invoke<UpdateAlias>(std::move(in));
    }
    co_return JsonObject{{"AliasArn", request.physical_id}};
  }
  Task<void> erase(ResourceRequest& request) const override {
    const auto id = FunctionId::parse(request.physical_id, std::nullopt);
    DeleteAliasInput in{.function_name = id.name, .name = id.qualifier};
    co_await request.call->invoke<DeleteAlias>(std::move(in));
  }
};

class EventSourceType : public OperationResource {
 public:
  EventSourceType()
      : OperationResource({.name = "AWS::Lambda::EventSourceMapping",
                           .properties = {"EventSourceArn", "FunctionName", "BatchSize", "Enabled",
                                          "FunctionResponseTypes", "MaximumBatchingWindowInSeconds",
                                          "FilterCriteria", "ScalingConfig"},
                           .replacing = {"EventSourceArn"},
                           .required = {"EventSourceArn", "FunctionName"},
                           .gone = k_gone}) {}

 protected:
  Task<void> make(ResourceRequest& request) const override {
    auto in = read<CreateEventSourceMappingInput>(request.properties.as_object());
    bool exists = false;
    try {
      const auto out = co_await request.call->invoke<CreateEventSourceMapping>(std::move(in));
      request.physical_id = out.uuid.value_or("");
    } catch (const ResourceConflictException&) {
      exists = true;
    }
    if (!exists) co_return;
    // One mapping for each pair: that of a create that was broken off.
    ListEventSourceMappingsInput list;
    list.event_source_arn = string_or(request.properties, "EventSourceArn");
    list.function_name = string_or(request.properties, "FunctionName");
    const auto out = co_await request.call->invoke<ListEventSourceMappings>(std::move(list));
    if (!out.event_source_mappings->empty()) {
      request.physical_id = out.event_source_mappings->front().uuid.value_or("");
    }
  }
  Task<JsonObject> settle(ResourceRequest& request) const override {
    if (!request.previous_properties.as_object().empty()) {
      JsonObject wanted = request.properties.as_object();
      wanted.erase("EventSourceArn");
      wanted["UUID"] = request.physical_id;
      // What is no longer in the template has its default again.
      const JsonObject defaults{{"BatchSize", 10},
                                {"Enabled", true},
                                {"FunctionResponseTypes", JsonArray()},
                                {"MaximumBatchingWindowInSeconds", 0},
                                {"FilterCriteria", JsonObject()},
                                {"ScalingConfig", JsonObject()}};
      for (const auto& [name, value] : defaults) {
        if (!wanted.contains(name)) wanted[name] = value;
      }
      auto in = read<UpdateEventSourceMappingInput>(wanted);
      co_await request.call->invoke<UpdateEventSourceMapping>(std::move(in));
    }
    co_return JsonObject{{"Id", request.physical_id}};
  }
  Task<void> erase(ResourceRequest& request) const override {
    DeleteEventSourceMappingInput in{.uuid = request.physical_id};
    co_await request.call->invoke<DeleteEventSourceMapping>(std::move(in));
  }
};

// Putting one replaces what there is, and nothing tells whose it was: so a step before the making
// finds that there is none, and commits that by the physical id.
class EventInvokeConfigType : public OperationResource {
 public:
  EventInvokeConfigType()
      : OperationResource({.name = "AWS::Lambda::EventInvokeConfig",
                           .properties = {"FunctionName", "Qualifier", "MaximumEventAgeInSeconds",
                                          "MaximumRetryAttempts", "DestinationConfig"},
                           .replacing = {"FunctionName", "Qualifier"},
                           .required = {"FunctionName", "Qualifier"},
                           .gone = k_gone}) {}

  Task<platform::ResourceProgress> create(ResourceRequest request) const override {
    if (!request.physical_id.empty()) co_return co_await OperationResource::create(request);
    const std::string id = string_or(request.properties, "FunctionName") + "|" +
                           string_or(request.properties, "Qualifier");
    bool found = true;
    try {
      auto in = addressed<GetFunctionEventInvokeConfigInput>(request);
      co_await request.call->invoke<GetFunctionEventInvokeConfig>(std::move(in));
    } catch (const ResourceNotFoundException&) {
      found = false;
    }
    if (found) {
      throw aws::ApiError(
          "AlreadyExists",
          fmt::format("Resource of type '{}' with identifier '{}' already exists.", name(), id));
    }
    co_return platform::ResourceProgress{.status = platform::ResourceProgress::Status::pending,
                                         .physical_id = id,
                                         .retry_after = std::chrono::milliseconds(0)};
  }

 protected:
  // $LATEST is what a function without a qualifier is; invocations look there.
  template <class Input>
  static Input addressed(const ResourceRequest& request, Input in = {}) {
    const auto function = FunctionId::parse(string_or(request.properties, "FunctionName"),
                                            find_string(request.properties, "Qualifier"));
    in.function_name = function.name;
    in.qualifier =
        function.qualifier == k_latest ? std::nullopt : std::optional(function.qualifier);
    return in;
  }

  Task<void> make(ResourceRequest&) const override { co_return; }  // see `settle`

  Task<JsonObject> settle(ResourceRequest& request) const override {
    using Input = PutFunctionEventInvokeConfigInput;
    auto in = addressed(request, read<Input>(request.properties.as_object()));
    co_await request.call->invoke<PutFunctionEventInvokeConfig>(std::move(in));
    co_return JsonObject();
  }

  Task<void> erase(ResourceRequest& request) const override {
    auto in = addressed<DeleteFunctionEventInvokeConfigInput>(request);
    co_await request.call->invoke<DeleteFunctionEventInvokeConfig>(std::move(in));
  }
};

}  // namespace

void Lambda::resources(platform::ResourceTypes& types) {
  types.add(std::make_unique<FunctionType>());
  types.add(std::make_unique<PermissionType>());
  types.add(std::make_unique<LayerVersionType>());
  types.add(std::make_unique<VersionType>());
  types.add(std::make_unique<AliasType>());
  types.add(std::make_unique<EventSourceType>());
  types.add(std::make_unique<EventInvokeConfigType>());
}

}  // namespace tarn::lambda
