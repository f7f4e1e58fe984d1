// SPDX-License-Identifier: Apache-2.0
#include "services/ecs/task_runner.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "aws/codec.hpp"
#include "aws/ecs/errors.hpp"
#include "aws/s3/operations.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "services/ecs/names.hpp"
#include "services/ecs/service.hpp"

namespace tarn::ecs {
namespace {

using sandbox::JobSpec;

constexpr const char* k_topic = "ecs.task-change";
constexpr std::uint16_t k_agent_port = 51679;  // credentials and metadata, inside
constexpr std::chrono::hours k_credentials_last{6};
constexpr const char* k_interrupted = "Tarn ended while the task ran";

// Why a task cannot be started; the text is its stopped reason.
class CannotStart : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

std::string option_of(const ContainerDefinition& container, const std::string& name) {
  if (!container.log_configuration || !container.log_configuration->options) return {};
  const auto found = container.log_configuration->options->find(name);
  return found == container.log_configuration->options->end() ? "" : found->second;
}

aws::HttpResponse json_response(int status, const Json& body) {
  aws::HttpResponse response;
  response.status = status;
  response.set("Content-Type", "application/json");
  response.body = dump_json(body);
  return response;
}

}  // namespace

// One task on its way.
struct TaskRunner::Run {
  explicit Run(platform::Environment& environment) : listeners(environment) {}
  kernel::Scope scope;
  TaskRecord task;
  ContainerDefinition container;
  Json definition;
  std::string arn;

  std::string task_role, execution_role;
  std::optional<platform::Identity> task_identity, execution_identity;
  std::shared_ptr<platform::LogWriter> log;
  std::map<std::string, std::string> environment;
  JobSpec job;
  bool slim = false;
  std::vector<SlimArchive> archives;
  std::optional<SlimFailure> slim_failure;
  std::vector<sandbox::LayerPtr> layers;
  std::string token;  // of the credentials endpoint
  std::string agent;  // its address inside
  sandbox::Fd host_agent;

  std::mutex mutex;
  std::shared_ptr<sandbox::Process> process;
  bool end_wanted = false;
  std::chrono::seconds grace{30};
  platform::JobListeners listeners;
};

TaskRunner::TaskRunner(platform::Environment& environment, sandbox::Compute& compute)
    : environment_(environment),
      store_(environment.store),
      compute_(compute) {}

// ---- Life

std::vector<std::pair<kernel::Scope, TaskRecord>> TaskRunner::start() {
  kernel::Subscription subscription;
  subscription.topic = k_topic;
  subscription.subscriber = "ecs.events";
  subscription.deliver = [this](kernel::Delivery delivery) { return tell(std::move(delivery)); };
  environment_.bus.subscribe(std::move(subscription));

  std::vector<std::pair<kernel::Scope, TaskRecord>> interrupted, accepted;
  store_.scan_all(TaskRecord::k_kind, [&](const kernel::Scope& scope, const std::string&,
                                          std::string_view value) {
    auto task = kernel::decode_record<TaskRecord>(value);
    if (task.last_status == "STOPPED") return true;
    const bool begun = task.last_status != "PROVISIONING" && task.last_status != "PENDING";
    const bool wanted = task.desired_status == "RUNNING" && !begun;
    (wanted ? accepted : interrupted).emplace_back(scope, std::move(task));
    return true;
  });
  for (auto& [scope, task] : interrupted) {
    task.container_reason = "Tarn ended while the container ran";
    give_up(scope, std::move(task), k_interrupted);
  }
  return accepted;
}

void TaskRunner::give_up(const kernel::Scope& scope, TaskRecord task, std::string reason) {
  const Timestamp now = environment_.clock.now();
  task.stop_code = task.started ? "TerminationNotice" : "TaskFailedToStart";
  task.stopped_reason = std::move(reason);
  task.last_status = task.desired_status = task.container_status = "STOPPED";
  task.stopping = task.stopping.value_or(now);
  task.execution_stopped = task.stopped = now;
  store_.transact(scope, [&](kernel::Txn& txn) { put(txn, task); });
}

void TaskRunner::stop() {
  std::map<std::string, RunPtr> running;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    running = running_;
  }
  for (const auto& [arn, run] : running) {
    std::lock_guard lock(run->mutex);
    run->end_wanted = true;
    if (run->process) run->process->kill();
  }
  running.clear();
  std::unique_lock lock(mutex_);
  ended_.wait_for(lock, std::chrono::seconds(10), [&] { return running_.empty(); });
}

