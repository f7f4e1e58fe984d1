// SPDX-License-Identifier: Apache-2.0
// AWS::Logs::LogGroup and AWS::Logs::LogStream.
#include "aws/logs/errors.hpp"
#include "platform/resource_type.hpp"
#include "services/logs/service.hpp"

namespace tarn::logs {
namespace {

using platform::ResourceProgress;
using platform::ResourceRequest;

std::map<std::string, std::string> tags_of(const ResourceRequest& request) {
  auto tags = request.tags;
  if (const Json* list = find_member(request.properties, "Tags"); list && list->is_array()) {
    for (const Json& tag : list->get_array()) tags[string_or(tag, "Key")] = string_or(tag, "Value");
  }
  return tags;
}

std::optional<std::int32_t> retention_of(const Json& properties) {
  const Json* days = find_member(properties, "RetentionInDays");
  if (!days) return std::nullopt;
  if (days->is_string()) return std::stoi(std::string(json_text(days->get_string())));
  return days->to_number<std::int32_t>();
}

class LogGroupType : public platform::ResourceType {
 public:
  std::string_view name() const override { return "AWS::Logs::LogGroup"; }
  std::set<std::string> properties() const override {
    return {"LogGroupName", "RetentionInDays", "Tags",
            "KmsKeyId",     "LogGroupClass",   "DeletionProtectionEnabled"};
  }
  std::set<std::string> replacing_properties() const override { return {"LogGroupName"}; }
  std::string choose_physical_id(const ResourceRequest& request, Random& random) const override {
    const auto name = find_string(request.properties, "LogGroupName");
    return name ? *name : platform::generated_name(request, random, 512);
  }

  Task<ResourceProgress> create(ResourceRequest request) const override {
    CreateLogGroupInput in;
    in.log_group_name = request.physical_id;
    in.tags = tags_of(request);
    in.kms_key_id = find_string(request.properties, "KmsKeyId");
    in.log_group_class = find_string(request.properties, "LogGroupClass");
    bool exists = false;
    try {
      co_await request.call->invoke<CreateLogGroup>(std::move(in));
    } catch (const ResourceAlreadyExistsException&) {
      exists = true;
    }
    if (exists && !co_await is_ours(request)) {
      co_return ResourceProgress{
          .status = ResourceProgress::Status::failed,
          .message =
              "Resource of type 'AWS::Logs::LogGroup' with identifier '{\"/properties/"
              "LogGroupName\":\"" +
              request.physical_id + "\"}' already exists."};
    }
    co_return co_await apply(std::move(request));
  }

  Task<ResourceProgress> update(ResourceRequest request) const override {
    TagResourceInput in;
    in.resource_arn = group_arn(request.call->scope(), request.physical_id);
    in.tags = tags_of(request);
    if (!in.tags.empty()) co_await request.call->invoke<TagResource>(std::move(in));
    co_return co_await apply(std::move(request));
  }

  Task<ResourceProgress> remove(ResourceRequest request) const override {
    DeleteLogGroupInput in;
    in.log_group_name = request.physical_id;
    try {
      co_await request.call->invoke<DeleteLogGroup>(std::move(in));
    } catch (const ResourceNotFoundException&) {}
    co_return ResourceProgress{.physical_id = request.physical_id};
  }

 private:
  // A create that was repeated after a crash finds its own tags.
  static Task<bool> is_ours(ResourceRequest request) {
    ListTagsForResourceInput in;
    in.resource_arn = group_arn(request.call->scope(), request.physical_id);
    const auto out = co_await request.call->invoke<ListTagsForResource>(std::move(in));
    const auto& tags = *out.tags;
    const auto stack = tags.find("aws:cloudformation:stack-id");
    const auto logical = tags.find("aws:cloudformation:logical-id");
    co_return stack != tags.end() && stack->second == request.stack_id&& logical != tags.end() &&
        logical->second == request.logical_id;
  }

  static Task<ResourceProgress> apply(ResourceRequest request) {
    const auto days = retention_of(request.properties);
    if (days) {
      PutRetentionPolicyInput in;
      in.log_group_name = request.physical_id;
      in.retention_in_days = *days;
      co_await request.call->invoke<PutRetentionPolicy>(std::move(in));
    } else if (retention_of(request.previous_properties)) {
      DeleteRetentionPolicyInput in;
      in.log_group_name = request.physical_id;
      co_await request.call->invoke<DeleteRetentionPolicy>(std::move(in));
    }
    ResourceProgress done{.physical_id = request.physical_id};
    done.attributes["Arn"] = group_arn(request.call->scope(), request.physical_id) + ":*";
    co_return done;
  }
};

// Its physical id is the stream's name; deleting needs the group too, which the properties have.
class LogStreamType : public platform::ResourceType {
 public:
  std::string_view name() const override { return "AWS::Logs::LogStream"; }
  std::set<std::string> properties() const override { return {"LogGroupName", "LogStreamName"}; }
  std::set<std::string> replacing_properties() const override {
    return {"LogGroupName", "LogStreamName"};
  }
  std::set<std::string> required_properties() const override { return {"LogGroupName"}; }
  std::string choose_physical_id(const ResourceRequest& request, Random& random) const override {
    const auto name = find_string(request.properties, "LogStreamName");
    return name ? *name : platform::generated_name(request, random, 512);
  }
  Task<ResourceProgress> create(ResourceRequest request) const override {
    CreateLogStreamInput in;
    in.log_group_name = string_or(request.properties, "LogGroupName");
    in.log_stream_name = request.physical_id;
    try {
      co_await request.call->invoke<CreateLogStream>(std::move(in));
    } catch (const ResourceAlreadyExistsException&) {
      // Streams carry no tags: an explicit name that exists cannot be told from our own.
    }
    co_return ResourceProgress{.physical_id = request.physical_id};
  }
  Task<ResourceProgress> update(ResourceRequest request) const override {
    co_return ResourceProgress{.physical_id = request.physical_id};
  }
  Task<ResourceProgress> remove(ResourceRequest request) const override {
    DeleteLogStreamInput in;
    in.log_group_name = string_or(request.properties, "LogGroupName");
    in.log_stream_name = request.physical_id;
    try {
      co_await request.call->invoke<DeleteLogStream>(std::move(in));
    } catch (const ResourceNotFoundException&) {}
    co_return ResourceProgress{.physical_id = request.physical_id};
  }
};

}  // namespace

void Logs::resources(platform::ResourceTypes& types) {
  types.add(std::make_unique<LogGroupType>());
  types.add(std::make_unique<LogStreamType>());
}

}  // namespace tarn::logs
