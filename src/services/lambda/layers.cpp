// SPDX-License-Identifier: Apache-2.0
// Layer versions: archives that functions mount at /opt.
#include <fmt/format.h>

#include "aws/lambda/errors.hpp"
#include "services/lambda/list_page.hpp"
#include "services/lambda/service.hpp"

namespace tarn::lambda {
namespace {

std::string created_text(Timestamp time) { return iso8601(time).substr(0, 23) + "+0000"; }

std::string version_arn(const kernel::Scope& scope, const LayerRecord& layer) {
  return fmt::format("{}:{}", layer_arn(scope, layer.name), layer.version);
}

// Layer names may come as ARNs.
std::string layer_name(const std::string& text) {
  const auto at = text.find(":layer:");
  return at == std::string::npos ? text : text.substr(at + 7);
}

LayerVersionsListItem item(const LayerRecord& layer, const kernel::Scope& scope) {
  LayerVersionsListItem out;
  out.layer_version_arn = version_arn(scope, layer);
  out.version = layer.version;
  out.description = layer.description;
  out.created_date = created_text(layer.created);
  out.compatible_runtimes = layer.runtimes;
  out.compatible_architectures = layer.architectures;
  if (!layer.license.empty()) out.license_info = layer.license;
  return out;
}

template <class Output>
Output shown(const LayerRecord& layer, const kernel::Scope& scope, std::string location) {
  Output out;
  out.content =
      LayerVersionContentOutput{.location = std::move(location),
                                .code_sha256 = to_base64(from_hex(layer.code_digest).value_or("")),
                                .code_size = layer.code_bytes};
  out.layer_arn = layer_arn(scope, layer.name);
  out.layer_version_arn = version_arn(scope, layer);
  out.description = layer.description;
  out.created_date = created_text(layer.created);
  out.version = layer.version;
  out.compatible_runtimes = layer.runtimes;
  out.compatible_architectures = layer.architectures;
  if (!layer.license.empty()) out.license_info = layer.license;
  return out;
}

bool suits(const LayerRecord& layer, const std::optional<std::string>& runtime) {
  if (layer.deleted) return false;
  return !runtime ||
         std::find(layer.runtimes.begin(), layer.runtimes.end(), *runtime) != layer.runtimes.end();
}

}  // namespace

void Lambda::layer_operations(platform::OpTable& t) {
  const auto layer = [](Call& call, const auto& in) {
    return layer_arn(call.scope(), layer_name(in.layer_name));
  };
  t.op<PublishLayerVersion>(&Lambda::publish_layer).on(layer);
  t.op<GetLayerVersion>(&Lambda::get_layer).on(layer);
  t.op<GetLayerVersionByArn>(&Lambda::get_layer_by_arn)
      .action("lambda:GetLayerVersion")
      .on([](Call&, const auto& in) { return in.arn; });
  t.op<ListLayers>(&Lambda::list_layers);
  t.op<ListLayerVersions>(&Lambda::list_layer_versions).on(layer);
  t.op<DeleteLayerVersion>(&Lambda::delete_layer).on(layer);
}

Task<PublishLayerVersionOutput> Lambda::publish_layer(CallPtr call, PublishLayerVersionInput in) {
  const std::string name = layer_name(in.layer_name);
  const Package package =
      co_await take_package(call, std::move(in.content.zip_file), in.content.s3_bucket,
                            in.content.s3_key, in.content.s3_object_version);
  LayerRecord layer;
  layer.name = name;
  layer.description = in.description.value_or("");
  layer.license = in.license_info.value_or("");
  layer.runtimes = in.compatible_runtimes.value_or(std::vector<std::string>());
  layer.architectures = in.compatible_architectures.value_or(std::vector<std::string>());
  layer.code_digest = package.digest;
  layer.code_bytes = package.bytes;
  layer.created = call->now();
  store_.transact(call->scope(), [&](Txn& txn) {
    layer.version = next_number(txn, "layer", name);
    txn.put(layer);
  });
  call->set_response_status(201);
  co_return shown<PublishLayerVersionOutput>(layer, call->scope(),
                                             code_location(layer.code_digest));
}

GetLayerVersionOutput Lambda::get_layer(Call& call, const GetLayerVersionInput& in) {
  const std::string name = layer_name(in.layer_name);
  auto txn = store_.begin(call.scope());
  const auto layer = txn.find<LayerRecord>(name, in.version_number);
  if (!layer || layer->deleted)
    throw ResourceNotFoundException("The resource you requested does not exist.");
  return shown<GetLayerVersionOutput>(*layer, call.scope(), code_location(layer->code_digest));
}

GetLayerVersionByArnOutput Lambda::get_layer_by_arn(Call& call,
                                                    const GetLayerVersionByArnInput& in) {
  const auto id = LayerVersionId::parse(in.arn);
  if (id.scope.account != call.account()) {
    throw aws::ApiError("AccessDeniedException",
                        "User is not authorized to access this layer version", 403);
  }
  auto txn = store_.begin(id.scope);
  const auto layer = txn.find<LayerRecord>(id.name, id.version);
  if (!layer || layer->deleted)
    throw ResourceNotFoundException("The resource you requested does not exist.");
  return shown<GetLayerVersionByArnOutput>(*layer, id.scope, code_location(layer->code_digest));
}

ListLayersOutput Lambda::list_layers(Call& call, const ListLayersInput& in) {
  auto txn = store_.begin(call.scope());
  ListLayersOutput out{.layers = std::vector<LayersListItem>()};
  for (const auto& layer : txn.list<LayerRecord>()) {
    if (!suits(layer, in.compatible_runtime)) continue;
    if (out.layers->empty() || out.layers->back().layer_name != layer.name) {
      out.layers->push_back(
          {.layer_name = layer.name, .layer_arn = layer_arn(call.scope(), layer.name)});
    }
    out.layers->back().latest_matching_version = item(layer, call.scope());
  }
  out.layers = page_of(*std::move(out.layers), in, out,
                       [](const LayersListItem& layer) { return *layer.layer_name; });
  return out;
}

ListLayerVersionsOutput Lambda::list_layer_versions(Call& call, const ListLayerVersionsInput& in) {
  auto txn = store_.begin(call.scope());
  ListLayerVersionsOutput out{.layer_versions = std::vector<LayerVersionsListItem>()};
  kernel::ScanOptions options;
  options.reverse = true;
  for (const auto& layer : txn.list<LayerRecord>(kernel::Key(layer_name(in.layer_name)), options)) {
    if (suits(layer, in.compatible_runtime)) {
      out.layer_versions->push_back(item(layer, call.scope()));
    }
  }
  // The newest first: what is left below it ascends.
  out.layer_versions =
      page_of(*std::move(out.layer_versions), in, out, [](const LayerVersionsListItem& version) {
        return fmt::format("{:020}", INT64_MAX - *version.version);
      });
  return out;
}

// Functions that have the version keep it, as in AWS; nobody else can see or take it.
DeleteLayerVersionOutput Lambda::delete_layer(Call& call, const DeleteLayerVersionInput& in) {
  auto txn = store_.begin(call.scope());
  auto layer = txn.find_for_update<LayerRecord>(layer_name(in.layer_name), in.version_number);
  if (!layer) return {};
  layer->deleted = true;
  txn.put(*layer);
  txn.commit();
  return {};
}

}  // namespace tarn::lambda
