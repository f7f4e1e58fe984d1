// SPDX-License-Identifier: Apache-2.0
#include "services/cloudformation/dependency_graph.hpp"

#include <algorithm>

#include "base/strings.hpp"
#include "services/cloudformation/template_text.hpp"

namespace tarn::cloudformation {
namespace {

const std::set<std::string>& none() {
  static const std::set<std::string> k_none;
  return k_none;
}

}  // namespace

void DependencyGraph::add(const std::string& id) {
  if (dependencies_.try_emplace(id).second) ids_.push_back(id);
}

void DependencyGraph::add(const std::string& id, const std::string& dependency) {
  add(id);
  add(dependency);
  dependencies_[id].insert(dependency);
  dependents_[dependency].insert(id);
}

const std::set<std::string>& DependencyGraph::dependencies(const std::string& id) const {
  const auto it = dependencies_.find(id);
  return it == dependencies_.end() ? none() : it->second;
}

const std::set<std::string>& DependencyGraph::dependents(const std::string& id) const {
  const auto it = dependents_.find(id);
  return it == dependents_.end() ? none() : it->second;
}

// Peels off what has no dependencies left, then what has no dependents left: circles (and what lies
// between two of them) remain.
std::vector<std::string> DependencyGraph::find_circle() const {
  std::set<std::string> left(ids_.begin(), ids_.end());
  const auto peel = [&](auto neighbours) {
    for (bool again = true; again;) {
      again = false;
      for (const auto& id : ids_) {
        if (!left.contains(id)) continue;
        const auto& others = neighbours(id);
        const bool held = std::any_of(others.begin(), others.end(),
                                      [&](const auto& other) { return left.contains(other); });
        if (!held) {
          left.erase(id);
          again = true;
        }
      }
    }
  };
  peel([&](const std::string& id) -> const auto& { return dependencies(id); });
  peel([&](const std::string& id) -> const auto& { return dependents(id); });
  std::vector<std::string> circle;
  for (const auto& id : ids_) {
    if (left.contains(id)) circle.push_back(id);
  }
  return circle;
}

void DependencyGraph::check_acyclic() const {
  const auto circle = find_circle();
  if (circle.empty()) return;
  throw TemplateError("Circular dependency between resources: [" + join(circle, ", ") + "]");
}

std::vector<std::string> DependencyGraph::ready(const std::set<std::string>& done,
                                                const std::set<std::string>& started,
                                                bool reverse) const {
  std::vector<std::string> out;
  for (const auto& id : ids_) {
    if (done.contains(id) || started.contains(id)) continue;
    const auto& before = reverse ? dependents(id) : dependencies(id);
    const bool free = std::all_of(before.begin(), before.end(),
                                  [&](const auto& other) { return done.contains(other); });
    if (free) out.push_back(id);
  }
  return out;
}

std::vector<std::vector<std::string>> DependencyGraph::waves(bool reverse) const {
  std::vector<std::vector<std::string>> out;
  std::set<std::string> done;
  while (done.size() < ids_.size()) {
    auto wave = ready(done, {}, reverse);
    if (wave.empty()) break;  // a circle; check_acyclic tells of it
    done.insert(wave.begin(), wave.end());
    out.push_back(std::move(wave));
  }
  return out;
}

}  // namespace tarn::cloudformation
