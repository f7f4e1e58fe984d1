// SPDX-License-Identifier: Apache-2.0
#include "services/stepfunctions/sdk_names.hpp"

#include <algorithm>
#include <cctype>
#include <map>

namespace tarn::stepfunctions {

SdkService sdk_service(std::string_view name) {
  // Where the SDK's name is not botocore's, or the prefix is not the name with a capital.
  static const std::map<std::string_view, SdkService> k_names{
      {"accessanalyzer", {"accessanalyzer", "AccessAnalyzer"}},
      {"acmpca", {"acm-pca", "AcmPca"}},
      {"apigateway", {"apigateway", "ApiGateway"}},
      {"apigatewayv2", {"apigatewayv2", "ApiGatewayV2"}},
      {"applicationautoscaling", {"application-autoscaling", "ApplicationAutoScaling"}},
      {"autoscaling", {"autoscaling", "AutoScaling"}},
      {"cloudformation", {"cloudformation", "CloudFormation"}},
      {"cloudtrail", {"cloudtrail", "CloudTrail"}},
      {"cloudwatch", {"cloudwatch", "CloudWatch"}},
      {"cloudwatchevents", {"events", "CloudWatchEvents"}},
      {"cloudwatchlogs", {"logs", "CloudWatchLogs"}},
      {"codebuild", {"codebuild", "CodeBuild"}},
      {"codecommit", {"codecommit", "CodeCommit"}},
      {"codepipeline", {"codepipeline", "CodePipeline"}},
      {"cognitoidentityprovider", {"cognito-idp", "CognitoIdentityProvider"}},
      {"costexplorer", {"ce", "CostExplorer"}},
      {"databasemigration", {"dms", "DatabaseMigration"}},
      {"databrew", {"databrew", "DataBrew"}},
      {"docdb", {"docdb", "DocDb"}},
      {"dynamodb", {"dynamodb", "DynamoDb"}},
      {"elasticloadbalancingv2", {"elbv2", "ElasticLoadBalancingV2"}},
      {"emrcontainers", {"emr-containers", "EmrContainers"}},
      {"emrserverless", {"emr-serverless", "EmrServerless"}},
      {"eventbridge", {"events", "EventBridge"}},
      {"lakeformation", {"lakeformation", "LakeFormation"}},
      {"opensearch", {"opensearch", "OpenSearch"}},
      {"rdsdata", {"rds-data", "RdsData"}},
      {"redshiftdata", {"redshift-data", "RedshiftData"}},
      {"redshiftserverless", {"redshift-serverless", "RedshiftServerless"}},
      {"resourcegroupstaggingapi", {"resourcegroupstaggingapi", "ResourceGroupsTaggingApi"}},
      {"route53", {"route53", "Route53"}},
      {"sagemaker", {"sagemaker", "SageMaker"}},
      {"secretsmanager", {"secretsmanager", "SecretsManager"}},
      {"sesv2", {"sesv2", "SesV2"}},
      {"sfn", {"stepfunctions", "Sfn"}},
      {"ssm", {"ssm", "Ssm"}},
      {"timestreamquery", {"timestream-query", "TimestreamQuery"}},
      {"timestreamwrite", {"timestream-write", "TimestreamWrite"}}};
  const auto found = k_names.find(name);
  if (found != k_names.end()) return found->second;
  return {std::string(name), operation_name(name)};
}

std::string operation_name(std::string_view action) {
  std::string out(action);
  if (!out.empty()) out[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(out[0])));
  return out;
}

Json with_capitals(const aws::Shape& shape, const Json& value) {
  if (shape.kind == aws::Kind::structure && value.is_object()) {
    JsonObject out;
    for (const auto& member : value.get_object()) {
      const aws::Member* known = aws::find_member(shape, member.key());
      out[operation_name(member.key())] =
          known ? with_capitals(*known->shape, member.value()) : member.value();
    }
    return out;
  }
  if (shape.kind == aws::Kind::list && value.is_array()) {
    JsonArray out;
    for (const auto& item : value.get_array()) {
      out.push_back(with_capitals(*shape.members[0].shape, item));
    }
    return out;
  }
  if (shape.kind == aws::Kind::map && value.is_object()) {
    JsonObject out;
    for (const auto& entry : value.get_object()) {
      out[entry.key()] = with_capitals(*shape.members[1].shape, entry.value());
    }
    return out;
  }
  return value;
}

}  // namespace tarn::stepfunctions
