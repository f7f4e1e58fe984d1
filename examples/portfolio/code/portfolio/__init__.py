# SPDX-License-Identifier: Apache-2.0
"""Portfolio analytics: the Python of the platform that template.yaml describes.

validate and plan are Lambda functions; ingest and analytics are commands of the slim container.
"""
