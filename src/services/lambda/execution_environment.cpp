// SPDX-License-Identifier: Apache-2.0
#include "services/lambda/execution_environment.hpp"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <cmath>
#include <csignal>
#include <cstring>

#include "aws/lambda/errors.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "services/lambda/python_bootstrap.hpp"

namespace tarn::lambda {
namespace {

namespace fs = std::filesystem;
using sandbox::JobSpec;

constexpr std::size_t k_tail_bytes = 4096;
constexpr std::size_t k_answer_bytes_max = 6 * 1024 * 1024 + 100;
constexpr std::size_t k_piece_bytes = 256 * 1024;
constexpr std::chrono::seconds k_init_max{10};
constexpr std::chrono::hours k_credentials_last{12};
constexpr std::uint16_t k_runtime_api_port = 9001;
constexpr double k_mb_per_cpu = 1769;  // as AWS shares processors out
constexpr const char* k_no_entry_point = "Runtime.InvalidEntrypoint";
constexpr std::string_view k_prefix = "/2018-06-01/runtime/";

aws::HttpResponse json_response(int status, const Json& body) {
  aws::HttpResponse response;
  response.status = status;
  response.set("Content-Type", "application/json");
  response.body = dump_json(body);
  return response;
}

std::string error_body(std::string_view type, std::string_view message) {
  return dump_json(JsonObject{{"errorType", type}, {"errorMessage", message}});
}

Task<ByteSourcePtr> open_code(CodeStore& code, std::string digest) { co_return code.open(digest); }

bool is_python(const std::string& runtime) { return runtime.starts_with("python"); }

}  // namespace

std::string FunctionImage::fingerprint() const {
  Json all = JsonObject{{"arn", arn},           {"version", version},  {"runtime", runtime},
                        {"handler", handler},   {"role", role},        {"log", log_group},
                        {"timeout", timeout_s}, {"memory", memory_mb}, {"tmp", ephemeral_mb},
                        {"code", code_digest},  {"revision", revision}};
  JsonArray mounted;
  for (const auto& digest : layer_digests) mounted.emplace_back(digest);
  all.as_object()["layers"] = std::move(mounted);
  JsonObject set;
  for (const auto& [name, value] : variables) set[name] = value;
  all.as_object()["variables"] = std::move(set);
  return dump_json(all);
}

ExecutionEnvironment::ExecutionEnvironment(RuntimeResources resources, FunctionImage image)
    : resources_(resources),
      image_(std::move(image)),
      listeners_(resources.environment),
      began_(std::chrono::steady_clock::now()) {}

// ---- Start

Task<std::shared_ptr<ExecutionEnvironment>> ExecutionEnvironment::launch(RuntimeResources resources,
                                                                         FunctionImage image) {
  auto environment = std::make_shared<ExecutionEnvironment>(resources, std::move(image));
  co_await environment->start();
  co_return environment;
}

Task<void> ExecutionEnvironment::start() {
  const auto self = shared_from_this();
  auto& house = resources_.environment;
  const Timestamp now = house.clock.now();
  stream_ = fmt::format("{}/[{}]{}", replace_all(iso8601(now).substr(0, 10), "-", "/"),
                        image_.version, house.random.hex(32));
  auto& identities = platform::Ports::require(house.ports.identities, "IAM");
  const auto identity =
      identities.assume_for_service(image_.role, "lambda.amazonaws.com", image_.name);
  const auto credentials = identities.issue_session(identity, k_credentials_last);
  credentials_expire_ = now + k_credentials_last;
  log_ = std::make_shared<platform::LogWriter>(house, identity, image_.scope.region,
                                               image_.log_group, stream_);
  try {
    co_await log_->open(true);
  } catch (const aws::ApiError& error) {
    // As in AWS: a role that may not write logs does not keep the function from running.
    log::debug("lambda", "{} writes no log: {}", image_.name, error.what());
  }
  JobSpec job = co_await make_job();
  job.environment = variables(credentials);
  add_line(
      fmt::format("INIT_START Runtime Version: {}\tRuntime Version ARN: "
                  "arn:aws:lambda:{}::runtime:tarn",
                  image_.runtime, image_.scope.region));
  process_ = resources_.compute.sandbox().start(std::move(job));
  sandbox::Started started;
  bool failed = false;
  try {
    started = co_await process_->started();
  } catch (const sandbox::SandboxError&) {
    failed = true;
  }
  if (failed) {
    const sandbox::ExitStatus status = co_await process_->wait();
    const bool not_executable = status.code == 126 || status.code == 127;
    if (!not_executable) throw sandbox::SandboxError(status.failure);
    std::lock_guard lock(mutex_);
    exit_ = status;  // the function's own fault: invocations tell
    co_return;
  }
  serve_listeners(std::move(started));
  spawn<void>({&house.background, {}}, watch());
  co_await wait_for_init();
}

Task<JobSpec> ExecutionEnvironment::make_job() {
  JobSpec job;
  job.name = image_.name;
  job.root = resources_.compute.root();
  job.working_directory = "/var/task";
  job.user = {993, 990, "sbx_user1051", "/home/sbx_user1051"};
  job.scratch.push_back({"/tmp", {}});
  job.limits.memory_bytes = static_cast<std::uint64_t>(image_.memory_mb) << 20;
  // Small functions get a whole processor: AWS's fractions would make them slow and prove nothing.
  job.limits.cpus = std::max(1.0, image_.memory_mb / k_mb_per_cpu);
  job.limits.pids = 1024;
  job.limits.file_size_bytes = static_cast<std::uint64_t>(image_.ephemeral_mb) << 20;
  job.limits.open_files = 1024;
  co_await mount_code(job);
  if (is_python(image_.runtime)) {
    job.files.push_back({"/var/runtime/bootstrap.py", std::string(python_bootstrap())});
    job.command = {"/usr/bin/python3.11", "/var/runtime/bootstrap.py"};
  } else {
    const bool own = fs::exists(layers_.front()->directory() / "bootstrap");
    job.command = {own ? "/var/task/bootstrap" : "/opt/bootstrap"};
  }
  set_network(job);
  // The environment owns the process, so the sink must not own the environment.
  job.output = [weak = weak_from_this()](sandbox::Stream, std::string_view line) {
    if (const auto self = weak.lock()) self->add_line(line);
  };
  co_return job;
}

Task<void> ExecutionEnvironment::mount_code(JobSpec& job) {
  std::vector<std::pair<std::string, std::string>> wanted{{image_.code_digest, "/var/task"}};
  for (const auto& digest : image_.layer_digests) wanted.emplace_back(digest, "/opt");
  for (const auto& [digest, target] : wanted) {
    CodeStore& code = resources_.code;
    sandbox::LayerStore::Fetch fetch = [&code, digest = digest] { return open_code(code, digest); };
    layers_.push_back(co_await resources_.compute.layers().open(digest, std::move(fetch)));
    job.layers.push_back({layers_.back()->directory(), target});
  }
}

// Inside, the Runtime API, Tarn's own address and the warehouses' ports; or, where functions may
// reach the outside, the host's network and an extra port for the Runtime API.
void ExecutionEnvironment::set_network(JobSpec& job) {
  if (resources_.compute.allow_egress()) {
    job.network = sandbox::Network::host;
    std::uint16_t port = 0;
    host_listener_ = sandbox::listen_on_host("127.0.0.1", 0, port);
    runtime_api_ = fmt::format("127.0.0.1:{}", port);
    return;
  }
  runtime_api_ = fmt::format("127.0.0.1:{}", k_runtime_api_port);
  for (const auto port : listeners_.ports(k_runtime_api_port)) {
    job.listeners.push_back({"127.0.0.1", port});
  }
}

void ExecutionEnvironment::serve_listeners(sandbox::Started started) {
  std::vector<int> sockets;
  if (host_listener_) sockets.push_back(host_listener_.release());
  for (auto& listener : started.listeners) sockets.push_back(listener.release());
  listeners_.serve(std::move(sockets),
                   [weak = weak_from_this()](std::shared_ptr<aws::HttpRequest> request) {
                     return ExecutionEnvironment::route(weak, std::move(request));
                   });
}

std::map<std::string, std::string> ExecutionEnvironment::variables(
    const platform::Credentials& credentials) {
  std::map<std::string, std::string> all{
      {"LANG", "C.UTF-8"},
      {"TZ", ":UTC"},
      {"PATH", "/usr/local/bin:/usr/bin/:/bin:/opt/bin"},
      {"LD_LIBRARY_PATH",
       "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:"
       "/var/task:/var/task/lib:/opt/lib"},
      {"LAMBDA_TASK_ROOT", "/var/task"},
      {"LAMBDA_RUNTIME_DIR", "/var/runtime"},
      {"AWS_EXECUTION_ENV", "AWS_Lambda_" + image_.runtime},
      {"AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"},
      {"PYTHONDONTWRITEBYTECODE", "1"},
  };
  for (const auto& [name, value] : image_.variables) all[name] = value;
  const std::map<std::string, std::string> reserved{
      {"_HANDLER", image_.handler},
      {"AWS_REGION", image_.scope.region},
      {"AWS_DEFAULT_REGION", image_.scope.region},
      {"AWS_ENDPOINT_URL",
       fmt::format("http://127.0.0.1:{}",
                   platform::port_of_endpoint(resources_.environment.endpoint))},
      {"AWS_ACCESS_KEY_ID", credentials.access_key},
      {"AWS_SECRET_ACCESS_KEY", credentials.secret_key},
      {"AWS_SESSION_TOKEN", credentials.session_token},
      {"AWS_LAMBDA_FUNCTION_NAME", image_.name},
      {"AWS_LAMBDA_FUNCTION_VERSION", image_.version},
      {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", std::to_string(image_.memory_mb)},
      {"AWS_LAMBDA_LOG_GROUP_NAME", image_.log_group},
      {"AWS_LAMBDA_LOG_STREAM_NAME", stream_},
      {"AWS_LAMBDA_RUNTIME_API", runtime_api_}};
  for (const auto& [name, value] : reserved) all[name] = value;
  return all;
}

Task<void> ExecutionEnvironment::wait_for_init() {
  // Loading the code has at least ten seconds, as in AWS, and as long as an invocation may take.
  const auto limit = std::max<Microseconds>(k_init_max, Seconds(image_.timeout_s));
  const auto timer = resources_.real_clock.call_at(resources_.real_clock.now() + limit,
                                                   [ready = ready_] { ready.set({}); });
  co_await ready_;
  resources_.real_clock.cancel(timer);
  std::lock_guard lock(mutex_);
  init_ms_ =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - began_).count();
}

Task<void> ExecutionEnvironment::watch() {
  const auto self = shared_from_this();
  const sandbox::ExitStatus status = co_await process_->wait();
  CurrentPtr current;
  std::optional<OneShot<CurrentPtr>> fetcher;
  {
    std::lock_guard lock(mutex_);
    exit_ = status;
    current = current_ ? current_ : waiting_;
    fetcher.swap(fetcher_);
  }
  if (fetcher) fetcher->set(nullptr);
  ready_.set({});
  if (current) current->answer.set({Answer::Kind::exited, ""});
  close();
}

bool ExecutionEnvironment::usable() const {
  std::lock_guard lock(mutex_);
  const auto margin = std::chrono::minutes(15) + Seconds(image_.timeout_s);
  return !exit_ && !closed_ && !init_error_ &&
         resources_.environment.clock.now() + margin < credentials_expire_;
}

void ExecutionEnvironment::close() {
  {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    closed_ = true;
  }
  if (process_) process_->kill();
  listeners_.close();
}

// ---- The Runtime API

Task<aws::HttpResponse> ExecutionEnvironment::route(std::weak_ptr<ExecutionEnvironment> weak,
                                                    std::shared_ptr<aws::HttpRequest> request) {
  const auto self = weak.lock();
  if (!self) co_return json_response(410, JsonObject{{"errorMessage", "gone"}});
  co_return co_await self->handle(std::move(request));
}

Task<aws::HttpResponse> ExecutionEnvironment::handle(std::shared_ptr<aws::HttpRequest> request) {
  std::string path = request->path;
  if (!path.starts_with(k_prefix)) {
    co_return json_response(404, JsonObject{{"errorMessage", "no such path: " + path}});
  }
  path.erase(0, k_prefix.size());
  if (path == "invocation/next" && request->method == "GET") co_return co_await next();
  if (path == "init/error") co_return co_await init_failed(std::move(request));
  const auto parts = split(path, '/');
  if (parts.size() == 3 && parts[0] == "invocation" && request->method == "POST" &&
      (parts[2] == "response" || parts[2] == "error")) {
    const bool failed = parts[2] == "error";
    std::string request_id = parts[1];
    co_return co_await answered(std::move(request_id), failed, std::move(request));
  }
  co_return json_response(404, JsonObject{{"errorMessage", "no such path: " + path}});
}

Task<aws::HttpResponse> ExecutionEnvironment::next() {
  OneShot<CurrentPtr> work;
  {
    std::lock_guard lock(mutex_);
    if (waiting_) {
      current_ = std::exchange(waiting_, nullptr);
      work.set(current_);
    } else if (exit_ || closed_) {
      work.set(nullptr);
    } else {
      if (fetcher_) fetcher_->set(nullptr);
      fetcher_ = work;
    }
  }
  ready_.set({});
  const CurrentPtr current = co_await work;
  if (!current) co_return json_response(410, JsonObject{{"errorMessage", "shutting down"}});
  aws::HttpResponse response;
  const auto& invocation = current->invocation;
  response.set("Content-Type", "application/json");
  response.set("Lambda-Runtime-Aws-Request-Id", invocation.request_id);
  response.set("Lambda-Runtime-Deadline-Ms", std::to_string(current->deadline_ms));
  response.set("Lambda-Runtime-Invoked-Function-Arn", invocation.arn);
  response.set("Lambda-Runtime-Trace-Id",
               fmt::format("Root=1-{:08x}-{};Parent={};Sampled=0", current->deadline_ms / 1000,
                           replace_all(invocation.request_id, "-", "").substr(0, 24),
                           replace_all(invocation.request_id, "-", "").substr(0, 16)));
  if (!invocation.client_context.empty()) {
    response.set("Lambda-Runtime-Client-Context", invocation.client_context);
  }
  response.body = invocation.payload;
  co_return response;
}

Task<aws::HttpResponse> ExecutionEnvironment::answered(std::string request_id, bool failed,
                                                       std::shared_ptr<aws::HttpRequest> request) {
  // What is too large is read all the same: the runtime waits for the answer until it has sent it.
  std::string body;
  bool too_large = false;
  while (request->body) {
    const std::string piece = co_await request->body->read(k_piece_bytes);
    if (piece.empty()) break;
    too_large = too_large || body.size() + piece.size() > k_answer_bytes_max;
    if (!too_large) body += piece;
  }
  CurrentPtr current;
  {
    std::lock_guard lock(mutex_);
    current = current_;
  }
  if (!current || current->invocation.request_id != request_id) {
    co_return json_response(
        400, JsonObject{{"errorType", "InvalidRequestID"}, {"errorMessage", "Invalid request ID"}});
  }
  if (too_large) {
    body = error_body("Function.ResponseSizeTooLarge",
                      fmt::format("Response payload size exceeded maximum allowed payload size "
                                  "({} bytes).",
                                  k_answer_bytes_max));
    current->answer.set({Answer::Kind::error, body});
    co_return json_response(413, parse_json(body));
  }
  current->answer.set({failed ? Answer::Kind::error : Answer::Kind::response, std::move(body)});
  co_return json_response(202, JsonObject{{"status", "OK"}});
}

Task<aws::HttpResponse> ExecutionEnvironment::init_failed(
    std::shared_ptr<aws::HttpRequest> request) {
  std::string body;
  if (request->body) body = co_await read_all(request->body, k_answer_bytes_max);
  {
    std::lock_guard lock(mutex_);
    init_error_ = std::move(body);
  }
  ready_.set({});
  co_return json_response(202, JsonObject{{"status", "OK"}});
}

// ---- An invocation

Task<InvocationResult> ExecutionEnvironment::invoke(Invocation invocation) {
  const auto self = shared_from_this();
  auto current = std::make_shared<Current>();
  current->invocation = std::move(invocation);
  const auto timeout = Seconds(image_.timeout_s);
  current->deadline_ms = to_millis(resources_.real_clock.now() + timeout);
  {
    std::lock_guard lock(mutex_);
    // What an init that failed had to say belongs to the invocation that it kept from running.
    if (!init_error_ && !exit_) tail_.clear();
  }
  add_line(fmt::format("START RequestId: {} Version: {}", current->invocation.request_id,
                       image_.version));
  const auto begun = std::chrono::steady_clock::now();
  std::optional<OneShot<CurrentPtr>> fetcher;
  {
    std::lock_guard lock(mutex_);
    if (init_error_) {
      current->answer.set({Answer::Kind::error, *init_error_});
    } else if (exit_) {
      current->answer.set({Answer::Kind::exited, ""});
    } else if (fetcher_) {
      fetcher.swap(fetcher_);
      current_ = current;
    } else {
      waiting_ = current;
    }
  }
  if (fetcher) fetcher->set(current);
  const auto timer = resources_.real_clock.call_at(resources_.real_clock.now() + timeout,
                                                   [answer = current->answer] {
                                                     answer.set({Answer::Kind::timeout, ""});
                                                   });
  Answer answer = co_await current->answer;
  resources_.real_clock.cancel(timer);
  const double duration_ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begun).count();
  {
    std::lock_guard lock(mutex_);
    current_ = nullptr;
    waiting_ = nullptr;
  }
  co_await process_->drain();
  InvocationResult result = result_of(*current, answer);
  report(current->invocation, duration_ms, answer);
  {
    std::lock_guard lock(mutex_);
    result.log_tail = tail_;
  }
  if (answer.kind == Answer::Kind::timeout || answer.kind == Answer::Kind::exited) close();
  co_return result;
}

