// SPDX-License-Identifier: Apache-2.0
// The stored form of frames, and task tokens. What happens is in engine.cpp.
#include "services/stepfunctions/execution.hpp"

#include <fmt/format.h>

#include "base/strings.hpp"
#include "services/stepfunctions/wire.hpp"

namespace tarn::stepfunctions::asl {
namespace {

constexpr std::uint8_t k_frame_version = 1;

void put_time(wire::Writer& out, const std::optional<Timestamp>& time) {
  out.byte(time ? 1 : 0);
  if (time) out.signed_number(to_micros(*time));
}
std::optional<Timestamp> get_time(wire::Reader& in) {
  if (in.byte() == 0) return std::nullopt;
  return Timestamp(Microseconds(in.signed_number()));
}

}  // namespace

std::string_view status_name(ExecutionStatus status) {
  static constexpr std::string_view k_names[] = {"RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT",
                                                 "ABORTED"};
  return k_names[static_cast<std::size_t>(status)];
}

std::string Frame::encode_state() const {
  wire::Writer out;
  out.byte(k_frame_version);
  for (const auto each : {id, parent, index, flow, state}) out.number(each);
  out.byte(static_cast<std::uint8_t>(waiting));
  out.byte(static_cast<std::uint8_t>((silent ? 1 : 0) | (submitted ? 2 : 0) |
                                     (heartbeat_missed ? 4 : 0)));
  out.number(last_event);
  out.number(entered_event);
  out.signed_number(to_micros(entered));
  out.number(sequence);
  out.number(attempts.size());
  for (const auto each : attempts) out.number(each);
  out.number(retry_count);
  out.text(token_secret);
  put_time(out, due);
  put_time(out, timeout_due);
  put_time(out, heartbeat_due);
  out.signed_number(heartbeat_seconds);
  for (const auto each : {total, started, succeeded, failed, concurrency, tolerated}) {
    out.number(each);
  }
  out.text(map_run);
  return out.take();
}

std::string Frame::encode_data() const {
  wire::Writer out;
  out.byte(k_frame_version);
  out.text(input.text());
  out.text(arguments.text());
  out.byte(static_cast<std::uint8_t>((item ? 1 : 0) | (role ? 2 : 0) | (submission ? 4 : 0)));
  if (item) out.text(item->text());
  if (role) out.text(*role);
  if (submission) out.text(submission->text());
  out.number(variables.size());
  for (const auto& [name, value] : variables) {
    out.text(name);
    out.text(value.text());
  }
  return out.take();
}

Frame Frame::decode(std::string_view state_bytes, std::string_view data_bytes) {
  Frame out;
  wire::Reader in(state_bytes);
  if (in.byte() != k_frame_version) throw std::runtime_error("a frame of an unknown version");
  for (auto* each : {&out.id, &out.parent, &out.index, &out.flow, &out.state}) *each = in.number();
  out.waiting = static_cast<Waiting>(in.byte());
  const auto flags = in.byte();
  out.silent = flags & 1;
  out.submitted = flags & 2;
  out.heartbeat_missed = flags & 4;
  out.last_event = in.number();
  out.entered_event = in.number();
  out.entered = Timestamp(Microseconds(in.signed_number()));
  out.sequence = in.number();
  out.attempts.resize(in.number());
  for (auto& each : out.attempts) each = in.number();
  out.retry_count = in.number();
  out.token_secret = in.text();
  out.due = get_time(in);
  out.timeout_due = get_time(in);
  out.heartbeat_due = get_time(in);
  out.heartbeat_seconds = in.signed_number();
  for (auto* each :
       {&out.total, &out.started, &out.succeeded, &out.failed, &out.concurrency, &out.tolerated}) {
    *each = in.number();
  }
  out.map_run = in.text();

  wire::Reader data(data_bytes);
  if (data.byte() != k_frame_version) throw std::runtime_error("a frame of an unknown version");
  out.input = Datum::of_text(data.text());
  out.arguments = Datum::of_text(data.text());
  const auto has = data.byte();
  if (has & 1) out.item = Datum::of_text(data.text());
  if (has & 2) out.role = data.text();
  if (has & 4) out.submission = Datum::of_text(data.text());
  for (auto left = data.number(); left > 0; --left) {
    auto name = data.text();
    out.variables.emplace(std::move(name), Datum::of_text(data.text()));
  }
  out.stored = true;
  out.state_changed = out.data_changed = false;
  return out;
}

Frame& Execution::add_frame() {
  auto frame = std::make_unique<Frame>();
  frame->id = next_frame++;
  Frame& made = *frame;
  changed.insert(made.id);
  frames.emplace(made.id, std::move(frame));
  return made;
}

void Execution::restore() {
  ready.clear();
  for (auto& [id, frame] : frames) {
    if (frame->parent != 0) frames.at(frame->parent)->children.emplace(frame->index, id);
    if (frame->waiting == Waiting::ready && status == ExecutionStatus::running) {
      ready.push_back(id);
    }
  }
}

void Execution::saved() {
  for (const auto id : changed) {
    const auto found = frames.find(id);
    if (found == frames.end()) continue;
    found->second->stored = true;
    found->second->state_changed = found->second->data_changed = false;
  }
  changed.clear();
  removed.clear();
  unsaved_events.clear();
}

std::string effect_id(const Execution& execution, FrameId frame, std::uint64_t sequence) {
  return fmt::format("{}/{}/{}", execution.identity.arn, frame, sequence);
}

std::string encode_token(const TaskToken& token) {
  wire::Writer out;
  out.byte(1);
  out.text(token.secret);
  out.text(token.execution_arn);
  out.number(token.frame);
  out.number(token.sequence);
  return to_base64(out.take());
}

std::optional<TaskToken> decode_token(std::string_view text) {
  const auto bytes = from_base64(text);
  if (!bytes) return std::nullopt;
  try {
    wire::Reader in(*bytes);
    if (in.byte() != 1) return std::nullopt;
    TaskToken out;
    out.secret = in.text();
    out.execution_arn = in.text();
    out.frame = in.number();
    out.sequence = in.number();
    if (!in.done() || out.secret.empty()) return std::nullopt;
    return out;
  } catch (const std::runtime_error&) {
    return std::nullopt;
  }
}

}  // namespace tarn::stepfunctions::asl
