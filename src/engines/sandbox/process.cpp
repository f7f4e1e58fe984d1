// SPDX-License-Identifier: Apache-2.0
#include "engines/sandbox/process.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "base/log.hpp"
#include "engines/sandbox/init_protocol.hpp"
#include "engines/sandbox/tree.hpp"

namespace tarn::sandbox {
namespace {

constexpr std::size_t k_pending_bytes_max = 1024 * 1024;
constexpr std::size_t k_held_lines_max = 20;

std::string errno_text() { return std::generic_category().message(errno); }

Fd memory_file(const char* name, std::string_view content) {
  Fd fd(::memfd_create(name, MFD_CLOEXEC));
  if (!fd || ::pwrite(fd.get(), content.data(), content.size(), 0) !=
                 static_cast<ssize_t>(content.size())) {
    throw SandboxError("cannot make a memory file: " + errno_text());
  }
  return fd;
}

std::uint16_t port_of(int socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

// File actions that put `fds` at 0, 1, 2, … of the child. The sources may be any of those numbers,
// so they are first copied out of the way.
class FileActions {
 public:
  FileActions() { ::posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  void place(int fd, int at) {
    copies_.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 64));
    ::posix_spawn_file_actions_adddup2(&actions_, copies_.back().get(), at);
  }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
  std::vector<Fd> copies_;
};

}  // namespace

JobProcess::JobProcess(Parts parts, Poller& poller, Executor& executor)
    : parts_(std::move(parts)),
      poller_(poller),
      executor_(executor),
      began_(std::chrono::steady_clock::now()) {}

JobProcess::~JobProcess() = default;

// ---- Starting

void JobProcess::spawn() {
  try {
    if (stop_wanted_) throw SandboxError("it was stopped before it started");
    int out[2], err[2], control[2];
    if (::pipe2(out, O_CLOEXEC) != 0) throw SandboxError("pipe: " + errno_text());
    Fd out_write(out[1]);
    out_.fd = Fd(out[0]);
    if (::pipe2(err, O_CLOEXEC) != 0) throw SandboxError("pipe: " + errno_text());
    Fd err_write(err[1]);
    err_.fd = Fd(err[0]);
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control) != 0) {
      throw SandboxError("socketpair: " + errno_text());
    }
    control_ = Fd(control[0]);
    const Fd control_child(control[1]);
    for (const int fd : {out[0], err[0], control[0]}) ::fcntl(fd, F_SETFL, O_NONBLOCK);
    spawn_child(out_write.get(), err_write.get(), control_child.get());
  } catch (const std::exception& error) {
    fail_to_start(error.what());
    return;
  }
  watch_child();
}

void JobProcess::spawn_child(int out, int err, int control) {
  const Fd input = parts_.standard_input.empty() ? Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC))
                                                 : memory_file("stdin", parts_.standard_input);
  const Fd spec = memory_file("job", parts_.launch_spec);
  const Fd program(::open(parts_.init_program.c_str(), O_RDONLY | O_CLOEXEC));
  if (!program) throw SandboxError(parts_.init_program.string() + ": " + errno_text());
  FileActions actions;
  int at = 0;
  for (const int fd : {input.get(), out, err, control, spec.get(), program.get()}) {
    actions.place(fd, at++);
  }
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none, all;
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  std::string path = parts_.init_program.string();
  std::string stage = "--outside";
  char* arguments[] = {path.data(), stage.data(), nullptr};
  char* environment[] = {nullptr};
  const int error =
      ::posix_spawn(&pid_, path.c_str(), actions.get(), &attributes, arguments, environment);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) {
    pid_ = 0;
    throw SandboxError(
        fmt::format("cannot start {}: {}", path, std::generic_category().message(error)));
  }
  pidfd_ = Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (!pidfd_) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    throw SandboxError("pidfd_open: " + errno_text());
  }
}

void JobProcess::watch_child() {
  const auto self = shared_from_this();
  poller_.watch(out_.fd.get(), EPOLLIN, [self](std::uint32_t) { self->read_output(self->out_); });
  poller_.watch(err_.fd.get(), EPOLLIN, [self](std::uint32_t) { self->read_output(self->err_); });
  poller_.watch(control_.get(), EPOLLIN, [self](std::uint32_t) { self->read_control(); });
  poller_.watch(pidfd_.get(), EPOLLIN, [self](std::uint32_t) { self->reap(); });
  if (parts_.wall_time) {
    poller_.after(*parts_.wall_time, [weak = weak_from_this()] {
      const auto process = weak.lock();
      if (!process || process->exited_) return;
      {
        std::lock_guard lock(process->mutex_);
        process->timed_out_ = true;
      }
      process->kill_now();
    });
  }
}