// The error's type and text of an environment that has ended.
std::pair<std::string, std::string> ExecutionEnvironment::how_it_ended() const {
  sandbox::ExitStatus status;
  {
    std::lock_guard lock(mutex_);
    status = exit_.value_or(sandbox::ExitStatus{});
  }
  if (!status.failure.empty()) {
    return {k_no_entry_point,
            "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"};
  }
  const std::string type = status.out_of_memory ? "Runtime.OutOfMemory" : "Runtime.ExitError";
  if (status.signal == 0 && status.code == 0) {
    return {type, "Runtime exited without providing a reason"};
  }
  const std::string how =
      status.signal == 0
          ? fmt::format("exit status {}", status.code)
          : fmt::format("signal: {}",
                        status.signal == SIGKILL ? "killed" : to_lower(strsignal(status.signal)));
  return {type, "Runtime exited with error: " + how};
}

InvocationResult ExecutionEnvironment::result_of(const Current& current, Answer answer) {
  const std::string& id = current.invocation.request_id;
  InvocationResult result;
  if (answer.kind != Answer::Kind::response) result.function_error = "Unhandled";
  switch (answer.kind) {
    case Answer::Kind::response:
    case Answer::Kind::error: {
      result.payload = std::move(answer.body);
      break;
    }
    case Answer::Kind::timeout: {
      const std::string text =
          fmt::format("Task timed out after {:.2f} seconds", static_cast<double>(image_.timeout_s));
      add_line(fmt::format("{} {} {}", iso8601(resources_.environment.clock.now()), id, text));
      result.payload =
          error_body("Sandbox.Timedout", fmt::format("RequestId: {} Error: {}", id, text));
      break;
    }
    case Answer::Kind::exited: {
      const auto [type, text] = how_it_ended();
      add_line(fmt::format("RequestId: {} Error: {}", id, text));
      if (type != k_no_entry_point) add_line(type);
      result.payload = error_body(type, fmt::format("RequestId: {} Error: {}", id, text));
      break;
    }
  }
  return result;
}

