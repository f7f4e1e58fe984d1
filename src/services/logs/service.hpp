// SPDX-License-Identifier: Apache-2.0
// CloudWatch Logs: the operation table and its handlers. The filter language stands in
// filter_pattern.hpp.
//
// Threading: handlers run on the call pool, several at a time; all state is in the store.
#pragma once
#include <atomic>

#include "aws/logs/operations.hpp"
#include "platform/service.hpp"
#include "services/logs/records.hpp"

namespace tarn::logs {

class Logs : public platform::ServiceOf<Logs> {
 public:
  explicit Logs(platform::Environment& environment);
  std::string_view name() const override { return "logs"; }
  void operations(platform::OpTable& t);
  void resources(platform::ResourceTypes& types) override;
  void start() override;

 private:
  using Call = platform::Call;
  using Txn = kernel::Txn;
  void group_operations(platform::OpTable& t);
  void event_operations(platform::OpTable& t);

  CreateLogGroupOutput create_group(Call&, const CreateLogGroupInput&);
  DeleteLogGroupOutput delete_group(Call&, const DeleteLogGroupInput&);
  DescribeLogGroupsOutput describe_groups(Call&, const DescribeLogGroupsInput&);
  ListLogGroupsOutput list_groups(Call&, const ListLogGroupsInput&);
  CreateLogStreamOutput create_stream(Call&, const CreateLogStreamInput&);
  DeleteLogStreamOutput delete_stream(Call&, const DeleteLogStreamInput&);
  DescribeLogStreamsOutput describe_streams(Call&, const DescribeLogStreamsInput&);
  PutRetentionPolicyOutput put_retention(Call&, const PutRetentionPolicyInput&);
  DeleteRetentionPolicyOutput delete_retention(Call&, const DeleteRetentionPolicyInput&);

  PutLogEventsOutput put_events(Call&, const PutLogEventsInput&);
  GetLogEventsOutput get_events(Call&, const GetLogEventsInput&);
  FilterLogEventsOutput filter_events(Call&, const FilterLogEventsInput&);

  TagResourceOutput tag_resource(Call&, const TagResourceInput&);
  UntagResourceOutput untag_resource(Call&, const UntagResourceInput&);
  ListTagsForResourceOutput list_tags_for_resource(Call&, const ListTagsForResourceInput&);
  TagLogGroupOutput tag_group(Call&, const TagLogGroupInput&);
  UntagLogGroupOutput untag_group(Call&, const UntagLogGroupInput&);
  ListTagsLogGroupOutput list_tags_group(Call&, const ListTagsLogGroupInput&);

  void change_tags(Call& call, const std::string& group,
                   const std::map<std::string, std::string>& set,
                   const std::vector<std::string>& unset);
  void set_retention(Call& call, const std::string& group, std::int32_t days);
  // Locks the row shared; throws ResourceNotFoundException.
  static GroupRecord require_group(Txn& txn, const std::string& name);
  // Ascending and never repeated, also across restarts.
  std::uint64_t next_sequence(Timestamp now);
  Task<void> purge(kernel::Delivery delivery);
  Task<void> purge_expired(kernel::Delivery delivery);

  platform::Environment& environment_;
  kernel::Store& store_;
  std::atomic<std::uint64_t> sequence_{0};
};

// A group's name from a name, or from an ARN with or without the ":*" at its end.
std::string group_name_of(const std::string& name_or_arn);
std::string group_arn(const kernel::Scope& scope, const std::string& name);

}  // namespace tarn::logs
