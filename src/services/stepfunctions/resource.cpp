// SPDX-License-Identifier: Apache-2.0
// What the Resource of a Task may name, and times in the only form that AWS takes.
#include <algorithm>
#include <cctype>
#include <span>

#include "base/strings.hpp"
#include "services/stepfunctions/definition.hpp"

namespace tarn::stepfunctions::asl {
namespace {

// The optimised integrations.
constexpr std::string_view k_optimized[] = {
    "apigateway:invoke",
    "athena:startQueryExecution",
    "athena:stopQueryExecution",
    "athena:getQueryExecution",
    "athena:getQueryResults",
    "batch:submitJob",
    "bedrock:invokeModel",
    "bedrock:createModelCustomizationJob",
    "codebuild:startBuild",
    "codebuild:stopBuild",
    "codebuild:batchDeleteBuilds",
    "codebuild:batchGetReports",
    "codebuild:startBuildBatch",
    "codebuild:stopBuildBatch",
    "codebuild:retryBuildBatch",
    "codebuild:deleteBuildBatch",
    "databrew:startJobRun",
    "dynamodb:getItem",
    "dynamodb:putItem",
    "dynamodb:deleteItem",
    "dynamodb:updateItem",
    "ecs:runTask",
    "eks:call",
    "eks:runJob",
    "eks:createCluster",
    "eks:deleteCluster",
    "eks:createNodegroup",
    "eks:deleteNodegroup",
    "eks:createFargateProfile",
    "eks:deleteFargateProfile",
    "elasticmapreduce:createCluster",
    "elasticmapreduce:setClusterTerminationProtection",
    "elasticmapreduce:terminateCluster",
    "elasticmapreduce:addStep",
    "elasticmapreduce:cancelStep",
    "elasticmapreduce:modifyInstanceFleetByName",
    "elasticmapreduce:modifyInstanceGroupByName",
    "emr-containers:createVirtualCluster",
    "emr-containers:deleteVirtualCluster",
    "emr-containers:startJobRun",
    "emr-serverless:createApplication",
    "emr-serverless:startApplication",
    "emr-serverless:stopApplication",
    "emr-serverless:deleteApplication",
    "emr-serverless:startJobRun",
    "emr-serverless:cancelJobRun",
    "events:putEvents",
    "glue:startJobRun",
    "http:invoke",
    "lambda:invoke",
    "mediaconvert:createJob",
    "sagemaker:createEndpoint",
    "sagemaker:createEndpointConfig",
    "sagemaker:createHyperParameterTuningJob",
    "sagemaker:createLabelingJob",
    "sagemaker:createModel",
    "sagemaker:createProcessingJob",
    "sagemaker:createTrainingJob",
    "sagemaker:createTransformJob",
    "sagemaker:updateEndpoint",
    "sns:publish",
    "sqs:sendMessage",
    "states:startExecution",
};

// Those that can wait for their job.
constexpr std::string_view k_with_sync[] = {
    "athena:startQueryExecution",
    "batch:submitJob",
    "bedrock:createModelCustomizationJob",
    "codebuild:startBuild",
    "codebuild:startBuildBatch",
    "codebuild:retryBuildBatch",
    "databrew:startJobRun",
    "ecs:runTask",
    "eks:runJob",
    "eks:createCluster",
    "eks:deleteCluster",
    "eks:createNodegroup",
    "eks:deleteNodegroup",
    "eks:createFargateProfile",
    "eks:deleteFargateProfile",
    "elasticmapreduce:createCluster",
    "elasticmapreduce:terminateCluster",
    "elasticmapreduce:addStep",
    "emr-containers:deleteVirtualCluster",
    "emr-containers:startJobRun",
    "emr-serverless:createApplication",
    "emr-serverless:startApplication",
    "emr-serverless:stopApplication",
    "emr-serverless:deleteApplication",
    "emr-serverless:startJobRun",
    "emr-serverless:cancelJobRun",
    "glue:startJobRun",
    "mediaconvert:createJob",
    "sagemaker:createHyperParameterTuningJob",
    "sagemaker:createLabelingJob",
    "sagemaker:createProcessingJob",
    "sagemaker:createTrainingJob",
    "sagemaker:createTransformJob",
    "states:startExecution",
};

// Those that can wait for a task token.
constexpr std::string_view k_with_token[] = {
    "apigateway:invoke", "batch:submitJob",       "bedrock:invokeModel", "ecs:runTask",
    "eks:runJob",        "events:putEvents",      "lambda:invoke",       "sns:publish",
    "sqs:sendMessage",   "states:startExecution",
};

bool is_one_of(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_word(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-') return false;
  }
  return true;
}

// Takes ".sync", ".sync:2" or ".waitForTaskToken" off the action.
void take_pattern(Resource& resource) {
  auto& action = resource.action;
  const auto ends = [&](std::string_view suffix, Resource::Pattern pattern) {
    if (!action.ends_with(suffix)) return false;
    action.resize(action.size() - suffix.size());
    resource.pattern = pattern;
    return true;
  };
  if (ends(".sync:2", Resource::Pattern::sync)) {
    resource.output_is_json = true;
  } else if (!ends(".sync", Resource::Pattern::sync)) {
    ends(".waitForTaskToken", Resource::Pattern::token);
  }
}

std::optional<Resource> parse_integration(Resource out, std::string_view rest) {
  const bool sdk = rest.starts_with("aws-sdk:");
  if (sdk) rest.remove_prefix(8);
  const auto colon = rest.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  out.service = rest.substr(0, colon);
  out.action = rest.substr(colon + 1);
  out.name = out.action;
  out.type = sdk ? "aws-sdk:" + out.service : out.service;
  take_pattern(out);
  if (sdk) {
    out.kind = Resource::Kind::sdk;
    const bool known_pattern = out.pattern != Resource::Pattern::sync;
    if (!is_word(out.service) || !is_word(out.action) || !known_pattern) return std::nullopt;
    if (!std::islower(static_cast<unsigned char>(out.action.front()))) return std::nullopt;
    return out;
  }
  out.kind = Resource::Kind::optimized;
  const std::string name = out.service + ":" + out.action;
  if (!is_one_of(k_optimized, name)) return std::nullopt;
  if (out.pattern == Resource::Pattern::sync && !is_one_of(k_with_sync, name)) return std::nullopt;
  if (out.pattern == Resource::Pattern::token && !is_one_of(k_with_token, name)) {
    return std::nullopt;
  }
  if (out.output_is_json && out.service != "states") return std::nullopt;
  return out;
}

}  // namespace

std::optional<Resource> parse_resource(std::string_view arn) {
  const auto parts = split(arn, ':');
  if (parts.size() < 6 || parts[0] != "arn" || !parts[1].starts_with("aws")) return std::nullopt;
  Resource out;
  out.arn = arn;
  if (parts[2] == "lambda" && parts.size() >= 7 && parts[5] == "function" && !parts[6].empty()) {
    out.kind = Resource::Kind::lambda;
    out.service = "lambda";
    return out;
  }
  if (parts[2] != "states") return std::nullopt;
  if (parts.size() == 7 && parts[5] == "activity" && !parts[6].empty()) {
    out.kind = Resource::Kind::activity;
    out.service = "states";
    return out;
  }
  if (!parts[3].empty() || !parts[4].empty()) return std::nullopt;
  const auto head = parts[0].size() + parts[1].size() + parts[2].size() + 5;  // with its colons
  return parse_integration(std::move(out), arn.substr(head));
}

std::optional<Timestamp> parse_rfc3339(std::string_view text) {
  // 2016-03-14T01:59:00[.f…](Z|±hh:mm)
  static constexpr std::string_view k_form = "dddd-dd-ddTdd:dd:dd";
  if (text.size() <= k_form.size()) return std::nullopt;
  for (std::size_t i = 0; i < k_form.size(); ++i) {
    const bool digit = std::isdigit(static_cast<unsigned char>(text[i])) != 0;
    if (k_form[i] == 'd' ? !digit : text[i] != k_form[i]) return std::nullopt;
  }
  auto at = k_form.size();
  std::string kept(text.substr(0, at));
  if (text[at] == '.') {
    const auto begin = at++;
    while (at < text.size() && std::isdigit(static_cast<unsigned char>(text[at]))) ++at;
    if (at == begin + 1) return std::nullopt;
    kept += text.substr(begin, std::min<std::size_t>(at - begin, 7));  // microseconds
  }
  const auto zone = text.substr(at);
  if (zone != "Z" && (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':')) {
    return std::nullopt;
  }
  return parse_iso8601(kept.append(zone));
}

}  // namespace tarn::stepfunctions::asl
