// SPDX-License-Identifier: Apache-2.0
// Lines of a running job into a stream of CloudWatch Logs, as whoever the job's logs belong to
// (Lambda's execution role, ECS's execution role): their policies decide. Lines are sent in
// batches, in order, soon after they came.
//
// Threading: `add` from any thread; it waits while too much is unsent, so call it where waiting
// holds up only the job itself (a sandbox's sink). Everything else never blocks.
#pragma once
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/task.hpp"
#include "platform/service.hpp"

namespace tarn::platform {

class LogWriter : public std::enable_shared_from_this<LogWriter> {
 public:
  // `identity` as whom to write; lines that it may not write are lost, with one warning.
  LogWriter(Environment& environment, Identity identity, std::string region, std::string group,
            std::string stream);
  // Makes the stream, and the group where `create_group`. Throws what the operations throw.
  Task<void> open(bool create_group);
  void add(std::string line);
  // Returns when all that was added has been stored or refused.
  Task<void> flush();
  const std::string& group() const { return group_; }
  const std::string& stream() const { return stream_; }

 private:
  struct Line {
    std::int64_t timestamp_ms;
    std::string text;
  };
  void start_sending();
  static Task<void> send(std::shared_ptr<LogWriter> self);
  Task<void> send_batch(std::vector<Line> batch);

  Environment& environment_;
  const CallPtr call_;
  const std::string group_, stream_;
  std::mutex mutex_;
  std::condition_variable room_;
  std::deque<Line> lines_;
  std::size_t bytes_ = 0;
  bool sending_ = false;
  bool refused_ = false;
  bool create_group_ = false;  // as `open` was asked
  std::vector<OneShot<std::monostate>> flushes_;
};

}  // namespace tarn::platform
