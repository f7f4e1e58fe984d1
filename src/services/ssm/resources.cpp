// SPDX-License-Identifier: Apache-2.0
// CloudFormation's view of Parameter Store.
#include "aws/ssm/errors.hpp"
#include "platform/operation_resource.hpp"
#include "services/ssm/service.hpp"

namespace tarn::ssm {
namespace {

using platform::ResourceRequest;

class ParameterType : public platform::OperationResource {
 public:
  ParameterType()
      : OperationResource({.name = "AWS::SSM::Parameter",
                           .properties = {"Name", "Type", "Value", "Description", "AllowedPattern",
                                          "DataType", "Tier", "Tags"},
                           .replacing = {"Name"},
                           .required = {"Type", "Value"},
                           .name_property = "Name",
                           .name_length_max = 128,
                           .exists = {"ParameterAlreadyExists"},
                           .gone = {"ParameterNotFound"}}) {}

 protected:
  static PutParameterInput wanted(const ResourceRequest& request) {
    const Json& properties = request.properties;
    PutParameterInput in;
    in.name = request.physical_id;
    in.type = string_or(properties, "Type");
    if (*in.type == "SecureString") {
      throw aws::validation_error(
          "AWS CloudFormation doesn't support creating a SecureString parameter type.");
    }
    in.value = string_or(properties, "Value");
    in.description = find_string(properties, "Description");
    in.allowed_pattern = find_string(properties, "AllowedPattern");
    in.data_type = find_string(properties, "DataType");
    in.tier = find_string(properties, "Tier");
    return in;
  }

  Task<void> make(ResourceRequest& request) const override {
    PutParameterInput in = wanted(request);
    in.tags = platform::tag_shapes<Tag>(platform::wanted_tags(request));
    co_await request.call->invoke<PutParameter>(std::move(in));
  }

  Task<bool> is_ours(ResourceRequest& request) const override {
    ListTagsForResourceInput in{.resource_type = "Parameter", .resource_id = request.physical_id};
    const auto out = co_await request.call->invoke<ListTagsForResource>(std::move(in));
    platform::ResourceTags tags;
    if (out.tag_list) {
      for (const auto& tag : *out.tag_list) tags[tag.key] = tag.value;
    }
    co_return platform::are_our_tags(tags, request);
  }

  Task<JsonObject> settle(ResourceRequest& request) const override {
    PutParameterInput in = wanted(request);
    JsonObject attributes{{"Type", *in.type}, {"Value", in.value}};
    if (!request.previous_properties.as_object().empty()) {
      in.overwrite = true;
      // What the template no longer says goes back to nothing.
      if (!in.description) in.description = "";
      if (!in.allowed_pattern) in.allowed_pattern = "";
      co_await request.call->invoke<PutParameter>(std::move(in));
      AddTagsToResourceInput add{.resource_type = "Parameter", .resource_id = request.physical_id};
      add.tags = platform::tag_shapes<Tag>(platform::wanted_tags(request));
      co_await request.call->invoke<AddTagsToResource>(std::move(add));
      RemoveTagsFromResourceInput drop{.resource_type = "Parameter",
                                       .resource_id = request.physical_id};
      drop.tag_keys = platform::dropped_tags(request);
      if (!drop.tag_keys.empty()) {
        co_await request.call->invoke<RemoveTagsFromResource>(std::move(drop));
      }
    }
    co_return attributes;
  }

  Task<void> erase(ResourceRequest& request) const override {
    DeleteParameterInput in{.name = request.physical_id};
    co_await request.call->invoke<DeleteParameter>(std::move(in));
  }
};

}  // namespace

void Ssm::resources(platform::ResourceTypes& types) {
  types.add(std::make_unique<ParameterType>());
}

}  // namespace tarn::ssm
