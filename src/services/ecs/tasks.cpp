// SPDX-License-Identifier: Apache-2.0
// Tasks: run, describe, list, stop.
#include <fmt/format.h>

#include <algorithm>

#include "aws/codec.hpp"
#include "aws/ecs/errors.hpp"
#include "base/strings.hpp"
#include "services/ecs/names.hpp"
#include "services/ecs/service.hpp"

namespace tarn::ecs {
namespace {

constexpr std::chrono::hours k_stopped_kept{1};  // as long as ECS shows stopped tasks
constexpr std::chrono::hours k_tokens_kept{24};

bool is_fargate(const RunTaskInput& in, const ClusterRecord& cluster) {
  if (in.launch_type) return *in.launch_type == "FARGATE";
  const auto fargate = [](const std::string& provider) { return provider.starts_with("FARGATE"); };
  if (in.capacity_provider_strategy && !in.capacity_provider_strategy->empty()) {
    return fargate(in.capacity_provider_strategy->front().capacity_provider);
  }
  if (!cluster.default_strategy.is_array() || cluster.default_strategy.get_array().empty()) {
    return false;
  }
  return fargate(string_or(cluster.default_strategy.get_array().front(), "capacityProvider"));
}

void check(const RunTaskInput& in, const ClusterRecord& cluster) {
  if (!is_fargate(in, cluster)) {
    throw InvalidParameterException("No Container Instances were found in your cluster.");
  }
  if (!in.network_configuration || !in.network_configuration->awsvpc_configuration) {
    throw InvalidParameterException(
        "Network Configuration must be provided when networkMode 'awsvpc' is specified.");
  }
  const int count = in.count.value_or(1);
  if (count < 1 || count > 10) {
    throw InvalidParameterException("Count must be between 1 and 10");
  }
}

// The container that an override names, checked.
void check_overrides(const RunTaskInput& in, const ContainerDefinition& container) {
  if (!in.overrides || !in.overrides->container_overrides) return;
  for (const auto& override : *in.overrides->container_overrides) {
    if (override.name.value_or("") != container.name.value_or("")) {
      throw InvalidParameterException(
          fmt::format("Override for container named {} is not a container in the TaskDefinition.",
                      override.name.value_or("")));
    }
    if (override.environment_files && !override.environment_files->empty()) {
      throw aws::ApiError("NotImplemented", "ecs: environmentFiles is not implemented by Tarn",
                          501);
    }
  }
}

std::string request_text(const RunTaskInput& in) {
  return dump_json(aws::encode_json(aws::shape_of<RunTaskInput>(), &in));
}

void forget_old(kernel::Txn& txn, const std::string& cluster, Timestamp now) {
  for (const auto& task : txn.list<TaskRecord>(kernel::Key(cluster))) {
    if (task.stopped && *task.stopped + k_stopped_kept < now) {
      txn.erase<TaskRecord>(task.cluster, task.id);
    }
  }
  for (const auto& token : txn.list<TokenRecord>(kernel::Key(cluster))) {
    if (token.used + k_tokens_kept < now) txn.erase<TokenRecord>(token.cluster, token.token);
  }
}

ContainerDefinition container_of(const Json& definition) {
  TaskDefinition parsed;
  aws::decode_json(aws::shape_of<TaskDefinition>(), definition, &parsed);
  return parsed.container_definitions->front();
}

}  // namespace

void Ecs::task_operations(platform::OpTable& t) {
  const auto in_cluster = [](Call& call, const auto& in) {
    return platform::ConditionKeys{
        {"ecs:cluster", cluster_arn(call.scope(), cluster_name(in.cluster))}};
  };
  t.op<RunTask>(&Ecs::run_task)
      .on([](Call& call, const auto& in) {
        const DefinitionId id = DefinitionId::parse(in.task_definition);
        const std::string arn = definition_arn(call.scope(), id.family, id.revision.value_or(0));
        return id.revision ? arn : arn.substr(0, arn.rfind(':')) + ":*";
      })
      .condition_keys(in_cluster)
      .passes_role("ecs-tasks.amazonaws.com",
                   [this](Call& call, const RunTaskInput& in) { return roles_of(call, in); })
      .partial("Fargate");
  t.op<DescribeTasks>(&Ecs::describe_tasks)
      .condition_keys(in_cluster)
      .on([](Call& call, const auto& in) {
        std::vector<std::string> arns;
        for (const auto& task : in.tasks) {
          arns.push_back(task_arn(call.scope(), cluster_name(in.cluster), task_id(task)));
        }
        return arns;
      });
  t.op<ListTasks>(&Ecs::list_tasks).condition_keys(in_cluster);
  t.op<StopTask>(&Ecs::stop_task).condition_keys(in_cluster).on([](Call& call, const auto& in) {
    return task_arn(call.scope(), cluster_name(in.cluster), task_id(in.task));
  });
}

Task shown(const TaskRecord& task, const kernel::Scope& scope) {
  Task out;
  out.task_arn = task_arn(scope, task.cluster, task.id);
  out.cluster_arn = cluster_arn(scope, task.cluster);
  out.task_definition_arn = task.definition_arn;
  out.last_status = task.last_status;
  out.desired_status = task.desired_status;
  out.created_at = task.created;
  out.started_at = task.started;
  out.pull_started_at = task.created;
  if (task.started) out.pull_stopped_at = task.started;
  out.stopping_at = task.stopping;
  out.stopped_at = task.stopped;
  out.execution_stopped_at = task.execution_stopped;
  if (!task.stop_code.empty()) out.stop_code = task.stop_code;
  if (!task.stopped_reason.empty()) out.stopped_reason = task.stopped_reason;
  if (!task.started_by.empty()) out.started_by = task.started_by;
  out.group = task.group;
  if (!task.capacity_provider.empty()) out.capacity_provider_name = task.capacity_provider;
  out.launch_type = "FARGATE";
  out.platform_version = "1.4.0";
  out.platform_family = "Linux";
  out.availability_zone = scope.region + "a";
  out.connectivity = "CONNECTED";
  out.connectivity_at = task.created;
  out.cpu = task.cpu;
  out.memory = task.memory;
  out.enable_execute_command = task.execute_command;
  out.health_status = "UNKNOWN";
  out.version = task.version;
  out.tags = tag_list(task.tags);
  out.attachments = std::vector<Attachment>();
  out.attributes = std::vector<Attribute>{{.name = "ecs.cpu-architecture", .value = "x86_64"}};
  out.inference_accelerators = std::vector<InferenceAccelerator>();
  out.overrides.emplace();
  if (task.overrides.is_object()) {
    aws::decode_json(aws::shape_of<TaskOverride>(), task.overrides, &*out.overrides);
  }
  if (!out.overrides->container_overrides) {
    out.overrides->container_overrides = std::vector<ContainerOverride>{{.name = task.container}};
  }
  if (!out.overrides->inference_accelerator_overrides) {
    out.overrides->inference_accelerator_overrides = std::vector<InferenceAcceleratorOverride>();
  }
  out.ephemeral_storage = EphemeralStorage{.size_in_gi_b = 20};
  Container container;
  container.container_arn = fmt::format("arn:aws:ecs:{}:{}:container/{}/{}/{}", scope.region,
                                        scope.account, task.cluster, task.id, task.container);
  container.task_arn = out.task_arn;
  container.name = task.container;
  container.image = task.image;
  container.runtime_id = task.id + "-" + task.container;
  container.last_status = task.container_status;
  container.exit_code = task.exit_code;
  if (!task.container_reason.empty()) container.reason = task.container_reason;
  container.network_bindings = std::vector<NetworkBinding>();
  container.network_interfaces = std::vector<NetworkInterface>();
  container.health_status = "UNKNOWN";
  container.cpu = "0";
  out.containers = std::vector<Container>{std::move(container)};
  return out;
}

// The roles that the tasks will have, for iam:PassRole.
std::vector<std::string> Ecs::roles_of(Call& call, const RunTaskInput& in) {
  auto txn = store_.begin(call.scope());
  Json definition;
  try {
    definition = require_definition(txn, in.task_definition).definition;
  } catch (const aws::ApiError&) {
    return {};  // the handler says so
  }
  const auto role = [&](const char* member, const std::optional<std::string>& instead) {
    return instead.value_or(string_or(definition, member));
  };
  const TaskOverride none;
  const TaskOverride& overrides = in.overrides ? *in.overrides : none;
  return {role("taskRoleArn", overrides.task_role_arn),
          role("executionRoleArn", overrides.execution_role_arn)};
}

std::vector<TaskRecord> Ecs::make_tasks(Txn& txn, Call& call, const RunTaskInput& in) {
  const ClusterRecord cluster = require_cluster(txn, cluster_name(in.cluster));
  check(in, cluster);
  TaskDefinitionRecord definition;
  try {
    definition = require_definition(txn, in.task_definition);
  } catch (const ClientException&) {
    throw ClientException("TaskDefinition not found.");
  }
  if (definition.status != "ACTIVE") throw ClientException("TaskDefinition is inactive");
  const ContainerDefinition container = container_of(definition.definition);
  check_overrides(in, container);
  forget_old(txn, cluster.name, call.now());
  std::vector<TaskRecord> tasks;
  for (int i = 0; i < in.count.value_or(1); ++i) {
    TaskRecord task;
    task.cluster = cluster.name;
    task.id = environment_.random.hex(32);
    task.family = definition.family;
    task.definition_arn = definition_arn(call.scope(), definition.family, definition.revision);
    task.created = call.now();
    if (in.overrides) {
      task.overrides = aws::encode_json(aws::shape_of<TaskOverride>(), &*in.overrides);
    }
    task.network =
        aws::encode_json(aws::shape_of<NetworkConfiguration>(), &*in.network_configuration);
    task.tags = tag_map(in.tags);
    if (in.propagate_tags.value_or("") == "TASK_DEFINITION") {
      task.tags.insert(definition.tags.begin(), definition.tags.end());
    }
    task.started_by = in.started_by.value_or("");
    task.group = in.group.value_or("family:" + definition.family);
    if (!in.launch_type) task.capacity_provider = "FARGATE";
    const TaskSize size =
        size_of(string_or(task.overrides, "cpu", string_or(definition.definition, "cpu")),
                string_or(task.overrides, "memory", string_or(definition.definition, "memory")));
    task.cpu = std::to_string(size.cpu_units);
    task.memory = std::to_string(size.memory_mb);
    task.container = container.name.value_or("");
    task.image = container.image.value_or("");
    task.execute_command = in.enable_execute_command.value_or(false);
    task.version = 0;
    TaskRunner::put(txn, task);
    tasks.push_back(std::move(task));
  }
  return tasks;
}

::tarn::Task<RunTaskOutput> Ecs::run_task(CallPtr call, RunTaskInput in) {
  RunTaskOutput out{.tasks = std::vector<Task>(), .failures = std::vector<Failure>()};
  bool repeated = false;
  Json definition;
  const auto tasks = store_.transact(call->scope(), [&](Txn& txn) {
    const std::string cluster = cluster_name(in.cluster);
    std::vector<TaskRecord> made;
    repeated = false;
    if (in.client_token) {
      const auto token = txn.find_for_update<TokenRecord>(cluster, *in.client_token);
      if (token && token->request != request_text(in)) {
        throw ConflictException(
            "The RunTask request could not be processed due to conflicts. The provided "
            "clientToken is already in use with a different RunTask request.");
      }
      if (token) {
        repeated = true;
        for (const auto& id : token->tasks) {
          if (auto task = txn.find<TaskRecord>(cluster, id)) made.push_back(std::move(*task));
        }
        return made;
      }
    }
    made = make_tasks(txn, *call, in);
    definition = require_definition(txn, made.front().definition_arn).definition;
    if (in.client_token) {
      TokenRecord token{*in.client_token, cluster, request_text(in), {}, call->now()};
      for (const auto& task : made) token.tasks.push_back(task.id);
      txn.put(token);
    }
    return made;
  });
  for (const auto& task : tasks) {
    out.tasks->push_back(shown(task, call->scope()));
    if (!repeated) runner_.run(call->scope(), task, container_of(definition), definition);
  }
  co_return out;
}

void Ecs::run_again(const kernel::Scope& scope, TaskRecord task) {
  auto txn = store_.begin(scope);
  Json definition;
  try {
    definition = require_definition(txn, task.definition_arn).definition;
  } catch (const ClientException&) {
    return runner_.give_up(scope, std::move(task), "The task definition was deleted");
  }
  runner_.run(scope, std::move(task), container_of(definition), definition);
}

DescribeTasksOutput Ecs::describe_tasks(Call& call, const DescribeTasksInput& in) {
  if (in.tasks.empty()) throw InvalidParameterException("Tasks cannot be empty.");
  auto txn = store_.begin(call.scope());
  const ClusterRecord cluster = require_cluster(txn, cluster_name(in.cluster));
  DescribeTasksOutput out{.tasks = std::vector<Task>(), .failures = std::vector<Failure>()};
  const auto include = in.include.value_or(std::vector<std::string>());
  const bool tags = std::find(include.begin(), include.end(), "TAGS") != include.end();
  for (const auto& text : in.tasks) {
    const auto task = txn.find<TaskRecord>(cluster.name, task_id(text));
    if (!task) {
      out.failures->push_back(
          {.arn = task_arn(call.scope(), cluster.name, task_id(text)), .reason = "MISSING"});
      continue;
    }
    out.tasks->push_back(shown(*task, call.scope()));
    if (!tags) out.tasks->back().tags = std::vector<Tag>();
  }
  return out;
}

ListTasksOutput Ecs::list_tasks(Call& call, const ListTasksInput& in) {
  auto txn = store_.begin(call.scope());
  const ClusterRecord cluster = require_cluster(txn, cluster_name(in.cluster));
  const std::string wanted = in.desired_status.value_or("RUNNING");
  kernel::ScanOptions options;
  if (in.next_token) options.after = from_base64(*in.next_token).value_or("");
  const auto limit = static_cast<std::size_t>(in.max_results.value_or(100));
  ListTasksOutput out{.task_arns = std::vector<std::string>()};
  std::string last;
  txn.scan<TaskRecord>(kernel::Key(cluster.name), options,
                       [&](TaskRecord& task, const std::string& key) {
                         if (task.desired_status != wanted) return true;
                         if (in.family && task.family != *in.family) return true;
                         if (in.started_by && task.started_by != *in.started_by) return true;
                         if (in.launch_type && *in.launch_type != "FARGATE") return true;
                         if (in.service_name || in.container_instance) return true;
                         if (out.task_arns->size() == limit) {
                           out.next_token = to_base64(last);
                           return false;
                         }
                         out.task_arns->push_back(task_arn(call.scope(), task.cluster, task.id));
                         last = key;
                         return true;
                       });
  return out;
}

StopTaskOutput Ecs::stop_task(Call& call, const StopTaskInput& in) {
  std::int64_t grace = 30;
  auto txn = store_.begin(call.scope());
  const ClusterRecord cluster = require_cluster(txn, cluster_name(in.cluster));
  auto task = txn.find_for_update<TaskRecord>(cluster.name, task_id(in.task));
  if (!task) throw InvalidParameterException("The referenced task was not found.");
  if (task->desired_status != "STOPPED") {
    task->desired_status = "STOPPED";
    task->stop_code = "UserInitiated";
    task->stopped_reason = in.reason.value_or("Task stopped by user");
    task->stopping = call.now();
    TaskRunner::put(txn, *task);
    const auto definition = txn.peek<TaskDefinitionRecord>(
        task->family, DefinitionId::parse(task->definition_arn).revision.value_or(0));
    if (definition) grace = container_of(definition->definition).stop_timeout.value_or(30);
  }
  txn.commit();
  runner_.end(task_arn(call.scope(), cluster.name, task->id), std::chrono::seconds(grace));
  return {.task = shown(*task, call.scope())};
}

}  // namespace tarn::ecs
