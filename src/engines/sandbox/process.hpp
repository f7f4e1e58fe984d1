// SPDX-License-Identifier: Apache-2.0
// One started job: the state machine behind `Process`.
//
//   made → spawned → started → ended (exit seen, both pipes at their end, all lines delivered)
//
// Threading: members marked [poller] belong to the poller's thread; the rest is under `mutex_`.
// Lines travel poller → `lines_` → sink on the executor. Beyond k_pending_bytes_max the pipes are
// left alone until the sink has caught up, so that a chatty job waits instead of filling memory.
#pragma once
#include <atomic>
#include <chrono>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "engines/sandbox/cgroup.hpp"
#include "engines/sandbox/line_splitter.hpp"
#include "engines/sandbox/poller.hpp"
#include "engines/sandbox/sandbox.hpp"

namespace tarn::sandbox {

class JobProcess : public Process, public std::enable_shared_from_this<JobProcess> {
 public:
  struct Parts {
    std::string id;
    std::string launch_spec;  // for sandbox-init
    std::filesystem::path init_program;
    std::filesystem::path directory;
    std::unique_ptr<Cgroup> cgroup;
    std::string standard_input;
    LineSink output;
    std::size_t listener_count = 0;
    std::optional<std::chrono::milliseconds> wall_time;
    bool memory_limited = false;
    // After everything: the process is forgotten.
    std::function<void(const std::string& id)> gone;
  };
  JobProcess(Parts parts, Poller& poller, Executor& executor);
  ~JobProcess() override;

  void spawn();                                   // [poller]
  void fail_to_start(const std::string& reason);  // [poller]

  const std::string& id() const override { return parts_.id; }
  Task<Started> started() override;
  Task<ExitStatus> wait() override;
  bool ended() const override;
  void stop(std::chrono::milliseconds grace) override;
  void kill() override;
  void signal(int number) override;
  Task<void> drain() override;
  Usage usage() const override;

 private:
  struct Output {
    Stream stream;
    Fd fd;
    LineSplitter splitter{k_line_bytes_max};
  };
  struct Line {
    Stream stream;
    std::string text;
  };

  void spawn_child(int out, int err, int control);
  void watch_child();
  bool read_output(Output& output);              // [poller] false: nothing to read now
  void drain_now(OneShot<std::monostate> done);  // [poller]
  void read_control();                           // [poller]
  void take_report(std::string_view packet, std::vector<Fd> fds);
  void take_started();
  void reap();                        // [poller]
  void kill_now();                    // [poller]
  void order(char kind, int number);  // [poller]
  void queue_line(Stream stream, std::string text);
  void hold_or_queue(Stream stream, std::string text);
  void pause_if_full();
  void deliver_lines();  // on the executor
  void finish_if_done();
  ExitStatus final_status();

  Parts parts_;
  Poller& poller_;
  Executor& executor_;

  // [poller]
  Fd pidfd_, control_;
  pid_t pid_ = 0;
  Output out_{Stream::out, {}}, err_{Stream::err, {}};
  bool exited_ = false;
  int wait_status_ = 0;
  bool stop_wanted_ = false;
  std::vector<Line> held_;  // before the command runs: bubblewrap's own words, if any
  std::vector<Fd> listeners_;

  mutable std::mutex mutex_;
  std::deque<Line> lines_;
  std::size_t pending_bytes_ = 0;
  bool delivering_ = false;
  bool paused_ = false;
  bool drained_ = false;  // no more lines will be queued
  bool is_started_ = false;
  bool timed_out_ = false;
  bool stopped_ = false;
  std::string failure_;
  std::optional<ExitStatus> reported_;  // from process 1: the command's own end
  std::optional<Started> started_;
  std::optional<ExitStatus> status_;
  std::vector<OneShot<std::monostate>> start_waiters_;
  std::vector<OneShot<ExitStatus>> exit_waiters_;
  std::vector<OneShot<std::monostate>> drain_waiters_;
  std::chrono::steady_clock::time_point began_;
};

}  // namespace tarn::sandbox
