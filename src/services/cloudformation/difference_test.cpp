// SPDX-License-Identifier: Apache-2.0
#include "services/cloudformation/difference.hpp"

#include <gtest/gtest.h>

#include "base/strings.hpp"
#include "services/cloudformation/dynamic_references.hpp"

namespace tarn::cloudformation {
namespace {

const TypeDescription* catalog(std::string_view name) {
  static const auto k_make = [](const char* type, std::set<std::string> properties,
                                const char* schema) {
    TypeDescription description;
    description.name = type;
    description.properties = std::move(properties);
    description.schema = parse_json(schema);
    return description;
  };
  static const TypeDescription k_queue =
      k_make("AWS::SQS::Queue",
             {"QueueName", "DelaySeconds", "Tags", "RedrivePolicy", "KmsMasterKeyId", "FifoQueue",
              "Limits.Known.Deep"},
             R"({"createOnly":["QueueName","FifoQueue"],"attributes":["Arn","QueueUrl"],
                 "tags":"Tags","conditional":["KmsMasterKeyId"],
                 "properties":{"QueueName":"s","DelaySeconds":"i","FifoQueue":"b",
                   "Tags":{"a":{"$":"Tag"}},"RedrivePolicy":"j","KmsMasterKeyId":"s"},
                 "definitions":{"Tag":{"p":{"Key":"s","Value":"s"},"r":["Key","Value"]}}})");
  static const TypeDescription k_topic =
      k_make("AWS::SNS::Topic", {"TopicName", "Endpoint", "Policy"},
             R"({"required":["Endpoint"],"createOnly":["TopicName"],"attributes":["TopicArn"],
          "properties":{"TopicName":"s","Endpoint":"s","Policy":"j"}})");
  if (name == k_queue.name) return &k_queue;
  if (name == k_topic.name) return &k_topic;
  return nullptr;
}

struct Version {
  Version(const std::string& resources, const std::string& value = "one") {
    whole = load_template("Parameters: {P: {Type: String}}\nResources:\n" + resources,
                          {{"P", value, false}});
    Surroundings surroundings;
    surroundings.parameters["P"] = Json(value);
    evaluated = evaluate_template(whole, surroundings);
  }
  StackVersion view() const { return {&whole, &evaluated, {}}; }
  Template whole;
  EvaluatedTemplate evaluated;
};

std::string changes(const StackVersion& before, const StackVersion& after) {
  std::string out;
  for (const auto& change : compare(before, after, catalog)) {
    static constexpr const char* k_actions[] = {"add", "modify", "remove"};
    out += fmt::format("{} {}", k_actions[static_cast<int>(change.action)], change.logical_id);
    if (!change.replacement.empty()) out += " " + change.replacement;
    for (const auto& detail : change.details) {
      static constexpr const char* k_recreation[] = {"never", "conditionally", "always"};
      out +=
          fmt::format(" [{} {} {} {} {} {}]", detail.attribute, detail.name,
                      k_recreation[static_cast<int>(detail.recreation)],
                      detail.dynamic ? "dynamic" : "static", detail.source, detail.causing_entity);
    }
    out += "\n";
  }
  return out;
}

TEST(Difference, ANewStackOnlyAdds) {
  const Version after("  A: {Type: AWS::SQS::Queue}\n");
  EXPECT_EQ(changes({}, after.view()), "add A\n");
}

TEST(Difference, ToldByPropertyWithItsCauseAndReplacement) {
  const Version before(R"(
  A: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref P, DelaySeconds: '5'}}
  B: {Type: AWS::SNS::Topic, Properties: {Endpoint: !GetAtt A.Arn}}
  C: {Type: AWS::SNS::Topic, Properties: {Endpoint: x, TopicName: !Ref A}}
  D: {Type: AWS::SQS::Queue}
)");
  const Version after(R"(
  A: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref P, DelaySeconds: 5}}
  B: {Type: AWS::SNS::Topic, Properties: {Endpoint: !GetAtt A.Arn}}
  C: {Type: AWS::SNS::Topic, Properties: {Endpoint: x, TopicName: !Ref A}}
  E: {Type: AWS::SQS::Queue}
)",
                      "two");
  EXPECT_EQ(changes(before.view(), after.view()),
            "modify A True [Properties QueueName always static ParameterReference P]\n"
            "modify B False [Properties Endpoint never dynamic ResourceAttribute A.Arn]\n"
            "modify C Conditional [Properties TopicName always dynamic ResourceReference A]\n"
            "add E\n"
            "remove D\n");
  const Version same(R"(
  A: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref P, DelaySeconds: 5}}
  B: {Type: AWS::SNS::Topic, Properties: {Endpoint: !GetAtt A.Arn}}
  C: {Type: AWS::SNS::Topic, Properties: {Endpoint: x, TopicName: !Ref A}}
  D: {Type: AWS::SQS::Queue}
)");
  EXPECT_EQ(changes(before.view(), same.view()), "");
}

