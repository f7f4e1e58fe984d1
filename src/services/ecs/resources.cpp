// SPDX-License-Identifier: Apache-2.0
// CloudFormation's view of ECS. A template spells the API's members with a capital.
#include "aws/codec.hpp"
#include "aws/ecs/errors.hpp"
#include "base/strings.hpp"
#include "platform/operation_resource.hpp"
#include "services/ecs/names.hpp"
#include "services/ecs/service.hpp"

namespace tarn::ecs {
namespace {

using platform::OperationResource;
using platform::ResourceRequest;
template <class T = void>
using Later = ::tarn::Task<T>;

// Keys of maps are the user's own and keep their spelling.
bool is_map(std::string_view name) { return name == "Options" || name == "DockerLabels"; }

Json with_small_names(const Json& value) {
  if (value.is_array()) {
    JsonArray list;
    for (const Json& item : value.get_array()) list.push_back(with_small_names(item));
    return list;
  }
  if (!value.is_object()) return value;
  JsonObject object;
  for (const auto& [key, item] : value.get_object()) {
    std::string name(key);
    name[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(name[0])));
    object[name] = is_map(key) ? item : with_small_names(item);
  }
  return object;
}

template <class Input>
Input read(const Json& properties) {
  Input in;
  aws::JsonStyle style;
  style.lenient = true;
  aws::decode_json(aws::shape_of<Input>(), with_small_names(properties), &in, style);
  return in;
}

class ClusterType : public OperationResource {
 public:
  ClusterType()
      : OperationResource(
            {.name = "AWS::ECS::Cluster",
             .properties = {"ClusterName", "CapacityProviders", "ClusterSettings", "Configuration",
                            "DefaultCapacityProviderStrategy", "Tags"},
             .replacing = {"ClusterName"},
             .name_property = "ClusterName",
             .name_length_max = 255,
             .gone = {"ClusterNotFoundException"}}) {}

 protected:
  static JsonObject settings_of(const ResourceRequest& request) {
    JsonObject wanted = request.properties.as_object();
    wanted.erase("Tags");
    wanted.erase("ClusterName");
    if (const Json* settings = wanted.if_contains("ClusterSettings")) {
      wanted["Settings"] = *settings;
      wanted.erase("ClusterSettings");
    }
    return wanted;
  }

  Later<> make(ResourceRequest& request) const override {
    auto in = read<CreateClusterInput>(settings_of(request));
    in.cluster_name = request.physical_id;
    in.tags = platform::tag_shapes<Tag>(platform::wanted_tags(request));
    co_await request.call->invoke<CreateCluster>(std::move(in));
  }

  static Later<> change(ResourceRequest& request) {
    JsonObject wanted = settings_of(request);
    PutClusterCapacityProvidersInput providers;
    providers.cluster = request.physical_id;
    providers.capacity_providers = platform::text_list(request.properties, "CapacityProviders");
    if (const Json* strategy = wanted.if_contains("DefaultCapacityProviderStrategy")) {
      JsonObject only{{"DefaultCapacityProviderStrategy", *strategy},
                      {"Cluster", request.physical_id},
                      {"CapacityProviders", JsonArray()}};
      providers.default_capacity_provider_strategy =
          read<PutClusterCapacityProvidersInput>(only).default_capacity_provider_strategy;
    }
    co_await request.call->invoke<PutClusterCapacityProviders>(std::move(providers));
    wanted.erase("CapacityProviders");
    wanted.erase("DefaultCapacityProviderStrategy");
    wanted["Cluster"] = request.physical_id;
    auto in = read<UpdateClusterInput>(wanted);
    co_await request.call->invoke<UpdateCluster>(std::move(in));
    const std::string arn = cluster_arn(request.call->scope(), request.physical_id);
    TagResourceInput tags{.resource_arn = arn,
                          .tags = platform::tag_shapes<Tag>(platform::wanted_tags(request))};
    co_await request.call->invoke<TagResource>(std::move(tags));
    UntagResourceInput dropped{.resource_arn = arn, .tag_keys = platform::dropped_tags(request)};
    co_await request.call->invoke<UntagResource>(std::move(dropped));
  }

  Later<JsonObject> settle(ResourceRequest& request) const override {
    if (!request.previous_properties.as_object().empty()) co_await change(request);
    co_return JsonObject{{"Arn", cluster_arn(request.call->scope(), request.physical_id)}};
  }

  Later<> erase(ResourceRequest& request) const override {
    DeleteClusterInput in{.cluster = request.physical_id};
    co_await request.call->invoke<DeleteCluster>(std::move(in));
  }
};

// Every change makes a new revision; the physical id is its ARN.
class TaskDefinitionType : public OperationResource {
 public:
  TaskDefinitionType()
      : OperationResource({.name = "AWS::ECS::TaskDefinition",
                           .properties = k_properties(),
                           .replacing = without_tags(),
                           .gone = {"ClientException"}}) {}

 protected:
  static std::set<std::string> k_properties() {
    return {"Family",          "ContainerDefinitions", "Cpu",         "Memory",
            "NetworkMode",     "ExecutionRoleArn",     "TaskRoleArn", "RequiresCompatibilities",
            "RuntimePlatform", "EphemeralStorage",     "Volumes",     "Tags"};
  }
  static std::set<std::string> without_tags() {
    auto names = k_properties();
    names.erase("Tags");
    return names;
  }

  Later<> make(ResourceRequest& request) const override {
    JsonObject wanted = request.properties.as_object();
    wanted.erase("Tags");
    if (!wanted.contains("Family")) wanted["Family"] = request.stack_name + request.logical_id;
    auto in = read<RegisterTaskDefinitionInput>(wanted);
    in.tags = platform::tag_shapes<Tag>(platform::wanted_tags(request));
    const auto out = co_await request.call->invoke<RegisterTaskDefinition>(std::move(in));
    request.physical_id = out.task_definition->task_definition_arn.value_or("");
  }

  Later<JsonObject> settle(ResourceRequest& request) const override {
    if (!request.previous_properties.as_object().empty()) {
      TagResourceInput tags{.resource_arn = request.physical_id,
                            .tags = platform::tag_shapes<Tag>(platform::wanted_tags(request))};
      co_await request.call->invoke<TagResource>(std::move(tags));
      UntagResourceInput dropped{.resource_arn = request.physical_id,
                                 .tag_keys = platform::dropped_tags(request)};
      co_await request.call->invoke<UntagResource>(std::move(dropped));
    }
    co_return JsonObject{{"TaskDefinitionArn", request.physical_id}};
  }

  Later<> erase(ResourceRequest& request) const override {
    DeregisterTaskDefinitionInput in{.task_definition = request.physical_id};
    co_await request.call->invoke<DeregisterTaskDefinition>(std::move(in));
  }
};

}  // namespace

void Ecs::resources(platform::ResourceTypes& types) {
  types.add(std::make_unique<ClusterType>());
  types.add(std::make_unique<TaskDefinitionType>());
}

}  // namespace tarn::ecs
