// SPDX-License-Identifier: Apache-2.0
// `tarn ops`: the implemented operations, from the services' own tables. Needs no server.
#pragma once

namespace tarn::server {

int print_operations(bool as_json);

}  // namespace tarn::server
