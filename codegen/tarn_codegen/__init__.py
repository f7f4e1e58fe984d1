# SPDX-License-Identifier: Apache-2.0
"""botocore's service models to C++: structures, tables for the codecs, the operation catalogue."""
