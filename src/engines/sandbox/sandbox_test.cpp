// SPDX-License-Identifier: Apache-2.0
// Jobs run for real: each test starts processes in namespaces. The root is a directory of links
// with the host's /usr mounted as a layer, so that no base root is needed; where this machine
// allows no sandbox the tests skip and say why.
#include "engines/sandbox/sandbox.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <thread>

#include "base/pool.hpp"
#include "base/strings.hpp"
#include "engines/sandbox/cgroup.hpp"
#include "engines/sandbox/line_splitter.hpp"
#include "engines/sandbox/tree.hpp"

namespace tarn::sandbox {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

fs::path make_temporary_directory() {
  std::string name = fs::temp_directory_path() / "tarn-sandbox-XXXXXX";
  if (!::mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
  ::chmod(name.c_str(), 0755);
  return name;
}

void make_root(const fs::path& root) {
  for (const char* name : {"usr", "proc", "dev", "tmp", "etc"}) fs::create_directories(root / name);
  for (const char* name : {"bin", "sbin", "lib", "lib64"}) {
    if (fs::exists(fs::path("/usr") / name)) {
      fs::create_directory_symlink(fs::path("usr") / name, root / name);
    }
  }
  std::ofstream(root / "etc/marker") << "the root\n";
  std::ofstream(root / "etc/passwd") << "root:x:0:0:root:/root:/bin/sh\n";
}

struct Lines {
  std::vector<std::string> out, err;
};

class SandboxTest : public ::testing::Test {
 protected:
  void SetUp() override {
    home_ = make_temporary_directory();
    make_root(home_ / "root");
    try {
      sandbox_ = std::make_unique<Sandbox>(SandboxOptions{home_ / "work", {}, {}}, pool_);
    } catch (const SandboxError& error) {
      GTEST_SKIP() << error.what();
    }
    const auto status = run(shell("true"));
    if (!status.failure.empty()) GTEST_SKIP() << "no sandbox here: " << status.failure;
  }
  void TearDown() override {
    sandbox_.reset();
    remove_tree(home_);
  }

  JobSpec shell(const std::string& script) {
    JobSpec spec;
    spec.name = "test";
    spec.root = home_ / "root";
    spec.layers.push_back({"/usr", "/usr"});
    spec.command = {"/bin/bash", "-c", script};
    spec.limits.wall_time = 60s;
    return spec;
  }
  ExitStatus run(JobSpec spec) {
    lines_ = {};
    spec.output = [this](Stream stream, std::string_view line) {
      (stream == Stream::out ? lines_.out : lines_.err).emplace_back(line);
    };
    return wait(sandbox_->start(std::move(spec)));
  }
  template <class T>
  T await(Task<T> task) {
    return sync_wait(TaskContext{&pool_, {}}, std::move(task));
  }
  ExitStatus wait(const std::shared_ptr<Process>& process) { return await(process->wait()); }
  bool limited(const char* controller) { return CgroupTree().has(controller); }

  fs::path home_;
  ThreadPool pool_{"test", 4};
  std::unique_ptr<Sandbox> sandbox_;
  Lines lines_;
};

TEST_F(SandboxTest, reports_exit_codes_and_output) {
  const auto status = run(shell("echo one; echo two >&2; echo three; exit 7"));
  EXPECT_EQ(status.code, 7);
  EXPECT_EQ(status.signal, 0);
  EXPECT_FALSE(status.stopped || status.timed_out || status.out_of_memory);
  EXPECT_THAT(lines_.out, ElementsAre("one", "three"));
  EXPECT_THAT(lines_.err, ElementsAre("two"));
}

TEST_F(SandboxTest, a_command_ended_by_a_signal_reports_it_and_128_more) {
  const auto status = run(shell("kill -SEGV $$"));
  EXPECT_EQ(status.signal, SIGSEGV);
  EXPECT_EQ(status.code, 128 + SIGSEGV);
}

TEST_F(SandboxTest, a_last_line_without_an_end_is_delivered) {
  run(shell("printf 'a\\nb'"));
  EXPECT_THAT(lines_.out, ElementsAre("a", "b"));
}

TEST_F(SandboxTest, a_missing_command_is_a_failure_that_names_it) {
  JobSpec spec = shell("");
  spec.command = {"/no/such/program"};
  const auto process = sandbox_->start(std::move(spec));
  EXPECT_THROW(
      {
        try {
          await(process->started());
        } catch (const SandboxError& error) {
          EXPECT_THAT(error.what(), HasSubstr("/no/such/program"));
          throw;
        }
      },
      SandboxError);
  const auto status = wait(process);
  EXPECT_EQ(status.code, 127);
  EXPECT_THAT(status.failure, HasSubstr("No such file"));
}

TEST_F(SandboxTest, a_missing_working_directory_is_a_failure) {
  JobSpec spec = shell("true");
  spec.working_directory = "/nowhere";
  EXPECT_THAT(run(std::move(spec)).failure, HasSubstr("working directory '/nowhere'"));
}

TEST_F(SandboxTest, refuses_specifications_that_cannot_run) {
  JobSpec no_root = shell("true");
  no_root.root = "/no/such/root";
  EXPECT_THROW(sandbox_->start(std::move(no_root)), SandboxError);
  JobSpec relative = shell("true");
  relative.layers.push_back({home_, "opt"});
  EXPECT_THROW(sandbox_->start(std::move(relative)), SandboxError);
  JobSpec climbing = shell("true");
  climbing.layers.push_back({home_, "/opt/../usr"});
  EXPECT_THROW(sandbox_->start(std::move(climbing)), SandboxError);
  JobSpec nested = shell("true");
  nested.layers.push_back({home_, "/usr/local"});
  EXPECT_THROW(sandbox_->start(std::move(nested)), SandboxError);
  JobSpec through_link = shell("true");
  through_link.scratch.push_back({"/lib/x", {}});
  EXPECT_THROW(sandbox_->start(std::move(through_link)), SandboxError);
  JobSpec nothing = shell("true");
  nothing.command.clear();
  EXPECT_THROW(sandbox_->start(std::move(nothing)), SandboxError);
}

TEST_F(SandboxTest, the_environment_is_exactly_what_was_given_and_a_path) {
  ::setenv("TARN_TEST_SECRET", "leaks", 1);
  JobSpec spec = shell("");
  spec.command = {"/usr/bin/env"};
  spec.environment = {{"GREETING", "hello world"}, {"EMPTY", ""}};
  ASSERT_TRUE(run(std::move(spec)).ok());
  EXPECT_THAT(lines_.out, Contains("GREETING=hello world"));
  EXPECT_THAT(lines_.out, Contains("EMPTY="));
  EXPECT_THAT(lines_.out, Contains(HasSubstr("PATH=")));
  EXPECT_EQ(lines_.out.size(), 4u);
}

TEST_F(SandboxTest, nothing_of_the_host_is_visible) {
  std::ofstream(home_ / "secret") << "secret\n";
  const std::string script = "ls -A /; cat " + (home_ / "secret").string() +
                             "; ls /proc | grep -c '^[0-9]'; ls /sys /home /root";
  run(shell(script));
  EXPECT_THAT(lines_.out, Not(Contains("secret")));
  EXPECT_THAT(lines_.out, Not(Contains("home")));
  EXPECT_THAT(lines_.err, Contains(HasSubstr("No such file")));
  // process 1, the shell, ls, grep: never the host's
  const int processes = std::stoi(lines_.out.back());
  EXPECT_LE(processes, 5);
}

TEST_F(SandboxTest, no_descriptor_of_ours_is_open_inside) {
  const int leak = ::open("/etc/hostname", O_RDONLY);  // without close-on-exec, on purpose
  run(shell("ls -l /proc/self/fd /proc/1/fd | grep -v -e pipe -e /dev/null -e /proc/ -e total"));
  ::close(leak);
  EXPECT_THAT(lines_.out, Not(Contains(HasSubstr("hostname"))));
}

TEST_F(SandboxTest, the_root_and_layers_are_read_only) {
  fs::create_directories(home_ / "layer");
  std::ofstream(home_ / "layer/data") << "data\n";
  JobSpec spec =
      shell("cat /opt/layer/data; echo x > /opt/layer/data; echo x > /etc/marker; touch /x");
  spec.layers.push_back({home_ / "layer", "/opt/layer"});
  EXPECT_NE(run(std::move(spec)).code, 0);
  EXPECT_THAT(lines_.out, ElementsAre("data"));
  EXPECT_EQ(lines_.err.size(), 3u);
  for (const auto& line : lines_.err) EXPECT_THAT(line, HasSubstr("Read-only"));
}

TEST_F(SandboxTest, layers_with_one_target_are_stacked_the_later_above) {
  for (const char* name : {"a", "b"}) fs::create_directories(home_ / name);
  std::ofstream(home_ / "a/only-a") << "a\n";
  std::ofstream(home_ / "a/both") << "a\n";
  std::ofstream(home_ / "b/both") << "b\n";
  JobSpec spec = shell("cat /opt/only-a /opt/both; touch /opt/x");
  spec.layers.push_back({home_ / "a", "/opt"});
  spec.layers.push_back({home_ / "b", "/opt"});
  EXPECT_NE(run(std::move(spec)).code, 0);
  EXPECT_THAT(lines_.out, ElementsAre("a", "b"));
}

TEST_F(SandboxTest, a_writable_layer_changes_only_for_its_job) {
  fs::create_directories(home_ / "code");
  std::ofstream(home_ / "code/data") << "data\n";
  JobSpec spec = shell("echo more >> /opt/code/data; cat /opt/code/data; touch /opt/code/new");
  spec.layers.push_back({home_ / "code", "/opt/code", true});
  EXPECT_TRUE(run(std::move(spec)).ok()) << ::testing::PrintToString(lines_.err);
  EXPECT_THAT(lines_.out, ElementsAre("data", "more"));
  EXPECT_EQ(fs::file_size(home_ / "code/data"), 5u);
  EXPECT_FALSE(fs::exists(home_ / "code/new"));
}

TEST_F(SandboxTest, a_writable_root_changes_only_for_its_job) {
  JobSpec spec = shell("echo changed > /etc/marker; mkdir /new; cat /etc/marker; rm /etc/passwd");
  spec.root_writable = true;
  EXPECT_EQ(run(std::move(spec)).code, 0) << ::testing::PrintToString(lines_.err);
  EXPECT_THAT(lines_.out, ElementsAre("changed"));
  run(shell("cat /etc/marker; ls / /etc"));
  EXPECT_THAT(lines_.out, Contains("the root"));
  EXPECT_THAT(lines_.out, Contains("passwd"));
  EXPECT_THAT(lines_.out, Not(Contains("new")));
}

TEST_F(SandboxTest, scratch_starts_empty_and_ends_with_the_job) {
  for (int round = 0; round < 2; ++round) {
    JobSpec spec = shell("ls -A /work /tmp; echo x > /work/file; echo x > /tmp/file");
    spec.scratch.push_back({"/work", {}, 0700});
    spec.scratch.push_back({"/tmp", 1024 * 1024});
    EXPECT_TRUE(run(std::move(spec)).ok()) << ::testing::PrintToString(lines_.err);
    EXPECT_THAT(lines_.out, Not(Contains("file")));
  }
  for (int i = 0; i < 200 && !fs::is_empty(home_ / "work/jobs"); ++i)
    std::this_thread::sleep_for(10ms);
  EXPECT_TRUE(fs::is_empty(home_ / "work/jobs"));
}

TEST_F(SandboxTest, scratch_in_memory_is_bounded) {
  JobSpec spec = shell("head -c 3000000 /dev/zero > /work/file");
  spec.scratch.push_back({"/work", 1024 * 1024});
  EXPECT_NE(run(std::move(spec)).code, 0);
  EXPECT_THAT(lines_.err, Contains(HasSubstr("No space left")));
}

TEST_F(SandboxTest, a_shared_directory_outlives_the_job) {
  fs::create_directories(home_ / "shared");
  ::chmod((home_ / "shared").c_str(), 0777);
  JobSpec spec = shell("echo kept > /cache/file");
  spec.shared.push_back({home_ / "shared", "/cache"});
  EXPECT_TRUE(run(std::move(spec)).ok());
  EXPECT_TRUE(fs::exists(home_ / "shared/file"));
}

TEST_F(SandboxTest, injected_files_and_standard_input_arrive) {
  JobSpec spec = shell("cat /opt/run.sh; cat");
  spec.files.push_back({"/opt/run.sh", "echo injected\n", 0755});
  spec.standard_input = "typed\n";
  EXPECT_TRUE(run(std::move(spec)).ok());
  EXPECT_THAT(lines_.out, ElementsAre("echo injected", "typed"));
}

TEST_F(SandboxTest, runs_as_the_user_asked_for) {
  JobSpec spec = shell("id -u; id -g; id -un; echo x > /dev/stdout; echo $HOME; touch /work/mine");
  spec.user = {993, 990, "sbx_user1051", "/tmp"};
  spec.scratch.push_back({"/work", {}, 0700});
  const auto status = run(std::move(spec));
  EXPECT_EQ(status.code, 0) << status.failure << ::testing::PrintToString(lines_.err);
  EXPECT_THAT(lines_.out, ElementsAre("993", "990", "sbx_user1051", "x", "/tmp"));
}

TEST_F(SandboxTest, user_0_inside_has_no_power_over_the_host) {
  run(
      shell("echo 1 > /proc/sys/kernel/printk; mount -t tmpfs x /tmp; hostname other; "
            "unshare -U true; mknod /tmp/null c 1 3; dmesg -C; chroot / /bin/true; echo done"));
  EXPECT_THAT(lines_.out, ElementsAre("done"));
  EXPECT_GE(lines_.err.size(), 4u) << ::testing::PrintToString(lines_.err);
}

// With a user namespace of its own a job would have every capability in it: enough to mount the
// control groups, whose files belong to the host's user 0, and to lift its own limits.
TEST_F(SandboxTest, a_job_makes_no_namespaces_and_mounts_nothing) {
  for (const uid_t uid : {0u, 993u}) {
    JobSpec spec = shell(
        "unshare --user true; unshare --user --map-root-user --mount --cgroup true; "
        "unshare --net true; mount -t tmpfs none /tmp; "
        "(echo still | cat) && echo works");
    spec.user.uid = spec.user.gid = uid;
    EXPECT_EQ(run(std::move(spec)).code, 0);
    EXPECT_THAT(lines_.out, ElementsAre("still", "works")) << uid;
    ASSERT_GE(lines_.err.size(), 4u) << join(lines_.err, "; ");
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_THAT(lines_.err[i], HasSubstr("Operation not permitted"));
    }
    EXPECT_THAT(lines_.err[3], HasSubstr("mount: /tmp"));
  }
}

TEST_F(SandboxTest, the_memory_limit_ends_the_job_with_137_and_says_so) {
  if (!limited("memory")) GTEST_SKIP() << CgroupTree().missing().at("memory");
  JobSpec spec = shell("head -c 200000000 /dev/zero | tail; exit ${PIPESTATUS[1]}");
  spec.limits.memory_bytes = 32 << 20;
  auto status = run(std::move(spec));
  EXPECT_EQ(status.code, 137);
  EXPECT_TRUE(status.out_of_memory);
  EXPECT_GT(status.usage.memory_peak_bytes, 20u << 20);
  EXPECT_LE(status.usage.memory_peak_bytes, 32u << 20);
  // Killed at once, not by way of a shell that lives on.
  spec = shell("exec tail /dev/zero");
  spec.limits.memory_bytes = 32 << 20;
  status = run(std::move(spec));
  EXPECT_EQ(status.signal, SIGKILL);
  EXPECT_TRUE(status.out_of_memory);
}

TEST_F(SandboxTest, the_cpu_limit_throttles) {
  if (!limited("cpu")) GTEST_SKIP() << CgroupTree().missing().at("cpu");
  JobSpec spec = shell("timeout 1 bash -c 'while :; do :; done'; exit 0");
  spec.limits.cpus = 0.2;
  const auto status = run(std::move(spec));
  EXPECT_GT(status.usage.cpu_seconds, 0.05);
  EXPECT_LT(status.usage.cpu_seconds, 0.45);
}

TEST_F(SandboxTest, the_process_limit_refuses_more) {
  if (!limited("pids")) GTEST_SKIP() << CgroupTree().missing().at("pids");
  JobSpec spec = shell("for i in $(seq 50); do sleep 5 & done; exit 0");
  spec.limits.pids = 12;
  run(std::move(spec));
  EXPECT_THAT(lines_.err, Contains(HasSubstr("fork")));
}

TEST_F(SandboxTest, a_file_cannot_grow_beyond_its_limit) {
  JobSpec spec = shell("head -c 3000000 /dev/zero > /work/file");
  spec.scratch.push_back({"/work", {}});
  spec.limits.file_size_bytes = 1 << 20;
  EXPECT_NE(run(std::move(spec)).code, 0);
}

TEST_F(SandboxTest, time_limits_kill_the_whole_job) {
  JobSpec spec = shell("trap '' TERM; sleep 60 & sleep 60; sleep 60");
  spec.limits.wall_time = 300ms;
  const auto status = run(std::move(spec));
  EXPECT_TRUE(status.timed_out);
  EXPECT_EQ(status.code, 137);
  EXPECT_LT(status.usage.wall, 5s);
}

TEST_F(SandboxTest, stop_lets_the_command_end_itself) {
  std::atomic<bool> ready = false;
  JobSpec spec = shell("trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done");
  spec.output = [&](Stream stream, std::string_view line) {
    if (line == "ready") ready = true;
    if (stream == Stream::out) lines_.out.emplace_back(line);
  };
  const auto process = sandbox_->start(std::move(spec));
  while (!ready) std::this_thread::sleep_for(5ms);
  process->stop(10s);
  const auto status = wait(process);
  EXPECT_EQ(status.code, 3);
  EXPECT_TRUE(status.stopped);
  EXPECT_THAT(lines_.out, ElementsAre("ready", "bye"));
}

TEST_F(SandboxTest, what_ignores_stop_is_killed_with_all_its_children) {
  std::atomic<bool> ready = false;
  JobSpec spec =
      shell("trap '' TERM; (trap '' TERM; setsid sleep 987 &) ; echo ready; sleep 987; sleep 987");
  spec.output = [&](Stream, std::string_view) { ready = true; };
  const auto process = sandbox_->start(std::move(spec));
  while (!ready) std::this_thread::sleep_for(5ms);
  process->stop(200ms);
  const auto status = wait(process);
  EXPECT_EQ(status.code, 137);
  EXPECT_TRUE(status.stopped);
  EXPECT_LT(status.usage.wall, 5s);
  EXPECT_NE(std::system("pgrep -f '^sleep 987' > /dev/null"), 0) << "a child survived";
}

TEST_F(SandboxTest, children_end_with_the_command_and_orphans_are_reaped) {
  const auto status = run(shell("(sleep 986 &); for i in 1 2 3; do (true &); done; exit 0"));
  EXPECT_EQ(status.code, 0);
  EXPECT_LT(status.usage.wall, 5s);
  EXPECT_NE(std::system("pgrep -f '^sleep 986' > /dev/null"), 0);
}

TEST_F(SandboxTest, stop_before_the_start_is_a_clean_end) {
  const auto process = sandbox_->start(shell("sleep 60"));
  process->kill();
  const auto status = wait(process);
  EXPECT_TRUE(status.stopped);
  EXPECT_NE(status.code, 0);
}

TEST_F(SandboxTest, listeners_answer_from_inside_and_nothing_else_is_reachable) {
  JobSpec spec = shell(
      "exec 3<>/dev/tcp/127.0.0.1/4566; echo ping >&3; read -r answer <&3; echo \"got $answer\"; "
      "(: <>/dev/tcp/127.0.0.1/4567) 2>/dev/null || echo refused; "
      "cat /proc/net/dev | grep -c eth");
  spec.listeners = {{"127.0.0.1", 4566}, {"127.0.0.1", 0}};
  std::mutex mutex;
  spec.output = [&](Stream, std::string_view line) {
    std::lock_guard lock(mutex);
    lines_.out.emplace_back(line);
  };
  const auto process = sandbox_->start(std::move(spec));
  Started started = await(process->started());
  ASSERT_EQ(started.listeners.size(), 2u);
  EXPECT_EQ(started.ports[0], 4566);
  EXPECT_NE(started.ports[1], 0);
  pollfd wait_for{started.listeners[0].get(), POLLIN, 0};
  ASSERT_EQ(::poll(&wait_for, 1, 5000), 1);
  const Fd connection(::accept(started.listeners[0].get(), nullptr, nullptr));
  ASSERT_TRUE(connection);
  char buffer[16] = {};
  EXPECT_EQ(::read(connection.get(), buffer, sizeof buffer), 5);
  EXPECT_EQ(::write(connection.get(), "pong\n", 5), 5);
  wait(process);
  EXPECT_THAT(lines_.out, ElementsAre("got pong", "refused", "0"));
}

TEST_F(SandboxTest, a_host_network_reaches_listeners_of_the_host) {
  std::uint16_t port = 0;
  const Fd listener = listen_on_host("127.0.0.1", 0, port);
  JobSpec spec = shell("exec 3<>/dev/tcp/127.0.0.1/" + std::to_string(port) + " && echo connected");
  spec.network = Network::host;
  EXPECT_TRUE(run(std::move(spec)).ok());
  EXPECT_THAT(lines_.out, ElementsAre("connected"));
}

TEST_F(SandboxTest, long_lines_arrive_in_pieces) {
  run(shell("head -c 600000 /dev/zero | tr '\\0' x; echo; echo end"));
  ASSERT_EQ(lines_.out.size(), 4u);
  EXPECT_EQ(lines_.out[0].size(), k_line_bytes_max);
  EXPECT_EQ(lines_.out[0].size() + lines_.out[1].size() + lines_.out[2].size(), 600000u);
  EXPECT_EQ(lines_.out[3], "end");
}

TEST_F(SandboxTest, a_slow_sink_holds_up_the_job_and_loses_nothing) {
  JobSpec spec = shell("for i in $(seq 200000); do echo \"line $i\"; done; echo wrote >&2");
  std::mutex gate;
  gate.lock();
  std::atomic<bool> wrote = false;
  std::size_t count = 0;
  spec.output = [&](Stream stream, std::string_view) {
    if (stream == Stream::err)
      wrote = true;
    else if (count++ == 0)
      std::lock_guard wait(gate);
  };
  const auto process = sandbox_->start(std::move(spec));
  std::this_thread::sleep_for(700ms);
  EXPECT_FALSE(wrote);
  EXPECT_FALSE(process->ended());
  gate.unlock();
  EXPECT_TRUE(wait(process).ok());
  EXPECT_EQ(count, 200000u);
}

TEST_F(SandboxTest, draining_delivers_what_was_written_before) {
  JobSpec spec = shell("seq 20000; printf unfinished; exec 3<>/dev/tcp/127.0.0.1/9; read <&3");
  spec.listeners = {{"127.0.0.1", 9}};
  std::atomic<std::size_t> count = 0;
  spec.output = [&](Stream, std::string_view) { ++count; };
  const auto process = sandbox_->start(std::move(spec));
  const Started started = await(process->started());
  pollfd connected{started.listeners[0].get(), POLLIN, 0};
  ASSERT_EQ(::poll(&connected, 1, 10'000), 1);  // so all of it is written
  await(process->drain());
  EXPECT_EQ(count, 20'001u);
  await(process->drain());
  process->kill();
  wait(process);
  await(process->drain());
}

TEST_F(SandboxTest, usage_is_measured) {
  const auto status = run(shell("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done"));
  EXPECT_GT(status.usage.cpu_seconds, 0.01);
  EXPECT_GT(status.usage.memory_peak_bytes, 500'000u);
  EXPECT_GT(status.usage.wall, 10ms);
}

TEST_F(SandboxTest, signals_reach_the_processes_inside) {
  std::atomic<int> seen = 0;
  JobSpec spec = shell("trap 'echo usr1' USR1; echo ready; while :; do sleep 0.02; done");
  spec.output = [&](Stream, std::string_view) { ++seen; };
  const auto process = sandbox_->start(std::move(spec));
  while (seen < 1) std::this_thread::sleep_for(5ms);
  process->signal(SIGUSR1);  // also ends the sleep, which has no handler
  while (seen < 2) std::this_thread::sleep_for(5ms);
  process->kill();
  wait(process);
}

TEST_F(SandboxTest, a_start_costs_little_beyond_the_command) {
  std::vector<double> times;
  for (int i = 0; i < 30; ++i) {
    JobSpec spec = shell("");
    spec.command = {"/bin/true"};
    spec.limits.memory_bytes = 256 << 20;
    const auto begin = std::chrono::steady_clock::now();
    wait(sandbox_->start(std::move(spec)));
    times.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
            .count());
  }
  std::sort(times.begin(), times.end());
  RecordProperty("start_ms_p50", std::to_string(times[15]));
  std::printf("start to end of /bin/true: p50 %.1f ms, best %.1f ms\n", times[15], times[0]);
  EXPECT_LT(times[0], 25.0);  // wide: other work may share this machine
}

TEST_F(SandboxTest, many_at_once) {
  std::vector<std::shared_ptr<Process>> processes;
  std::atomic<int> lines = 0;
  for (int i = 0; i < 40; ++i) {
    JobSpec spec = shell("echo hello");
    spec.output = [&](Stream, std::string_view) { ++lines; };
    processes.push_back(sandbox_->start(std::move(spec)));
  }
  for (const auto& process : processes) EXPECT_TRUE(wait(process).ok());
  EXPECT_EQ(lines, 40);
}

TEST_F(SandboxTest, the_destructor_kills_what_still_runs) {
  const auto process = sandbox_->start(shell("sleep 985"));
  await(process->started());
  sandbox_.reset();
  EXPECT_TRUE(process->ended());
  EXPECT_NE(std::system("pgrep -f '^sleep 985' > /dev/null"), 0);
}

// The body of a process that starts a job and is then killed with -9.
void be_a_victim(const fs::path& home, int ready_fd) {
  ThreadPool pool("victim", 2);
  Sandbox sandbox(SandboxOptions{home / "victim", {}, {}}, pool);
  JobSpec spec;
  spec.root = home / "root";
  spec.layers.push_back({"/usr", "/usr"});
  spec.command = {"/bin/bash", "-c",
                  "trap '' TERM INT HUP; (setsid sleep 984 &); echo up; sleep 984"};
  spec.output = [&](Stream, std::string_view) {
    [[maybe_unused]] auto n = ::write(ready_fd, "x", 1);
  };
  const auto process = sandbox.start(std::move(spec));
  ::pause();
}

TEST_F(SandboxTest, when_tarn_is_killed_its_jobs_die_and_the_next_start_cleans_up) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const fs::path self = fs::read_symlink("/proc/self/exe");
  const pid_t child = ::fork();
  if (child == 0) {
    // A fresh process: threads and this fixture's sandbox do not survive a fork.
    ::setenv("TARN_SANDBOX_VICTIM", (home_.string() + ":" + std::to_string(ready[1])).c_str(), 1);
    ::execl(self.c_str(), self.c_str(), "--gtest_filter=SandboxVictim.*",
            "--gtest_also_run_disabled_tests", nullptr);
    ::_exit(1);
  }
  ::close(ready[1]);
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  int alive = 0;
  for (int i = 0; i < 100 && !alive; ++i) {
    alive = std::system("pgrep -f '^sleep 984' > /dev/null") == 0;
  }
  EXPECT_TRUE(alive);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  for (int i = 0; i < 100 && alive; ++i) {
    std::this_thread::sleep_for(20ms);
    alive = std::system("pgrep -f '^sleep 984' > /dev/null") == 0;
  }
  EXPECT_FALSE(alive);
  ::close(ready[0]);

  const auto leftovers = [&] {
    int count = 0;
    for (const auto& parent : CgroupTree().parents()) {
      for (const auto& entry : fs::directory_iterator(parent)) {
        count +=
            entry.path().filename().string().starts_with("tarn." + std::to_string(child) + ".");
      }
    }
    return count;
  };
  if (!CgroupTree().parents().empty()) EXPECT_GT(leftovers(), 0);
  EXPECT_FALSE(fs::is_empty(home_ / "victim/jobs"));
  const Sandbox next(SandboxOptions{home_ / "victim", {}, {}}, pool_);
  EXPECT_EQ(leftovers(), 0);
  EXPECT_TRUE(fs::is_empty(home_ / "victim/jobs"));
}

// No test of its own: the one above starts it in a fresh process.
TEST(SandboxVictim, DISABLED_waits_to_be_killed) {
  const char* where = std::getenv("TARN_SANDBOX_VICTIM");
  ASSERT_TRUE(where);
  const auto parts = split(where, ':');
  be_a_victim(parts.at(0), std::stoi(parts.at(1)));
}

TEST_F(SandboxTest, the_doctor_runs_a_job) {
  const auto findings = sandbox_->doctor();
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(findings.back().subject, "a job");
  EXPECT_TRUE(findings.back().ok) << findings.back().detail;
  for (const auto& finding : findings) {
    std::printf("%-16s %s %s\n", finding.subject.c_str(), finding.ok ? "ok" : "--",
                finding.detail.c_str());
    EXPECT_EQ(finding.ok, finding.remedy.empty());
  }
}

TEST_F(SandboxTest, the_base_root_has_a_python) {
  if (default_root().empty()) GTEST_SKIP() << "no base root: ./dev setup makes it";
  JobSpec spec;
  spec.name = "python";
  spec.root = default_root();
  spec.command = {"python3", "-c", "print(6 * 7)"};
  EXPECT_TRUE(run(std::move(spec)).ok()) << ::testing::PrintToString(lines_.err);
  EXPECT_THAT(lines_.out, ElementsAre("42"));
}

TEST(LineSplitter, splits_across_pieces_and_bounds_lines) {
  LineSplitter splitter(5);
  std::vector<std::string> lines;
  const auto emit = [&](std::string line) { lines.push_back(std::move(line)); };
  splitter.add("ab", emit);
  splitter.add("c\n\nabcde\nabcdefg", emit);
  splitter.add("hijklm\n", emit);
  splitter.add("end", emit);
  splitter.finish(emit);
  splitter.finish(emit);
  EXPECT_THAT(lines, ElementsAre("abc", "", "abcde", "abcde", "fghij", "klm", "end"));
}

}  // namespace
}  // namespace tarn::sandbox