void TaskRunner::run(kernel::Scope scope, TaskRecord task, ContainerDefinition container,
                     Json definition) {
  auto run = std::make_shared<Run>(environment_);
  run->scope = std::move(scope);
  run->task = std::move(task);
  run->container = std::move(container);
  run->definition = std::move(definition);
  run->arn = task_arn(run->scope, run->task.cluster, run->task.id);
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;  // the next start runs it
    running_[run->arn] = run;
  }
  spawn<void>({&environment_.background, {}}, go(run));
}

void TaskRunner::end(const std::string& arn, std::chrono::seconds grace) {
  RunPtr run;
  {
    std::lock_guard lock(mutex_);
    const auto found = running_.find(arn);
    if (found == running_.end()) return;
    run = found->second;
  }
  std::lock_guard lock(run->mutex);
  run->end_wanted = true;
  run->grace = grace;
  if (run->process) run->process->stop(grace);
}

void TaskRunner::put(kernel::Txn& txn, TaskRecord& task) {
  ++task.version;
  txn.put(task);
  const ecs::Task view = shown(task, txn.scope());
  const JsonObject change{{"account", txn.scope().account},
                          {"region", txn.scope().region},
                          {"task", aws::encode_json(aws::shape_of<ecs::Task>(), &view)}};
  txn.emit({k_topic, task.id, dump_json(change)});
}

void TaskRunner::set_status(Run& run, const char* status,
                            const std::function<void(TaskRecord&)>& change) {
  store_.transact(run.scope, [&](kernel::Txn& txn) {
    auto task = txn.find_for_update<TaskRecord>(run.task.cluster, run.task.id);
    if (!task) return;  // its cluster was removed with it
    task->last_status = status;
    change(*task);
    put(txn, *task);
    run.task = *task;
  });
}

::tarn::Task<void> TaskRunner::go(RunPtr run) {
  std::string problem;
  sandbox::ExitStatus status;
  bool started = false;
  try {
    set_status(*run, "PENDING", [](TaskRecord&) {});
    if (run->task.desired_status == "STOPPED") {  // asked for before this task was known here
      std::lock_guard lock(run->mutex);
      run->end_wanted = true;
      throw CannotStart("Task stopped before it started");
    }
    co_await prepare(run);
    if (!run->slim_failure) {
      set_status(*run, "ACTIVATING", [](TaskRecord&) {});
      {
        std::lock_guard lock(run->mutex);
        if (run->end_wanted) throw CannotStart("Task stopped before it started");
        run->process = compute_.sandbox().start(std::move(run->job));
      }
      sandbox::Started sockets = co_await run->process->started();
      serve(run, std::move(sockets));
    }
    started = true;
    const Timestamp now = environment_.clock.now();
    set_status(*run, "RUNNING", [&](TaskRecord& task) {
      task.started = now;
      task.container_status = "RUNNING";
    });
    if (run->process) status = co_await run->process->wait();
  } catch (const Cancelled&) {
    problem = "Tarn is shutting down";
  } catch (const sandbox::SandboxError& error) {
    problem = std::string("CannotStartContainerError: ") + error.what();
  } catch (const std::exception& error) {
    problem = error.what();
  }
  if (!started && run->process) status = co_await run->process->wait();
  if (started && !run->slim_failure && run->slim && status.code != 0 && !status.stopped) {
    const std::string text = fmt::format("COMMAND ended with exit code {}", status.code);
    run->slim_failure = SlimFailure{status.code, text};
  }
  if (run->slim_failure && run->log) run->log->add("slim: " + run->slim_failure->text);
  if (run->log) co_await run->log->flush();
  run->listeners.close();
  const bool stays = !run->process && !run->slim_failure && is_stopping();
  if (started) {
    finish(*run, status);
  } else if (!stays) {  // else the next start runs it
    const bool asked = run->end_wanted;
    set_status(*run, "STOPPED", [&](TaskRecord& task) {
      const Timestamp now = environment_.clock.now();
      if (!asked) {
        task.stop_code = "TaskFailedToStart";
        task.stopped_reason = problem;
        if (problem.starts_with("Cannot")) task.container_reason = problem;  // as ECS has it
      }
      task.desired_status = task.container_status = "STOPPED";
      task.stopping = task.stopping.value_or(now);
      task.execution_stopped = task.stopped = now;
    });
  }
  std::lock_guard lock(mutex_);
  running_.erase(run->arn);
  ended_.notify_all();
}

