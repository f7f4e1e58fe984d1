// SPDX-License-Identifier: Apache-2.0
#include "services/lambda/inline_code.hpp"

#include <archive.h>
#include <archive_entry.h>

#include <stdexcept>

namespace tarn::lambda {
namespace {

// Documented with AWS::CloudFormation::CustomResource as what inline functions may import.
constexpr const char* k_cfnresponse = R"python(import json
import urllib.request

SUCCESS = "SUCCESS"
FAILED = "FAILED"


def send(event, context, responseStatus, responseData, physicalResourceId=None, noEcho=False,
         reason=None):
    body = json.dumps({
        "Status": responseStatus,
        "Reason": reason or "See the details in CloudWatch Log Stream: " + context.log_stream_name,
        "PhysicalResourceId": physicalResourceId or context.log_stream_name,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "NoEcho": noEcho,
        "Data": responseData,
    }).encode()
    request = urllib.request.Request(event["ResponseURL"], data=body, method="PUT",
                                     headers={"Content-Type": ""})
    with urllib.request.urlopen(request) as response:
        print("Status code:", response.status)
)python";

void add_file(archive* writer, const char* name, const std::string& content) {
  archive_entry* entry = archive_entry_new();
  archive_entry_set_pathname(entry, name);
  archive_entry_set_filetype(entry, AE_IFREG);
  archive_entry_set_perm(entry, 0644);
  archive_entry_set_mtime(entry, 315'532'800, 0);  // fixed, so that equal text is an equal package
  archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
  archive_write_header(writer, entry);
  archive_write_data(writer, content.data(), content.size());
  archive_entry_free(entry);
}

}  // namespace

std::string zip_of_python_source(const std::string& source) {
  archive* writer = archive_write_new();
  archive_write_set_format_zip(writer);
  std::string bytes(source.size() * 2 + 64 * 1024, '\0');
  std::size_t used = 0;
  bool ok = archive_write_open_memory(writer, bytes.data(), bytes.size(), &used) == ARCHIVE_OK;
  add_file(writer, "index.py", source);
  add_file(writer, "cfnresponse.py", k_cfnresponse);
  ok = archive_write_close(writer) == ARCHIVE_OK && ok;
  archive_write_free(writer);
  if (!ok) throw std::runtime_error("cannot make a zip of inline code");
  bytes.resize(used);
  return bytes;
}

}  // namespace tarn::lambda
