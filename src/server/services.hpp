// SPDX-License-Identifier: Apache-2.0
// Every service of the house, in the order in which they start.
#pragma once
#include "engines/sandbox/compute.hpp"
#include "engines/sql/clusters.hpp"
#include "platform/registry.hpp"
#include "platform/resource_type.hpp"

namespace tarn::iam {
class Iam;
}
namespace tarn::redshift {
class Redshift;
}

namespace tarn::server {

// What services are made of.
struct ServiceParts {
  platform::Environment& environment;
  sandbox::Compute& compute;
  sql::Clusters& clusters;
  std::uint16_t pg_port = 0;
};

// Those that the server itself must know.
struct Services {
  iam::Iam& iam;
  redshift::Redshift& redshift;
};

// Constructs them all and fills the registry and the resource types; starts nothing. The ports that
// services implement (IAM's identities, …) are set in `environment.ports`.
Services add_services(const ServiceParts& parts, platform::Registry& registry,
                      platform::ResourceTypes& resource_types);

}  // namespace tarn::server