bool TaskRunner::is_stopping() {
  std::lock_guard lock(mutex_);
  return stopping_;
}

void TaskRunner::finish(Run& run, const sandbox::ExitStatus& status) {
  const Timestamp now = environment_.clock.now();
  const bool shutdown = status.stopped && is_stopping();
  set_status(run, "STOPPED", [&](TaskRecord& task) {
    if (shutdown && task.stop_code.empty()) {
      task.stop_code = "TerminationNotice";
      task.stopped_reason = k_interrupted;
    }
    task.exit_code = run.slim_failure ? run.slim_failure->exit_code : status.code;
    if (status.out_of_memory) {
      task.container_reason = "OutOfMemoryError: Container killed due to memory usage";
    } else if (run.slim_failure) {
      task.container_reason = run.slim_failure->text;
    }
    if (task.stop_code.empty()) {
      task.stop_code = "EssentialContainerExited";
      task.stopped_reason = "Essential container in task exited";
      if (!task.container_reason.empty()) task.stopped_reason += ": " + task.container_reason;
    }
    task.desired_status = task.container_status = "STOPPED";
    task.stopping = task.stopping.value_or(now);
    task.execution_stopped = task.stopped = now;
    task.cpu_seconds = status.usage.cpu_seconds;
    task.memory_peak_bytes = static_cast<std::int64_t>(status.usage.memory_peak_bytes);
  });
}

// ---- Before the start

::tarn::Task<void> TaskRunner::prepare(RunPtr run) {
  auto& identities = platform::Ports::require(environment_.ports.identities, "IAM");
  const Json& overrides = run->task.overrides;
  run->task_role = string_or(overrides, "taskRoleArn", string_or(run->definition, "taskRoleArn"));
  run->execution_role =
      string_or(overrides, "executionRoleArn", string_or(run->definition, "executionRoleArn"));
  const auto assume = [&](const std::string& role) {
    try {
      return identities.assume_for_service(role, "ecs-tasks.amazonaws.com", run->task.id);
    } catch (const aws::ApiError&) {
      throw CannotStart(fmt::format(
          "ECS was unable to assume the role '{}' that was provided for this task. Please verify "
          "that the role being passed has the proper trust relationship and permissions and that "
          "your IAM user has permissions to pass this role.",
          role));
    }
  };
  if (!run->task_role.empty()) run->task_identity = assume(run->task_role);
  if (!run->execution_role.empty()) run->execution_identity = assume(run->execution_role);
  if (!is_slim_image(run->task.image)) {
    throw CannotStart(fmt::format(
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to "
        "resolve ref {}: Tarn has no registry; the image tarn/slim is all there is",
        run->task.image));
  }
  run->token = environment_.random.hex(32);
  co_await open_log(run);
  plan_network(*run);
  co_await read_secrets(run);
  plan_container(*run);
  plan_limits(*run);
  co_await mount_archives(run);
}

::tarn::Task<void> TaskRunner::open_log(RunPtr run) {
  const auto& container = run->container;
  if (!container.log_configuration) co_return;
  if (!run->execution_identity) {
    throw CannotStart(
        "ResourceInitializationError: the task has a log driver but no execution "
        "role");
  }
  const std::string group = option_of(container, "awslogs-group");
  std::string region = option_of(container, "awslogs-region");
  if (region.empty()) region = run->scope.region;
  const std::string prefix = option_of(container, "awslogs-stream-prefix");
  const std::string stream = fmt::format("{}{}{}/{}", prefix, prefix.empty() ? "" : "/",
                                         run->task.container, run->task.id);
  run->log = std::make_shared<platform::LogWriter>(environment_, *run->execution_identity, region,
                                                   group, stream);
  std::string problem;
  try {
    co_await run->log->open(option_of(container, "awslogs-create-group") == "true");
  } catch (const aws::ApiError& error) {
    problem = fmt::format("{}: {}", error.code, error.message);
  }
  if (!problem.empty()) {
    run->log = nullptr;
    throw CannotStart(
        "ResourceInitializationError: failed to validate logger args: create stream has been "
        "retried 1 times: failed to create Cloudwatch log stream: " +
        problem + " : exit status 1");
  }
}

