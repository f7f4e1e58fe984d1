// SPDX-License-Identifier: Apache-2.0
// State machines with their versions and aliases, and activities, for CloudFormation.
#include <fmt/format.h>

#include "aws/codec.hpp"
#include "aws/error.hpp"
#include "aws/shape.hpp"
#include "base/strings.hpp"
#include "platform/registry.hpp"
#include "platform/resource_type.hpp"
#include "services/stepfunctions/names.hpp"
#include "services/stepfunctions/service.hpp"

namespace tarn::stepfunctions {
namespace {

using platform::ResourceProgress;
using platform::ResourceRequest;

constexpr std::size_t k_name_length_max = 80;

std::string last_part(const std::string& arn) { return arn.substr(arn.rfind(':') + 1); }

// "${Name}" by DefinitionSubstitutions; what is not named stays.
std::string substituted(std::string text, const Json& properties) {
  const Json* given = find_member(properties, "DefinitionSubstitutions");
  if (!given || !given->is_object()) return text;
  std::string out;
  std::size_t at = 0;
  while (at < text.size()) {
    const auto open = text.find("${", at);
    const auto close = open == std::string::npos ? open : text.find('}', open);
    if (close == std::string::npos) break;
    const Json* value =
        find_member(*given, std::string_view(text).substr(open + 2, close - open - 2));
    out.append(text, at, open - at);
    if (!value) {
      out.append(text, open, close - open + 1);
    } else {
      out += value->is_string() ? std::string(json_text(value->get_string())) : dump_json(*value);
    }
    at = close + 1;
  }
  return out.append(text, at);
}

// The definition's text: inline, as an object, or from S3.
Task<std::string> definition_of(ResourceRequest request) {
  const Json& properties = request.properties;
  if (const auto text = find_string(properties, "DefinitionString")) {
    co_return substituted(*text, properties);
  }
  if (const Json* object = find_member(properties, "Definition")) {
    co_return substituted(dump_json(*object), properties);
  }
  const Json* location = find_member(properties, "DefinitionS3Location");
  if (!location) {
    throw aws::validation_error(
        "One of Definition, DefinitionString, DefinitionS3Location is required");
  }
  JsonObject which{{"Bucket", string_or(*location, "Bucket")},
                   {"Key", string_or(*location, "Key")}};
  if (const auto version = find_string(*location, "Version")) which["VersionId"] = *version;
  const platform::OpRow* row = request.call->registry().find("s3", "GetObject");
  if (!row) throw aws::not_implemented("s3", "GetObject");
  const auto input = row->make_input();
  const auto output = row->make_output();
  aws::decode_json(*row->operation->input, Json(std::move(which)), input.get());
  co_await request.call->registry().run(*row, request.call, input.get(), output.get());
  const aws::Member* body = aws::find_member(*row->operation->output, "Body");
  const auto* source = static_cast<const ByteSourcePtr*>(body->find(output.get()));
  if (!source || !*source) co_return std::string();
  ByteSourcePtr bytes = *source;
  const std::string text = co_await read_all(std::move(bytes), 1024 * 1024);
  co_return substituted(text, properties);
}

JsonArray tags_of(const ResourceRequest& request) {
  std::map<std::string, std::string> tags = request.tags;
  if (const Json* given = find_member(request.properties, "Tags"); given && given->is_array()) {
    for (const auto& tag : given->get_array()) {
      tags[string_or(tag, "Key")] = string_or(tag, "Value");
    }
  }
  JsonArray out;
  for (const auto& [key, value] : tags) {
    if (!key.starts_with("aws:")) out.push_back(JsonObject{{"key", key}, {"value", value}});
  }
  return out;
}

// "destinations" for "Destinations": the API's names begin small.
Json small_names(const Json& value) {
  if (value.is_array()) {
    JsonArray out;
    for (const auto& item : value.get_array()) out.push_back(small_names(item));
    return out;
  }
  if (!value.is_object()) return value;
  JsonObject out;
  for (const auto& member : value.get_object()) {
    std::string key(std::string_view(member.key()));
    if (!key.empty()) {
      key[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(key[0])));
    }
    out[key] = small_names(member.value());
  }
  return out;
}

class StateMachineType : public platform::ResourceType {
 public:
  std::string_view name() const override { return "AWS::StepFunctions::StateMachine"; }
  std::set<std::string> properties() const override {
    return {"StateMachineName",
            "StateMachineType",
            "RoleArn",
            "Definition",
            "DefinitionString",
            "DefinitionS3Location",
            "DefinitionSubstitutions",
            "Tags",
            "LoggingConfiguration",
            "TracingConfiguration",
            "EncryptionConfiguration"};
  }
  std::set<std::string> replacing_properties() const override {
    return {"StateMachineName", "StateMachineType"};
  }
  std::set<std::string> required_properties() const override { return {"RoleArn"}; }
  std::string choose_physical_id(const ResourceRequest& request, Random& random) const override {
    auto name = find_string(request.properties, "StateMachineName");
    if (!name) name = platform::generated_name(request, random, k_name_length_max);
    return machine_arn(request.call->scope(), *name);
  }

