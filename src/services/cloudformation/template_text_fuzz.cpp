// SPDX-License-Identifier: Apache-2.0
// Any bytes as a template: read, evaluated with empty parameter values, ordered. Only refusals in
// words may come out.
#include <cstdint>

#include "services/cloudformation/dynamic_references.hpp"
#include "services/cloudformation/evaluated_template.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tarn::cloudformation;
  try {
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto whole = load_template(text);
    std::vector<ParameterInput> inputs;
    for (const auto& parameter : whole.parameters) {
      if (!parameter.fallback) inputs.push_back({parameter.name, "1", false});
    }
    Surroundings surroundings;
    surroundings.pseudo.region = "us-east-1";
    surroundings.parameters = bind_parameters(whole, choose_parameters(whole, inputs, {}));
    const auto evaluated = evaluate_template(whole, surroundings);
    for (const auto& resource : evaluated.resources) find_dynamic_references(resource.properties);
  } catch (const TemplateError&) {}
  return 0;
}
