// SPDX-License-Identifier: Apache-2.0
// AWS::SQS::Queue, AWS::SQS::QueuePolicy and AWS::SQS::QueueInlinePolicy.
#include <fmt/format.h>

#include "aws/sqs/errors.hpp"
#include "platform/operation_resource.hpp"
#include "services/sqs/service.hpp"

namespace tarn::sqs {
namespace {

using platform::ResourceProgress;
using platform::ResourceRequest;

constexpr const char* k_plain[] = {"ContentBasedDeduplication",
                                   "DeduplicationScope",
                                   "DelaySeconds",
                                   "FifoQueue",
                                   "FifoThroughputLimit",
                                   "KmsDataKeyReusePeriodSeconds",
                                   "KmsMasterKeyId",
                                   "MaximumMessageSize",
                                   "MessageRetentionPeriod",
                                   "ReceiveMessageWaitTimeSeconds",
                                   "RedriveAllowPolicy",
                                   "RedrivePolicy",
                                   "SqsManagedSseEnabled",
                                   "VisibilityTimeout"};

// Templates write numbers and flags as such or as text; SQS takes text.
std::string text_of(const Json& value) {
  if (value.is_string()) return std::string(json_text(value.get_string()));
  return dump_json(value);
}

AttributeMap attributes_of(const Json& properties) {
  AttributeMap attributes;
  for (const char* name : k_plain) {
    if (const Json* value = find_member(properties, name)) attributes[name] = text_of(*value);
  }
  // A standard queue must not say so.
  if (attributes.contains("FifoQueue") && attributes["FifoQueue"] == "false") {
    attributes.erase("FifoQueue");
  }
  return attributes;
}

std::string queue_name(const std::string& url) {
  const auto address = QueueAddress::parse_url(url);
  return address ? address->name : url;
}

// Its physical id is the queue's URL; beforehand, until it is made, the queue's name.
class QueueType : public platform::ResourceType {
 public:
  std::string_view name() const override { return "AWS::SQS::Queue"; }
  std::set<std::string> properties() const override {
    std::set<std::string> all(std::begin(k_plain), std::end(k_plain));
    all.insert({"QueueName", "Tags"});
    return all;
  }
  std::set<std::string> replacing_properties() const override { return {"QueueName", "FifoQueue"}; }
  std::string choose_physical_id(const ResourceRequest& request, Random& random) const override {
    if (auto given = find_string(request.properties, "QueueName")) return *given;
    const auto attributes = attributes_of(request.properties);
    const bool fifo = attributes.contains("FifoQueue");
    return platform::generated_name(request, random, fifo ? 75 : 80) + (fifo ? ".fifo" : "");
  }

  Task<ResourceProgress> create(ResourceRequest request) const override {
    const std::string name = queue_name(request.physical_id);
    if (find_string(request.properties, "QueueName")) {
      const bool taken = co_await is_someone_elses(request, name);
      if (taken) {
        co_return ResourceProgress{
            .status = ResourceProgress::Status::failed,
            .message = fmt::format("Resource of type 'AWS::SQS::Queue' with identifier '{}' "
                                   "already exists.",
                                   name)};
      }
    }
    CreateQueueInput in;
    in.queue_name = name;
    in.attributes = attributes_of(request.properties);
    in.tags = platform::wanted_tags(request);
    const auto out = co_await request.call->invoke<CreateQueue>(std::move(in));
    co_return shown(request, *out.queue_url);
  }

  Task<ResourceProgress> update(ResourceRequest request) const override {
    SetQueueAttributesInput in;
    in.queue_url = request.physical_id;
    in.attributes = attributes_of(request.properties);
    in.attributes.erase("FifoQueue");
    for (const auto& [name, value] : attributes_of(request.previous_properties)) {
      // What the template dropped goes back to its default.
      if (name == "FifoQueue" || in.attributes.contains(name)) continue;
      QueueRecord defaults;
      defaults.name = queue_name(request.physical_id);
      in.attributes[name] = attribute(defaults, name);
    }
    if (!in.attributes.empty()) co_await request.call->invoke<SetQueueAttributes>(std::move(in));
    UntagQueueInput untag;
    untag.queue_url = request.physical_id;
    untag.tag_keys = platform::dropped_tags(request);
    if (!untag.tag_keys.empty()) co_await request.call->invoke<UntagQueue>(std::move(untag));
    TagQueueInput tag;
    tag.queue_url = request.physical_id;
    tag.tags = platform::wanted_tags(request);
    if (!tag.tags.empty()) co_await request.call->invoke<TagQueue>(std::move(tag));
    co_return shown(request, request.physical_id);
  }

  Task<ResourceProgress> remove(ResourceRequest request) const override {
    DeleteQueueInput in;
    in.queue_url = co_await url_of(request);
    try {
      if (!in.queue_url.empty()) co_await request.call->invoke<DeleteQueue>(std::move(in));
    } catch (const QueueDoesNotExist&) {}
    co_return ResourceProgress{.physical_id = request.physical_id};
  }

 private:
  // After a crash within the create only the name is known.
  static Task<std::string> url_of(ResourceRequest request) {
    if (request.physical_id.find('/') != std::string::npos) co_return request.physical_id;
    GetQueueUrlInput in;
    in.queue_name = request.physical_id;
    std::string url;
    try {
      const auto out = co_await request.call->invoke<GetQueueUrl>(std::move(in));
      url = *out.queue_url;
    } catch (const QueueDoesNotExist&) {}
    co_return url;
  }

