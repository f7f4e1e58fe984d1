// SPDX-License-Identifier: Apache-2.0
// CloudFormation's own resource types: nested stacks, and CDK's note of what it used.
#include "aws/error.hpp"
#include "base/strings.hpp"
#include "services/cloudformation/custom_resource.hpp"
#include "services/cloudformation/references.hpp"
#include "services/cloudformation/service.hpp"
#include "services/cloudformation/wait_condition.hpp"

namespace tarn::cloudformation {
namespace {

using platform::ResourceProgress;
using platform::ResourceRequest;
using Status = platform::ResourceProgress::Status;

constexpr std::chrono::milliseconds k_poll{100};
constexpr const char* k_asked = "asked";

ResourceProgress failed(std::string physical_id, std::string message) {
  ResourceProgress progress;
  progress.status = Status::failed;
  progress.physical_id = std::move(physical_id);
  progress.message = std::move(message);
  return progress;
}

ResourceProgress pending(std::string physical_id) {
  ResourceProgress progress;
  progress.status = Status::pending;
  progress.physical_id = std::move(physical_id);
  progress.state = k_asked;
  progress.retry_after = k_poll;
  return progress;
}

// The child acts with the parent's identity; its name follows from the token, so that a repeated
// creation meets its own earlier one.
class NestedStack : public platform::ResourceType {
 public:
  explicit NestedStack(platform::Environment& environment) : environment_(environment) {}
  std::string_view name() const override { return "AWS::CloudFormation::Stack"; }
  std::set<std::string> properties() const override {
    return {"TemplateURL", "Parameters", "Tags", "TimeoutInMinutes"};
  }
  std::set<std::string> required_properties() const override { return {"TemplateURL"}; }

  Task<ResourceProgress> create(ResourceRequest request) const override {
    if (request.state == k_asked) {
      auto looking = outcome(std::move(request), "CREATE_COMPLETE", "created");
      co_return co_await looking;
    }
    CreateStackInput input;
    input.stack_name = child_name(request);
    input.template_url = string_or(request.properties, "TemplateURL");
    input.parameters = parameters(request.properties);
    input.tags = tags(request);
    input.capabilities = capabilities();
    input.client_request_token = request.client_token;
    if (const Json* minutes = find_member(request.properties, "TimeoutInMinutes")) {
      input.timeout_in_minutes = minutes->to_number<std::int32_t>();
    }
    const auto made = co_await request.call->invoke<CreateStack>(std::move(input));
    note_parent(*request.call, made.stack_id.value_or(""), request.stack_id);
    co_return pending(made.stack_id.value_or(""));
  }

  Task<ResourceProgress> update(ResourceRequest request) const override {
    if (request.state == k_asked) {
      auto looking = outcome(std::move(request), "UPDATE_COMPLETE", "updated");
      co_return co_await looking;
    }
    UpdateStackInput input;
    input.stack_name = request.physical_id;
    input.template_url = string_or(request.properties, "TemplateURL");
    input.parameters = parameters(request.properties);
    input.tags = tags(request);
    input.capabilities = capabilities();
    input.client_request_token = request.client_token;
    bool unchanged = false;
    try {
      co_await request.call->invoke<UpdateStack>(std::move(input));
    } catch (const aws::ApiError& error) {
      unchanged = error.message == "No updates are to be performed.";
      if (!unchanged) throw;
    }
    if (!unchanged) co_return pending(request.physical_id);
    auto looking = outcome(std::move(request), "", "updated");
    co_return co_await looking;
  }

  Task<ResourceProgress> remove(ResourceRequest request) const override {
    if (request.state.empty()) {
      DeleteStackInput input;
      input.stack_name = request.physical_id;
      co_await request.call->invoke<DeleteStack>(std::move(input));
    }
    const auto stack = co_await describe(request.call, request.physical_id);
    ResourceProgress progress;
    progress.physical_id = request.physical_id;
    if (!stack || stack->stack_status == "DELETE_COMPLETE") co_return progress;
    if (stack->stack_status == "DELETE_FAILED") {
      co_return failed(request.physical_id,
                       fmt::format("Embedded stack {} was not successfully deleted: {}",
                                   request.physical_id, stack->stack_status_reason.value_or("")));
    }
    co_return pending(request.physical_id);
  }

 private:
  static std::string child_name(const ResourceRequest& request) {
    const auto suffix = to_upper(replace_all(request.client_token, "-", "")).substr(0, 12);
    std::string stem = request.stack_name + "-" + request.logical_id;
    return stem.substr(0, 115) + "-" + suffix;
  }

