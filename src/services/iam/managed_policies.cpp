// SPDX-License-Identifier: Apache-2.0
#include "services/iam/managed_policies.hpp"

#define TARN_ALLOW(actions)                                                      \
  R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":[)" actions \
  R"(],"Resource":"*"}]})"

namespace tarn::iam {
namespace {

const std::vector<AwsManagedPolicy> k_policies = {
    {"arn:aws:iam::aws:policy/AdministratorAccess", TARN_ALLOW(R"("*")")},
    {"arn:aws:iam::aws:policy/PowerUserAccess",
     R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotAction":["iam:*",)"
     R"("organizations:*","account:*"],"Resource":"*"},{"Effect":"Allow","Action":[)"
     R"("iam:CreateServiceLinkedRole","iam:DeleteServiceLinkedRole","iam:ListRoles"],)"
     R"("Resource":"*"}]})"},
    {"arn:aws:iam::aws:policy/IAMFullAccess", TARN_ALLOW(R"("iam:*")")},
    {"arn:aws:iam::aws:policy/IAMReadOnlyAccess", TARN_ALLOW(R"("iam:Get*","iam:List*")")},
    {"arn:aws:iam::aws:policy/AmazonS3FullAccess", TARN_ALLOW(R"("s3:*","s3-object-lambda:*")")},
    {"arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess",
     TARN_ALLOW(R"("s3:Get*","s3:List*","s3:Describe*")")},
    {"arn:aws:iam::aws:policy/AmazonSQSFullAccess", TARN_ALLOW(R"("sqs:*")")},
    {"arn:aws:iam::aws:policy/AmazonSQSReadOnlyAccess",
     TARN_ALLOW(R"("sqs:GetQueueAttributes","sqs:GetQueueUrl","sqs:ListDeadLetterSourceQueues",)"
                R"("sqs:ListQueues","sqs:ListQueueTags")")},
    {"arn:aws:iam::aws:policy/AmazonSNSFullAccess", TARN_ALLOW(R"("sns:*")")},
    {"arn:aws:iam::aws:policy/AmazonSNSReadOnlyAccess", TARN_ALLOW(R"("sns:Get*","sns:List*")")},
    {"arn:aws:iam::aws:policy/AmazonEventBridgeFullAccess",
     TARN_ALLOW(R"("events:*","schemas:*","scheduler:*","pipes:*")")},
    {"arn:aws:iam::aws:policy/CloudWatchFullAccess",
     TARN_ALLOW(R"("cloudwatch:*","logs:*","sns:*")")},
    {"arn:aws:iam::aws:policy/CloudWatchLogsFullAccess", TARN_ALLOW(R"("logs:*")")},
    {"arn:aws:iam::aws:policy/CloudWatchLogsReadOnlyAccess",
     TARN_ALLOW(R"("logs:Describe*","logs:Get*","logs:List*","logs:StartQuery",)"
                R"("logs:StopQuery","logs:TestMetricFilter","logs:FilterLogEvents")")},
    {"arn:aws:iam::aws:policy/AWSLambda_FullAccess",
     TARN_ALLOW(
         R"("lambda:*","logs:DescribeLogGroups","iam:ListRoles","states:ListStateMachines")")},
    {"arn:aws:iam::aws:policy/AWSLambda_ReadOnlyAccess",
     TARN_ALLOW(R"("lambda:Get*","lambda:List*")")},
    {"arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
     TARN_ALLOW(R"("logs:CreateLogGroup","logs:CreateLogStream","logs:PutLogEvents")")},
    {"arn:aws:iam::aws:policy/service-role/AWSLambdaRole",
     TARN_ALLOW(R"("lambda:InvokeFunction")")},
    {"arn:aws:iam::aws:policy/service-role/AWSLambdaSQSQueueExecutionRole",
     TARN_ALLOW(R"("sqs:ReceiveMessage","sqs:DeleteMessage","sqs:GetQueueAttributes",)"
                R"("logs:CreateLogGroup","logs:CreateLogStream","logs:PutLogEvents")")},
    {"arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole",
     TARN_ALLOW(R"("logs:CreateLogGroup","logs:CreateLogStream","logs:PutLogEvents",)"
                R"("ec2:CreateNetworkInterface","ec2:DescribeNetworkInterfaces",)"
                R"("ec2:DescribeSubnets","ec2:DeleteNetworkInterface")")},
    {"arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy",
     TARN_ALLOW(R"("ecr:GetAuthorizationToken","ecr:BatchCheckLayerAvailability",)"
                R"("ecr:GetDownloadUrlForLayer","ecr:BatchGetImage","logs:CreateLogStream",)"
                R"("logs:PutLogEvents")")},
    {"arn:aws:iam::aws:policy/AmazonECS_FullAccess", TARN_ALLOW(R"("ecs:*")")},
    {"arn:aws:iam::aws:policy/AWSStepFunctionsFullAccess", TARN_ALLOW(R"("states:*")")},
    {"arn:aws:iam::aws:policy/AWSStepFunctionsReadOnlyAccess",
     TARN_ALLOW(R"("states:Describe*","states:Get*","states:List*")")},
    {"arn:aws:iam::aws:policy/AmazonRedshiftFullAccess", TARN_ALLOW(R"("redshift:*")")},
    {"arn:aws:iam::aws:policy/AmazonRedshiftReadOnlyAccess",
     TARN_ALLOW(R"("redshift:Describe*","redshift:ViewQueriesInConsole")")},
    {"arn:aws:iam::aws:policy/AmazonRedshiftDataFullAccess",
     TARN_ALLOW(R"("redshift-data:*","redshift:GetClusterCredentials",)"
                R"("redshift:DescribeClusters","secretsmanager:GetSecretValue")")},
    {"arn:aws:iam::aws:policy/AmazonRedshiftAllCommandsFullAccess",
     TARN_ALLOW(R"("redshift:*","s3:Get*","s3:List*","s3:PutObject","glue:*")")},
    {"arn:aws:iam::aws:policy/SecretsManagerReadWrite", TARN_ALLOW(R"("secretsmanager:*")")},
    {"arn:aws:iam::aws:policy/AmazonSSMFullAccess", TARN_ALLOW(R"("ssm:*")")},
    {"arn:aws:iam::aws:policy/AmazonSSMReadOnlyAccess",
     TARN_ALLOW(R"("ssm:Describe*","ssm:Get*","ssm:List*")")},
    {"arn:aws:iam::aws:policy/AWSCloudFormationFullAccess", TARN_ALLOW(R"("cloudformation:*")")},
    {"arn:aws:iam::aws:policy/AWSCloudFormationReadOnlyAccess",
     TARN_ALLOW(R"("cloudformation:Describe*","cloudformation:Get*","cloudformation:List*",)"
                R"("cloudformation:Estimate*","cloudformation:ValidateTemplate")")},
    {"arn:aws:iam::aws:policy/AmazonAthenaFullAccess",
     TARN_ALLOW(R"("athena:*","glue:*","s3:*","lakeformation:GetDataAccess")")},
    {"arn:aws:iam::aws:policy/service-role/AWSGlueServiceRole",
     TARN_ALLOW(R"("glue:*","s3:GetBucketLocation","s3:ListBucket","s3:ListAllMyBuckets",)"
                R"("s3:GetBucketAcl","ec2:Describe*","iam:ListRolePolicies","iam:GetRole",)"
                R"("iam:GetRolePolicy","cloudwatch:PutMetricData","logs:CreateLogGroup",)"
                R"("logs:CreateLogStream","logs:PutLogEvents")")},
};

#undef TARN_ALLOW

}  // namespace

const std::vector<AwsManagedPolicy>& aws_managed_policies() { return k_policies; }

const AwsManagedPolicy* find_aws_managed_policy(std::string_view arn) {
  for (const auto& policy : k_policies) {
    if (policy.arn == arn) return &policy;
  }
  return nullptr;
}

}  // namespace tarn::iam
