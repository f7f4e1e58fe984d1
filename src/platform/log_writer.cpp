// SPDX-License-Identifier: Apache-2.0
#include "platform/log_writer.hpp"

#include <algorithm>

#include "aws/error.hpp"
#include "base/log.hpp"

namespace tarn::platform {
namespace {

// PutLogEvents takes 1 MiB and 10,000 events, each counted with 26 bytes more.
constexpr std::size_t k_batch_bytes_max = 900'000;
constexpr std::size_t k_batch_lines_max = 5'000;
constexpr std::size_t k_unsent_bytes_max = 4 * 1024 * 1024;
constexpr std::size_t k_overhead = 26;
constexpr int k_attempts_max = 6;  // in 12 s, as the waits double
constexpr Milliseconds k_first_wait{200};

}  // namespace

LogWriter::LogWriter(Environment& environment, Identity identity, std::string region,
                     std::string group, std::string stream)
    : environment_(environment),
      call_(environment.call_as(std::move(identity), std::move(region))),
      group_(std::move(group)),
      stream_(std::move(stream)) {}

Task<void> LogWriter::open(bool create_group) {
  const auto self = shared_from_this();
  create_group_ = create_group;
  const Json stream = JsonObject{{"logGroupName", group_}, {"logStreamName", stream_}};
  bool missing = false;
  try {
    Json input = stream;
    co_await call_->invoke_json("logs", "CreateLogStream", std::move(input));
  } catch (const aws::ApiError& error) {
    if (error.code == "ResourceAlreadyExistsException") co_return;
    missing = error.code == "ResourceNotFoundException";
    if (!missing || !create_group) throw;
  }
  if (!missing) co_return;
  try {
    Json input = JsonObject{{"logGroupName", group_}};
    co_await call_->invoke_json("logs", "CreateLogGroup", std::move(input));
  } catch (const aws::ApiError& error) {
    if (error.code != "ResourceAlreadyExistsException") throw;
  }
  try {
    Json input = stream;
    co_await call_->invoke_json("logs", "CreateLogStream", std::move(input));
  } catch (const aws::ApiError& error) {
    if (error.code != "ResourceAlreadyExistsException") throw;
  }
}

void LogWriter::add(std::string line) {
  if (line.empty()) line = " ";  // an event's message may not be empty
  std::unique_lock lock(mutex_);
  room_.wait(lock, [&] { return bytes_ < k_unsent_bytes_max; });
  if (refused_) return;
  bytes_ += line.size() + k_overhead;
  // Ascending, as one request demands, whatever the clock does.
  const std::int64_t now = to_millis(environment_.clock.now());
  const std::int64_t last = lines_.empty() ? 0 : lines_.back().timestamp_ms;
  lines_.push_back({std::max(now, last), std::move(line)});
  start_sending();
}

// With the lock held.
void LogWriter::start_sending() {
  if (sending_) return;
  sending_ = true;
  spawn<void>({&environment_.background, {}}, send(shared_from_this()));
}

Task<void> LogWriter::send(std::shared_ptr<LogWriter> self) {
  for (;;) {
    std::vector<Line> batch;
    std::vector<OneShot<std::monostate>> flushed;
    std::size_t bytes = 0;
    {
      std::lock_guard lock(self->mutex_);
      while (!self->lines_.empty() && batch.size() < k_batch_lines_max) {
        const std::size_t size = self->lines_.front().text.size() + k_overhead;
        if (!batch.empty() && bytes + size > k_batch_bytes_max) break;
        bytes += size;
        batch.push_back(std::move(self->lines_.front()));
        self->lines_.pop_front();
      }
      if (batch.empty()) {
        self->sending_ = false;
        flushed.swap(self->flushes_);
      }
    }
    for (const auto& waiter : flushed) waiter.set({});
    if (batch.empty()) co_return;
    co_await self->send_batch(std::move(batch));
    std::lock_guard lock(self->mutex_);
    self->bytes_ -= bytes;
    self->room_.notify_all();
  }
}

Task<void> LogWriter::send_batch(std::vector<Line> batch) {
  JsonArray events;
  for (auto& line : batch) {
    events.push_back(JsonObject{{"timestamp", line.timestamp_ms}, {"message", line.text}});
  }
  const Json input = JsonObject{
      {"logGroupName", group_}, {"logStreamName", stream_}, {"logEvents", std::move(events)}};
  enum class Outcome { refused, missing, failed };
  Outcome outcome = Outcome::refused;
  std::string problem;
  for (int attempt = 0; attempt < k_attempts_max; ++attempt) {
    try {
      // Somebody may have deleted the group or the stream of a job that runs on.
      if (outcome == Outcome::missing) co_await open(create_group_);
      Json copy = input;
      co_await call_->invoke_json("logs", "PutLogEvents", std::move(copy));
      co_return;
    } catch (const aws::ApiError& error) {
      problem = error.what();
      const bool again = outcome != Outcome::missing;
      outcome = Outcome::refused;
      if (error.code == "ResourceNotFoundException" && again) outcome = Outcome::missing;
      if (error.http_status >= 500 || error.code.starts_with("Throttling"))
        outcome = Outcome::failed;
    } catch (const std::exception& error) {
      problem = error.what();
      outcome = Outcome::failed;
    }
    if (outcome == Outcome::refused) break;
    if (outcome == Outcome::failed) {
      co_await sleep_for(environment_.clock, k_first_wait * (1 << attempt));
    }
  }
  std::lock_guard lock(mutex_);
  if (!refused_) {
    log::warning("logs", "{} in {} is not written: {}", stream_, group_, problem);
  }
  // Nobody may write for it: neither may the next line. A store that failed may work again.
  refused_ = outcome != Outcome::failed;
}

Task<void> LogWriter::flush() {
  const auto self = shared_from_this();
  OneShot<std::monostate> done;
  {
    std::lock_guard lock(mutex_);
    if (!sending_ && lines_.empty()) co_return;
    flushes_.push_back(done);
    start_sending();
  }
  co_await done;
}

}  // namespace tarn::platform
