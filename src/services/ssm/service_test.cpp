// SPDX-License-Identifier: Apache-2.0
#include "services/ssm/service.hpp"

#include <gtest/gtest.h>

#include "base/strings.hpp"
#include "platform/testing/service_house.hpp"

namespace tarn::ssm {
namespace {

class Parameters : public testing::Test {
 protected:
  Parameters() {
    house_.add<Ssm>();
    house_.start();
  }
  std::int64_t put(const std::string& name, const std::string& value, const char* type = "String",
                   bool overwrite = false) {
    PutParameterInput in{.name = name, .value = value};
    in.type = type;
    in.overwrite = overwrite;
    return *house_.ask<PutParameter>(std::move(in)).version;
  }
  Parameter get(const std::string& name, bool decrypted = false) {
    return *house_.ask<GetParameter>({.name = name, .with_decryption = decrypted}).parameter;
  }
  std::vector<std::string> below(const std::string& path, bool recursive) {
    std::vector<std::string> names;
    GetParametersByPathInput in{.path = path};
    in.recursive = recursive;
    in.max_results = 2;  // several pages
    for (;;) {
      const auto out = house_.ask<GetParametersByPath>(in);
      for (const auto& parameter : *out.parameters) names.push_back(*parameter.name);
      if (!out.next_token) return names;
      in.next_token = out.next_token;
    }
  }
  platform::testing::ServiceHouse house_;
};

TEST_F(Parameters, are_read_back_with_their_version_and_arn) {
  EXPECT_EQ(put("/app/url", "http://x"), 1);
  const auto parameter = get("/app/url");
  EXPECT_EQ(parameter.value, "http://x");
  EXPECT_EQ(parameter.version, 1);
  EXPECT_EQ(parameter.arn, "arn:aws:ssm:us-east-1:000000000000:parameter/app/url");
  EXPECT_EQ(get("arn:aws:ssm:us-east-1:000000000000:parameter/app/url").value, "http://x");
  EXPECT_EQ(house_.refusal<GetParameter>({.name = "/app/none"}), "ParameterNotFound: ");
}

TEST_F(Parameters, are_replaced_only_when_asked_and_keep_their_history) {
  put("p", "one");
  PutParameterInput again{.name = "p", .value = "two"};
  EXPECT_EQ(house_.refusal<PutParameter>(again),
            "ParameterAlreadyExists: The parameter already exists. To overwrite this value, set "
            "the overwrite option in the request to true.");
  EXPECT_EQ(put("p", "two", "String", true), 2);
  EXPECT_EQ(get("p").value, "two");
  EXPECT_EQ(get("p:1").value, "one");
  EXPECT_EQ(house_.refusal<GetParameter>({.name = "p:3"}),
            "ParameterVersionNotFound: Systems Manager could not find version 3 of p. Verify the "
            "version and try again.");
  const auto history = house_.ask<GetParameterHistory>({.name = "p"});
  ASSERT_EQ(history.parameters->size(), 2U);
  EXPECT_EQ(history.parameters->at(0).value, "one");
}

TEST_F(Parameters, keep_a_hundred_versions_and_never_drop_a_labelled_one) {
  put("p", "0");
  for (int i = 1; i < 101; ++i) put("p", std::to_string(i), "String", true);
  EXPECT_NE(house_.refusal<GetParameter>({.name = "p:1"}), "");
  EXPECT_EQ(get("p:2").value, "1");
  LabelParameterVersionInput label{.name = "p", .labels = {"keep"}};
  label.parameter_version = 2;
  house_.ask<LabelParameterVersion>(label);
  PutParameterInput next{.name = "p", .value = "x"};
  next.overwrite = true;
  EXPECT_EQ(house_.refusal<PutParameter>(next).substr(0, 32), "ParameterMaxVersionLimitExceeded");
}

TEST_F(Parameters, that_are_secret_open_only_when_asked) {
  put("s", "hunter2", "SecureString");
  const auto closed = get("s");
  EXPECT_EQ(closed.value->find("hunter2"), std::string::npos);
  EXPECT_TRUE(from_base64(*closed.value));
  EXPECT_EQ(get("s", true).value, "hunter2");
  const auto described = house_.ask<DescribeParameters>({});
  EXPECT_EQ(described.parameters->at(0).key_id, "alias/aws/ssm");
}

TEST_F(Parameters, are_found_below_a_path) {
  for (const char* name : {"/a/b", "/a/c", "/a/d/e", "/a/f", "/ab/c", "word"}) put(name, "v");
  EXPECT_EQ(below("/a", false), (std::vector<std::string>{"/a/b", "/a/c", "/a/f"}));
  EXPECT_EQ(below("/a/", true), (std::vector<std::string>{"/a/b", "/a/c", "/a/d/e", "/a/f"}));
  EXPECT_EQ(below("/", true).size(), 6U);
  EXPECT_EQ(below("/", false), (std::vector<std::string>{"word"}));
}

TEST_F(Parameters, must_match_their_pattern) {
  PutParameterInput in{.name = "n", .value = "12"};
  in.type = "String";
  in.allowed_pattern = "^\\d+$";
  house_.ask<PutParameter>(in);
  PutParameterInput wrong{.name = "n", .value = "ab"};
  wrong.overwrite = true;
  EXPECT_EQ(house_.refusal<PutParameter>(wrong),
            "ParameterPatternMismatchException: Parameter value, cannot be validated against "
            "allowedPattern: ^\\d+$");
}

TEST_F(Parameters, are_moved_to_the_advanced_tier_and_never_back) {
  PutParameterInput in{.name = "t", .value = std::string(5000, 'x')};
  in.type = "String";
  EXPECT_EQ(house_.refusal<PutParameter>(in).substr(0, 39),
            "ValidationException: Standard tier para");
  in.tier = "Intelligent-Tiering";
  EXPECT_EQ(house_.ask<PutParameter>(in).tier, "Advanced");
  in.value = "small";
  in.overwrite = true;
  EXPECT_EQ(house_.ask<PutParameter>(in).tier, "Advanced");
  in.tier = "Standard";
  EXPECT_NE(house_.refusal<PutParameter>(in).find("can't downgrade"), std::string::npos);
}

TEST_F(Parameters, refuse_what_is_not_implemented_by_name) {
  PutParameterInput in{.name = "t", .value = "x"};
  in.type = "String";
  in.policies = "[]";
  EXPECT_NE(house_.refusal<PutParameter>(in).find("Policies"), std::string::npos);
}

TEST_F(Parameters, lend_labels_to_one_version_at_a_time) {
  put("p", "one");
  put("p", "two", "String", true);
  LabelParameterVersionInput in{.name = "p", .labels = {"live", "2bad"}};
  in.parameter_version = 1;
  EXPECT_EQ(house_.ask<LabelParameterVersion>(in).invalid_labels,
            (std::vector<std::string>{"2bad"}));
  EXPECT_EQ(get("p:live").value, "one");
  in.parameter_version.reset();
  house_.ask<LabelParameterVersion>(in);
  EXPECT_EQ(get("p:live").value, "two");
  EXPECT_EQ(get("p:live").selector, ":live");
  house_.ask<UnlabelParameterVersion>({.name = "p", .parameter_version = 2, .labels = {"live"}});
  EXPECT_NE(house_.refusal<GetParameter>({.name = "p:live"}), "");
}

TEST_F(Parameters, are_deleted_with_their_history) {
  put("p", "one");
  put("p", "two", "String", true);
  const auto out = house_.ask<DeleteParameters>({.names = {"p", "q"}});
  EXPECT_EQ(out.deleted_parameters, (std::vector<std::string>{"p"}));
  EXPECT_EQ(out.invalid_parameters, (std::vector<std::string>{"q"}));
  EXPECT_EQ(put("p", "new"), 1);
  EXPECT_EQ(house_.ask<GetParameterHistory>({.name = "p"}).parameters->size(), 1U);
}

TEST_F(Parameters, as_resources_are_made_changed_and_removed) {
  const std::string type = "AWS::SSM::Parameter";
  auto request = house_.resource(
      type, R"({"Type":"String","Value":"one","Description":"d","Tags":{"a":"1","b":"2"}})");
  const auto made = house_.create(type, request);
  EXPECT_EQ(string_or(made.attributes, "Value"), "one");
  EXPECT_TRUE(request.physical_id.starts_with("stack-Thing-"));
  house_.create(type, request);  // again, after a crash
  EXPECT_EQ(get(request.physical_id).version, 1);
  house_.update(type, request, R"({"Type":"String","Value":"two","Tags":{"a":"1"}})");
  EXPECT_EQ(get(request.physical_id).value, "two");
  EXPECT_FALSE(house_.ask<DescribeParameters>({}).parameters->at(0).description);
  const auto tags = house_.ask<ListTagsForResource>(
      {.resource_type = "Parameter", .resource_id = request.physical_id});
  EXPECT_EQ(tags.tag_list->size(), 4U);  // a, and three of the stack
  house_.remove(type, request);
  house_.remove(type, request);
  EXPECT_NE(house_.refusal<GetParameter>({.name = request.physical_id}), "");
}

TEST_F(Parameters, of_others_are_not_taken_over_by_a_stack) {
  put("/taken", "theirs");
  const std::string type = "AWS::SSM::Parameter";
  auto request = house_.resource(type, R"({"Name":"/taken","Type":"String","Value":"ours"})");
  EXPECT_THROW(house_.create(type, request), aws::ApiError);
  EXPECT_EQ(get("/taken").value, "theirs");
}

}  // namespace
}  // namespace tarn::ssm
