// SPDX-License-Identifier: Apache-2.0
// Runs jobs, each in namespaces of its own (bubblewrap) and under its own limits (control groups).
//
//   auto process = sandbox.start(std::move(spec));      // returns at once
//   Started started = co_await process->started();      // its listeners; throws if it cannot run
//   ExitStatus status = co_await process->wait();       // all output was delivered before
//
// Nothing of a job outlives Tarn: its processes are killed by the kernel when Tarn dies, however it
// dies, and the next start removes the directories and control groups that it left.
// Works as root, and for others where user namespaces are allowed; `doctor` tells what this machine
// allows. What it does not do: limit the disk a job fills (only `file_size_bytes`), filter
// system calls.
//
// Threading: everything from any thread. Sinks run on the executor; a job's are never concurrent.
#pragma once
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/task.hpp"
#include "engines/sandbox/job.hpp"

namespace tarn::sandbox {

struct SandboxOptions {
  // For the jobs' scratch; belongs to this sandbox alone. What is in it is removed at start.
  std::filesystem::path directory;
  // Empty: `sandbox-init` beside the running program, `bwrap` on the PATH.
  std::filesystem::path init_program;
  std::filesystem::path bubblewrap;
};

class Process {
 public:
  virtual ~Process() = default;  // does not stop it
  virtual const std::string& id() const = 0;
  // Once the command runs. Throws SandboxError when it does not come to that. Only the first
  // caller receives the listeners' descriptors.
  virtual Task<Started> started() = 0;
  virtual Task<ExitStatus> wait() = 0;
  virtual bool ended() const = 0;
  // SIGTERM to every process inside, SIGKILL when `grace` is over. `wait` tells the end of it.
  virtual void stop(std::chrono::milliseconds grace) = 0;
  virtual void kill() = 0;
  // To every process inside, such as SIGSTOP and SIGCONT.
  virtual void signal(int number) = 0;
  // Returns when everything that it wrote before this call has been delivered, a last line without
  // its end included.
  virtual Task<void> drain() = 0;
  // So far; final values are in ExitStatus.
  virtual Usage usage() const = 0;
};

// One line of `tarn doctor`.
struct Finding {
  std::string subject;  // "memory limits"
  bool ok = false;
  std::string detail;
  std::string remedy;  // what to do where it is not ok
};

class Sandbox {
 public:
  // Throws SandboxError when the programs are missing. `executor` may block.
  Sandbox(SandboxOptions options, Executor& executor);
  ~Sandbox();  // kills what runs and waits for its end

  // Throws SandboxError for a specification that cannot be run: no such root, a bad target.
  std::shared_ptr<Process> start(JobSpec spec);

  // What works here; runs a small job to see. Blocking.
  std::vector<Finding> doctor();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The base root that `./dev setup` made: $TARN_CACHE/roots/current, else below ~/.cache/tarn.
// Empty when there is none.
std::filesystem::path default_root();

// A listening socket of the host, for jobs with Network::host: port 0 takes any.
Fd listen_on_host(const std::string& address, std::uint16_t port, std::uint16_t& bound_port);

}  // namespace tarn::sandbox
