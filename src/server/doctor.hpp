// SPDX-License-Identifier: Apache-2.0
// `tarn doctor`: what this machine allows, and what to do where it does not. 1 if something that
// tasks need is missing.
#pragma once

namespace tarn::server {

int doctor();

}  // namespace tarn::server