  Task<ResourceProgress> create(ResourceRequest request) const override {
    JsonObject input = co_await fields(request);
    input["name"] = last_part(request.physical_id);
    input["type"] = string_or(request.properties, "StateMachineType", "STANDARD");
    input["tags"] = tags_of(request);
    Json whole(std::move(input));
    const Json made =
        co_await request.call->invoke_json("stepfunctions", "CreateStateMachine", std::move(whole));
    co_return done(string_or(made, "stateMachineArn"), {});
  }
  Task<ResourceProgress> update(ResourceRequest request) const override {
    JsonObject input = co_await fields(request);
    input["stateMachineArn"] = request.physical_id;
    Json whole(std::move(input));
    const Json made =
        co_await request.call->invoke_json("stepfunctions", "UpdateStateMachine", std::move(whole));
    Json tags(JsonObject{{"resourceArn", request.physical_id}, {"tags", tags_of(request)}});
    co_await request.call->invoke_json("stepfunctions", "TagResource", std::move(tags));
    co_return done(request.physical_id, string_or(made, "revisionId"));
  }
  Task<ResourceProgress> remove(ResourceRequest request) const override {
    Json input(JsonObject{{"stateMachineArn", request.physical_id}});
    co_await request.call->invoke_json("stepfunctions", "DeleteStateMachine", std::move(input));
    co_return ResourceProgress{};
  }

 private:
  static Task<JsonObject> fields(ResourceRequest request) {
    JsonObject input;
    input["definition"] = co_await definition_of(request);
    input["roleArn"] = string_or(request.properties, "RoleArn");
    for (const char* each :
         {"LoggingConfiguration", "TracingConfiguration", "EncryptionConfiguration"}) {
      const Json* given = find_member(request.properties, each);
      if (!given) continue;
      std::string key = each;
      key[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(key[0])));
      input[key] = small_names(*given);
    }
    co_return input;
  }
  static ResourceProgress done(const std::string& arn, const std::string& revision) {
    ResourceProgress out;
    out.physical_id = arn;
    out.attributes["Arn"] = arn;
    out.attributes["Name"] = last_part(arn);
    out.attributes["StateMachineRevisionId"] = revision.empty() ? "INITIAL" : revision;
    return out;
  }
};

