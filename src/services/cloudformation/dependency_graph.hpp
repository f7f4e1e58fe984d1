// SPDX-License-Identifier: Apache-2.0
// Which resource needs which: order of creation (dependencies first), of deletion (dependents
// first), and circles. Pure; nodes keep the order in which they were added.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

namespace tarn::cloudformation {

class DependencyGraph {
 public:
  void add(const std::string& id);
  // `id` needs `dependency`; both are added. A resource that needs itself is a circle.
  void add(const std::string& id, const std::string& dependency);

  const std::vector<std::string>& ids() const { return ids_; }
  const std::set<std::string>& dependencies(const std::string& id) const;
  const std::set<std::string>& dependents(const std::string& id) const;

  // The members of all circles, in order of adding; empty if there is none.
  std::vector<std::string> find_circle() const;
  // Throws TemplateError "Circular dependency between resources: [A, B]".
  void check_acyclic() const;

  // What may start now, although not all is done: everything neither done nor started whose
  // dependencies are done. `reverse` for deletion, where the dependents come first.
  std::vector<std::string> ready(const std::set<std::string>& done,
                                 const std::set<std::string>& started, bool reverse = false) const;
  // The waves in which everything could run, each as wide as possible.
  std::vector<std::vector<std::string>> waves(bool reverse = false) const;

 private:
  std::vector<std::string> ids_;
  std::map<std::string, std::set<std::string>> dependencies_, dependents_;
};

}  // namespace tarn::cloudformation