void JobProcess::fail_to_start(const std::string& reason) {
  {
    std::lock_guard lock(mutex_);
    failure_ = reason;
  }
  out_.fd.reset();
  err_.fd.reset();
  exited_ = true;
  wait_status_ = W_EXITCODE(init::k_exit_not_started, 0);
  finish_if_done();
}

// ---- What process 1 says

void JobProcess::read_control() {
  for (;;) {
    char packet[4096];
    iovec data{packet, sizeof packet};
    alignas(cmsghdr) char buffer[CMSG_SPACE(sizeof(int) * init::k_listeners_max)];
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = buffer;
    message.msg_controllen = sizeof buffer;
    const ssize_t got = ::recvmsg(control_.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (got < 0) return;
    if (got == 0) {
      poller_.forget(control_.get());
      return;
    }
    std::vector<Fd> fds;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header;
         header = CMSG_NXTHDR(&message, header)) {
      if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
      const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t i = 0; i < count; ++i) {
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
        fds.emplace_back(fd);
      }
    }
    take_report({packet, static_cast<std::size_t>(got)}, std::move(fds));
  }
}

void JobProcess::take_report(std::string_view packet, std::vector<Fd> fds) {
  const std::string_view rest = packet.substr(1);
  switch (static_cast<init::Report>(packet.front())) {
    case init::Report::listeners: listeners_ = std::move(fds); return;
    case init::Report::started: return take_started();
    case init::Report::failed: {
      std::lock_guard lock(mutex_);
      failure_ = rest;
      return;
    }
    case init::Report::exited: {
      std::int64_t numbers[4] = {};
      if (rest.size() != sizeof numbers) return;
      std::memcpy(numbers, rest.data(), sizeof numbers);
      ExitStatus status;
      const int raw = static_cast<int>(numbers[0]);
      status.signal = WIFSIGNALED(raw) ? WTERMSIG(raw) : 0;
      status.code = status.signal != 0 ? 128 + status.signal : WEXITSTATUS(raw);
      status.usage.cpu_seconds = static_cast<double>(numbers[1] + numbers[2]) / 1e6;
      status.usage.memory_peak_bytes = static_cast<std::uint64_t>(numbers[3]) * 1024;
      std::lock_guard lock(mutex_);
      reported_ = status;
      return;
    }
  }
}

void JobProcess::take_started() {
  std::vector<OneShot<std::monostate>> waiters;
  {
    std::lock_guard lock(mutex_);
    is_started_ = true;
    Started started;
    for (auto& listener : listeners_) started.ports.push_back(port_of(listener.get()));
    started.listeners = std::move(listeners_);
    started_ = std::move(started);
    waiters.swap(start_waiters_);
  }
  for (auto& line : held_) queue_line(line.stream, std::move(line.text));
  held_.clear();
  for (const auto& waiter : waiters) waiter.set({});
}

// ---- Output

void JobProcess::hold_or_queue(Stream stream, std::string text) {
  bool started = false;
  {
    std::lock_guard lock(mutex_);
    started = is_started_;
  }
  if (started) return queue_line(stream, std::move(text));
  held_.push_back({stream, std::move(text)});
}

void JobProcess::queue_line(Stream stream, std::string text) {
  if (!parts_.output) return;
  bool post = false;
  {
    std::lock_guard lock(mutex_);
    pending_bytes_ += text.size() + sizeof(Line);
    lines_.push_back({stream, std::move(text)});
    post = !std::exchange(delivering_, true);
  }
  if (post) executor_.post([self = shared_from_this()] { self->deliver_lines(); });
}

bool JobProcess::read_output(Output& output) {
  char buffer[64 * 1024];
  const ssize_t got = ::read(output.fd.get(), buffer, sizeof buffer);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  const auto emit = [&](std::string line) { hold_or_queue(output.stream, std::move(line)); };
  if (got > 0) {
    output.splitter.add({buffer, static_cast<std::size_t>(got)}, emit);
    if (held_.size() > k_held_lines_max) read_control();  // it must have started by now
    pause_if_full();
    return true;
  }
  output.splitter.finish(emit);
  poller_.forget(output.fd.get());
  output.fd.reset();
  finish_if_done();
  return false;
}