// The environment: definition, then overrides, then secrets; what ECS itself sets comes last.
::tarn::Task<void> TaskRunner::read_secrets(RunPtr run) {
  auto& environment = run->environment;
  for (const auto& pair : run->container.environment.value_or(std::vector<KeyValuePair>())) {
    environment[pair.name.value_or("")] = pair.value.value_or("");
  }
  if (const Json* list = find_member(run->task.overrides, "containerOverrides");
      list && list->is_array()) {
    for (const Json& override : list->get_array()) {
      const Json* pairs = find_member(override, "environment");
      if (string_or(override, "name") != run->task.container || !pairs || !pairs->is_array()) {
        continue;
      }
      for (const Json& pair : pairs->get_array()) {
        environment[string_or(pair, "name")] = string_or(pair, "value");
      }
    }
  }
  for (const auto& secret : run->container.secrets.value_or(std::vector<Secret>())) {
    std::string from = secret.value_from;
    std::string problem;
    try {
      environment[secret.name] = co_await read_secret(run, std::move(from));
    } catch (const std::exception& error) {
      problem = error.what();
    }
    if (!problem.empty()) {
      throw CannotStart(fmt::format(
          "ResourceInitializationError: unable to pull secrets or registry auth: execution "
          "resource retrieval failed: unable to retrieve secret from {}: {}",
          secret.value_from, problem));
    }
  }
  environment["AWS_REGION"] = environment["AWS_DEFAULT_REGION"] = run->scope.region;
  environment["AWS_ENDPOINT_URL"] =
      fmt::format("http://127.0.0.1:{}", platform::port_of_endpoint(environment_.endpoint));
  environment["AWS_EXECUTION_ENV"] = "AWS_ECS_FARGATE";
  environment["ECS_CONTAINER_METADATA_URI_V4"] =
      fmt::format("http://{}/v4/{}", run->agent, run->task.id);
  if (run->task_identity) {
    environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] =
        fmt::format("http://{}/v2/credentials/{}", run->agent, run->task.id);
    environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = run->token;
  }
}

// A parameter's name or ARN, or a secret's ARN with ":json-key:stage:version" behind it.
::tarn::Task<std::string> TaskRunner::read_secret(RunPtr run, std::string from) {
  if (!run->execution_identity) throw std::runtime_error("the task has no execution role");
  const auto call = environment_.call_as(*run->execution_identity, run->scope.region);
  const auto parts = split(from, ':');
  if (parts.size() < 7 || parts[2] != "secretsmanager") {
    const auto name = from.find(":parameter");
    Json input = JsonObject{{"Name", name == std::string::npos ? from : from.substr(name + 10)},
                            {"WithDecryption", true}};
    const Json out = co_await call->invoke_json("ssm", "GetParameter", std::move(input));
    co_return string_or(out.at("Parameter"), "Value");
  }
  JsonObject input{{"SecretId", join({parts.begin(), parts.begin() + 7}, ":")}};
  if (parts.size() > 8 && !parts[8].empty()) input["VersionStage"] = parts[8];
  if (parts.size() > 9 && !parts[9].empty()) input["VersionId"] = parts[9];
  Json json = std::move(input);
  const Json out = co_await call->invoke_json("secretsmanager", "GetSecretValue", std::move(json));
  const std::string text = string_or(out, "SecretString");
  if (parts.size() < 8 || parts[7].empty()) co_return text;
  const Json secret = parse_json(text);
  const Json* value = find_member(secret, parts[7]);
  if (!value) throw std::runtime_error("the secret has no key " + parts[7]);
  co_return value->is_string() ? std::string(json_text(value->get_string())) : dump_json(*value);
}

void TaskRunner::plan_container(Run& run) {
  JobSpec& job = run.job;
  job.name = run.task.family + "-" + run.task.id.substr(0, 8);
  job.root = compute_.root();
  job.root_writable = !run.container.readonly_root_filesystem.value_or(false);
  job.scratch.push_back({"/tmp", {}});
  job.working_directory = run.container.working_directory.value_or("/");
  std::vector<std::string> command = run.container.command.value_or(std::vector<std::string>());
  if (const Json* list = find_member(run.task.overrides, "containerOverrides");
      list && list->is_array()) {
    for (const Json& override : list->get_array()) {
      const Json* words = find_member(override, "command");
      if (string_or(override, "name") != run.task.container || !words || !words->is_array())
        continue;
      command.clear();
      for (const Json& word : words->get_array()) command.emplace_back(json_text(word.as_string()));
    }
  }
  const auto entry = run.container.entry_point.value_or(std::vector<std::string>());
  if (entry.empty()) {
    run.slim = true;
    SlimPlan plan = plan_slim(run.environment);
    run.slim_failure = std::move(plan.failure);
    run.archives = std::move(plan.archives);
    job.command = std::move(plan.command);
    job.environment = std::move(plan.environment);
    job.working_directory = "/opt/code";
    const bool code =
        std::any_of(run.archives.begin(), run.archives.end(),
                    [](const auto& archive) { return archive.target == "/opt/code"; });
    if (!code) job.scratch.push_back({"/opt/code", {}, 0755});
  } else {
    job.command = entry;
    job.command.insert(job.command.end(), command.begin(), command.end());
    job.environment = run.environment;
  }
  if (run.log) {
    job.output = [log = run.log](sandbox::Stream, std::string_view line) {
      log->add(std::string(line));
    };
  }
}

