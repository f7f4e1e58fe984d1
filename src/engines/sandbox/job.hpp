// SPDX-License-Identifier: Apache-2.0
// What a sandbox runs, and what is left of it: plain values. Lambda environments, ECS containers,
// CodeBuild phases, Glue and EMR jobs are all translated into one `JobSpec`.
//
// The root is never changed: whatever the job may write goes to scratch that ends with it. Layers
// are directories that are mounted read-only; several with one target are stacked, the later ones
// above. Nothing else of the host is visible inside.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "engines/sandbox/fd.hpp"

namespace tarn::sandbox {

// A job that cannot be started as it is described, or a machine that cannot start any; the text
// says what to do about it.
class SandboxError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A directory of the host at `target` (absolute, not below another layer's target). It is never
// changed: where `writable`, changes go to scratch that ends with the job.
struct LayerMount {
  std::filesystem::path source;
  std::string target;
  bool writable = false;
};

// A writable directory that starts empty and ends with the job.
struct ScratchMount {
  std::string target;
  // Kept in memory, charged to the job's memory limit, and at most this large.
  std::optional<std::uint64_t> in_memory_bytes_max;
  mode_t mode = 01777;
};

// A host directory that outlives the job and is writable at `target`, such as a build cache.
struct SharedMount {
  std::filesystem::path source;
  std::string target;
};

// A small file put into the root, over what the root has there.
struct InjectedFile {
  std::string target;
  std::string content;
  mode_t mode = 0644;
};

struct User {
  uid_t uid = 0;
  gid_t gid = 0;
  std::string name;  // added to /etc/passwd where the root's does not know the uid
  std::string home = "/root";
};

// What is not set is not limited. Where control groups cannot be used, `pids` and `memory_bytes`
// become limits of each process and `cpus` has no effect (see Sandbox::doctor).
struct Limits {
  std::optional<std::uint64_t> memory_bytes;
  std::optional<double> cpus;  // 0.25 = a quarter of one processor
  std::optional<std::uint64_t> pids;
  std::optional<std::chrono::milliseconds> wall_time;  // then the job is killed: `timed_out`
  std::optional<std::uint64_t> file_size_bytes;        // of any one file that it writes
  std::uint64_t open_files = 65536;
};

enum class Network {
  isolated,  // a network of its own: a loopback interface, and the listeners below
  host,      // the host's, for jobs that may reach the outside
};

// A socket that listens inside the job's network and is served by its owner outside.
struct Listener {
  std::string address = "127.0.0.1";  // IPv4
  std::uint16_t port = 0;             // 0: any (see Started::ports)
};

enum class Stream { out, err };
// One line without its end, in order for each stream; the two are in the order of reading. Lines
// beyond k_line_bytes_max arrive in pieces. Called on the sandbox's executor, one call at a time
// for each job; blocking holds up the job (its pipe fills), never memory.
using LineSink = std::function<void(Stream, std::string_view line)>;
inline constexpr std::size_t k_line_bytes_max = 256 * 1024;

struct JobSpec {
  std::string name;  // for people and for the host name inside; any text
  std::filesystem::path root;
  bool root_writable = false;  // changes go to scratch
  std::vector<LayerMount> layers;
  std::vector<ScratchMount> scratch;
  std::vector<SharedMount> shared;
  std::vector<InjectedFile> files;
  std::vector<std::string> command;  // found on the job's own PATH
  std::map<std::string, std::string> environment;
  std::string working_directory = "/";
  User user;
  Limits limits;
  Network network = Network::isolated;
  std::vector<Listener> listeners;
  std::string standard_input;
  LineSink output;  // empty: output is dropped
};

struct Usage {
  double cpu_seconds = 0;
  std::uint64_t memory_peak_bytes = 0;
  std::chrono::milliseconds wall{0};
};

// How a job ended. `code` is what a shell would report: 128 + signal when a signal ended it, 127
// when the command was not found.
struct ExitStatus {
  int code = 0;
  int signal = 0;
  bool out_of_memory = false;  // the kernel killed something of it at its memory limit
  bool timed_out = false;      // Limits::wall_time passed
  bool stopped = false;        // Process::stop or kill was called
  std::string failure;         // not empty: it never ran, and why
  Usage usage;
  bool ok() const { return code == 0 && failure.empty(); }
};

// What exists once the command runs; listeners in the order of JobSpec::listeners.
struct Started {
  std::vector<Fd> listeners;
  std::vector<std::uint16_t> ports;
};

}  // namespace tarn::sandbox