  // A queue of that name that this resource did not make.
  static Task<bool> is_someone_elses(ResourceRequest request, std::string name) {
    ResourceRequest by_name = request;
    by_name.physical_id = name;
    ListQueueTagsInput in;
    in.queue_url = co_await url_of(std::move(by_name));
    if (in.queue_url.empty()) co_return false;
    const auto out = co_await request.call->invoke<ListQueueTags>(std::move(in));
    co_return !platform::are_our_tags(out.tags.value_or(platform::ResourceTags{}), request);
  }

  static ResourceProgress shown(const ResourceRequest& request, const std::string& url) {
    ResourceProgress done{.physical_id = url};
    const std::string name = queue_name(url);
    done.attributes["Arn"] = queue_arn(request.call->scope(), name);
    done.attributes["QueueName"] = name;
    done.attributes["QueueUrl"] = url;
    return done;
  }
};

// One policy document for a list of queues.
class QueuePolicyType : public platform::ResourceType {
 public:
  std::string_view name() const override { return "AWS::SQS::QueuePolicy"; }
  std::set<std::string> properties() const override { return {"PolicyDocument", "Queues"}; }
  std::set<std::string> required_properties() const override {
    return {"PolicyDocument", "Queues"};
  }
  std::string choose_physical_id(const ResourceRequest& request, Random& random) const override {
    return platform::generated_name(request, random, 80);
  }
  Task<ResourceProgress> create(ResourceRequest request) const override {
    co_await set(request.call, platform::text_list(request.properties, "Queues"),
                 platform::document_text(request.properties, "PolicyDocument"));
    co_return done(request);
  }
  Task<ResourceProgress> update(ResourceRequest request) const override {
    const auto now = platform::text_list(request.properties, "Queues");
    const auto before = platform::text_list(request.previous_properties, "Queues");
    std::string none;
    std::vector<std::string> dropped = platform::missing_from(now, before);
    co_await set(request.call, std::move(dropped), std::move(none));
    co_await set(request.call, now, platform::document_text(request.properties, "PolicyDocument"));
    co_return done(request);
  }
  Task<ResourceProgress> remove(ResourceRequest request) const override {
    std::string none;
    std::vector<std::string> queues = platform::text_list(request.properties, "Queues");
    co_await set(request.call, std::move(queues), std::move(none), true);
    co_return done(request);
  }

 private:
  static ResourceProgress done(const ResourceRequest& request) {
    ResourceProgress progress{.physical_id = request.physical_id};
    progress.attributes["Id"] = request.physical_id;
    return progress;
  }
  static Task<void> set(platform::CallPtr call, std::vector<std::string> urls, std::string policy,
                        bool may_be_gone = false) {
    for (const auto& url : urls) {
      SetQueueAttributesInput in;
      in.queue_url = url;
      in.attributes["Policy"] = policy;
      try {
        co_await call->invoke<SetQueueAttributes>(std::move(in));
      } catch (const QueueDoesNotExist&) {
        if (!may_be_gone) throw;
      }
    }
  }
};

// The policy of one queue. A queue has one at most and it has no owner: so a step before the making
// finds that there is none, and commits that by the physical id, the queue's URL.
class QueueInlinePolicyType : public platform::ResourceType {
 public:
  std::string_view name() const override { return "AWS::SQS::QueueInlinePolicy"; }
  std::set<std::string> properties() const override { return {"PolicyDocument", "Queue"}; }
  std::set<std::string> replacing_properties() const override { return {"Queue"}; }
  std::set<std::string> required_properties() const override { return {"PolicyDocument", "Queue"}; }
  std::string choose_physical_id(const ResourceRequest&, Random&) const override { return {}; }

  Task<ResourceProgress> create(ResourceRequest request) const override {
    if (!request.physical_id.empty()) {
      auto setting = update(std::move(request));
      co_return co_await setting;
    }
    GetQueueAttributesInput in;
    in.queue_url = string_or(request.properties, "Queue");
    in.attribute_names = {"Policy"};
    const std::string queue = in.queue_url;
    const auto out = co_await request.call->invoke<GetQueueAttributes>(std::move(in));
    if (out.attributes && out.attributes->contains("Policy")) {
      throw aws::ApiError(
          "AlreadyExists",
          fmt::format("Resource of type '{}' with identifier '{}' already exists.", name(), queue));
    }
    co_return ResourceProgress{.status = ResourceProgress::Status::pending,
                               .physical_id = queue,
                               .retry_after = std::chrono::milliseconds(0)};
  }
  Task<ResourceProgress> update(ResourceRequest request) const override {
    std::string policy = platform::document_text(request.properties, "PolicyDocument");
    co_await set(request, std::move(policy));
    co_return ResourceProgress{.physical_id = request.physical_id};
  }
  Task<ResourceProgress> remove(ResourceRequest request) const override {
    std::string none;
    try {
      co_await set(request, std::move(none));
    } catch (const QueueDoesNotExist&) {}
    co_return ResourceProgress{.physical_id = request.physical_id};
  }

 private:
  static Task<void> set(const ResourceRequest& request, std::string policy) {
    SetQueueAttributesInput in;
    in.queue_url = request.physical_id;
    in.attributes["Policy"] = std::move(policy);
    co_await request.call->invoke<SetQueueAttributes>(std::move(in));
  }
};

}  // namespace

void Sqs::resources(platform::ResourceTypes& types) {
  types.add(std::make_unique<QueueType>());
  types.add(std::make_unique<QueuePolicyType>());
  types.add(std::make_unique<QueueInlinePolicyType>());
}

}  // namespace tarn::sqs