void JobProcess::drain_now(OneShot<std::monostate> done) {
  for (Output* output : {&out_, &err_}) {
    while (output->fd) {
      {
        std::lock_guard lock(mutex_);
        if (paused_) break;
      }
      if (!read_output(*output)) break;
    }
  }
  bool paused = false;
  {
    std::lock_guard lock(mutex_);
    paused = paused_;
  }
  if (paused) {  // what is left in the pipes has to wait for the sink
    poller_.after(std::chrono::milliseconds(5),
                  [self = shared_from_this(), done] { self->drain_now(done); });
    return;
  }
  for (Output* output : {&out_, &err_}) {
    output->splitter.finish(
        [&](std::string line) { hold_or_queue(output->stream, std::move(line)); });
  }
  {
    std::lock_guard lock(mutex_);
    if (delivering_) {
      drain_waiters_.push_back(done);
      return;
    }
  }
  done.set({});
}

void JobProcess::pause_if_full() {
  {
    std::lock_guard lock(mutex_);
    if (paused_ || pending_bytes_ < k_pending_bytes_max) return;
    paused_ = true;
  }
  for (Output* output : {&out_, &err_}) {
    if (output->fd) poller_.rewatch(output->fd.get(), 0);
  }
}

void JobProcess::deliver_lines() {
  for (;;) {
    std::deque<Line> batch;
    std::vector<OneShot<std::monostate>> drained;
    bool finish = false;
    {
      std::lock_guard lock(mutex_);
      if (lines_.empty()) {
        delivering_ = false;
        finish = drained_;
        drained.swap(drain_waiters_);
      } else {
        batch.swap(lines_);
      }
    }
    for (const auto& waiter : drained) waiter.set({});
    if (batch.empty() && !finish) return;
    if (finish) {
      poller_.post([self = shared_from_this()] { self->finish_if_done(); });
      return;
    }
    std::size_t bytes = 0;
    for (const auto& line : batch) {
      bytes += line.text.size() + sizeof(Line);
      try {
        parts_.output(line.stream, line.text);
      } catch (const std::exception& error) {
        log::error("sandbox", "output of {} was lost: {}", parts_.id, error.what());
      }
    }
    bool resume = false;
    {
      std::lock_guard lock(mutex_);
      pending_bytes_ -= bytes;
      resume = std::exchange(paused_, false);
    }
    if (resume) {
      poller_.post([self = shared_from_this()] {
        for (Output* output : {&self->out_, &self->err_}) {
          if (output->fd) self->poller_.rewatch(output->fd.get(), EPOLLIN);
        }
      });
    }
  }
}

// ---- The end

void JobProcess::reap() {
  if (::waitpid(pid_, &wait_status_, WNOHANG) != pid_) return;
  read_control();
  exited_ = true;
  poller_.forget(pidfd_.get());
  if (control_) poller_.forget(control_.get());
  pidfd_.reset();
  control_.reset();
  // Whoever left the process namespace's tree by a kernel race still is in the group.
  if (parts_.cgroup) parts_.cgroup->kill_all();
  finish_if_done();
}

ExitStatus JobProcess::final_status() {
  ExitStatus status;
  std::string failure = failure_;
  if (reported_) {
    status = *reported_;
  } else {
    status.signal = WIFSIGNALED(wait_status_) ? WTERMSIG(wait_status_) : 0;
    status.code = status.signal != 0 ? 128 + status.signal : WEXITSTATUS(wait_status_);
    if (!is_started_ && failure.empty()) {
      for (const auto& line : held_) failure += (failure.empty() ? "" : "; ") + line.text;
      if (failure.empty()) failure = fmt::format("it ended with {} before it ran", status.code);
    }
  }
  status.failure = is_started_ ? "" : failure;
  status.timed_out = timed_out_;
  status.stopped = stopped_;
  if (const auto& group = parts_.cgroup) {
    status.out_of_memory = parts_.memory_limited && status.code != 0 && !stopped_ && !timed_out_ &&
                           group->out_of_memory_kills() > 0;
    if (const auto cpu = group->cpu_seconds()) status.usage.cpu_seconds = *cpu;
    if (const auto peak = group->memory_peak_bytes()) status.usage.memory_peak_bytes = *peak;
  }
  status.usage.wall = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - began_);
  return status;
}