TEST(Difference, InPlaceChangesAndAttributes) {
  const Version before(
      "  A: {Type: AWS::SQS::Queue, Properties: {KmsMasterKeyId: a}, Metadata: {v: 1}}\n");
  const Version after(
      "  A: {Type: AWS::SQS::Queue, DeletionPolicy: Retain, Properties: {KmsMasterKeyId: b, "
      "DelaySeconds: 1}, Metadata: {v: 2}}\n");
  EXPECT_EQ(changes(before.view(), after.view()),
            "modify A Conditional [Properties KmsMasterKeyId conditionally static "
            "DirectModification ] [Properties DelaySeconds never static DirectModification ] "
            "[Metadata  never static DirectModification ] "
            "[DeletionPolicy  never static DirectModification ]\n");
}

TEST(Difference, ATypeCannotChange) {
  const Version before("  A: {Type: AWS::SQS::Queue}\n");
  const Version after("  A: {Type: AWS::SNS::Topic, Properties: {Endpoint: x}}\n");
  try {
    compare(before.view(), after.view(), catalog);
    FAIL();
  } catch (const TemplateError& error) {
    EXPECT_STREQ(
        error.what(),
        "Update of resource type is not permitted. The new template modifies resource type "
        "of the following resources: [A]");
  }
}

std::string type_refusal(const std::string& resources) {
  try {
    check_types(Version(resources).evaluated, catalog);
  } catch (const TemplateError& error) {
    return error.what();
  }
  return "";
}

TEST(Types, UnsupportedTypesAndPropertiesAreNamed) {
  const std::pair<const char*, const char*> k_cases[] = {
      {"  A: {Type: AWS::DMS::Endpoint}\n  B: {Type: Custom::X}\n",
       "Template format error: Unrecognized resource types: [AWS::DMS::Endpoint, Custom::X]"},
      {"  A: {Type: AWS::SQS::Queue, Properties: {Nope: 1}}\n",
       "Template validation error: Encountered unsupported property Nope in resource A of type "
       "AWS::SQS::Queue"},
      {"  A: {Type: AWS::SQS::Queue, Properties: {Limits: {Known: {Other: 1}}}}\n",
       "Template validation error: Encountered unsupported property Limits.Known.Other in resource "
       "A of type AWS::SQS::Queue"},
      {"  A: {Type: AWS::SQS::Queue, Properties: {Limits: {Known: {Deep: {x: 1}}}}}\n", ""},
      {"  A: {Type: AWS::SNS::Topic}\n",
       "Properties validation failed for resource A with message: #: required key [Endpoint] not "
       "found"},
      {"  A: {Type: AWS::SQS::Queue, Properties: {DelaySeconds: soon}}\n",
       "Properties validation failed for resource A with message: #/DelaySeconds: expected type: "
       "Integer, found: String"},
      {"  A: {Type: AWS::SQS::Queue, Properties: {DelaySeconds: '5', FifoQueue: 'true', QueueName: "
       "5}}\n",
       ""},
      {"  A: {Type: AWS::SQS::Queue, Properties: {Tags: [{Key: a, Value: 1}]}}\n", ""},
      {"  A: {Type: AWS::SQS::Queue, Properties: {Tags: [{Key: a, Valu: b}]}}\n",
       "Properties validation failed for resource A with message: #/Tags/0: extraneous key [Valu] "
       "is "
       "not permitted"},
      {"  A: {Type: AWS::SQS::Queue, Properties: {Tags: [{Key: a}]}}\n",
       "Properties validation failed for resource A with message: #/Tags/0: required key [Value] "
       "not "
       "found"},
      {"  A: {Type: AWS::SQS::Queue, Properties: {Tags: {a: b}}}\n",
       "Properties validation failed for resource A with message: #/Tags: expected type: "
       "JSONArray, "
       "found: JSONObject"},
      {"  A: {Type: AWS::SQS::Queue}\n  B: {Type: AWS::SNS::Topic, Properties: {Endpoint: !GetAtt "
       "A.Nope}}\n",
       "Template error: resource A does not support attribute type Nope in Fn::GetAtt"},
      {"  A: {Type: AWS::SQS::Queue}\n  B: {Type: AWS::SNS::Topic, Properties: {Endpoint: !GetAtt "
       "A.Arn}}\n",
       ""},
  };
  for (const auto& [text, message] : k_cases) EXPECT_EQ(type_refusal(text), message) << text;
}