void ExecutionEnvironment::report(const Invocation& invocation, double duration_ms,
                                  const Answer& answer) {
  const auto usage = process_->usage();
  const auto used_mb = std::min<std::uint64_t>((usage.memory_peak_bytes + (1 << 20) - 1) >> 20,
                                               static_cast<std::uint64_t>(image_.memory_mb));
  bool first = false;
  double init_ms = 0;
  {
    std::lock_guard lock(mutex_);
    first = std::exchange(first_report_, false);
    init_ms = init_ms_;
  }
  std::string line = fmt::format(
      "REPORT RequestId: {}\tDuration: {:.2f} ms\tBilled Duration: {:.0f} ms\tMemory Size: {} "
      "MB\tMax Memory Used: {} MB\t",
      invocation.request_id, duration_ms, std::ceil(duration_ms + (first ? init_ms : 0)),
      image_.memory_mb, used_mb);
  if (first) line += fmt::format("Init Duration: {:.2f} ms\t", init_ms);
  if (answer.kind == Answer::Kind::timeout) line += "Status: timeout";
  if (answer.kind == Answer::Kind::exited) {
    line += "Status: error\tError Type: " + how_it_ended().first;
  }
  add_line(fmt::format("END RequestId: {}", invocation.request_id));
  add_line(line);
}

void ExecutionEnvironment::add_line(std::string_view line) {
  {
    std::lock_guard lock(mutex_);
    tail_.append(line);
    tail_.push_back('\n');
    if (tail_.size() > k_tail_bytes) tail_.erase(0, tail_.size() - k_tail_bytes);
  }
  log_->add(std::string(line) + "\n");
}

}  // namespace tarn::lambda