class ActivityType : public platform::ResourceType {
 public:
  std::string_view name() const override { return "AWS::StepFunctions::Activity"; }
  std::set<std::string> properties() const override { return {"Name", "Tags"}; }
  std::set<std::string> replacing_properties() const override { return {"Name"}; }
  std::set<std::string> required_properties() const override { return {"Name"}; }
  std::string choose_physical_id(const ResourceRequest& request, Random&) const override {
    return replace_all(machine_arn(request.call->scope(), string_or(request.properties, "Name")),
                       ":stateMachine:", ":activity:");
  }
  Task<ResourceProgress> create(ResourceRequest request) const override {
    Json input(JsonObject{{"name", last_part(request.physical_id)}, {"tags", tags_of(request)}});
    co_await request.call->invoke_json("stepfunctions", "CreateActivity", std::move(input));
    co_return done(request.physical_id);
  }
  Task<ResourceProgress> update(ResourceRequest request) const override {
    Json input(JsonObject{{"resourceArn", request.physical_id}, {"tags", tags_of(request)}});
    co_await request.call->invoke_json("stepfunctions", "TagResource", std::move(input));
    co_return done(request.physical_id);
  }
  Task<ResourceProgress> remove(ResourceRequest request) const override {
    Json input(JsonObject{{"activityArn", request.physical_id}});
    co_await request.call->invoke_json("stepfunctions", "DeleteActivity", std::move(input));
    co_return ResourceProgress{};
  }

 private:
  static ResourceProgress done(const std::string& arn) {
    ResourceProgress out;
    out.physical_id = arn;
    out.attributes["Arn"] = arn;
    out.attributes["Name"] = last_part(arn);
    return out;
  }
};

[[noreturn]] void already_exists(std::string_view type, const std::string& id) {
  throw aws::ApiError(
      "AlreadyExists",
      fmt::format("Resource of type '{}' with identifier '{}' already exists.", type, id));
}

// Publishing a revision twice gives the first version again, which may be another's and must not go
// with the stack. So a step before the publishing commits which version is the newest.
class StateMachineVersionType : public platform::ResourceType {
 public:
  std::string_view name() const override { return "AWS::StepFunctions::StateMachineVersion"; }
  std::set<std::string> properties() const override {
    return {"StateMachineArn", "StateMachineRevisionId", "Description"};
  }
  std::set<std::string> replacing_properties() const override { return properties(); }
  std::set<std::string> required_properties() const override { return {"StateMachineArn"}; }
  std::string choose_physical_id(const ResourceRequest&, Random&) const override { return {}; }

  Task<ResourceProgress> create(ResourceRequest request) const override {
    const std::string machine = string_or(request.properties, "StateMachineArn");
    if (request.state.empty()) {
      Json newest(JsonObject{{"stateMachineArn", machine}, {"maxResults", 1}});
      const Json listed = co_await request.call->invoke_json(
          "stepfunctions", "ListStateMachineVersions", std::move(newest));
      const auto& versions = listed.at("stateMachineVersions").as_array();
      ResourceProgress progress;
      progress.status = ResourceProgress::Status::pending;
      progress.state = "newest:";
      if (!versions.empty()) progress.state += string_or(versions[0], "stateMachineVersionArn");
      progress.retry_after = std::chrono::milliseconds(0);
      co_return progress;
    }
    JsonObject input{{"stateMachineArn", machine}};
    if (auto revision = find_string(request.properties, "StateMachineRevisionId")) {
      input["revisionId"] = *revision;
    }
    if (auto text = find_string(request.properties, "Description")) input["description"] = *text;
    Json whole(std::move(input));
    const Json made = co_await request.call->invoke_json(
        "stepfunctions", "PublishStateMachineVersion", std::move(whole));
    const std::string arn = string_or(made, "stateMachineVersionArn");
    if (request.state == "newest:" + arn) already_exists(name(), arn);
    co_return done(arn);
  }
  // All of its properties replace it.
  Task<ResourceProgress> update(ResourceRequest request) const override {
    co_return done(request.physical_id);
  }
  Task<ResourceProgress> remove(ResourceRequest request) const override {
    Json input(JsonObject{{"stateMachineVersionArn", request.physical_id}});
    co_await request.call->invoke_json("stepfunctions", "DeleteStateMachineVersion",
                                       std::move(input));
    co_return ResourceProgress{};
  }

 private:
  static ResourceProgress done(const std::string& arn) {
    ResourceProgress out;
    out.physical_id = arn;
    out.attributes["Arn"] = arn;
    return out;
  }
};

