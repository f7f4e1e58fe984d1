// SPDX-License-Identifier: Apache-2.0
// ECS: the operation table and its handlers. What runs tasks stands in task_runner.hpp.
//
// Threading: handlers run on the call pool, several at a time; durable state is in the store.
#pragma once
#include "aws/ecs/operations.hpp"
#include "engines/sandbox/compute.hpp"
#include "platform/service.hpp"
#include "services/ecs/records.hpp"
#include "services/ecs/task_runner.hpp"

namespace tarn::ecs {

class Ecs : public platform::ServiceOf<Ecs> {
 public:
  Ecs(platform::Environment& environment, sandbox::Compute& compute);
  std::string_view name() const override { return "ecs"; }
  void operations(platform::OpTable& t);
  void resources(platform::ResourceTypes& types) override;
  void start() override;
  void stop() override;

 private:
  using Call = platform::Call;
  using CallPtr = platform::CallPtr;
  using Txn = kernel::Txn;
  void cluster_operations(platform::OpTable& t);
  void definition_operations(platform::OpTable& t);
  void task_operations(platform::OpTable& t);

  CreateClusterOutput create_cluster(Call&, const CreateClusterInput&);
  DescribeClustersOutput describe_clusters(Call&, const DescribeClustersInput&);
  ListClustersOutput list_clusters(Call&, const ListClustersInput&);
  DeleteClusterOutput delete_cluster(Call&, const DeleteClusterInput&);
  UpdateClusterOutput update_cluster(Call&, const UpdateClusterInput&);
  PutClusterCapacityProvidersOutput put_capacity_providers(Call&,
                                                           const PutClusterCapacityProvidersInput&);
  Cluster shown_cluster(Txn& txn, const ClusterRecord& cluster, bool with_tags);

  RegisterTaskDefinitionOutput register_definition(Call&, const RegisterTaskDefinitionInput&);
  DescribeTaskDefinitionOutput describe_definition(Call&, const DescribeTaskDefinitionInput&);
  ListTaskDefinitionsOutput list_definitions(Call&, const ListTaskDefinitionsInput&);
  ListTaskDefinitionFamiliesOutput list_families(Call&, const ListTaskDefinitionFamiliesInput&);
  DeregisterTaskDefinitionOutput deregister_definition(Call&, const DeregisterTaskDefinitionInput&);
  DeleteTaskDefinitionsOutput delete_definitions(Call&, const DeleteTaskDefinitionsInput&);

  ::tarn::Task<RunTaskOutput> run_task(CallPtr, RunTaskInput);
  DescribeTasksOutput describe_tasks(Call&, const DescribeTasksInput&);
  ListTasksOutput list_tasks(Call&, const ListTasksInput&);
  StopTaskOutput stop_task(Call&, const StopTaskInput&);
  // What was accepted before the last end of Tarn and had not begun.
  void run_again(const kernel::Scope& scope, TaskRecord task);
  std::vector<std::string> roles_of(Call& call, const RunTaskInput& in);
  std::vector<TaskRecord> make_tasks(Txn& txn, Call& call, const RunTaskInput& in);

  TagResourceOutput tag_resource(Call&, const TagResourceInput&);
  UntagResourceOutput untag_resource(Call&, const UntagResourceInput&);
  ListTagsForResourceOutput list_tags(Call&, const ListTagsForResourceInput&);
  // Applies `change` to the tags of the record that an ARN names.
  void with_tags(Call& call, const std::string& arn, bool write,
                 const std::function<void(std::map<std::string, std::string>&)>& change);

  platform::Environment& environment_;
  kernel::Store& store_;
  TaskRunner runner_;
};

// Throw ClusterNotFoundException and ClientException.
ClusterRecord require_cluster(kernel::Txn& txn, const std::string& name);
TaskDefinitionRecord require_definition(kernel::Txn& txn, const std::string& text);

// What a task may use; throws ClientException where Fargate has no such size.
struct TaskSize {
  std::int64_t cpu_units = 0, memory_mb = 0;
};
TaskSize size_of(const std::string& cpu, const std::string& memory);

// The API's view of a task.
Task shown(const TaskRecord& task, const kernel::Scope& scope);

std::map<std::string, std::string> tag_map(const std::optional<std::vector<Tag>>& tags);
std::vector<Tag> tag_list(const std::map<std::string, std::string>& tags);

}  // namespace tarn::ecs
