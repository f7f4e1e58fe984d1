// SPDX-License-Identifier: Apache-2.0
// Redshift's management API: clusters that really listen and answer. The engine is engines/sql, the
// front end pgwire; here are the records, the handlers, and the default warehouse `dev`, which
// exists from the first start.
#pragma once
#include "aws/redshift/operations.hpp"
#include "platform/service.hpp"
#include "services/redshift/clusters.hpp"

namespace tarn::redshift {

inline constexpr const char* k_default_cluster = "dev";
inline constexpr const char* k_default_user = "awsuser";

class Redshift : public platform::ServiceOf<Redshift> {
 public:
  // `default_port`: of the warehouse `dev`; 0: any free one.
  Redshift(platform::Environment& environment, sql::Clusters& warehouses,
           std::uint16_t default_port);
  std::string_view name() const override { return "redshift"; }
  void operations(platform::OpTable& t);
  void resources(platform::ResourceTypes& types) override;
  void start() override;

  // The default warehouse as clients reach it.
  struct Default {
    std::uint16_t port = 0;
    std::string user, password, database;
  };
  Default default_warehouse();

 private:
  using Call = platform::Call;
  CreateClusterOutput create_cluster(Call&, const CreateClusterInput&);
  DescribeClustersOutput describe_clusters(Call&, const DescribeClustersInput&);
  ModifyClusterOutput modify_cluster(Call&, const ModifyClusterInput&);
  ModifyClusterIamRolesOutput modify_cluster_iam_roles(Call&, const ModifyClusterIamRolesInput&);
  DeleteClusterOutput delete_cluster(Call&, const DeleteClusterInput&);
  RebootClusterOutput reboot_cluster(Call&, const RebootClusterInput&);
  GetClusterCredentialsOutput get_cluster_credentials(Call&, const GetClusterCredentialsInput&);
  CreateTagsOutput create_tags(Call&, const CreateTagsInput&);
  DeleteTagsOutput delete_tags(Call&, const DeleteTagsInput&);
  DescribeTagsOutput describe_tags(Call&, const DescribeTagsInput&);

  void run_and_store(const kernel::Scope& scope, ClusterRecord record);
  void ensure_default_warehouse();
  Cluster shown(const Call& call, const ClusterRecord& record, const std::string& status) const;
  kernel::Scope default_scope() const { return {environment_.account, environment_.region}; }

  platform::Environment& environment_;
  kernel::Store& store_;
  const std::uint16_t default_port_;
  Clusters clusters_;
};

}  // namespace tarn::redshift
