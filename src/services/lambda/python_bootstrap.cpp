// SPDX-License-Identifier: Apache-2.0
#include "services/lambda/python_bootstrap.hpp"

namespace tarn::lambda {
namespace {

constexpr std::string_view k_program = R"python(# SPDX-License-Identifier: Apache-2.0
"""The Python runtime of Lambda: loads the handler, then serves one invocation after another."""

import decimal
import http.client
import importlib
import json
import logging
import os
import sys
import time
import traceback

TASK_ROOT = os.environ.get("LAMBDA_TASK_ROOT", "/var/task")
HOST = os.environ["AWS_LAMBDA_RUNTIME_API"]
PREFIX = "/2018-06-01/runtime"


class RuntimeApi:
    """One kept-alive connection; the wait for the next invocation has no time limit."""

    def __init__(self):
        self.connection = None

    def request(self, method, path, body=None, headers=None):
        for attempt in range(2):
            if self.connection is None:
                self.connection = http.client.HTTPConnection(HOST)
            try:
                self.connection.request(method, PREFIX + path, body=body, headers=headers or {})
                response = self.connection.getresponse()
                return response.status, response.headers, response.read()
            except (http.client.HTTPException, OSError):
                self.connection.close()
                self.connection = None
                if attempt or method == "POST":
                    raise


API = RuntimeApi()


class Identity:
    def __init__(self, given):
        self.cognito_identity_id = given.get("cognitoIdentityId")
        self.cognito_identity_pool_id = given.get("cognitoIdentityPoolId")


class Client:
    def __init__(self, given):
        for name in ("installation_id", "app_title", "app_version_name", "app_version_code",
                     "app_package_name"):
            setattr(self, name, given.get(name))


class ClientContext:
    def __init__(self, given):
        self.custom = given.get("custom")
        self.env = given.get("env")
        self.client = Client(given.get("client") or {})


class Context:
    """What handlers get beside the event."""

    def __init__(self, headers):
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.tenant_id = None
        client_context = headers.get("Lambda-Runtime-Client-Context")
        self.client_context = ClientContext(json.loads(client_context)) if client_context else None
        self.identity = Identity(json.loads(headers.get("Lambda-Runtime-Cognito-Identity") or "{}"))
        self._deadline_ms = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self):
        return max(0, self._deadline_ms - int(time.time() * 1000))

    def log(self, message):
        sys.stdout.write(str(message))

    def __repr__(self):
        return (f"LambdaContext([aws_request_id={self.aws_request_id},log_group_name="
                f"{self.log_group_name},log_stream_name={self.log_stream_name},function_name="
                f"{self.function_name},memory_limit_in_mb={self.memory_limit_in_mb},"
                f"function_version={self.function_version},invoked_function_arn="
                f"{self.invoked_function_arn},client_context={self.client_context},identity="
                f"{self.identity},tenant_id={self.tenant_id}])")


class RequestIdFilter(logging.Filter):
    request_id = ""

    def filter(self, record):
        record.aws_request_id = self.request_id
        return True


def set_up_logging():
    formatter = logging.Formatter(
        "[%(levelname)s]\t%(asctime)s.%(msecs)dZ\t%(aws_request_id)s\t%(message)s\n",
        "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    # One event of the log for each record, also where its text has several lines.
    handler = logging.StreamHandler(OneEvent())
    handler.terminator = ""
    handler.setFormatter(formatter)
    request_filter = RequestIdFilter()
    handler.addFilter(request_filter)
    logging.getLogger().addHandler(handler)
    return request_filter


class OneEvent:
    def write(self, text):
        sys.stdout.write(text.rstrip("\n").replace("\n", "\r") + "\n")

    def flush(self):
        sys.stdout.flush()


class InitError(Exception):
    def __init__(self, kind, message, stack=()):
        super().__init__(message)
        self.kind = kind
        self.stack = list(stack)


def load_handler(name):
    try:
        module_name, function_name = name.rsplit(".", 1)
    except ValueError:
        raise InitError("Runtime.MalformedHandlerName",
                        f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)")
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise InitError("Runtime.ImportModuleError",
                        f"Unable to import module '{module_name}': {error}")
    except SyntaxError as error:
        raise InitError("Runtime.UserCodeSyntaxError",
                        f"Syntax error in module '{module_name}': {error}",
                        [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}'])
    try:
        return getattr(module, function_name)
    except AttributeError:
        raise InitError("Runtime.HandlerNotFound",
                        f"Handler '{function_name}' missing on module '{module_name}'")


def frames_of(error):
    """The traceback's frames without those of this program and of the import system."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames
           if frame.filename != __file__ and not frame.filename.startswith("<frozen")]
    return traceback.format_list(own)


def log_error(kind, message, stack):
    text = f"[ERROR] {kind}: {message}" if kind else f"[ERROR] {message}"
    if stack:
        text += "\nTraceback (most recent call last):\n" + "".join(stack)
    OneEvent().write(text)
    sys.stdout.flush()


def fail(path, kind, message, request_id, stack):
    log_error(kind, message, stack)
    body = json.dumps({"errorMessage": message, "errorType": kind, "requestId": request_id,
                       "stackTrace": list(stack)})
    API.request("POST", path, body.encode(),
                {"Lambda-Runtime-Function-Error-Type": kind, "Content-Type": "application/json"})


def encode_other(value):
    if isinstance(value, decimal.Decimal):
        return float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def serve(handler, request_filter):
    _, headers, body = API.request("GET", "/invocation/next")
    request_id = headers["Lambda-Runtime-Aws-Request-Id"]
    request_filter.request_id = request_id
    trace = headers.get("Lambda-Runtime-Trace-Id")
    if trace:
        os.environ["_X_AMZN_TRACE_ID"] = trace
    try:
        event = json.loads(body)
    except ValueError as error:
        fail(f"/invocation/{request_id}/error", "Runtime.UnmarshalError",
             f"Unable to unmarshal input: {error}", request_id, [])
        return
    try:
        result = handler(event, Context(headers))
    except Exception as error:
        sys.stdout.flush()
        fail(f"/invocation/{request_id}/error", type(error).__name__, str(error), request_id,
             frames_of(error))
        return
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        answer = json.dumps(result, default=encode_other)
    except Exception as error:
        fail(f"/invocation/{request_id}/error", "Runtime.MarshalError",
             f"Unable to marshal response: {error}", request_id, [])
        return
    status, _, _ = API.request("POST", f"/invocation/{request_id}/response", answer.encode(),
                               {"Content-Type": "application/json"})
    if status == 413:  # the caller has been told
        print("[ERROR] LAMBDA_RUNTIME Failed to post handler success response. Http response code: "
              "413.")


def main():
    sys.stdout.reconfigure(line_buffering=True)
    request_filter = set_up_logging()
    # The function's own code wins over layers, layers over the runtime's libraries.
    sys.path[0:1] = [TASK_ROOT, "/opt/python/lib/python3.11/site-packages", "/opt/python"]
    sys.path.append("/var/lang/lib/python3.11/site-packages")
    os.chdir(TASK_ROOT)
    try:
        handler = load_handler(os.environ["_HANDLER"])
    except InitError as error:
        fail("/init/error", error.kind, str(error), "", error.stack)
        sys.exit(1)
    except Exception as error:
        fail("/init/error", type(error).__name__, str(error), "", frames_of(error))
        sys.exit(1)
    sys.stdout.flush()
    while True:
        serve(handler, request_filter)


main()
)python";

}  // namespace

std::string_view python_bootstrap() { return k_program; }

}  // namespace tarn::lambda
