// SPDX-License-Identifier: Apache-2.0
#include "services/cloudformation/template.hpp"

#include <gtest/gtest.h>

#include "services/cloudformation/evaluated_template.hpp"

namespace tarn::cloudformation {
namespace {

std::string refusal(const std::string& text) {
  try {
    const auto whole = load_template(text);
    Surroundings surroundings;
    surroundings.parameters = bind_parameters(whole, choose_parameters(whole, {}, {}));
    evaluate_template(whole, surroundings);
  } catch (const TemplateError& error) {
    return error.what();
  }
  return "";
}

const std::string k_queue = "  Q: {Type: AWS::SQS::Queue}\n";

TEST(Template, RefusalsCarryTheirMessages) {
  const std::pair<std::string, std::string> k_cases[] = {
      {"Description: x", "Template format error: At least one Resources member must be defined."},
      {"Resources: {}", "Template format error: At least one Resources member must be defined."},
      {"Resources:\n" + k_queue + "Foo: 1\n", "Invalid template property or properties [Foo]"},
      {"AWSTemplateFormatVersion: 2011-01-01\nResources:\n" + k_queue,
       "Template format error: Unsupported AWSTemplateFormatVersion 2011-01-01"},
      {"Resources:\n  Q:\n    Type: AWS::SQS::Queue\n    Properties:\n      QueueName:\n",
       "[/Resources/Q/Properties/QueueName] 'null' values are not allowed in templates"},
      {"Resources:\n" + k_queue + "Outputs:\n",
       "[/Outputs] 'null' values are not allowed in templates"},
      {"Resources:\n  my-q: {Type: AWS::SQS::Queue}\n",
       "Template format error: Resource name my-q is non alphanumeric."},
      {"Resources:\n  Q: {Properties: {}}\n",
       "Template format error: [/Resources/Q] Every Resources object must contain a Type member."},
      {"Resources:\n  Q: {Type: AWS::SQS::Queue, DependOn: X}\n",
       "Invalid template resource property 'DependOn'"},
      {"Resources:\n  Q: {Type: AWS::SQS::Queue, DependsOn: X}\n",
       "Template format error: Unresolved resource dependencies [X] in the Resources block of the "
       "template"},
      {"Resources:\n  Q: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref X}}\n",
       "Template format error: Unresolved resource dependencies [X] in the Resources block of the "
       "template"},
      {"Resources:\n  Q: {Type: AWS::SQS::Queue, Properties: {QueueName: !Sub 'a-${X}'}}\n",
       "Template format error: Unresolved resource dependencies [X] in the Resources block of the "
       "template"},
      {"Resources:\n  Q: {Type: AWS::SQS::Queue, Properties: {QueueName: !GetAtt X.Arn}}\n",
       "Template error: instance of Fn::GetAtt references undefined resource X"},
      {"Resources:\n" + k_queue + "Outputs: {O: {Value: !Ref X}}\n",
       "Template format error: Unresolved resource dependencies [X] in the Outputs block of the "
       "template"},
      {"Resources:\n  Q: {Type: AWS::SQS::Queue, Condition: C}\n",
       "Template format error: Unresolved condition dependency C in the Resources block of the "
       "template"},
      {"Conditions: {C: !Equals [!Ref Q, x]}\nResources:\n" + k_queue,
       "Template format error: Unresolved dependencies [Q]. Cannot reference resources in the "
       "Conditions block of the template"},
      {"Conditions: {A: !Condition B, B: !Condition A}\nResources:\n" + k_queue,
       "Template format error: Circular dependencies for Conditions [A, B]"},
      {"Resources:\n  A: {Type: T, Properties: {X: !Ref B}}\n  B: {Type: T, Properties: {X: "
       "!GetAtt "
       "A.Arn}}\n  C: {Type: T, DependsOn: A}\n",
       "Circular dependency between resources: [A, B]"},
      {"Resources:\n  A: {Type: T, Properties: {X: !Ref A}}\n",
       "Circular dependency between resources: [A]"},
      {"Transform: AWS::Serverless-2016-10-31\nResources:\n" + k_queue,
       "No transform named AWS::Serverless-2016-10-31 found."},
      {"Parameters: {P: {Default: x}}\nResources:\n" + k_queue,
       "Template format error: Every Parameters object must contain a Type member."},
      {"Parameters: {P: {Type: Text}}\nResources:\n" + k_queue,
       "Template format error: Unrecognized parameter type: Text"},
      {"Parameters: {P: {Type: String, Default: [x]}}\nResources:\n" + k_queue,
       "Template format error: Every Default member must be a string."},
      {"Parameters: {P: {Type: String}}\nResources:\n" + k_queue,
       "Parameters: [P] must have values"},
      {"Resources:\n  Q: {Type: AWS::SQS::Queue, DeletionPolicy: Keep}\n",
       "Template format error: Unrecognized DeletionPolicy Keep"},
      {"Resources:\n" + k_queue + "Outputs: {O: {Description: x}}\n",
       "Template format error: Every Outputs member must contain a Value object"},
      // A resource that its condition leaves out does not exist.
      {"Conditions: {Never: !Equals [a, b]}\nResources:\n  A: {Type: T, Condition: Never}\n  B: "
       "{Type: T, "
       "Properties: {X: !Ref A}}\n",
       "Template format error: Unresolved resource dependencies [A] in the Resources block of the "
       "template"},
      {"Resources:\n" + k_queue, ""},
      {"Conditions: {Never: !Equals [a, b]}\nResources:\n  A: {Type: T, Condition: Never}\n  B: "
       "{Type: T, "
       "DependsOn: A, Properties: {X: !If [Never, !Ref A, y]}}\n",
       ""},
      // Pseudo parameters exist, and {"Condition": …} inside a property is no condition.
      {"Resources:\n  A: {Type: T, Properties: {X: !Ref AWS::Region, Y: {Condition: z}}}\n", ""},
  };
  for (const auto& [text, message] : k_cases) EXPECT_EQ(refusal(text), message) << text;
}

TEST(Template, LimitsAreTold) {
  std::string many = "Resources:\n";
  for (int i = 0; i < 501; ++i) many += fmt::format("  R{}: {{Type: T}}\n", i);
  EXPECT_EQ(
      refusal(many),
      "Template format error: Number of resources, 501, is greater than maximum allowed, 500");
}

TEST(Template, RulesAreChecked) {
  const std::string text = R"(
Parameters: {Kind: {Type: String, Default: big}}
Rules:
  Small:
    RuleCondition: !Equals [!Ref Kind, big]
    Assertions:
      - Assert: !Contains [[small, tiny], !Ref Kind]
        AssertDescription: must be small
Resources:
  Q: {Type: AWS::SQS::Queue}
)";
  EXPECT_EQ(refusal(text), "Template validation error: Rule Small failed: must be small");
}

TEST(Template, LoopsAreWrittenOut) {
  const std::string text = R"(
Transform: AWS::LanguageExtensions
Parameters: {Names: {Type: CommaDelimitedList, Default: 'a-b, c'}}
Resources:
  Fn::ForEach::Queues:
    - Name
    - !Ref Names
    - 'Queue&{Name}':
        Type: AWS::SQS::Queue
        Properties:
          QueueName: !Sub 'q-${Name}'
          Tag: !Ref Name
)";
  const auto whole = load_template(text);
  ASSERT_EQ(whole.resources.size(), 2u);
  EXPECT_EQ(whole.resources[0].logical_id, "Queueab");
  EXPECT_EQ(dump_json(whole.resources[0].properties),
            R"({"QueueName":{"Fn::Sub":"q-a-b"},"Tag":"a-b"})");
  EXPECT_EQ(whole.resources[1].logical_id, "Queuec");
  EXPECT_EQ(load_template(text, {{"Names", "x", false}}).resources.at(0).logical_id, "Queuex");
}

}  // namespace
}  // namespace tarn::cloudformation
