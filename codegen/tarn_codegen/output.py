# SPDX-License-Identifier: Apache-2.0
"""Files that are rewritten only when their text changes, so that nothing is rebuilt for nothing."""
import os


class Output:
    def __init__(self, root):
        self.root = root
        self.written = []

    def write(self, path, text):
        full = os.path.join(self.root, path)
        self.written.append(full)
        data = text.encode()
        try:
            with open(full, "rb") as file:
                if file.read() == data:
                    return
        except FileNotFoundError:
            os.makedirs(os.path.dirname(full), exist_ok=True)
        temporary = full + ".new"
        with open(temporary, "wb") as file:
            file.write(data)
        os.replace(temporary, full)

    def remove_others(self, folder):
        """Deletes what an earlier run left in `folder` and this one did not write."""
        keep = set(self.written)
        full = os.path.join(self.root, folder)
        for name in os.listdir(full) if os.path.isdir(full) else []:
            path = os.path.join(full, name)
            if path not in keep and name.endswith((".hpp", ".cpp")):
                os.remove(path)
