// SPDX-License-Identifier: Apache-2.0
#include "server/services.hpp"

#include "services/cloudformation/service.hpp"
#include "services/ecs/service.hpp"
#include "services/events/service.hpp"
#include "services/iam/service.hpp"
#include "services/lambda/service.hpp"
#include "services/logs/service.hpp"
#include "services/redshift/service.hpp"
#include "services/redshift_data/service.hpp"
#include "services/s3/service.hpp"
#include "services/secretsmanager/service.hpp"
#include "services/sns/service.hpp"
#include "services/sqs/service.hpp"
#include "services/ssm/service.hpp"
#include "services/stepfunctions/service.hpp"
#include "services/sts/service.hpp"

namespace tarn::server {
namespace {

template <class S, class... Parts>
S& add(platform::Registry& registry, platform::ResourceTypes& types, Parts&&... parts) {
  auto service = std::make_unique<S>(parts...);
  S& made = *service;
  made.resources(types);
  registry.add(std::move(service));
  return made;
}

}  // namespace

Services add_services(const ServiceParts& parts, platform::Registry& registry,
                      platform::ResourceTypes& types) {
  auto& environment = parts.environment;
  auto& iam = add<iam::Iam>(registry, types, environment);
  environment.ports.identities = &iam.identities();
  registry.set_identity_store(&iam.identities());
  add<sts::Sts>(registry, types, environment);
  add<s3::S3>(registry, types, environment);
  add<logs::Logs>(registry, types, environment);
  add<ssm::Ssm>(registry, types, environment);
  add<secretsmanager::SecretsManager>(registry, types, environment);
  add<sqs::Sqs>(registry, types, environment);
  add<sns::Sns>(registry, types, environment);
  add<events::Events>(registry, types, environment);
  add<lambda::Lambda>(registry, types, environment, parts.compute);
  add<ecs::Ecs>(registry, types, environment, parts.compute);
  auto& warehouses =
      add<redshift::Redshift>(registry, types, environment, parts.clusters, parts.pg_port);
  add<redshift_data::RedshiftData>(registry, types, environment, parts.clusters);
  add<stepfunctions::StepFunctions>(registry, types, environment);
  add<cloudformation::CloudFormation>(registry, types, environment);
  return {iam, warehouses};
}

}  // namespace tarn::server
