import hashlib
import io
import sys

import pycdlib

iso = pycdlib.PyCdlib()
iso.open(sys.argv[1])
for index, key in (("rock-ridge", "rr_path"), ("joliet", "joliet_path"), ("iso9660", "iso_path")):
    for folder, _, files in iso.walk(**{key: "/"}):
        for name in files:
            path = folder.rstrip("/") + "/" + name
            record = iso.get_record(**{key: path})
            data = io.BytesIO()
            # A link is an empty file to a reader that does not know Rock Ridge.
            link = record.rock_ridge is not None and record.rock_ridge.is_symlink()
            if link and index == "rock-ridge":
                continue
            if not link:
                iso.get_file_from_iso_fp(data, **{key: path})
            print(index, hashlib.sha256(data.getvalue()).hexdigest(), path)
iso.close()
