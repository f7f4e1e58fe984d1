// SPDX-License-Identifier: Apache-2.0
// Task definitions: families of numbered revisions that never change.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "aws/codec.hpp"
#include "aws/ecs/errors.hpp"
#include "base/strings.hpp"
#include "services/ecs/names.hpp"
#include "services/ecs/service.hpp"

namespace tarn::ecs {
namespace {

// Fargate's sizes: processor units → memory in MB, from, to, step.
struct Sizes {
  std::int64_t from, to, step;
};
const std::map<std::int64_t, Sizes> k_fargate{
    {256, {512, 2048, 512}},       {512, {1024, 4096, 1024}},   {1024, {2048, 8192, 1024}},
    {2048, {4096, 16384, 1024}},   {4096, {8192, 30720, 1024}}, {8192, {16384, 61440, 4096}},
    {16384, {32768, 122880, 8192}}};

// "256" or ".25 vCPU", "512" or "0.5 GB".
std::int64_t units(const std::string& text, std::string_view unit, const char* name) {
  if (const auto whole = parse_int(text)) return *whole;
  const std::string lower = to_lower(text);
  if (lower.ends_with(unit)) {
    const std::string number(trim(lower.substr(0, lower.size() - unit.size())));
    if (const auto value = parse_double(number)) return static_cast<std::int64_t>(*value * 1024);
  }
  throw ClientException(fmt::format("Invalid '{}' setting for task.", name));
}

void check_name(const std::string& name, const char* what) {
  const bool good = name.size() <= 255 && std::all_of(name.begin(), name.end(), [](char c) {
                      return std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
                    });
  if (!good) throw ClientException(std::string(what) + " contains invalid characters.");
}

}  // namespace

TaskSize size_of(const std::string& cpu, const std::string& memory) {
  const TaskSize size{units(cpu, "vcpu", "cpu"), units(memory, "gb", "memory")};
  const auto sizes = k_fargate.find(size.cpu_units);
  if (sizes == k_fargate.end() || size.memory_mb < sizes->second.from ||
      size.memory_mb > sizes->second.to ||
      (size.memory_mb - sizes->second.from) % sizes->second.step != 0) {
    throw ClientException("No Fargate configuration exists for given values: " + cpu + " CPU, " +
                          memory +
                          " memory. See the Amazon ECS documentation for "
                          "the valid values.");
  }
  return size;
}

namespace {

void check_size(const RegisterTaskDefinitionInput& in) {
  if (!in.cpu || !in.memory) {
    throw ClientException(fmt::format("Fargate requires that '{}' be defined at the task level.",
                                      in.cpu ? "memory" : "cpu"));
  }
  size_of(*in.cpu, *in.memory);
}

[[noreturn]] void refuse(const std::string& what) {
  throw aws::ApiError("NotImplemented", "ecs: " + what + " is not implemented by Tarn", 501);
}

void check_container(const ContainerDefinition& container, bool has_execution_role) {
  if (!container.name || !container.image) {
    throw ClientException("Container.name and Container.image should not be null or empty.");
  }
  check_name(*container.name, "Container name");
  if (container.log_configuration) {
    const auto& driver = container.log_configuration->log_driver;
    if (driver != "awslogs") refuse("the log driver " + driver);
    if (!has_execution_role) {
      throw ClientException(
          "Fargate requires task definition to have execution role ARN to support log driver "
          "awslogs.");
    }
    const auto options =
        container.log_configuration->options.value_or(std::map<std::string, std::string>());
    for (const char* name : {"awslogs-group", "awslogs-stream-prefix"}) {
      if (!options.contains(name)) {
        throw ClientException(fmt::format("Log driver awslogs requires options: {}", name));
      }
    }
  }
  if (container.privileged.value_or(false)) {
    throw ClientException("Fargate does not support privileged containers.");
  }
  if (container.environment_files && !container.environment_files->empty()) {
    refuse("environmentFiles");
  }
  if (container.mount_points && !container.mount_points->empty()) refuse("mountPoints");
  if (container.user && !container.user->empty() && *container.user != "0" &&
      *container.user != "root") {
    refuse("a container's user other than root");
  }
}

void check(const RegisterTaskDefinitionInput& in) {
  const auto compatibilities =
      in.requires_compatibilities.value_or(std::vector<std::string>{"FARGATE"});
  for (const auto& kind : compatibilities) {
    if (kind != "FARGATE") refuse("the compatibility " + kind);
  }
  if (in.requires_compatibilities && in.network_mode.value_or("") != "awsvpc") {
    throw ClientException("Fargate only supports network mode 'awsvpc'.");
  }
  check_name(in.family, "Family");
  check_size(in);
  if (in.container_definitions.empty()) {
    throw ClientException("Container list cannot be empty.");
  }
  if (in.container_definitions.size() > 1) refuse("a task of more than one container");
  if (in.volumes && !in.volumes->empty()) refuse("volumes");
  if (in.runtime_platform && in.runtime_platform->cpu_architecture.value_or("X86_64") != "X86_64") {
    refuse("the architecture " + *in.runtime_platform->cpu_architecture);
  }
  for (const auto& container : in.container_definitions) {
    check_container(container, in.execution_role_arn.has_value());
  }
}

TaskDefinition definition_of(const RegisterTaskDefinitionInput& in) {
  TaskDefinition definition;
  definition.family = in.family;
  definition.status = "ACTIVE";
  definition.task_role_arn = in.task_role_arn;
  definition.execution_role_arn = in.execution_role_arn;
  definition.network_mode = in.network_mode.value_or("awsvpc");
  definition.container_definitions = in.container_definitions;
  for (auto& container : *definition.container_definitions) {
    // Defaults that AWS gives back.
    if (!container.cpu) container.cpu = 0;
    if (!container.essential) container.essential = true;
    if (!container.environment) container.environment = std::vector<KeyValuePair>();
    if (!container.port_mappings) container.port_mappings = std::vector<PortMapping>();
    if (!container.mount_points) container.mount_points = std::vector<MountPoint>();
    if (!container.volumes_from) container.volumes_from = std::vector<VolumeFrom>();
    if (!container.system_controls) container.system_controls = std::vector<SystemControl>();
  }
  definition.volumes = std::vector<Volume>();
  definition.placement_constraints = std::vector<TaskDefinitionPlacementConstraint>();
  definition.compatibilities = std::vector<std::string>{"EC2", "FARGATE"};
  definition.requires_compatibilities = in.requires_compatibilities;
  definition.cpu = std::to_string(units(*in.cpu, "vcpu", "cpu"));
  definition.memory = std::to_string(units(*in.memory, "gb", "memory"));
  definition.runtime_platform = in.runtime_platform;
  definition.ephemeral_storage = in.ephemeral_storage;
  return definition;
}

TaskDefinition shown(const TaskDefinitionRecord& record) {
  TaskDefinition definition;
  aws::decode_json(aws::shape_of<TaskDefinition>(), record.definition, &definition);
  definition.status = record.status;
  return definition;
}

// The family and revision of a listing's last entry.
std::string after_of(const std::optional<std::string>& token) {
  return token ? from_base64(*token).value_or("") : "";
}

}  // namespace

void Ecs::definition_operations(platform::OpTable& t) {
  t.op<RegisterTaskDefinition>(&Ecs::register_definition)
      .passes_role("ecs-tasks.amazonaws.com",
                   [](Call&, const RegisterTaskDefinitionInput& in) {
                     return std::vector<std::string>{in.task_role_arn.value_or(""),
                                                     in.execution_role_arn.value_or("")};
                   })
      .partial("Fargate with one container of the image tarn/slim; no volumes");
  t.op<DescribeTaskDefinition>(&Ecs::describe_definition);
  t.op<ListTaskDefinitions>(&Ecs::list_definitions);
  t.op<ListTaskDefinitionFamilies>(&Ecs::list_families);
  t.op<DeregisterTaskDefinition>(&Ecs::deregister_definition);
  t.op<DeleteTaskDefinitions>(&Ecs::delete_definitions);
}

RegisterTaskDefinitionOutput Ecs::register_definition(Call& call,
                                                      const RegisterTaskDefinitionInput& in) {
  check(in);
  auto txn = store_.begin(call.scope());
  auto family = txn.find_for_update<FamilyRecord>(in.family).value_or(FamilyRecord{in.family});
  ++family.last;
  txn.put(family);
  TaskDefinition definition = definition_of(in);
  definition.revision = static_cast<std::int32_t>(family.last);
  definition.task_definition_arn = definition_arn(call.scope(), in.family, family.last);
  definition.registered_at = call.now();
  definition.registered_by = call.identity().arn;
  TaskDefinitionRecord record;
  record.family = in.family;
  record.revision = family.last;
  record.definition = aws::encode_json(aws::shape_of<TaskDefinition>(), &definition);
  record.tags = tag_map(in.tags);
  txn.put(record);
  txn.commit();
  return {.task_definition = std::move(definition), .tags = tag_list(record.tags)};
}

DescribeTaskDefinitionOutput Ecs::describe_definition(Call& call,
                                                      const DescribeTaskDefinitionInput& in) {
  auto txn = store_.begin(call.scope());
  const auto record = require_definition(txn, in.task_definition);
  DescribeTaskDefinitionOutput out{.task_definition = shown(record)};
  const auto include = in.include.value_or(std::vector<std::string>());
  if (std::find(include.begin(), include.end(), "TAGS") != include.end()) {
    out.tags = tag_list(record.tags);
  }
  return out;
}

ListTaskDefinitionsOutput Ecs::list_definitions(Call& call, const ListTaskDefinitionsInput& in) {
  auto txn = store_.begin(call.scope());
  kernel::ScanOptions options;
  options.reverse = in.sort.value_or("ASC") == "DESC";
  options.after = after_of(in.next_token);
  const auto limit = static_cast<std::size_t>(in.max_results.value_or(100));
  ListTaskDefinitionsOutput out{.task_definition_arns = std::vector<std::string>()};
  kernel::Key prefix;
  if (in.family_prefix)
    prefix.add(*in.family_prefix);  // a whole family's name, in spite of its name
  std::string last;
  txn.scan<TaskDefinitionRecord>(
      prefix, options, [&](TaskDefinitionRecord& record, const std::string& key) {
        if (record.status != in.status.value_or("ACTIVE")) return true;
        if (out.task_definition_arns->size() == limit) {
          out.next_token = to_base64(last);
          return false;
        }
        out.task_definition_arns->push_back(
            definition_arn(call.scope(), record.family, record.revision));
        last = key;
        return true;
      });
  return out;
}

ListTaskDefinitionFamiliesOutput Ecs::list_families(Call& call,
                                                    const ListTaskDefinitionFamiliesInput& in) {
  auto txn = store_.begin(call.scope());
  const std::string status = in.status.value_or("ALL");
  std::set<std::string> families;
  for (const auto& record : txn.list<TaskDefinitionRecord>()) {
    if (!record.family.starts_with(in.family_prefix.value_or(""))) continue;
    if (status == "ALL" || record.status == status) families.insert(record.family);
  }
  return {.families = std::vector<std::string>(families.begin(), families.end())};
}

DeregisterTaskDefinitionOutput Ecs::deregister_definition(Call& call,
                                                          const DeregisterTaskDefinitionInput& in) {
  const DefinitionId id = DefinitionId::parse(in.task_definition);
  if (!id.revision) throw ClientException("Invalid task definition: a revision is required");
  auto txn = store_.begin(call.scope());
  auto record = txn.find_for_update<TaskDefinitionRecord>(id.family, *id.revision);
  if (!record) throw ClientException("The specified task definition does not exist.");
  record->status = "INACTIVE";
  TaskDefinition definition = shown(*record);
  definition.deregistered_at = call.now();
  record->definition = aws::encode_json(aws::shape_of<TaskDefinition>(), &definition);
  txn.put(*record);
  txn.commit();
  return {.task_definition = std::move(definition)};
}

DeleteTaskDefinitionsOutput Ecs::delete_definitions(Call& call,
                                                    const DeleteTaskDefinitionsInput& in) {
  DeleteTaskDefinitionsOutput out{.task_definitions = std::vector<TaskDefinition>(),
                                  .failures = std::vector<Failure>()};
  auto txn = store_.begin(call.scope());
  for (const auto& text : in.task_definitions) {
    const DefinitionId id = DefinitionId::parse(text);
    const auto record = id.revision
                            ? txn.find_for_update<TaskDefinitionRecord>(id.family, *id.revision)
                            : std::nullopt;
    if (!record || record->status == "ACTIVE") {
      out.failures->push_back(
          {.arn = text,
           .reason = record ? "The specified task definition is still in ACTIVE status. Please "
                              "deregister the target and try again."
                            : "The specified task definition does not exist."});
      continue;
    }
    out.task_definitions->push_back(shown(*record));
    out.task_definitions->back().status = "DELETE_IN_PROGRESS";
    txn.erase<TaskDefinitionRecord>(id.family, *id.revision);
  }
  txn.commit();
  return out;
}

}  // namespace tarn::ecs