void TaskRunner::plan_limits(Run& run) {
  auto& limits = run.job.limits;
  limits.pids = 4096;
  if (const auto units = parse_uint(run.task.cpu)) limits.cpus = static_cast<double>(*units) / 1024;
  if (const auto mb = parse_uint(run.task.memory)) limits.memory_bytes = *mb << 20;
  // A container's own limit, where it is lower than the task's.
  std::int64_t own_mb = run.container.memory.value_or(0);
  if (const Json* list = find_member(run.task.overrides, "containerOverrides");
      list && list->is_array()) {
    for (const Json& override : list->get_array()) {
      const Json* memory = find_member(override, "memory");
      if (memory && memory->is_number()) own_mb = memory->to_number<std::int64_t>();
    }
  }
  if (own_mb > 0) {
    const auto bytes = static_cast<std::uint64_t>(own_mb) << 20;
    limits.memory_bytes = std::min(limits.memory_bytes.value_or(bytes), bytes);
  }
}

void TaskRunner::plan_network(Run& run) {
  if (compute_.allow_egress()) {
    run.job.network = sandbox::Network::host;
    std::uint16_t port = 0;
    run.host_agent = sandbox::listen_on_host("127.0.0.1", 0, port);
    run.agent = fmt::format("127.0.0.1:{}", port);
    return;
  }
  run.agent = fmt::format("127.0.0.1:{}", k_agent_port);
  for (const auto port : run.listeners.ports(k_agent_port)) {
    run.job.listeners.push_back({"127.0.0.1", port});
  }
  if (run.log && find_member(run.task.network, "awsvpcConfiguration") &&
      string_or(run.task.network.at("awsvpcConfiguration"), "assignPublicIp") == "ENABLED") {
    run.log->add(
        "tarn: assignPublicIp is ENABLED, but this server allows no egress "
        "(tarn up --allow-egress): the task reaches Tarn and nothing else");
  }
}

::tarn::Task<void> TaskRunner::mount_archives(RunPtr run) {
  for (const auto& archive : run->archives) {
    if (run->slim_failure) co_return;
    try {
      SlimArchive wanted = archive;
      run->layers.push_back(co_await open_archive(run, std::move(wanted)));
    } catch (const aws::ApiError& error) {
      run->slim_failure = cannot_fetch(archive, fmt::format("{}: {}", error.code, error.message));
    } catch (const sandbox::ArchiveError& error) {
      run->slim_failure = cannot_unpack(archive, error.what());
    }
    if (!run->slim_failure) {
      run->job.layers.push_back(
          {run->layers.back()->directory(), archive.target, archive.writable});
    }
  }
}

namespace {

::tarn::Task<ByteSourcePtr> fetch_object(platform::CallPtr call, S3Uri object, std::string etag) {
  s3::GetObjectInput in;
  in.bucket = object.bucket;
  in.key = object.key;
  in.if_match = etag;
  auto out = co_await call->invoke<s3::GetObject>(std::move(in));
  co_return out.body;
}

}  // namespace

// As the task's role, which must be allowed to read the object also when the layer is cached.
::tarn::Task<sandbox::LayerPtr> TaskRunner::open_archive(RunPtr run, SlimArchive archive) {
  if (!run->task_identity) {
    throw aws::ApiError("NoCredentials", "the task has no task role, so no credentials");
  }
  const auto call = environment_.call_as(*run->task_identity, run->scope.region);
  s3::HeadObjectInput in;
  in.bucket = archive.object.bucket;
  in.key = archive.object.key;
  const auto head = co_await call->invoke<s3::HeadObject>(std::move(in));
  const std::string etag = head.e_tag.value_or("");
  const auto size = head.content_length.value_or(0);
  std::string name =
      fmt::format("{}#{}#{}#{}", archive.uri, head.version_id.value_or(""), etag, size);
  sandbox::LayerStore::Fetch fetch = [call, object = archive.object, etag] {
    return fetch_object(call, object, etag);
  };
  co_return co_await compute_.layers().open_named(std::move(name), std::move(fetch));
}

