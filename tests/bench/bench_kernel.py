# SPDX-License-Identifier: Apache-2.0
"""The kernel beside plain RocksDB, and its queues at a million messages.

  bench_kernel.py [--seconds 3] [--messages 1000000]
"""
import argparse
import pathlib
import subprocess

BUILD = pathlib.Path(__file__).resolve().parents[2] / "build/release"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3, help="for each figure of commits")
    parser.add_argument("--messages", type=int, default=1_000_000)
    arguments = parser.parse_args()
    programs = ["kernel_store_limit_bench", "kernel_kernel_bench"]
    subprocess.run(["ninja", "-C", str(BUILD), *programs], check=True, stdout=subprocess.DEVNULL)
    for clients in (1, 8, 64):
        subprocess.run([BUILD / "bin" / programs[0], str(arguments.seconds), str(clients)],
                       check=True)
    subprocess.run([BUILD / "bin" / programs[1], "--seconds", str(arguments.seconds),
                    "--messages", str(arguments.messages)], check=True)


if __name__ == "__main__":
    main()