// The machine is that of the versions. A name that the template gives may be taken: so a step
// before the making finds that it is not, and commits that by the physical id.
class StateMachineAliasType : public platform::ResourceType {
 public:
  std::string_view name() const override { return "AWS::StepFunctions::StateMachineAlias"; }
  std::set<std::string> properties() const override {
    return {"Name", "Description", "StateMachineArn", "RoutingConfiguration"};
  }
  std::set<std::string> replacing_properties() const override { return {"Name"}; }
  // AWS takes a DeploymentPreference in its stead, which Tarn has not got.
  std::set<std::string> required_properties() const override { return {"RoutingConfiguration"}; }
  std::string choose_physical_id(const ResourceRequest& request, Random& random) const override {
    if (find_string(request.properties, "Name")) return {};
    return machine_of(request) + ":" + platform::generated_name(request, random, k_name_length_max);
  }

  Task<ResourceProgress> create(ResourceRequest request) const override {
    if (request.physical_id.empty()) {
      const std::string arn = machine_of(request) + ":" + string_or(request.properties, "Name");
      const bool taken = co_await exists(request.call, arn);
      if (taken) already_exists(name(), arn);
      co_return ResourceProgress{.status = ResourceProgress::Status::pending,
                                 .physical_id = arn,
                                 .retry_after = std::chrono::milliseconds(0)};
    }
    JsonObject input = fields(request);
    input["name"] = last_part(request.physical_id);
    Json whole(std::move(input));
    co_await request.call->invoke_json("stepfunctions", "CreateStateMachineAlias",
                                       std::move(whole));
    co_return done(request.physical_id);
  }
  Task<ResourceProgress> update(ResourceRequest request) const override {
    JsonObject input = fields(request);
    input["stateMachineAliasArn"] = request.physical_id;
    Json whole(std::move(input));
    co_await request.call->invoke_json("stepfunctions", "UpdateStateMachineAlias",
                                       std::move(whole));
    co_return done(request.physical_id);
  }
  Task<ResourceProgress> remove(ResourceRequest request) const override {
    Json input(JsonObject{{"stateMachineAliasArn", request.physical_id}});
    co_await request.call->invoke_json("stepfunctions", "DeleteStateMachineAlias",
                                       std::move(input));
    co_return ResourceProgress{};
  }

 private:
  // Empty where no version is named.
  static std::string machine_of(const ResourceRequest& request) {
    const Json* routes = find_member(request.properties, "RoutingConfiguration");
    if (!routes || !routes->is_array() || routes->get_array().empty()) return {};
    const auto version = string_or(routes->get_array()[0], "StateMachineVersionArn");
    return version.substr(0, version.rfind(':'));
  }
  static JsonObject fields(const ResourceRequest& request) {
    const auto machine = find_string(request.properties, "StateMachineArn");
    if (machine && *machine != machine_of(request)) {
      throw aws::validation_error(
          "The routing configuration must refer to versions of StateMachineArn");
    }
    JsonObject input;
    input["routingConfiguration"] = small_names(request.properties.at("RoutingConfiguration"));
    input["description"] = string_or(request.properties, "Description");
    return input;
  }
  static Task<bool> exists(platform::CallPtr call, std::string arn) {
    Json input(JsonObject{{"stateMachineAliasArn", arn}});
    try {
      co_await call->invoke_json("stepfunctions", "DescribeStateMachineAlias", std::move(input));
    } catch (const aws::ApiError& error) {
      if (error.code != "ResourceNotFound") throw;
      co_return false;
    }
    co_return true;
  }
  static ResourceProgress done(const std::string& arn) {
    ResourceProgress out;
    out.physical_id = arn;
    out.attributes["Arn"] = arn;
    return out;
  }
};

}  // namespace

void StepFunctions::resources(platform::ResourceTypes& types) {
  types.add(std::make_unique<StateMachineType>());
  types.add(std::make_unique<StateMachineVersionType>());
  types.add(std::make_unique<StateMachineAliasType>());
  types.add(std::make_unique<ActivityType>());
}

}  // namespace tarn::stepfunctions
