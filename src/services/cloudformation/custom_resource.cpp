// SPDX-License-Identifier: Apache-2.0
#include "services/cloudformation/custom_resource.hpp"

#include "aws/error.hpp"
#include "base/strings.hpp"
#include "services/cloudformation/references.hpp"

namespace tarn::cloudformation {
namespace {

using platform::ResourceProgress;
using platform::ResourceRequest;
using Status = platform::ResourceProgress::Status;

constexpr std::size_t k_response_bytes_max = 64 * 1024;
constexpr std::chrono::seconds k_timeout{3600};
constexpr std::chrono::milliseconds k_poll{100};

// All values are texts in the events that functions get, as on AWS.
Json as_texts(const Json& value) {
  if (const auto* list = value.if_array()) {
    JsonArray out;
    for (const auto& item : *list) out.push_back(as_texts(item));
    return out;
  }
  if (const auto* object = value.if_object()) {
    JsonObject out;
    for (const auto& [key, member] : *object) out[key] = as_texts(member);
    return out;
  }
  const auto text = scalar_text(value);
  return text ? Json(*text) : value;
}

class CustomResource : public platform::ResourceType {
 public:
  explicit CustomResource(platform::Environment& environment) : environment_(environment) {}
  std::string_view name() const override { return k_custom_resource; }
  std::set<std::string> properties() const override { return {"ServiceToken", "ServiceTimeout"}; }
  std::set<std::string> required_properties() const override { return {"ServiceToken"}; }
  std::set<std::string> replacing_properties() const override { return {"ServiceToken"}; }

  Task<ResourceProgress> create(ResourceRequest request) const override {
    auto step = run(std::move(request), "Create");
    co_return co_await step;
  }
  Task<ResourceProgress> update(ResourceRequest request) const override {
    auto step = run(std::move(request), "Update");
    co_return co_await step;
  }
  Task<ResourceProgress> remove(ResourceRequest request) const override {
    auto step = run(std::move(request), "Delete");
    co_return co_await step;
  }

 private:
  // First invokes, then waits for the answer; `state` is when it was invoked.
  Task<ResourceProgress> run(ResourceRequest request, std::string kind) const {
    if (!request.state.empty()) co_return look(request);
    Json event = make_event(request, kind);
    const auto token = string_or(request.properties, "ServiceToken");
    if (token.find(":lambda:") == std::string::npos) {
      throw aws::ApiError("InvalidRequest",
                          "ServiceToken " + token + " is not supported: it must name a function");
    }
    JsonObject input;
    input["FunctionName"] = token;
    input["InvocationType"] = "Event";
    input["Payload"] = to_base64(dump_json(event));
    Json call(std::move(input));
    co_await request.call->invoke_json("lambda", "Invoke", std::move(call));
    ResourceProgress progress;
    progress.status = Status::pending;
    progress.physical_id = request.physical_id;
    progress.state = std::to_string(to_millis(environment_.clock.now()));
    progress.retry_after = k_poll;
    co_return progress;
  }

  Json make_event(const ResourceRequest& request, const std::string& kind) const {
    JsonObject event;
    event["RequestType"] = kind;
    event["ResponseURL"] = environment_.endpoint + k_response_path + request.client_token;
    event["StackId"] = request.stack_id;
    event["RequestId"] = request.client_token;
    event["LogicalResourceId"] = request.logical_id;
    event["ResourceType"] = k_custom_resource;
    event["ServiceToken"] = string_or(request.properties, "ServiceToken");
    if (kind != "Create") event["PhysicalResourceId"] = request.physical_id;
    event["ResourceProperties"] = as_texts(request.properties);
    if (kind == "Update") event["OldResourceProperties"] = as_texts(request.previous_properties);
    return event;
  }

  ResourceProgress look(const ResourceRequest& request) const {
    auto txn = environment_.store.begin({});
    const auto answer = txn.peek<CustomResponseRecord>(request.client_token);
    ResourceProgress progress;
    progress.physical_id = request.physical_id;
    if (!answer) {
      const auto began = from_millis(parse_int(request.state).value_or(0));
      auto timeout = k_timeout;
      if (const Json* given = find_member(request.properties, "ServiceTimeout")) {
        const auto text = scalar_text(*given);
        timeout = Seconds(text ? parse_int(*text).value_or(timeout.count()) : timeout.count());
      }
      if (environment_.clock.now() > began + timeout) {
        progress.status = Status::failed;
        progress.message =
            "CloudFormation did not receive a response from your Custom Resource. "
            "Please check your logs for requestId [" +
            request.client_token + "].";
        return progress;
      }
      progress.status = Status::pending;
      progress.state = request.state;
      progress.retry_after = k_poll;
      return progress;
    }
    const Json body = parse_json(answer->body);
    const auto id = string_or(body, "PhysicalResourceId");
    if (!id.empty()) progress.physical_id = id;
    if (string_or(body, "Status") != "SUCCESS") {
      progress.status = Status::failed;
      progress.message =
          "Received response status [FAILED] from custom resource. Message returned: " +
          string_or(body, "Reason", "(none)");
      return progress;
    }
    if (progress.physical_id.empty()) progress.physical_id = request.client_token;
    if (const Json* data = find_member(body, "Data"); data && data->is_object()) {
      progress.attributes = data->get_object();
    }
    return progress;
  }

  platform::Environment& environment_;
};

Task<aws::HttpResponse> receive(platform::Environment* environment, std::string_view path,
                                KeepAnswer keep, std::shared_ptr<aws::HttpRequest> request) {
  if (request->method != "PUT") co_return plain_response(405, "PUT only\n");
  const std::string token = request->path.substr(path.size());
  std::string body;
  if (request->body) body = co_await read_all(request->body, k_response_bytes_max);
  bool valid = !token.empty();
  try {
    valid = valid && parse_json(body).is_object();
  } catch (const JsonError&) {
    valid = false;
  }
  if (!valid) co_return plain_response(400, "the body must be a JSON object\n");
  co_return keep(*environment, token, body);
}

aws::HttpResponse keep_response(platform::Environment& environment, const std::string& token,
                                const std::string& body) {
  environment.store.transact({}, [&](kernel::Txn& txn) {
    if (txn.find_for_update<CustomResponseRecord>(token)) return;  // the first answer counts
    txn.put(CustomResponseRecord{token, body, environment.clock.now()});
  });
  return plain_response(200, "");
}

}  // namespace

aws::HttpResponse plain_response(int status, std::string text) {
  aws::HttpResponse response;
  response.status = status;
  response.body = std::move(text);
  return response;
}

std::unique_ptr<platform::ResourceType> make_custom_resource_type(
    platform::Environment& environment) {
  return std::make_unique<CustomResource>(environment);
}

void mount_answers(platform::Environment& environment, const char* path, KeepAnswer keep) {
  if (!environment.ports.http_server) return;
  environment.ports.http_server->mount(
      path, [&environment, path, keep](std::shared_ptr<aws::HttpRequest> request) {
        return receive(&environment, path, keep, std::move(request));
      });
}

void mount_custom_responses(platform::Environment& environment) {
  mount_answers(environment, k_response_path, &keep_response);
}

}  // namespace tarn::cloudformation