// ---- The agent inside: credentials and metadata

void TaskRunner::serve(RunPtr run, sandbox::Started started) {
  std::vector<int> sockets;
  if (run->host_agent) sockets.push_back(run->host_agent.release());
  for (auto& listener : started.listeners) sockets.push_back(listener.release());
  run->listeners.serve(std::move(sockets), [this, weak = std::weak_ptr(run)](
                                               std::shared_ptr<aws::HttpRequest> request) {
    return answer(weak.lock(), std::move(request));
  });
  std::lock_guard lock(run->mutex);
  if (run->end_wanted) run->process->stop(run->grace);  // asked for between start and here
}

::tarn::Task<aws::HttpResponse> TaskRunner::answer(RunPtr run,
                                                   std::shared_ptr<aws::HttpRequest> request) {
  if (!run) co_return json_response(410, JsonObject{{"message", "the task has ended"}});
  if (request->path == "/v2/credentials/" + run->task.id) {
    const auto token = request->header("authorization");
    if (!token || !constant_time_equal(*token, run->token)) {
      co_return json_response(403, JsonObject{{"message", "wrong authorization token"}});
    }
    if (!run->task_identity) {
      co_return json_response(404, JsonObject{{"message", "the task has no task role"}});
    }
    co_return give_credentials(*run);
  }
  const std::string metadata = "/v4/" + run->task.id;
  if (request->path == metadata + "/task" || request->path == metadata) {
    const JsonObject container{{"DockerId", run->task.id},
                               {"Name", run->task.container},
                               {"Image", run->task.image},
                               {"KnownStatus", "RUNNING"},
                               {"DesiredStatus", "RUNNING"},
                               {"Labels", JsonObject{{"com.amazonaws.ecs.task-arn", run->arn}}}};
    if (request->path == metadata) co_return json_response(200, container);
    co_return json_response(
        200,
        JsonObject{
            {"Cluster", cluster_arn(run->scope, run->task.cluster)},
            {"TaskARN", run->arn},
            {"Family", run->task.family},
            {"Revision",
             std::to_string(DefinitionId::parse(run->task.definition_arn).revision.value_or(0))},
            {"DesiredStatus", "RUNNING"},
            {"KnownStatus", "RUNNING"},
            {"LaunchType", "FARGATE"},
            {"Containers", JsonArray{Json(container)}}});
  }
  co_return json_response(404, JsonObject{{"message", "no such path"}});
}

aws::HttpResponse TaskRunner::give_credentials(Run& run) {
  auto& identities = platform::Ports::require(environment_.ports.identities, "IAM");
  const auto keys = identities.issue_session(*run.task_identity, k_credentials_last);
  return json_response(200, JsonObject{{"RoleArn", run.task_role},
                                       {"AccessKeyId", keys.access_key},
                                       {"SecretAccessKey", keys.secret_key},
                                       {"Token", keys.session_token},
                                       {"Expiration", iso8601(keys.expires, Precision::seconds)}});
}

// ---- Telling EventBridge

::tarn::Task<void> TaskRunner::tell(kernel::Delivery delivery) {
  const Json change = parse_json(delivery.payload);
  const Json& task = change.at("task");
  Json input = JsonObject{
      {"Entries", JsonArray{JsonObject{{"Source", "aws.ecs"},
                                       {"DetailType", "ECS Task State Change"},
                                       {"Time", iso8601(delivery.emitted, Precision::seconds)},
                                       {"Resources", JsonArray{Json(string_or(task, "taskArn"))}},
                                       {"Detail", dump_json(task)}}}}};
  const auto call = environment_.call_as(
      platform::service_identity("ecs.amazonaws.com", string_or(change, "account"),
                                 string_or(task, "taskArn")),
      string_or(change, "region"));
  try {
    co_await call->invoke_json("events", "PutEvents", std::move(input));
  } catch (const aws::ApiError& error) {
    if (error.code != "NotImplemented") throw;  // a server without EventBridge
  }
}

}  // namespace tarn::ecs
