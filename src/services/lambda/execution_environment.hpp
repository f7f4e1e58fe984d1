// SPDX-License-Identifier: Apache-2.0
// One sandbox in which a function's runtime lives, and the Runtime API that it talks to: from its
// start through any number of invocations, one at a time, to its end.
//
// The Runtime API (docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html) is served on
// 127.0.0.1:9001 inside. Whatever the runtime does (answers, fails, dies, hangs), each invocation
// gets exactly one answer. The environment writes the function's log: START, what the function
// prints, END, REPORT.
//
// Threading: `launch` and `invoke` are tasks; HTTP handlers and the watch over the process run on
// the pools at the same time; shared state is under `mutex_`.
#pragma once
#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "aws/http.hpp"
#include "base/clock.hpp"
#include "engines/sandbox/compute.hpp"
#include "platform/job_listeners.hpp"
#include "platform/log_writer.hpp"
#include "platform/service.hpp"
#include "services/lambda/code_store.hpp"

namespace tarn::lambda {

// All that an environment depends on; two equal fingerprints can share environments.
struct FunctionImage {
  std::string name, version, arn, runtime, handler, role, log_group;
  kernel::Scope scope;
  std::int32_t timeout_s = 3, memory_mb = 128, ephemeral_mb = 512;
  std::map<std::string, std::string> variables;
  std::string code_digest;
  std::vector<std::string> layer_digests;
  std::string revision;
  std::optional<std::int32_t> reserved_concurrency;
  std::string fingerprint() const;
};

struct Invocation {
  std::string request_id, payload, arn, client_context;
};

struct InvocationResult {
  std::string payload;
  std::string function_error;  // "Unhandled"; empty: it worked
  std::string log_tail;        // the last 4 KB
};

// What environments need of their surroundings.
struct RuntimeResources {
  platform::Environment& environment;
  sandbox::Compute& compute;
  CodeStore& code;
  Clock& real_clock;  // time-outs are real time, whatever the user does with Tarn's clock
  // Alive as long as any environment runs; the last one to go lets `stop` return.
  std::shared_ptr<std::monostate> alive = std::make_shared<std::monostate>();
};

class ExecutionEnvironment : public std::enable_shared_from_this<ExecutionEnvironment> {
 public:
  // Returns when the runtime asks for its first invocation or has failed to come that far; then the
  // next `invoke` tells why. Throws what prevents a start: a role that cannot be assumed, a layer
  // that cannot be unpacked.
  static Task<std::shared_ptr<ExecutionEnvironment>> launch(RuntimeResources resources,
                                                            FunctionImage image);
  Task<InvocationResult> invoke(Invocation invocation);
  // Can it take another invocation?
  bool usable() const;
  void close();
  const FunctionImage& image() const { return image_; }

  ExecutionEnvironment(RuntimeResources resources, FunctionImage image);

 private:
  struct Answer {
    enum class Kind { response, error, timeout, exited } kind = Kind::response;
    std::string body;
  };
  struct Current {
    Invocation invocation;
    std::int64_t deadline_ms = 0;
    OneShot<Answer> answer;
    bool delivered = false;
  };
  using CurrentPtr = std::shared_ptr<Current>;

  Task<void> start();
  Task<sandbox::JobSpec> make_job();
  Task<void> mount_code(sandbox::JobSpec& job);
  void set_network(sandbox::JobSpec& job);
  void serve_listeners(sandbox::Started started);
  Task<void> watch();
  Task<void> wait_for_init();
  std::map<std::string, std::string> variables(const platform::Credentials& credentials);
  void add_line(std::string_view line);
  void report(const Invocation& invocation, double duration_ms, const Answer& answer);
  std::pair<std::string, std::string> how_it_ended() const;
  InvocationResult result_of(const Current& current, Answer answer);

  static Task<aws::HttpResponse> route(std::weak_ptr<ExecutionEnvironment> weak,
                                       std::shared_ptr<aws::HttpRequest> request);
  Task<aws::HttpResponse> handle(std::shared_ptr<aws::HttpRequest> request);
  Task<aws::HttpResponse> next();
  Task<aws::HttpResponse> answered(std::string request_id, bool failed,
                                   std::shared_ptr<aws::HttpRequest> request);
  Task<aws::HttpResponse> init_failed(std::shared_ptr<aws::HttpRequest> request);

  const RuntimeResources resources_;
  const FunctionImage image_;
  std::string stream_;
  std::shared_ptr<platform::LogWriter> log_;
  std::shared_ptr<sandbox::Process> process_;
  std::vector<sandbox::LayerPtr> layers_;  // kept from being swept
  platform::JobListeners listeners_;
  std::string runtime_api_;    // host:port inside
  sandbox::Fd host_listener_;  // of the Runtime API where the job uses the host's network
  Timestamp credentials_expire_{};
  std::chrono::steady_clock::time_point began_;

  mutable std::mutex mutex_;
  OneShot<std::monostate> ready_;          // the first `next`, a failed init, or the end
  std::optional<std::string> init_error_;  // what the runtime posted
  double init_ms_ = 0;
  bool first_report_ = true;
  std::optional<sandbox::ExitStatus> exit_;
  bool closed_ = false;
  CurrentPtr waiting_;                          // to be fetched by the runtime
  CurrentPtr current_;                          // in the hands of the runtime
  std::optional<OneShot<CurrentPtr>> fetcher_;  // the runtime, waiting for work
  std::string tail_;
};

}  // namespace tarn::lambda