TEST(Types, ValuesAreConvertedAsTheSchemaWants) {
  const auto* queue = catalog("AWS::SQS::Queue");
  EXPECT_EQ(dump_json(convert_properties(
                *queue, parse_json(R"({"DelaySeconds":"5","FifoQueue":"True","QueueName":7,
                                       "Tags":[{"Key":"a","Value":true}],"RedrivePolicy":{"n":"1"}})"))),
            R"({"DelaySeconds":5,"FifoQueue":true,"QueueName":"7",)"
            R"("Tags":[{"Key":"a","Value":"true"}],"RedrivePolicy":{"n":"1"}})");
}

TEST(Graph, WavesAreAsWideAsPossible) {
  DependencyGraph graph;
  for (const auto* id : {"A", "B", "C", "D", "E"}) graph.add(id);
  graph.add("B", "A");
  graph.add("C", "A");
  graph.add("D", "B");
  graph.add("D", "C");
  const auto text = [](const std::vector<std::vector<std::string>>& waves) {
    std::vector<std::string> lines;
    for (const auto& wave : waves) lines.push_back(join(wave, " "));
    return join(lines, " | ");
  };
  EXPECT_EQ(text(graph.waves()), "A E | B C | D");
  EXPECT_EQ(text(graph.waves(true)), "D E | B C | A");
  EXPECT_EQ(join(graph.ready({"A"}, {"B"}), " "), "C E");
}

TEST(DynamicReferences, AreFoundInsideTextsAndReplaced) {
  const Json value =
      parse_json(R"({"a":"x{{resolve:ssm:/p:3}}y","b":["{{resolve:secretsmanager:)"
                 R"(arn:aws:secretsmanager:us-east-1:1:secret:s-AbCdEf:SecretString:)"
                 R"(user:AWSPREVIOUS}}","{{resolve:secretsmanager:s}}"],)"
                 R"("c":"{{resolve:ssm-secure:q}}{{resolve:ssm:/p:3}}"})");
  const auto found = find_dynamic_references(value);
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(found[0].name, "/p");
  EXPECT_EQ(found[0].version, "3");
  EXPECT_EQ(found[1].name, "arn:aws:secretsmanager:us-east-1:1:secret:s-AbCdEf");
  EXPECT_EQ(found[1].json_key, "user");
  EXPECT_EQ(found[1].version_stage, "AWSPREVIOUS");
  EXPECT_EQ(found[2].name, "s");
  EXPECT_EQ(found[3].service, DynamicReference::Service::ssm_secure);
  EXPECT_EQ(dump_json(replace_dynamic_references(value, {{found[0].text, "1"},
                                                         {found[1].text, "u"},
                                                         {found[2].text, "{}"},
                                                         {found[3].text, "q"}})),
            R"({"a":"x1y","b":["u","{}"],"c":"q1"})");
}

TEST(DynamicReferences, MalformedOnesAreRefused) {
  for (const auto* text : {"{{resolve:ssm:}}", "{{resolve:ssm:/a:x}}", "{{resolve:other:a}}",
                           "{{resolve:secretsmanager:a:SecretBinary}}",
                           "{{resolve:secretsmanager:a:SecretString:k:s:v}}"}) {
    EXPECT_THROW(find_dynamic_references(Json(text)), TemplateError) << text;
  }
  EXPECT_TRUE(find_dynamic_references(Json("{{other}} {{resolve:open")).empty());
}

TEST(Capabilities, NamedRolesNeedMore) {
  const auto needs = [](const std::string& resources) {
    return join(needed_capabilities(Version(resources).evaluated).capabilities, ",");
  };
  EXPECT_EQ(needs("  A: {Type: AWS::SQS::Queue}\n"), "");
  EXPECT_EQ(needs("  A: {Type: AWS::IAM::Role}\n"), "CAPABILITY_IAM");
  EXPECT_EQ(needs("  A: {Type: AWS::IAM::Role, Properties: {RoleName: x}}\n"),
            "CAPABILITY_NAMED_IAM");
}

}  // namespace
}  // namespace tarn::cloudformation
