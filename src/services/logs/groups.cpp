// SPDX-License-Identifier: Apache-2.0
// Groups and streams: making, listing, removing, keeping.
#include <algorithm>
#include <set>

#include "aws/logs/errors.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "services/logs/service.hpp"

namespace tarn::logs {
namespace {

constexpr std::size_t k_page = 50;
constexpr std::size_t k_purge_batch = 1000;
const std::set<std::int32_t> k_retention_days{1,    3,    5,    7,    14,   30,  60,  90,
                                              120,  150,  180,  365,  400,  545, 731, 1096,
                                              1827, 2192, 2557, 2922, 3288, 3653};

std::string stream_arn(const kernel::Scope& scope, const std::string& group,
                       const std::string& stream) {
  return group_arn(scope, group) + ":log-stream:" + stream;
}

LogGroup shown(const kernel::Scope& scope, const GroupRecord& group, std::int64_t bytes) {
  LogGroup out;
  out.log_group_name = group.name;
  out.creation_time = to_millis(group.created);
  if (group.retention_days > 0) out.retention_in_days = group.retention_days;
  out.metric_filter_count = 0;
  out.arn = group_arn(scope, group.name) + ":*";
  out.log_group_arn = group_arn(scope, group.name);
  out.stored_bytes = bytes;
  if (!group.kms_key.empty()) out.kms_key_id = group.kms_key;
  out.log_group_class = group.log_group_class;
  out.deletion_protection_enabled = group.deletion_protection;
  return out;
}

LogStream shown(const kernel::Scope& scope, const std::string& group, const StreamRecord& stream) {
  LogStream out;
  out.log_stream_name = stream.name;
  out.creation_time = to_millis(stream.created);
  if (stream.first_event_ms >= 0) out.first_event_timestamp = stream.first_event_ms;
  if (stream.last_event_ms >= 0) out.last_event_timestamp = stream.last_event_ms;
  if (stream.last_ingestion_ms >= 0) out.last_ingestion_time = stream.last_ingestion_ms;
  out.upload_sequence_token = "49000000000000000000000000000000000000000000000000000000";
  out.arn = stream_arn(scope, group, stream.name);
  out.stored_bytes = 0;  // as AWS reports it for streams since 2019
  return out;
}

std::size_t page_size(const std::optional<std::int32_t>& limit) {
  return limit ? static_cast<std::size_t>(std::clamp(*limit, 1, 50)) : k_page;
}

// A token is the name that the page ended with.
std::string name_of_token(const std::optional<std::string>& token) {
  if (!token) return {};
  const auto name = from_base64(*token);
  if (!name) throw InvalidParameterException("The specified nextToken is invalid.");
  return *name;
}

// What the purge subscriber is told.
void emit_gone(kernel::Txn& txn, const std::string& kind, const std::string& uid,
               const std::string& group_uid) {
  txn.emit({"logs.gone", uid,
            dump_json(JsonObject{{"kind", kind},
                                 {"uid", uid},
                                 {"group", group_uid},
                                 {"account", txn.scope().account},
                                 {"region", txn.scope().region}})});
}

}  // namespace

void Logs::group_operations(platform::OpTable& t) {
  // AWS asks for the permission on "…:log-group:NAME:log-stream:", so that policies for
  // "…:log-group:NAME:*" cover the group itself.
  const auto group = [](Call& call, const auto& in) {
    return stream_arn(call.scope(), in.log_group_name, "");
  };
  const auto stream = [](Call& call, const auto& in) {
    return stream_arn(call.scope(), in.log_group_name, in.log_stream_name);
  };
  t.op<CreateLogGroup>(&Logs::create_group).on(group);
  t.op<DeleteLogGroup>(&Logs::delete_group).on(group);
  t.op<DescribeLogGroups>(&Logs::describe_groups);
  t.op<ListLogGroups>(&Logs::list_groups);
  t.op<CreateLogStream>(&Logs::create_stream).on(stream);
  t.op<DeleteLogStream>(&Logs::delete_stream).on(stream);
  t.op<DescribeLogStreams>(&Logs::describe_streams).on([](Call& call, const auto& in) {
    return stream_arn(
        call.scope(),
        group_name_of(in.log_group_identifier.value_or(in.log_group_name.value_or(""))), "");
  });
  t.op<PutRetentionPolicy>(&Logs::put_retention).on(group);
  t.op<DeleteRetentionPolicy>(&Logs::delete_retention).on(group);
}

CreateLogGroupOutput Logs::create_group(Call& call, const CreateLogGroupInput& in) {
  auto txn = store_.begin(call.scope());
  if (txn.find_for_update<GroupRecord>(in.log_group_name)) {
    throw ResourceAlreadyExistsException("The specified log group already exists");
  }
  GroupRecord group;
  group.name = in.log_group_name;
  group.uid = store_.random().uuid();
  group.created = call.now();
  group.kms_key = in.kms_key_id.value_or("");
  group.log_group_class = in.log_group_class.value_or("STANDARD");
  group.deletion_protection = in.deletion_protection_enabled.value_or(false);
  if (in.tags) group.tags = *in.tags;
  txn.put(group);
  txn.commit();
  return {};
}

DeleteLogGroupOutput Logs::delete_group(Call& call, const DeleteLogGroupInput& in) {
  auto txn = store_.begin(call.scope());
  const auto group = txn.find_for_update<GroupRecord>(in.log_group_name);
  if (!group) throw ResourceNotFoundException("The specified log group does not exist.");
  if (group->deletion_protection) {
    throw ValidationException("The log group has deletion protection enabled");
  }
  txn.erase<GroupRecord>(group->name);
  emit_gone(txn, "group", group->uid, group->uid);
  txn.commit();
  return {};
}

DescribeLogGroupsOutput Logs::describe_groups(Call& call, const DescribeLogGroupsInput& in) {
  if (in.log_group_name_prefix && in.log_group_name_pattern) {
    throw InvalidParameterException(
        "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.");
  }
  DescribeLogGroupsOutput out{.log_groups = std::vector<LogGroup>()};
  auto txn = store_.begin(call.scope());
  const auto bytes_of = [&](const GroupRecord& group) {
    std::int64_t bytes = 0;
    for (const auto& stream : txn.list<StreamRecord>(kernel::Key(group.uid))) {
      bytes += stream.stored_bytes;
    }
    return bytes;
  };
  kernel::Key prefix;
  if (in.log_group_name_prefix) prefix.add_open_prefix(*in.log_group_name_prefix);
  kernel::ScanOptions options;
  if (in.next_token) options.after = kernel::Key(name_of_token(in.next_token)).bytes();
  const std::size_t limit = page_size(in.limit);
  std::set<std::string> wanted;
  for (const auto& id : in.log_group_identifiers.value_or(std::vector<std::string>())) {
    wanted.insert(group_name_of(id));
  }
  std::vector<GroupRecord> groups;
  txn.scan<GroupRecord>(prefix, options, [&](GroupRecord& group, const std::string&) {
    const std::string pattern = in.log_group_name_pattern.value_or("");
    if (to_lower(group.name).find(to_lower(pattern)) == std::string::npos) return true;
    if (in.log_group_class && group.log_group_class != *in.log_group_class) return true;
    if (!wanted.empty() && !wanted.contains(group.name)) return true;
    groups.push_back(std::move(group));
    return groups.size() <= limit;
  });
  if (groups.size() > limit) {
    groups.pop_back();
    out.next_token = to_base64(groups.back().name);
  }
  for (const auto& group : groups) {
    out.log_groups->push_back(shown(call.scope(), group, bytes_of(group)));
  }
  return out;
}

ListLogGroupsOutput Logs::list_groups(Call& call, const ListLogGroupsInput& in) {
  DescribeLogGroupsInput same;
  same.log_group_name_pattern = in.log_group_name_pattern;
  same.log_group_class = in.log_group_class;
  same.next_token = in.next_token;
  same.limit = in.limit;
  const auto found = describe_groups(call, same);
  ListLogGroupsOutput out{.log_groups = std::vector<LogGroupSummary>(),
                          .next_token = found.next_token};
  for (const auto& group : *found.log_groups) {
    out.log_groups->push_back({.log_group_name = group.log_group_name,
                               .log_group_arn = group.log_group_arn,
                               .log_group_class = group.log_group_class});
  }
  return out;
}

CreateLogStreamOutput Logs::create_stream(Call& call, const CreateLogStreamInput& in) {
  auto txn = store_.begin(call.scope());
  const GroupRecord group = require_group(txn, in.log_group_name);
  if (txn.find_for_update<StreamRecord>(group.uid, in.log_stream_name)) {
    throw ResourceAlreadyExistsException("The specified log stream already exists");
  }
  StreamRecord stream;
  stream.group_uid = group.uid;
  stream.name = in.log_stream_name;
  stream.uid = store_.random().uuid();
  stream.created = call.now();
  txn.put(stream);
  txn.commit();
  return {};
}

DeleteLogStreamOutput Logs::delete_stream(Call& call, const DeleteLogStreamInput& in) {
  auto txn = store_.begin(call.scope());
  const GroupRecord group = require_group(txn, in.log_group_name);
  const auto stream = txn.find_for_update<StreamRecord>(group.uid, in.log_stream_name);
  if (!stream) throw ResourceNotFoundException("The specified log stream does not exist.");
  txn.erase<StreamRecord>(group.uid, in.log_stream_name);
  emit_gone(txn, "stream", stream->uid, group.uid);
  txn.commit();
  return {};
}

DescribeLogStreamsOutput Logs::describe_streams(Call& call, const DescribeLogStreamsInput& in) {
  const bool by_time = in.order_by.value_or("LogStreamName") == "LastEventTime";
  if (by_time && in.log_stream_name_prefix) {
    throw InvalidParameterException("Cannot order by LastEventTime with a logStreamNamePrefix.");
  }
  auto txn = store_.begin(call.scope());
  const GroupRecord group = require_group(
      txn, group_name_of(in.log_group_identifier.value_or(in.log_group_name.value_or(""))));
  kernel::Key prefix(group.uid);
  if (in.log_stream_name_prefix) prefix.add_open_prefix(*in.log_stream_name_prefix);
  std::vector<StreamRecord> streams = txn.list<StreamRecord>(prefix);
  if (by_time) {
    std::stable_sort(streams.begin(), streams.end(), [](const auto& left, const auto& right) {
      return left.last_event_ms < right.last_event_ms;
    });
  }
  if (in.descending.value_or(false)) std::reverse(streams.begin(), streams.end());
  DescribeLogStreamsOutput out{.log_streams = std::vector<LogStream>()};
  const std::string after = name_of_token(in.next_token);
  bool begun = after.empty();
  const std::size_t limit = page_size(in.limit);
  for (const auto& stream : streams) {
    if (begun && out.log_streams->size() == limit) {
      out.next_token = to_base64(*out.log_streams->back().log_stream_name);
      break;
    }
    if (begun) out.log_streams->push_back(shown(call.scope(), group.name, stream));
    begun |= stream.name == after;
  }
  return out;
}

void Logs::set_retention(Call& call, const std::string& name, std::int32_t days) {
  auto txn = store_.begin(call.scope());
  auto group = txn.find_for_update<GroupRecord>(name);
  if (!group) throw ResourceNotFoundException("The specified log group does not exist.");
  group->retention_days = days;
  txn.put(*group);
  txn.commit();
}

PutRetentionPolicyOutput Logs::put_retention(Call& call, const PutRetentionPolicyInput& in) {
  if (!k_retention_days.contains(in.retention_in_days)) {
    throw InvalidParameterException(
        "1 validation error detected: Value '" + std::to_string(in.retention_in_days) +
        "' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set");
  }
  set_retention(call, in.log_group_name, in.retention_in_days);
  return {};
}

DeleteRetentionPolicyOutput Logs::delete_retention(Call& call,
                                                   const DeleteRetentionPolicyInput& in) {
  set_retention(call, in.log_group_name, 0);
  return {};
}

// ---- Removing what nobody can see any more, some at a time

namespace {

void consume(kernel::Txn& txn, const EventRecord& event) {
  const StreamEventRecord index{event.stream_uid, event.timestamp_ms, event.sequence};
  txn.consume_raw(EventRecord::k_kind, txn.scope(), event.key());
  txn.consume_raw(StreamEventRecord::k_kind, txn.scope(), index.key());
}

// Removes the oldest events of a group that are older than `before_ms`; false when none is left.
bool purge_group_batch(kernel::Store& store, const kernel::Scope& scope, const std::string& uid,
                       std::int64_t before_ms) {
  auto txn = store.begin(scope);
  kernel::ScanOptions options;
  options.limit = k_purge_batch;
  std::vector<EventRecord> doomed;
  txn.scan<EventRecord>(kernel::Key(uid), options, [&](EventRecord& event, const std::string&) {
    if (event.timestamp_ms >= before_ms) return false;
    doomed.push_back(std::move(event));
    return true;
  });
  for (const auto& event : doomed) consume(txn, event);
  txn.commit();
  return !doomed.empty();
}

bool purge_stream_batch(kernel::Store& store, const kernel::Scope& scope, const std::string& group,
                        const std::string& uid) {
  auto txn = store.begin(scope);
  kernel::ScanOptions options;
  options.limit = k_purge_batch;
  const auto doomed = txn.list<StreamEventRecord>(kernel::Key(uid), options);
  for (const auto& row : doomed) {
    consume(txn, EventRecord{group, row.timestamp_ms, row.sequence, "", uid});
  }
  txn.commit();
  return !doomed.empty();
}

}  // namespace

Task<void> Logs::purge(kernel::Delivery delivery) {
  const Json what = parse_json(delivery.payload);
  const kernel::Scope scope{string_or(what, "account"), string_or(what, "region")};
  const std::string uid = string_or(what, "uid");
  if (string_or(what, "kind") == "stream") {
    while (purge_stream_batch(store_, scope, string_or(what, "group"), uid)) {}
    co_return;
  }
  while (purge_group_batch(store_, scope, uid, INT64_MAX)) {}
  store_.transact(scope, [&](Txn& txn) {
    for (const auto& stream : txn.list<StreamRecord>(kernel::Key(uid))) {
      txn.erase<StreamRecord>(uid, stream.name);
    }
  });
}

Task<void> Logs::purge_expired(kernel::Delivery) {
  std::vector<std::pair<kernel::Scope, GroupRecord>> groups;
  store_.scan_all(GroupRecord::k_kind,
                  [&](const kernel::Scope& scope, const std::string&, std::string_view value) {
                    auto group = kernel::decode_record<GroupRecord>(value);
                    if (group.retention_days > 0) groups.emplace_back(scope, std::move(group));
                    return true;
                  });
  for (const auto& [scope, group] : groups) {
    const auto cutoff = to_millis(environment_.clock.now()) - group.retention_days * 86'400'000LL;
    while (purge_group_batch(store_, scope, group.uid, cutoff)) {}
  }
  co_return;
}

}  // namespace tarn::logs
