// SPDX-License-Identifier: Apache-2.0
#include "services/cloudformation/stack_operation.hpp"

#include <algorithm>

#include "aws/error.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "platform/registry.hpp"
#include "services/cloudformation/custom_resource.hpp"
#include "services/cloudformation/references.hpp"
#include "services/cloudformation/sources.hpp"
#include "services/cloudformation/type_schemas.hpp"

namespace tarn::cloudformation {
namespace {

constexpr std::chrono::milliseconds k_pause_min{5};
constexpr std::chrono::milliseconds k_pause_max{5'000};
constexpr std::chrono::milliseconds k_retry_when_throttled{500};

// Errors that say that the thing belongs to someone else: nothing of ours was made.
bool says_exists(std::string_view text) {
  const auto lower = to_lower(text);
  return lower.find("alreadyexist") != std::string::npos ||
         lower.find("already exist") != std::string::npos ||
         lower.find("already owned") != std::string::npos ||
         lower.find("alreadyowned") != std::string::npos;
}

// A name that the template gives may be another owner's; one that we made up is ours.
bool named_by_template(const Json& properties, const std::string& physical_id) {
  const auto* object = properties.if_object();
  return object && std::any_of(object->begin(), object->end(), [&](const auto& member) {
           return scalar_text(member.value()) == physical_id;
         });
}

bool is_throttle(std::string_view code) {
  return code.find("Throttl") != std::string_view::npos || code == "SlowDown" ||
         code == "TooManyRequestsException";
}

}  // namespace

Types::Types(platform::Registry& registry) {
  for (const auto* service : registry.services()) {
    registry.service(service->name())->resources(types_);
  }
  for (const auto& name : types_.names()) {
    const auto* type = types_.find(name);
    TypeDescription description;
    description.name = name;
    description.properties = type->properties();
    description.required = type->required_properties();
    description.replacing = type->replacing_properties();
    description.any_property = name == k_custom_resource;
    const auto text = type_schema(name);
    if (!text.empty() && !description.any_property) description.schema = parse_json(text);
    descriptions_.emplace(name, std::move(description));
  }
}

// Custom::Anything is a custom resource.
const platform::ResourceType* Types::find(std::string_view name) const {
  return types_.find(name.starts_with("Custom::") ? k_custom_resource : name);
}

TypeCatalog Types::catalog() const {
  return [this](std::string_view name) -> const TypeDescription* {
    const auto it = descriptions_.find(name.starts_with("Custom::") ? k_custom_resource : name);
    return it == descriptions_.end() ? nullptr : &it->second;
  };
}

StackOperation::StackOperation(platform::Environment& environment, const Types& types,
                               kernel::Scope scope, std::string stack_id, std::string operation)
    : environment_(environment),
      types_(types),
      vault_(environment.secrets),
      scope_(std::move(scope)),
      stack_id_(std::move(stack_id)),
      operation_(std::move(operation)) {}

Task<void> StackOperation::run(std::shared_ptr<StackOperation> self) {
  while (true) {
    self->load();
    const auto& status = self->stack_.status;
    if (self->superseded() || !in_progress(status)) co_return;
    self->failures_.clear();
    if (status == "CREATE_IN_PROGRESS" || status == "UPDATE_IN_PROGRESS") {
      co_await self->forward();
    } else if (status == "UPDATE_ROLLBACK_IN_PROGRESS") {
      co_await self->revert();
    } else if (status == "DELETE_IN_PROGRESS" || status == "ROLLBACK_IN_PROGRESS") {
      co_await self->remove_all();
    } else {
      co_await self->clean_up();
    }
  }
}

void StackOperation::give_up(const std::string& reason) {
  load();
  if (superseded() || !in_progress(stack_.status)) return;
  const std::string& status = stack_.status;
  const std::string failed =
      status == "CREATE_IN_PROGRESS"     ? "CREATE_FAILED"
      : status == "ROLLBACK_IN_PROGRESS" ? "ROLLBACK_FAILED"
      : status == "DELETE_IN_PROGRESS"   ? "DELETE_FAILED"
      : status == "UPDATE_IN_PROGRESS" || status == "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"
          ? "UPDATE_FAILED"
          : "UPDATE_ROLLBACK_FAILED";
  finish(failed, "Internal failure: " + reason);
}

void StackOperation::load() {
  auto txn = environment_.store.begin(scope_);
  auto stack = txn.peek<StackRecord>(stack_id_);
  if (!stack) {
    stack_ = StackRecord();  // never: a stack's record outlives it; not ours then
    return;
  }
  stack_ = *std::move(stack);
  resources_.clear();
  for (auto& resource : resources_of(txn, stack_id_)) {
    const std::string id = resource.logical_id;
    resources_.emplace(id, std::move(resource));
  }
}

bool StackOperation::superseded() const { return stack_.operation != operation_; }

StackOperation::VersionPtr StackOperation::version(const StackInputs& inputs) {
  const auto key = fmt::format("{}/{}", inputs.template_version, inputs.sealed_parameters);
  if (const auto it = versions_.find(key); it != versions_.end()) return it->second;
  auto out = std::make_shared<Version>();
  const auto values = vault_.open_parameters(inputs.sealed_parameters);
  std::vector<ParameterInput> given;
  for (const auto& value : values) given.push_back({value.name, value.text, false});
  std::string text;
  {
    auto txn = environment_.store.begin(scope_);
    text = template_text(txn, stack_id_, inputs.template_version);
  }
  out->whole = load_template(text, given);
  out->surroundings.pseudo.account = scope_.account;
  out->surroundings.pseudo.region = scope_.region;
  out->surroundings.pseudo.stack_name = stack_.name;
  out->surroundings.pseudo.stack_id = stack_.id;
  out->surroundings.parameters = bind_parameters(out->whole, values);
  out->evaluated = evaluate_template(out->whole, out->surroundings);
  out->tags = inputs.tags;
  out->hides_values =
      std::any_of(values.begin(), values.end(), [](const auto& value) { return value.no_echo; });
  versions_.emplace(key, out);
  return out;
}

void StackOperation::finish(std::string status, std::string reason) {
  environment_.store.transact(scope_, [&](kernel::Txn& txn) {
    auto stack = txn.find_for_update<StackRecord>(stack_id_);
    if (!stack || stack->operation != operation_) return;
    set_status(txn, *stack, status, reason, environment_.clock.now());
    if (!in_progress(status)) stack->cancel_requested = false;
    txn.put(*stack);
    stack_ = *stack;
  });
}

platform::CallPtr StackOperation::caller() {
  if (stack_.role_arn.empty()) {
    return environment_.call_as(read_identity(stack_.identity), scope_.region);
  }
  auto& identities = platform::Ports::require(environment_.ports.identities, "IAM");
  return environment_.call_as(
      identities.assume_for_service(stack_.role_arn, "cloudformation.amazonaws.com",
                                    "AWSCloudFormation"),
      scope_.region);
}

platform::ResourceRequest StackOperation::request_for(const ResourceRecord& resource,
                                                      const PhysicalResource& physical) {
  const auto known = vault_.open(physical.sealed);
  platform::ResourceRequest request;
  // For account and region only (names, Ref); `perform` acts as the stack's caller.
  request.call = environment_.call_as(platform::root_identity(scope_.account), scope_.region);
  request.logical_id = resource.logical_id;
  request.stack_name = stack_.name;
  request.stack_id = stack_.id;
  request.physical_id = physical.physical_id;
  request.properties = known.properties;
  request.previous_properties = JsonObject();
  request.client_token = resource.token;
  request.state = resource.progress;
  request.tags = known.tags;
  request.tags["aws:cloudformation:stack-name"] = stack_.name;
  request.tags["aws:cloudformation:stack-id"] = stack_.id;
  request.tags["aws:cloudformation:logical-id"] = resource.logical_id;
  return request;
}

Task<Json> StackOperation::with_references(Json properties, std::string type) {
  auto references = find_dynamic_references(properties);
  if (references.empty()) co_return properties;
  const auto values = co_await look_up_references(caller(), std::move(references));
  Json replaced = replace_dynamic_references(properties, values);
  const auto* known = description(type);
  if (!known) co_return replaced;
  co_return convert_properties(*known, replaced);
}

// Among a resource's former tags are those that it had from the stack: a type drops what is wanted
// no more.
Json StackOperation::with_stack_tags(const ResourceRecord& resource,
                                     const PhysicalResource& physical, Json properties) const {
  const auto* type = description(resource.type);
  if (!type || !find_member(type->schema, "tags") || !properties.is_object()) return properties;
  auto tags = vault_.open(physical.sealed).tags;
  if (const Json* own = find_member(properties, "Tags")) {
    if (const auto* map = own->if_object()) {
      for (const auto& [key, value] : *map)
        tags[std::string(key)] = scalar_text(value).value_or("");
    } else if (const auto* list = own->if_array()) {
      for (const auto& tag : *list) tags[string_or(tag, "Key")] = string_or(tag, "Value");
    }
  }
  JsonArray list;
  for (const auto& [key, value] : tags) {
    list.push_back(JsonObject{{"Key", Json(key)}, {"Value", Json(value)}});
  }
  properties.as_object()["Tags"] = std::move(list);
  return properties;
}

// A type's exceptions become failures of the resource; only what a restart would cure (cancelled,
// the store) goes on.
Task<StackOperation::Result> StackOperation::perform(Action action) {
  Result result;
  auto& progress = result.progress;
  const std::string logical_id = action.request.logical_id;
  const std::string chosen = action.request.physical_id;
  const std::string state = action.request.state;
  const bool creating = action.step == Step::creating || action.step == Step::replacing;
  const bool named = named_by_template(action.request.properties, chosen);
  bool denied = false;
  try {
    action.request.call = caller();
    if (creating) {
      progress = co_await action.type->create(std::move(action.request));
    } else if (action.step == Step::deleting) {
      progress = co_await action.type->remove(std::move(action.request));
    } else {
      progress = co_await action.type->update(std::move(action.request));
    }
  } catch (const aws::ApiError& error) {
    if (is_throttle(error.code)) {
      progress.status = platform::ResourceProgress::Status::pending;
      progress.retry_after = k_retry_when_throttled;
      progress.state = state;
    } else {
      progress.status = platform::ResourceProgress::Status::failed;
      progress.message =
          fmt::format("Resource handler returned message: \"{}\" (HandlerErrorCode: {})",
                      error.message, error.code);
      denied = error.code.starts_with("AccessDenied");
    }
  } catch (const Cancelled&) {
    throw;
  } catch (const kernel::Conflict&) {
    throw;
  } catch (const kernel::StorageFailure&) {
    throw;
  } catch (const std::exception& error) {
    progress.status = platform::ResourceProgress::Status::failed;
    progress.message = fmt::format(
        "Resource handler returned message: \"{}\" (HandlerErrorCode: "
        "GeneralServiceException)",
        error.what());
  }
  if (progress.status == platform::ResourceProgress::Status::failed) {
    result.nothing_left = creating && (says_exists(progress.message) || (denied && named) ||
                                       (progress.physical_id.empty() && chosen.empty()));
  }
  if (progress.physical_id.empty()) progress.physical_id = chosen;
  retry_after_.erase(logical_id);
  if (progress.status == platform::ResourceProgress::Status::pending) {
    retry_after_[logical_id] = std::clamp(progress.retry_after, k_pause_min, k_pause_max);
  }
  co_return result;
}

void StackOperation::save(ResourceRecord& resource, bool tells, const std::string& properties) {
  resource.updated = environment_.clock.now();
  environment_.store.transact(scope_, [&](kernel::Txn& txn) {
    txn.put(resource);
    if (tells) tell(txn, stack_, resource, properties, resource.updated);
  });
  resources_[resource.logical_id] = resource;
}

const TypeDescription* StackOperation::description(const std::string& type) const {
  return types_.catalog()(type);
}

Task<void> StackOperation::pause(std::map<std::string, Timestamp> waiting) {
  Timestamp until = environment_.clock.now() + k_pause_min;
  if (!waiting.empty()) {
    until = std::max(
        until,
        std::min_element(waiting.begin(), waiting.end(), [](const auto& left, const auto& right) {
          return left.second < right.second;
        })->second);
  }
  co_await sleep_until(environment_.clock, until);
  // A newer request (a deletion, a cancellation) is seen here at the latest.
  auto txn = environment_.store.begin(scope_);
  if (auto stack = txn.peek<StackRecord>(stack_id_)) {
    stack_.operation = stack->operation;
    stack_.cancel_requested = stack->cancel_requested;
  }
}

Timestamp StackOperation::due(const std::string& id) const {
  const auto it = retry_after_.find(id);
  return environment_.clock.now() + (it == retry_after_.end() ? k_pause_min : it->second);
}

std::optional<Json> StackOperation::value_of_ref(std::string_view logical_id) {
  const auto it = resources_.find(std::string(logical_id));
  if (it == resources_.end() || !it->second.current.exists) return std::nullopt;
  const auto* type = types_.find(it->second.type);
  if (!type) return Json(it->second.current.physical_id);
  return Json(type->ref(request_for(it->second, it->second.current)));
}

std::optional<Json> StackOperation::value_of_attribute(std::string_view logical_id,
                                                       std::string_view attribute) {
  const auto it = resources_.find(std::string(logical_id));
  if (it == resources_.end() || !it->second.current.exists) return std::nullopt;
  const auto known = vault_.open(it->second.current.sealed);
  if (const auto* value = known.attributes.if_contains(attribute)) return *value;
  // Properties that were given can be asked for as attributes, too.
  const Json* value = &known.properties;
  for (const auto& part : split(attribute, '.')) {
    value = find_member(*value, part);
    if (!value) return std::nullopt;
  }
  return *value;
}

std::string StackOperation::new_token() { return environment_.random.uuid(); }

}  // namespace tarn::cloudformation