  static std::vector<std::string> capabilities() {
    return {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"};
  }

  static std::vector<Parameter> parameters(const Json& properties) {
    std::vector<Parameter> out;
    const Json* given = find_member(properties, "Parameters");
    if (!given || !given->is_object()) return out;
    for (const auto& [key, value] : given->get_object()) {
      Parameter parameter;
      parameter.parameter_key = std::string(key);
      if (const auto* list = value.if_array()) {
        std::vector<std::string> texts;
        for (const auto& item : *list) texts.push_back(scalar_text(item).value_or(""));
        parameter.parameter_value = join(texts, ",");
      } else {
        parameter.parameter_value = scalar_text(value).value_or("");
      }
      out.push_back(std::move(parameter));
    }
    return out;
  }

  // The stack's own tags go on to the child, Tarn's bookkeeping does not.
  static std::vector<Tag> tags(const ResourceRequest& request) {
    std::map<std::string, std::string> all;
    for (const auto& [key, value] : request.tags) {
      if (!key.starts_with("aws:")) all[key] = value;
    }
    if (const Json* given = find_member(request.properties, "Tags")) {
      for (const auto& tag : given->get_array())
        all[string_or(tag, "Key")] = string_or(tag, "Value");
    }
    std::vector<Tag> out;
    for (const auto& [key, value] : all) out.push_back({.key = key, .value = value});
    return out;
  }

  static Task<std::optional<Stack>> describe(platform::CallPtr call, std::string id) {
    DescribeStacksInput input;
    input.stack_name = id;
    std::optional<Stack> found;
    try {
      auto out = co_await call->invoke<DescribeStacks>(std::move(input));
      if (out.stacks && !out.stacks->empty()) found = std::move(out.stacks->front());
    } catch (const aws::ApiError& error) {
      if (error.message.find("does not exist") == std::string::npos) throw;
    }
    co_return found;
  }

  // The latest reason that a stack gave for its own status: a finished rollback gives none.
  static Task<std::string> why(platform::CallPtr call, std::string id) {
    DescribeStackEventsInput input;
    input.stack_name = id;
    const auto out = co_await call->invoke<DescribeStackEvents>(std::move(input));
    if (!out.stack_events) co_return "";
    constexpr std::string_view k_rollback = "Rollback requested by user.";
    for (const auto& event : *out.stack_events) {
      if (event.physical_resource_id != id || !event.resource_status_reason) continue;
      std::string reason = *event.resource_status_reason;
      if (reason.ends_with(k_rollback)) reason.resize(reason.size() - k_rollback.size());
      co_return reason;
    }
    co_return "";
  }

  // `wanted` empty: whatever the stack is, it is complete.
  static Task<ResourceProgress> outcome(ResourceRequest request, std::string wanted,
                                        std::string verb) {
    const auto stack = co_await describe(request.call, request.physical_id);
    if (!stack) co_return failed("", "Embedded stack " + request.physical_id + " does not exist");
    if (!wanted.empty() && in_progress(stack->stack_status)) {
      co_return pending(request.physical_id);
    }
    if (!wanted.empty() && stack->stack_status != wanted) {
      const auto reason = co_await why(request.call, request.physical_id);
      co_return failed(
          request.physical_id,
          fmt::format("Embedded stack {} was not successfully {}: {}", request.physical_id, verb,
                      reason.empty() ? stack->stack_status : reason));
    }
    ResourceProgress progress;
    progress.physical_id = request.physical_id;
    if (stack->outputs) {
      for (const auto& output : *stack->outputs) {
        progress.attributes["Outputs." + output.output_key.value_or("")] =
            output.output_value.value_or("");
      }
    }
    co_return progress;
  }

  void note_parent(platform::Call& call, const std::string& child,
                   const std::string& parent) const {
    environment_.store.transact(call.scope(), [&](kernel::Txn& txn) {
      const auto above = find_stack(txn, parent);
      auto record = find_stack_for_update(txn, child);
      if (!record || !above) return;
      record->parent_id = parent;
      record->root_id = above->root_id.empty() ? parent : above->root_id;
      txn.put(*record);
    });
  }

  platform::Environment& environment_;
};

// A note for AWS's usage statistics. It makes nothing on AWS either.
class CdkMetadata : public platform::ResourceType {
 public:
  std::string_view name() const override { return "AWS::CDK::Metadata"; }
  std::set<std::string> properties() const override { return {"Analytics", "Modules"}; }
  std::string choose_physical_id(const ResourceRequest&, Random& random) const override {
    return random.uuid();
  }
  Task<ResourceProgress> create(ResourceRequest request) const override { return same(request); }
  Task<ResourceProgress> update(ResourceRequest request) const override { return same(request); }
  Task<ResourceProgress> remove(ResourceRequest request) const override { return same(request); }

 private:
  static Task<ResourceProgress> same(ResourceRequest request) {
    ResourceProgress progress;
    progress.physical_id = request.physical_id;
    co_return progress;
  }
};

}  // namespace

void CloudFormation::resources(platform::ResourceTypes& types) {
  types.add(std::make_unique<NestedStack>(environment_));
  types.add(std::make_unique<CdkMetadata>());
  types.add(make_custom_resource_type(environment_));
  add_wait_types(types, environment_);
}

}  // namespace tarn::cloudformation
