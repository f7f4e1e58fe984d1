// SPDX-License-Identifier: Apache-2.0
// Creating and updating: every resource of the target, dependencies first.
#include <algorithm>

#include "aws/error.hpp"
#include "base/strings.hpp"
#include "services/cloudformation/difference.hpp"
#include "services/cloudformation/references.hpp"
#include "services/cloudformation/stack_operation.hpp"

namespace tarn::cloudformation {
namespace {

// What was begun may end by itself for so long after another resource failed.
constexpr std::chrono::seconds k_grace_after_failure{30};

std::string bracketed(const std::vector<std::string>& names) {
  return "[" + join(names, ", ") + "]";
}

}  // namespace

Task<void> StackOperation::forward() {
  std::string broken;
  try {
    target_ = version(stack_.inputs);
    note_imports(false);
  } catch (const TemplateError& error) {
    broken = error.what();
  }
  if (!broken.empty()) {
    forward_failed(broken + ". ");
    co_return;
  }
  std::set<std::string> done;
  std::map<std::string, Timestamp> waiting;
  std::optional<Timestamp> failed_at;
  const auto total = target_->evaluated.resources.size();
  while (done.size() < total) {
    if (superseded()) co_return;
    if (stack_.cancel_requested && failures_.empty()) failures_["(cancelled)"] = "User Initiated";
    std::vector<std::string> next;
    const auto now = environment_.clock.now();
    if (stack_.timeout_minutes > 0 && stack_.status == "CREATE_IN_PROGRESS" && failures_.empty() &&
        now > stack_.operation_began + std::chrono::minutes(stack_.timeout_minutes)) {
      failures_["(timeout)"] = "Stack creation time exceeded the specified timeout";
    }
    if (!failures_.empty() && !failed_at) failed_at = now;
    std::set<std::string> started;
    for (const auto& [id, due] : waiting) {
      started.insert(id);
      if (due <= now) next.push_back(id);
    }
    if (failures_.empty()) {
      for (auto& id : target_->evaluated.graph.ready(done, started)) next.push_back(std::move(id));
    } else if (waiting.empty() || now > *failed_at + k_grace_after_failure) {
      break;
    }
    bool moved = false;
    for (const auto& id : next) {
      if (!failures_.empty() && !waiting.contains(id)) break;
      std::string one = id;
      const auto outcome = co_await step_forward(std::move(one));
      waiting.erase(id);
      if (outcome == Outcome::waits) waiting[id] = due(id);
      if (outcome == Outcome::done) done.insert(id);
      moved = moved || outcome != Outcome::waits;
    }
    if (done.size() < total && !moved) co_await pause(waiting);
  }
  for (const auto& [id, due] : waiting) {
    auto resource = resources_.at(id);
    const bool updates = resource.step == Step::updating;
    fail_resource(resource, updates ? "Resource update cancelled" : "Resource creation cancelled",
                  true);
    failures_.erase(id);  // not what failed the stack
  }
  if (!failures_.empty()) {
    forward_failed(failure_reason());
  } else {
    forward_succeeded();
  }
}

Task<StackOperation::Outcome> StackOperation::step_forward(std::string id) {
  const auto it = resources_.find(id);
  if (it == resources_.end() || it->second.operation != operation_) {
    auto begun = begin_forward(id);
    co_return co_await begun;
  }
  if (it->second.done) {
    const bool failed = it->second.status.ends_with("_FAILED");
    if (failed) failures_[id] = it->second.reason;
    co_return failed ? Outcome::failed : Outcome::done;
  }
  auto continued = continue_forward(id);
  co_return co_await continued;
}

// What a failed step left (rollback was disabled) is no start for an update. True: it may have been
// changed in part, so it is brought into its wanted state whatever is known of it.
bool StackOperation::forget_failure(ResourceRecord& resource) {
  const bool failed = resource.status == "UPDATE_FAILED" && resource.former.has_value();
  const bool replaced = failed && resource.step == Step::replacing;
  if (resource.current.exists && (resource.status == "CREATE_FAILED" || replaced)) {
    resource.leftovers.push_back(std::exchange(resource.current, PhysicalResource()));
  }
  if (replaced) {
    std::erase_if(resource.leftovers, [&](const PhysicalResource& left) {
      return left.physical_id == resource.former->physical_id;
    });
  }
  if (failed) resource.current = *resource.former;
  return failed && !replaced;
}

// Decides what is to be done and commits the intention.
Task<StackOperation::Outcome> StackOperation::begin_forward(std::string id) {
  const auto& wanted = *target_->evaluated.resource(id);
  ResourceRecord resource;
  if (const auto it = resources_.find(id); it != resources_.end()) resource = it->second;
  const bool again = forget_failure(resource);
  const bool existed = resource.current.exists;
  const PhysicalResource before = resource.current;
  resource.stack_id = stack_id_;
  resource.logical_id = id;
  resource.type = wanted.type;
  resource.metadata = wanted.metadata.is_null() ? std::string() : dump_json(wanted.metadata);
  resource.operation = operation_;
  resource.reason.clear();
  resource.progress.clear();
  resource.former = existed ? std::optional(before) : std::nullopt;
  resource.token = new_token();
  resource.done = false;
  KnownResource known;
  if (existed) known = vault_.open(before.sealed);
  const Json old_properties = known.properties;
  const auto old_tags = known.tags;
  std::string refusal;
  try {
    known.properties = final_properties(id);
    check_properties(*description(wanted.type), id, known.properties);
  } catch (const TemplateError& error) {
    refusal = error.what();
  }
  known.tags = target_->tags;
  const auto* type = description(wanted.type);
  const bool same_tags = old_tags == known.tags || !find_member(type->schema, "tags");
  if (!refusal.empty()) {
    resource.step = existed ? Step::updating : Step::creating;
    co_return fail_resource(resource, refusal, existed);
  }
  if (existed && !again && same_tags && json_equal(old_properties, known.properties)) {
    resource.step = Step::none;
    resource.done = true;
    if (resource.status == "UPDATE_FAILED") resource.status = "UPDATE_COMPLETE";
    resource.current.deletion_policy = wanted.deletion_policy;
    resource.current.update_replace_policy = wanted.update_replace_policy;
    save(resource, false);
    co_return Outcome::done;
  }
  const bool replace = existed && needs_replacement(*type, old_properties, known.properties);
  resource.step = !existed ? Step::creating : replace ? Step::replacing : Step::updating;
  if (resource.step != Step::updating) {
    known.attributes.clear();
    resource.current = PhysicalResource();
    resource.current.sealed = vault_.seal(known);
    auto request = request_for(resource, resource.current);
    request.physical_id.clear();
    resource.current.physical_id =
        types_.find(wanted.type)->choose_physical_id(request, environment_.random);
  }
  if (replace) resource.leftovers.push_back(before);
  resource.current.sealed = vault_.seal(known);
  resource.current.deletion_policy = wanted.deletion_policy;
  resource.current.update_replace_policy = wanted.update_replace_policy;
  resource.current.exists = true;
  resource.status = existed ? "UPDATE_IN_PROGRESS" : "CREATE_IN_PROGRESS";
  if (replace) {
    resource.reason =
        "Requested update requires the creation of a new physical resource; hence creating one.";
  }
  save(resource, true, target_->hides_values ? std::string() : dump_json(known.properties));
  auto continued = continue_forward(id);
  co_return co_await continued;
}

Task<StackOperation::Outcome> StackOperation::continue_forward(std::string id) {
  ResourceRecord resource = resources_.at(id);
  Action action{types_.find(resource.type), resource.step, request_for(resource, resource.current)};
  std::string refusal;
  try {
    Json properties = action.request.properties;
    action.request.properties = co_await with_references(std::move(properties), resource.type);
  } catch (const TemplateError& error) {
    refusal = error.what();
  }
  if (!refusal.empty()) co_return fail_resource(resource, refusal, resource.former.has_value());
  if (resource.step == Step::updating) {
    Json former = vault_.open(resource.former->sealed).properties;
    try {
      Json copy = former;
      former = co_await with_references(std::move(copy), resource.type);
    } catch (const TemplateError&) {
      // A secret that is gone: the type sees the reference instead of what it stood for.
    }
    action.request.previous_properties =
        with_stack_tags(resource, *resource.former, std::move(former));
  }
  auto performed = perform(std::move(action));
  auto result = co_await performed;
  const auto status = result.progress.status;
  commit_forward(std::move(resource), std::move(result));
  if (status == platform::ResourceProgress::Status::failed) co_return Outcome::failed;
  co_return status == platform::ResourceProgress::Status::pending ? Outcome::waits : Outcome::done;
}

void StackOperation::commit_forward(ResourceRecord resource, Result result) {
  auto& progress = result.progress;
  const bool updates = resource.step == Step::updating;
  if (progress.status == platform::ResourceProgress::Status::failed) {
    if (!updates) resource.current.physical_id = progress.physical_id;
    fail_resource(std::move(resource), progress.message, updates || !result.nothing_left);
    return;
  }
  const bool first_id = resource.current.physical_id != progress.physical_id;
  if (updates && first_id && progress.status == platform::ResourceProgress::Status::complete) {
    // A custom resource replaced itself: the former one goes when all is well.
    resource.leftovers.push_back(*resource.former);
  }
  resource.current.physical_id = progress.physical_id;
  resource.progress = progress.state;
  if (progress.status == platform::ResourceProgress::Status::pending) {
    const bool tells = first_id && !updates;
    if (tells) resource.reason = "Resource creation Initiated";
    if (first_id || !(resource.progress == resources_.at(resource.logical_id).progress)) {
      save(resource, tells);
    }
    return;
  }
  auto known = vault_.open(resource.current.sealed);
  for (auto& [name, value] : progress.attributes) known.attributes[name] = value;
  resource.current.sealed = vault_.seal(known);
  resource.done = true;
  resource.progress.clear();
  resource.reason.clear();
  resource.status = resource.step == Step::creating ? "CREATE_COMPLETE" : "UPDATE_COMPLETE";
  save(resource, true);
}

StackOperation::Outcome StackOperation::fail_resource(ResourceRecord resource, std::string reason,
                                                      bool something_left) {
  resource.done = true;
  resource.progress.clear();
  resource.current.exists = something_left;
  resource.status = resource.step == Step::creating ? "CREATE_FAILED" : "UPDATE_FAILED";
  resource.reason = reason;
  failures_[resource.logical_id] = std::move(reason);
  save(resource, true);
  return Outcome::failed;
}

// All functions evaluated; what is left unknown is an error that names it.
Json StackOperation::final_properties(const std::string& id) {
  Surroundings surroundings = target_->surroundings;
  surroundings.ref = [this](std::string_view name) { return value_of_ref(name); };
  surroundings.attribute = [this](std::string_view name, std::string_view attribute) {
    return value_of_attribute(name, attribute);
  };
  surroundings.import_value = [this](const std::string& name) -> std::optional<std::string> {
    auto txn = environment_.store.begin(scope_);
    const auto found = txn.peek<ExportRecord>(name);
    return found ? std::optional(found->value) : std::nullopt;
  };
  Evaluator evaluator(target_->whole, surroundings);
  const Json value = evaluator.evaluate(target_->whole.resource(id)->properties);
  for_each_reference(value, [](const Reference& reference) {
    if (reference.kind == Reference::Kind::condition) return;
    throw TemplateError(
        reference.kind == Reference::Kind::attribute
            ? fmt::format("Template error: resource {} does not support attribute type {} in "
                          "Fn::GetAtt",
                          reference.name, reference.attribute)
            : fmt::format("Template error: resource {} has no reference", reference.name));
  });
  return convert_properties(*description(target_->whole.resource(id)->type), value);
}

std::string StackOperation::failure_reason() const {
  std::vector<std::string> creations;
  std::vector<std::string> updates;
  std::string others;
  for (const auto& [id, reason] : failures_) {
    if (id.starts_with('(')) {
      others += reason + ". ";
      continue;
    }
    (resources_.at(id).step == Step::creating ? creations : updates).push_back(id);
  }
  std::string text = others;
  if (!creations.empty()) {
    text += "The following resource(s) failed to create: " + bracketed(creations) + ". ";
  }
  if (!updates.empty()) {
    text += "The following resource(s) failed to update: " + bracketed(updates) + ". ";
  }
  return text;
}

void StackOperation::forward_failed(std::string reason) {
  const bool creates = stack_.status == "CREATE_IN_PROGRESS";
  if (stack_.on_failure == "DO_NOTHING" && !stack_.cancel_requested) {
    finish(creates ? "CREATE_FAILED" : "UPDATE_FAILED", reason);
    return;
  }
  if (creates && stack_.on_failure == "DELETE") {
    finish("DELETE_IN_PROGRESS", reason + "Delete requested by user.");
    return;
  }
  if (creates) reason += "Rollback requested by user.";
  finish(creates ? "ROLLBACK_IN_PROGRESS" : "UPDATE_ROLLBACK_IN_PROGRESS", reason);
}

std::vector<StackOutput> StackOperation::final_outputs() {
  Surroundings surroundings = target_->surroundings;
  surroundings.ref = [this](std::string_view name) { return value_of_ref(name); };
  surroundings.attribute = [this](std::string_view name, std::string_view attribute) {
    return value_of_attribute(name, attribute);
  };
  surroundings.import_value = [this](const std::string& name) -> std::optional<std::string> {
    auto txn = environment_.store.begin(scope_);
    const auto found = txn.peek<ExportRecord>(name);
    return found ? std::optional(found->value) : std::nullopt;
  };
  Evaluator evaluator(target_->whole, surroundings);
  std::vector<StackOutput> outputs;
  for (const auto& definition : target_->whole.outputs) {
    if (!definition.condition.empty() && !target_->evaluated.conditions.at(definition.condition)) {
      continue;
    }
    const Json value = evaluator.evaluate(definition.value);
    const Json name = evaluator.evaluate(definition.export_name);
    if (is_no_value(value)) continue;
    const auto text = scalar_text(value);
    if (!text || (!name.is_null() && !scalar_text(name))) {
      throw TemplateError(
          fmt::format("Template format error: Output {} is malformed. The Value field "
                      "of every Outputs member must evaluate to a String.",
                      definition.name));
    }
    outputs.push_back({definition.name, *text, definition.description,
                       name.is_null() ? std::string() : *scalar_text(name)});
  }
  return outputs;
}

// Throws TemplateError when a name is another stack's, or a changed export is in use.
void StackOperation::publish_exports(kernel::Txn& txn, const std::vector<StackOutput>& outputs) {
  std::map<std::string, std::string> wanted;
  for (const auto& output : outputs) {
    if (!output.export_name.empty()) wanted[output.export_name] = output.value;
  }
  const auto refuse_in_use = [&](const std::string& name, std::string_view what) {
    const auto users = importers(txn, name);
    if (users.empty()) return;
    throw TemplateError(
        fmt::format("Export {} cannot be {} as it is in use by {}", name, what, join(users, ", ")));
  };
  for (const auto& output : stack_.outputs) {
    if (output.export_name.empty() || wanted.contains(output.export_name)) continue;
    refuse_in_use(output.export_name, "deleted");
    txn.erase<ExportRecord>(output.export_name);
  }
  for (const auto& [name, value] : wanted) {
    const auto existing = txn.find_for_update<ExportRecord>(name);
    if (existing && existing->stack_id != stack_id_) {
      throw TemplateError(fmt::format("Export with name {} is already exported by stack {}", name,
                                      existing->stack_name));
    }
    if (existing && existing->value != value) refuse_in_use(name, "updated");
    txn.put(ExportRecord{name, value, stack_id_, stack_.name});
  }
}

void StackOperation::forward_succeeded() {
  std::string refusal;
  try {
    const auto outputs = final_outputs();
    environment_.store.transact(scope_, [&](kernel::Txn& txn) {
      auto stack = txn.find_for_update<StackRecord>(stack_id_);
      if (!stack || stack->operation != operation_) return;
      publish_exports(txn, outputs);
      const bool creates = stack->status == "CREATE_IN_PROGRESS";
      stack->outputs = outputs;
      const auto now = environment_.clock.now();
      set_status(txn, *stack, creates ? "CREATE_COMPLETE" : "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
                 "", now);
      txn.put(*stack);
      stack_ = *stack;
    });
    note_imports(true);
  } catch (const TemplateError& error) {
    refusal = error.what();
  }
  if (!refusal.empty()) forward_failed(refusal + ". ");
}

std::set<std::string> StackOperation::imports_of(const Version& version) const {
  std::set<std::string> names;
  const std::function<void(const Json&)> collect = [&](const Json& value) {
    if (const auto* list = value.if_array()) {
      for (const auto& item : *list) collect(item);
    } else if (const auto* object = value.if_object()) {
      if (function_name(value) == "Fn::ImportValue" && function_argument(value).is_string()) {
        names.emplace(json_text(function_argument(value).get_string()));
      }
      for (const auto& [key, member] : *object) collect(member);
    }
  };
  for (const auto& resource : version.evaluated.resources) collect(resource.properties);
  for (const auto& output : version.evaluated.outputs) collect(output.value);
  return names;
}

// At the beginning everything imported is noted, so that nobody takes it away meanwhile; at the end
// what is imported no more is dropped. Throws TemplateError for an export that does not exist.
void StackOperation::note_imports(bool finished) {
  const auto names = imports_of(*target_);
  environment_.store.transact(scope_, [&](kernel::Txn& txn) {
    for (const auto& name : names) {
      if (!txn.find<ExportRecord>(name)) {
        throw TemplateError(fmt::format("No export named {} found", name));
      }
      txn.put(ImportRecord{name, stack_id_, stack_.name});
    }
    if (!finished) return;
    for (const auto& record : txn.list<ImportRecord>()) {
      if (record.stack_id == stack_id_ && !names.contains(record.export_name)) {
        txn.erase<ImportRecord>(record.export_name, record.stack_id);
      }
    }
  });
}

}  // namespace tarn::cloudformation
