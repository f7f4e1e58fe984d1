// SPDX-License-Identifier: Apache-2.0
// Systems Manager's Parameter Store: versioned configuration values by name or path. Handlers only:
// writing.cpp, reading.cpp, tags.cpp; names and filters have their own files.
//
// Threading: handlers run on the call pool, several at a time; all state is in the store.
#pragma once
#include "aws/ssm/operations.hpp"
#include "platform/service.hpp"
#include "services/ssm/parameter_name.hpp"
#include "services/ssm/records.hpp"

namespace tarn::ssm {

class Ssm : public platform::ServiceOf<Ssm> {
 public:
  explicit Ssm(platform::Environment& environment)
      : environment_(environment),
        store_(environment.store) {}
  std::string_view name() const override { return "ssm"; }
  void operations(platform::OpTable& t);
  void resources(platform::ResourceTypes& types) override;

 private:
  using Call = platform::Call;
  void writing_operations(platform::OpTable& t);
  void reading_operations(platform::OpTable& t);
  void tag_operations(platform::OpTable& t);

  PutParameterOutput put_parameter(Call&, const PutParameterInput&);
  DeleteParameterOutput delete_parameter(Call&, const DeleteParameterInput&);
  DeleteParametersOutput delete_parameters(Call&, const DeleteParametersInput&);
  LabelParameterVersionOutput label_version(Call&, const LabelParameterVersionInput&);
  UnlabelParameterVersionOutput unlabel_version(Call&, const UnlabelParameterVersionInput&);

  GetParameterOutput get_parameter(Call&, const GetParameterInput&);
  GetParametersOutput get_parameters(Call&, const GetParametersInput&);
  GetParametersByPathOutput get_parameters_by_path(Call&, const GetParametersByPathInput&);
  DescribeParametersOutput describe_parameters(Call&, const DescribeParametersInput&);
  GetParameterHistoryOutput get_parameter_history(Call&, const GetParameterHistoryInput&);

  AddTagsToResourceOutput add_tags(Call&, const AddTagsToResourceInput&);
  RemoveTagsFromResourceOutput remove_tags(Call&, const RemoveTagsFromResourceInput&);
  ListTagsForResourceOutput list_tags(Call&, const ListTagsForResourceInput&);

  // The next version of a parameter as the request wants it, its value sealed where it is secret.
  VersionData next_version(Call& call, const PutParameterInput& in,
                           const std::optional<ParameterRecord>& before);
  void supersede(kernel::Txn& txn, ParameterRecord& record);
  // The value as a client gets it: open, or of a SecureString the sealed bytes in base64.
  std::string shown_value(const kernel::Scope& scope, const std::string& name,
                          const VersionData& version, bool decrypted);
  Parameter shown(Call& call, const std::string& name, const VersionData& version, bool decrypted);

  platform::Environment& environment_;
  kernel::Store& store_;
};

// Shared by the files above.
inline constexpr std::size_t k_versions_max = 100;

// Locks shared. Throws ParameterNotFound, which AWS leaves without a text.
ParameterRecord require_parameter(kernel::Txn& txn, const ParameterReference& reference);
// Locks exclusively.
ParameterRecord require_parameter_for_update(kernel::Txn& txn, const std::string& name);
// The version of that number, current or former; nullopt when there is none.
std::optional<VersionData> find_version(kernel::Txn& txn, const ParameterRecord& record,
                                        std::int64_t number);
[[noreturn]] void throw_no_version(const std::string& name, const std::string& version);
std::string seal_context(const kernel::Scope& scope, const std::string& name, std::int64_t version);
// The names behind the position that a token holds; throws InvalidNextToken.
std::string read_token(const std::optional<std::string>& token);

}  // namespace tarn::ssm
