// SPDX-License-Identifier: Apache-2.0
// Templates that others wrote: each is read, evaluated with made-up parameters, and ordered.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "services/cloudformation/evaluated_template.hpp"
#include "services/cloudformation/references.hpp"

namespace tarn::cloudformation {
namespace {

namespace fs = std::filesystem;

fs::path root() {
  return fs::path(__FILE__).parent_path().parent_path().parent_path().parent_path();
}

std::string read(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::vector<ParameterInput> made_up(const Template& whole) {
  std::vector<ParameterInput> inputs;
  for (const auto& definition : whole.parameters) {
    if (definition.fallback) continue;
    std::string value = definition.is_number() ? "1" : "value||1";
    if (definition.length_min) value.resize(static_cast<std::size_t>(*definition.length_min), 'a');
    if (!definition.allowed_values.empty()) value = definition.allowed_values[0];
    inputs.push_back({definition.name, value, false});
  }
  return inputs;
}

// What must come out: the message of a refusal, or nothing.
std::string outcome(const std::string& text, std::size_t& resources) {
  try {
    Template whole = load_template(text);
    for (auto& parameter : whole.parameters) {
      parameter.allowed_pattern.reset();  // made-up values need not match
      parameter.constraint_description.clear();
    }
    Surroundings surroundings;
    surroundings.pseudo = {"123456789012", "us-east-1", "stack", "arn:stack"};
    auto values = choose_parameters(whole, made_up(whole), {});
    for (auto& value : values) value.resolved = "looked-up";
    surroundings.parameters = bind_parameters(whole, values);
    const auto evaluated = evaluate_template(whole, surroundings);
    std::size_t ordered = 0;
    for (const auto& wave : evaluated.graph.waves()) ordered += wave.size();
    EXPECT_EQ(ordered, evaluated.resources.size());
    resources = evaluated.resources.size();
    return "";
  } catch (const TemplateError& error) {
    return error.what();
  }
}

TEST(RealTemplates, AreReadAndOrdered) {
  const auto folder = root().parent_path() / "shared/conformance/cloudformation";
  if (!fs::exists(folder)) GTEST_SKIP() << folder << " is absent";
  std::size_t files = 0;
  std::size_t total = 0;
  for (const auto& sub : {"templates", "data-platform"}) {
    for (const auto& entry : fs::directory_iterator(folder / sub)) {
      const auto extension = entry.path().extension();
      if (extension != ".yaml" && extension != ".json" && extension != ".template") continue;
      const auto text = read(entry.path());
      std::size_t resources = 0;
      const auto message = outcome(text, resources);
      const bool sam = text.find("Transform: AWS::Serverless-2016-10-31") != std::string::npos ||
                       text.find("Transform: 'AWS::Serverless-2016-10-31'") != std::string::npos ||
                       text.find("- AWS::Serverless-2016-10-31") != std::string::npos;
      EXPECT_EQ(message, sam ? "No transform named AWS::Serverless-2016-10-31 found." : "")
          << entry.path();
      ++files;
      total += resources;
    }
  }
  EXPECT_GE(files, 19u);
  EXPECT_GE(total, 150u);
}

TEST(RealTemplates, TheExampleIsReadAndOrdered) {
  for (const auto* name : {"template.yaml", "bootstrap.yaml"}) {
    std::size_t resources = 0;
    EXPECT_EQ(outcome(read(root() / "examples/portfolio" / name), resources), "") << name;
    EXPECT_GE(resources, 1u);
  }
}

}  // namespace
}  // namespace tarn::cloudformation
