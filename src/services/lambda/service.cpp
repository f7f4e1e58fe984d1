// SPDX-License-Identifier: Apache-2.0
#include "services/lambda/service.hpp"

#include <fmt/format.h>

#include <thread>

#include "aws/lambda/errors.hpp"
#include "aws/s3/operations.hpp"
#include "base/log.hpp"
#include "platform/authorization.hpp"

namespace tarn::lambda {
namespace {

constexpr std::size_t k_direct_zip_max = 50 * 1024 * 1024;
constexpr std::size_t k_s3_zip_max = 250 * 1024 * 1024;
constexpr std::uint64_t k_unzipped_max = 262'144'000;
constexpr const char* k_code_path = "/_tarn/lambda/code/";
constexpr const char* k_code_context = "lambda/code-location";

Task<ByteSourcePtr> open_code(const CodeStore& code, std::string digest) {
  co_return code.open(digest);
}

}  // namespace

Lambda::Lambda(platform::Environment& environment, sandbox::Compute& compute)
    : environment_(environment),
      store_(environment.store),
      compute_(compute),
      code_(environment.data_directory / "lambda" / "code"),
      pool_(RuntimeResources{environment, compute, code_, real_clock_}) {}

void Lambda::operations(platform::OpTable& t) {
  function_operations(t);
  version_operations(t);
  layer_operations(t);
  permission_operations(t);
  invoke_operations(t);
  event_source_operations(t);
}

void Lambda::start() {
  kernel::Subscription subscription;
  subscription.topic = "lambda.async";
  subscription.subscriber = "lambda.invoke";
  subscription.deliver = [this](kernel::Delivery delivery) {
    return deliver_async(std::move(delivery));
  };
  subscription.attempts_max = 20;  // of throttling; a function's own failures are counted by us
  environment_.bus.subscribe(std::move(subscription));

  // The code that a function may still need; a deleted layer's as long as a function has it.
  std::set<std::string> named, layers;
  store_.scan_all(FunctionRecord::k_kind, [&](const auto&, const auto&, std::string_view value) {
    const auto function = kernel::decode_record<FunctionRecord>(value);
    named.insert(function.code_digest);
    layers.insert(function.layers.begin(), function.layers.end());
    return true;
  });
  store_.scan_all(
      LayerRecord::k_kind, [&](const kernel::Scope& scope, const auto&, std::string_view value) {
        const auto layer = kernel::decode_record<LayerRecord>(value);
        const std::string arn = fmt::format("{}:{}", layer_arn(scope, layer.name), layer.version);
        if (!layer.deleted || layers.contains(arn)) named.insert(layer.code_digest);
        return true;
      });
  code_.sweep(named);
  if (auto* server = environment_.ports.http_server) {
    server->mount(k_code_path, [this](std::shared_ptr<aws::HttpRequest> request) {
      return serve_code(std::move(request));
    });
  }
  store_.scan_all(EventSourceRecord::k_kind,
                  [&](const kernel::Scope& scope, const auto&, std::string_view value) {
                    auto source = kernel::decode_record<EventSourceRecord>(value);
                    if (source.enabled) start_polling(scope, std::move(source));
                    return true;
                  });
}

void Lambda::stop() {
  stop_.request_stop();
  {
    std::lock_guard lock(polling_mutex_);
    for (auto& [uuid, stop] : polling_) stop.request_stop();
  }
  pool_.stop();
  for (int i = 0; i < 500 && pollers_.use_count() > 1; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

std::string asked_arn(platform::Call& call, const std::string& function,
                      const std::optional<std::string>& qualifier) {
  const FunctionId id = FunctionId::parse(function, qualifier);
  return function_arn(call.scope(), id.name, id.qualifier);
}

// ---- What several handlers use

FunctionRecord Lambda::require_function(Txn& txn, const FunctionId& id) {
  std::string version = id.qualifier.empty() ? k_latest : id.qualifier;
  if (!id.qualifier.empty() && version != k_latest && !parse_uint(version)) {
    const auto alias = txn.find<AliasRecord>(id.name, version);
    version = alias ? alias->version : std::string();
  }
  auto function = version.empty() ? std::nullopt : txn.find<FunctionRecord>(id.name, version);
  if (!function) {
    throw ResourceNotFoundException("Function not found: " +
                                    function_arn(txn.scope(), id.name, id.qualifier));
  }
  return std::move(*function);
}

FunctionRecord Lambda::require_latest_for_update(Txn& txn, const FunctionId& id) {
  auto function = txn.find_for_update<FunctionRecord>(id.name, k_latest);
  if (!function) {
    throw ResourceNotFoundException("Function not found: " + function_arn(txn.scope(), id.name));
  }
  return std::move(*function);
}

void Lambda::touch(FunctionRecord& function, Timestamp now) {
  function.modified = now;
  function.revision = environment_.random.uuid();
}

void Lambda::check_role(const std::string& role, const std::string& function) {
  auto& identities = platform::Ports::require(environment_.ports.identities, "IAM");
  try {
    identities.assume_for_service(role, "lambda.amazonaws.com", function);
  } catch (const aws::ApiError&) {
    throw InvalidParameterValueException(
        "The role defined for the function cannot be assumed by Lambda.");
  }
}

bool Lambda::role_allows(const std::string& role, const std::string& function,
                         const std::string& action, const std::string& resource,
                         const std::optional<std::string>& resource_policy) {
  auto& identities = platform::Ports::require(environment_.ports.identities, "IAM");
  const auto call = environment_.call_as(
      identities.assume_for_service(role, "lambda.amazonaws.com", function), "us-east-1");
  try {
    platform::authorize(&identities, *call, action, {resource}, resource_policy);
  } catch (const aws::ApiError&) {
    return false;
  }
  return true;
}

// AWS looks when the function is configured, so that no dead letter is lost later.
void Lambda::check_dead_letters(const FunctionRecord& function) {
  const std::string& arn = function.dead_letter_arn;
  if (arn.empty()) return;
  const auto parts = split(arn, ':');
  const std::string service = parts.size() > 5 ? parts[2] : "";
  if (service != "sqs" && service != "sns") {
    throw InvalidParameterValueException(
        fmt::format("The provided dead letter target ARN is invalid: {}", arn));
  }
  const bool queue = service == "sqs";
  if (role_allows(function.role, function.name, queue ? "sqs:SendMessage" : "sns:Publish", arn)) {
    return;
  }
  throw InvalidParameterValueException(
      fmt::format("The provided execution role does not have permissions to call {} on {}",
                  queue ? "SendMessage" : "Publish", queue ? "SQS" : "SNS"));
}

std::int64_t Lambda::next_number(Txn& txn, const std::string& kind, const std::string& name) {
  auto counter = txn.find_for_update<CounterRecord>(kind, name).value_or(CounterRecord{kind, name});
  ++counter.last;
  txn.put(counter);
  return counter.last;
}

FunctionImage Lambda::image_of(const FunctionRecord& function, const kernel::Scope& scope) {
  FunctionImage image;
  image.name = function.name;
  image.version = function.version;
  image.arn = function_arn(scope, function.name);
  image.runtime = function.runtime;
  image.handler = function.handler;
  image.role = function.role;
  image.log_group = function.log_group;
  image.scope = scope;
  image.timeout_s = function.timeout_s;
  image.memory_mb = function.memory_mb;
  image.ephemeral_mb = function.ephemeral_mb;
  image.variables = function.variables;
  image.code_digest = function.code_digest;
  image.revision = function.revision;
  auto txn = store_.begin(scope);
  const auto latest = txn.peek<FunctionRecord>(function.name, k_latest);
  if (latest) image.reserved_concurrency = latest->reserved_concurrency;
  for (const auto& arn : function.layers) {
    const auto id = LayerVersionId::parse(arn);
    const auto layer = txn.in(id.scope).peek<LayerRecord>(id.name, id.version);
    if (!layer) throw ResourceNotFoundException("Layer version " + arn + " does not exist.");
    image.layer_digests.push_back(layer->code_digest);
  }
  return image;
}

std::int64_t Lambda::layer_bytes(const std::string& arn) {
  const auto id = LayerVersionId::parse(arn);
  const auto layer = store_.begin(id.scope).peek<LayerRecord>(id.name, id.version);
  return layer ? layer->code_bytes : 0;
}

Task<Lambda::Package> Lambda::take_package(CallPtr call, std::optional<std::string> zip,
                                           std::optional<std::string> bucket,
                                           std::optional<std::string> key,
                                           std::optional<std::string> version) {
  std::string bytes;
  if (zip) {
    if (zip->size() > k_direct_zip_max) {
      throw RequestTooLargeException(
          "Request must be smaller than 70167211 bytes for the "
          "CreateFunction operation");
    }
    bytes = std::move(*zip);
  } else if (bucket && key) {
    s3::GetObjectInput in;
    in.bucket = *bucket;
    in.key = *key;
    in.version_id = version;
    std::string problem;
    try {
      auto object = co_await call->invoke<s3::GetObject>(std::move(in));
      if (object.body) bytes = co_await read_all(object.body, k_s3_zip_max);
    } catch (const aws::ApiError& error) {
      problem =
          fmt::format("Error occurred while GetObject. S3 Error Code: {}. S3 Error Message: {}",
                      error.code, error.message);
    } catch (const std::length_error&) {
      problem = fmt::format("Unzipped size must be smaller than {} bytes", k_unzipped_max);
    }
    if (!problem.empty()) throw InvalidParameterValueException(problem);
  } else {
    throw InvalidParameterValueException(
        "Please provide a source for function code: a zip file or an object in S3.");
  }
  Package package{code_.put(bytes), static_cast<std::int64_t>(bytes.size())};
  sandbox::LayerLimits limits;
  limits.unpacked.unpacked_bytes_max = k_unzipped_max;
  sandbox::LayerStore::Fetch fetch = [this, digest = package.digest] {
    return open_code(code_, digest);
  };
  std::string digest = package.digest;
  try {
    co_await compute_.layers().open(std::move(digest), std::move(fetch), limits);
  } catch (const sandbox::ArchiveError& error) {
    if (std::string_view(error.what()).starts_with("more than")) {
      throw InvalidParameterValueException(
          fmt::format("Unzipped size must be smaller than {} bytes", k_unzipped_max));
    }
    log::debug("lambda", "package refused: {}", error.what());
    throw InvalidParameterValueException(
        "Could not unzip uploaded file. Please check your file, then try to upload again.");
  }
  co_return package;
}

// ---- GetFunction's Code.Location: a link that works without a signature, for ten minutes

std::string Lambda::code_location(const std::string& digest) {
  const auto expires = to_millis(environment_.clock.now()) + 600'000;
  const std::string sealed =
      environment_.secrets.seal(fmt::format("{}:{}", digest, expires), k_code_context);
  return environment_.endpoint + k_code_path + to_hex(sealed);
}

Task<aws::HttpResponse> Lambda::serve_code(std::shared_ptr<aws::HttpRequest> request) {
  aws::HttpResponse response;
  response.status = 403;
  const auto sealed = from_hex(std::string_view(request->path).substr(strlen(k_code_path)));
  if (!sealed) co_return response;
  std::vector<std::string> parts;
  try {
    parts = split(environment_.secrets.open(*sealed, k_code_context), ':');
  } catch (const std::exception&) {
    co_return response;
  }
  const auto expires = parts.size() == 2 ? parse_int(parts[1]) : std::nullopt;
  if (!expires || *expires < to_millis(environment_.clock.now())) co_return response;
  response.status = code_.has(parts[0]) ? 200 : 404;
  if (response.status == 200) {
    response.set("Content-Type", "application/zip");
    response.stream = code_.open(parts[0]);
  }
  co_return response;
}

}  // namespace tarn::lambda
