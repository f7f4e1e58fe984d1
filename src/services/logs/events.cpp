// SPDX-License-Identifier: Apache-2.0
// Events: put, read one stream, filter a group.
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "aws/logs/errors.hpp"
#include "base/strings.hpp"
#include "services/logs/filter_pattern.hpp"
#include "services/logs/service.hpp"

namespace tarn::logs {
namespace {

constexpr std::size_t k_batch_bytes_max = 1'048'576;
constexpr std::size_t k_event_overhead = 26;  // counted by AWS for each event
constexpr std::size_t k_events_max = 10'000;
constexpr std::size_t k_answer_bytes_max = 1'048'576;
constexpr std::size_t k_scanned_max = 100'000;  // rows per call; then a token, as AWS does
constexpr std::int64_t k_day_ms = 86'400'000;

// Where a page ended, in a stream or a group.
struct Position {
  std::int64_t timestamp_ms = 0;
  std::uint64_t sequence = 0;
};

// 56 digits, as AWS's event ids have; they sort like the events.
std::string digits(const Position& position) {
  return fmt::format("{:020}{:036}", position.timestamp_ms, position.sequence);
}

std::optional<Position> parse_digits(std::string_view text) {
  if (text.size() != 56) return std::nullopt;
  const auto time = parse_int(text.substr(0, 20));
  const auto sequence = parse_uint(text.substr(20));
  if (!time || !sequence) return std::nullopt;
  return Position{*time, *sequence};
}

[[noreturn]] void refuse_token() {
  throw InvalidParameterException("The specified nextToken is invalid.");
}

std::string stream_place(platform::Call& call, const std::string& group,
                         const std::string& stream) {
  return group_arn(call.scope(), group) + ":log-stream:" + stream;
}

template <class Input>
std::string group_of(const Input& in) {
  if (in.log_group_name && in.log_group_identifier) {
    throw InvalidParameterException(
        "LogGroup name and LogGroup ARN are mutually exclusive parameters.");
  }
  if (!in.log_group_name && !in.log_group_identifier) {
    throw InvalidParameterException("Either logGroupName or logGroupIdentifier is required.");
  }
  return group_name_of(in.log_group_identifier.value_or(in.log_group_name.value_or("")));
}

std::int64_t oldest_kept(const GroupRecord& group, Timestamp now) {
  return group.retention_days == 0 ? 0 : to_millis(now) - group.retention_days * k_day_ms;
}

void check_batch(const PutLogEventsInput& in) {
  std::size_t bytes = 0;
  std::int64_t previous = 0;
  for (const auto& event : in.log_events) {
    bytes += event.message.size() + k_event_overhead;
    if (event.timestamp < previous) {
      throw InvalidParameterException(
          "Log events in a single PutLogEvents request must be in chronological order.");
    }
    previous = event.timestamp;
  }
  if (bytes > k_batch_bytes_max) {
    throw InvalidParameterException(
        fmt::format("Upload too large: {} bytes exceeds limit of {}", bytes, k_batch_bytes_max));
  }
  if (in.log_events.back().timestamp - in.log_events.front().timestamp > k_day_ms) {
    throw InvalidParameterException(
        "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.");
  }
}

}  // namespace

void Logs::event_operations(platform::OpTable& t) {
  t.op<PutLogEvents>(&Logs::put_events).on([](Call& call, const auto& in) {
    return stream_place(call, in.log_group_name, in.log_stream_name);
  });
  t.op<GetLogEvents>(&Logs::get_events).on([](Call& call, const auto& in) {
    return stream_place(call, group_of(in), in.log_stream_name);
  });
  t.op<FilterLogEvents>(&Logs::filter_events).on([](Call& call, const auto& in) {
    return stream_place(call, group_of(in), "");
  });
}

std::uint64_t Logs::next_sequence(Timestamp now) {
  const std::uint64_t floor = static_cast<std::uint64_t>(to_micros(now)) << 10;
  std::uint64_t last = sequence_.load();
  std::uint64_t next = 0;
  do {
    next = std::max(last + 1, floor);
  } while (!sequence_.compare_exchange_weak(last, next));
  return next;
}

PutLogEventsOutput Logs::put_events(Call& call, const PutLogEventsInput& in) {
  check_batch(in);
  const std::int64_t now = to_millis(call.now());
  auto txn = store_.begin(call.scope());
  const GroupRecord group = require_group(txn, in.log_group_name);
  auto stream = txn.find_for_update<StreamRecord>(group.uid, in.log_stream_name);
  if (!stream) throw ResourceNotFoundException("The specified log stream does not exist.");
  const std::int64_t expired = oldest_kept(group, call.now());
  RejectedLogEventsInfo rejected;
  for (std::size_t i = 0; i < in.log_events.size(); ++i) {
    const auto& event = in.log_events[i];
    const auto index = static_cast<std::int32_t>(i);
    if (event.timestamp < expired) {
      rejected.expired_log_event_end_index = index + 1;
      continue;
    }
    if (event.timestamp < now - 14 * k_day_ms) {
      rejected.too_old_log_event_end_index = index + 1;
      continue;
    }
    if (event.timestamp > now + 2 * 3'600'000) {
      if (!rejected.too_new_log_event_start_index) rejected.too_new_log_event_start_index = index;
      continue;
    }
    EventRecord row{group.uid,    event.timestamp, next_sequence(call.now()),
                    stream->name, stream->uid,     event.message,
                    now};
    const StreamEventRecord by_stream{stream->uid, row.timestamp_ms, row.sequence};
    txn.append_raw(EventRecord::k_kind, txn.scope(), row.key(), kernel::encode_record(row));
    txn.append_raw(StreamEventRecord::k_kind, txn.scope(), by_stream.key(),
                   kernel::encode_record(by_stream));
    stream->stored_bytes += static_cast<std::int64_t>(event.message.size() + k_event_overhead);
    if (stream->first_event_ms < 0 || event.timestamp < stream->first_event_ms) {
      stream->first_event_ms = event.timestamp;
    }
    stream->last_event_ms = std::max(stream->last_event_ms, event.timestamp);
  }
  stream->last_ingestion_ms = now;
  txn.put(*stream);
  txn.commit();
  PutLogEventsOutput out;
  out.next_sequence_token = digits({now, next_sequence(call.now())});
  if (rejected.expired_log_event_end_index || rejected.too_new_log_event_start_index ||
      rejected.too_old_log_event_end_index) {
    out.rejected_log_events_info = rejected;
  }
  return out;
}

// Without a token: the newest page, or the oldest one (startFromHead). A token "f/…" goes on
// behind an event, "b/…" before one; where nothing is there the same token comes back.
GetLogEventsOutput Logs::get_events(Call& call, const GetLogEventsInput& in) {
  auto txn = store_.begin(call.scope());
  const GroupRecord group = require_group(txn, group_of(in));
  const auto stream = txn.find<StreamRecord>(group.uid, in.log_stream_name);
  if (!stream) throw ResourceNotFoundException("The specified log stream does not exist.");
  const std::int64_t start = std::max(in.start_time.value_or(0), oldest_kept(group, call.now()));
  const std::int64_t end = in.end_time.value_or(INT64_MAX);
  const auto limit = static_cast<std::size_t>(in.limit.value_or(k_events_max));

  bool forward = in.start_from_head.value_or(false);
  std::optional<Position> from;
  if (in.next_token) {
    forward = in.next_token->starts_with("f/");
    from = parse_digits(
        std::string_view(*in.next_token).substr(std::min<std::size_t>(2, in.next_token->size())));
    if ((!forward && !in.next_token->starts_with("b/")) || !from) refuse_token();
  }
  kernel::ScanOptions options;
  options.reverse = !forward;
  if (from)
    options.after = kernel::Key(stream->uid, from->timestamp_ms, from->sequence).bytes();
  else if (forward)
    options.after = kernel::Key(stream->uid, start).bytes();
  else if (end != INT64_MAX)
    options.after = kernel::Key(stream->uid, end).bytes();

  GetLogEventsOutput out{.events = std::vector<OutputLogEvent>()};
  std::vector<Position> places;
  std::size_t bytes = 0;
  txn.scan<StreamEventRecord>(
      kernel::Key(stream->uid), options, [&](StreamEventRecord& row, const std::string&) {
        if (row.timestamp_ms < start) return forward;
        if (row.timestamp_ms >= end) return !forward;
        auto event = txn.peek<EventRecord>(group.uid, row.timestamp_ms, row.sequence);
        if (!event) return true;  // purged meanwhile
        bytes += event->message.size() + k_event_overhead;
        if (!places.empty() && bytes > k_answer_bytes_max) return false;
        places.push_back({row.timestamp_ms, row.sequence});
        out.events->push_back({.timestamp = event->timestamp_ms,
                               .message = std::move(event->message),
                               .ingestion_time = event->ingestion_ms});
        return places.size() < limit;
      });
  if (!forward) {
    std::reverse(out.events->begin(), out.events->end());
    std::reverse(places.begin(), places.end());
  }
  const Position first = places.empty() ? from.value_or(Position{start, 0}) : places.front();
  const Position last = places.empty() ? first : places.back();
  out.next_forward_token = "f/" + digits(last);
  out.next_backward_token = "b/" + digits(first);
  return out;
}

FilterLogEventsOutput Logs::filter_events(Call& call, const FilterLogEventsInput& in) {
  FilterPattern pattern;
  try {
    pattern = FilterPattern::parse(in.filter_pattern.value_or(""));
  } catch (const BadPattern& bad) {
    throw InvalidParameterException(bad.what());
  }
  if (in.log_stream_names && in.log_stream_name_prefix) {
    throw InvalidParameterException(
        "logStreamNames and logStreamNamePrefix are mutually exclusive parameters.");
  }
  auto txn = store_.begin(call.scope());
  const GroupRecord group = require_group(txn, group_of(in));
  const std::int64_t start = std::max(in.start_time.value_or(0), oldest_kept(group, call.now()));
  const std::int64_t end = in.end_time.value_or(INT64_MAX);
  const auto limit = static_cast<std::size_t>(in.limit.value_or(k_events_max));
  std::set<std::string> names;
  if (in.log_stream_names) names.insert(in.log_stream_names->begin(), in.log_stream_names->end());
  for (const auto& name : names) {
    if (!txn.peek<StreamRecord>(group.uid, name)) {
      throw ResourceNotFoundException("The specified log stream does not exist.");
    }
  }
  kernel::ScanOptions options;
  options.after = kernel::Key(group.uid, start).bytes();
  if (in.next_token) {
    const auto from = parse_digits(*in.next_token);
    if (!from) refuse_token();
    options.after = kernel::Key(group.uid, from->timestamp_ms, from->sequence).bytes();
  }
  FilterLogEventsOutput out{.events = std::vector<FilteredLogEvent>(),
                            .searched_log_streams = std::vector<SearchedLogStream>()};
  std::size_t scanned = 0, bytes = 0;
  Position last;
  bool more = false;
  txn.scan<EventRecord>(
      kernel::Key(group.uid), options, [&](EventRecord& event, const std::string&) {
        if (event.timestamp_ms > end) return false;
        if (out.events->size() >= limit || scanned >= k_scanned_max || bytes > k_answer_bytes_max) {
          more = true;
          return false;
        }
        ++scanned;
        last = {event.timestamp_ms, event.sequence};
        if (!names.empty() && !names.contains(event.stream_name)) return true;
        if (in.log_stream_name_prefix &&
            !event.stream_name.starts_with(*in.log_stream_name_prefix)) {
          return true;
        }
        if (!pattern.matches(event.message)) return true;
        bytes += event.message.size() + k_event_overhead;
        out.events->push_back({.log_stream_name = std::move(event.stream_name),
                               .timestamp = event.timestamp_ms,
                               .message = std::move(event.message),
                               .ingestion_time = event.ingestion_ms,
                               .event_id = digits(last)});
        return true;
      });
  if (more) out.next_token = digits(last);
  return out;
}

}  // namespace tarn::logs