// On the poller: once the process was reaped, both pipes ended and the sink has seen every line.
void JobProcess::finish_if_done() {
  if (!exited_ || out_.fd || err_.fd) return;
  std::vector<OneShot<ExitStatus>> exit_waiters;
  std::vector<OneShot<std::monostate>> start_waiters;
  ExitStatus status;
  {
    std::lock_guard lock(mutex_);
    if (status_) return;
    drained_ = true;
    if (delivering_) return;  // the last delivery comes back here
    status = final_status();
    status_ = status;
    exit_waiters.swap(exit_waiters_);
    start_waiters.swap(start_waiters_);
  }
  held_.clear();
  for (const auto& waiter : start_waiters) waiter.set({});
  for (const auto& waiter : exit_waiters) waiter.set(status);
  executor_.post([self = shared_from_this()] {
    self->parts_.output = nullptr;  // it may hold on to whoever holds this
    std::unique_ptr<Cgroup> group;
    {
      std::lock_guard lock(self->mutex_);
      group = std::move(self->parts_.cgroup);
    }
    group.reset();
    remove_tree(self->parts_.directory);
    self->parts_.gone(self->parts_.id);
  });
}

// ---- From outside

Task<Started> JobProcess::started() {
  const auto self = shared_from_this();
  OneShot<std::monostate> known;
  bool waiting = false;
  {
    std::lock_guard lock(mutex_);
    waiting = !started_ && !status_;
    if (waiting) start_waiters_.push_back(known);
  }
  if (waiting) co_await known;
  std::lock_guard lock(mutex_);
  if (started_) co_return std::exchange(*started_, Started{{}, started_->ports});
  throw SandboxError(status_ ? status_->failure : "it did not start");
}

Task<ExitStatus> JobProcess::wait() {
  const auto self = shared_from_this();
  OneShot<ExitStatus> end;
  {
    std::lock_guard lock(mutex_);
    if (status_) co_return *status_;
    exit_waiters_.push_back(end);
  }
  co_return co_await end;
}

Task<void> JobProcess::drain() {
  const auto self = shared_from_this();
  OneShot<std::monostate> done;
  poller_.post([self, done] { self->drain_now(done); });
  co_await done;
}

bool JobProcess::ended() const {
  std::lock_guard lock(mutex_);
  return status_.has_value();
}

void JobProcess::order(char kind, int number) {
  const char packet[2] = {kind, static_cast<char>(number)};
  if (control_) ::send(control_.get(), packet, sizeof packet, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void JobProcess::kill_now() {
  stop_wanted_ = true;
  if (exited_ || !pidfd_) return;
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
  if (parts_.cgroup) parts_.cgroup->kill_all();
}

void JobProcess::stop(std::chrono::milliseconds grace) {
  poller_.post([self = shared_from_this(), grace] {
    if (self->exited_) return;
    bool running = false;
    {
      std::lock_guard lock(self->mutex_);
      self->stopped_ = true;
      running = self->is_started_;
    }
    if (!running || grace.count() <= 0) return self->kill_now();
    self->order(static_cast<char>(init::Order::signal_all), SIGCONT);
    self->order(static_cast<char>(init::Order::signal_all), SIGTERM);
    self->poller_.after(grace, [weak = self->weak_from_this()] {
      if (const auto process = weak.lock()) process->kill_now();
    });
  });
}

void JobProcess::kill() { stop(std::chrono::milliseconds(0)); }

void JobProcess::signal(int number) {
  poller_.post([self = shared_from_this(), number] {
    self->order(static_cast<char>(init::Order::signal_all), number);
  });
}

Usage JobProcess::usage() const {
  std::lock_guard lock(mutex_);
  if (status_) return status_->usage;
  Usage usage;
  if (parts_.cgroup) {
    usage.cpu_seconds = parts_.cgroup->cpu_seconds().value_or(0);
    usage.memory_peak_bytes = parts_.cgroup->memory_peak_bytes().value_or(0);
  }
  usage.wall = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - began_);
  return usage;
}

}  // namespace tarn::sandbox
