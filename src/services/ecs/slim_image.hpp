// SPDX-License-Identifier: Apache-2.0
// The image tarn/slim: an entry point that fetches two archives and runs a script. In Tarn the
// archives are not unpacked by the container but mounted from the layer cache; everything else is
// as in the script of examples/portfolio/slim, including exit codes and the last line of the log:
//
//   CODE_ARCHIVE, VENV_ARCHIVE   s3:// URIs; mounted at /opt/code (working directory) and /opt/venv
//   COMMAND                      run by /bin/sh -ec
//
// Pure.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace tarn::ecs {

bool is_slim_image(const std::string& image);

struct S3Uri {
  std::string bucket, key;
};

struct SlimArchive {
  std::string variable;  // "CODE_ARCHIVE"
  std::string uri, target;
  S3Uri object;
  bool writable = false;
};

// How the container ends without having run.
struct SlimFailure {
  int exit_code = 0;
  std::string text;  // without "slim: "
};

struct SlimPlan {
  std::vector<SlimArchive> archives;
  std::vector<std::string> command;
  std::map<std::string, std::string> environment;  // with VIRTUAL_ENV and PATH
  std::optional<SlimFailure> failure;              // the variables make no sense
};

SlimPlan plan_slim(std::map<std::string, std::string> environment);

SlimFailure cannot_fetch(const SlimArchive& archive, const std::string& problem);
SlimFailure cannot_unpack(const SlimArchive& archive, const std::string& problem);

}  // namespace tarn::ecs
