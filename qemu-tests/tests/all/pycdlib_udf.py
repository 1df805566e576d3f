# Prints every file that pycdlib finds in the UDF volume of an image as "SHA-256 PATH".
import hashlib
import io
import sys

import pycdlib

iso = pycdlib.PyCdlib()
iso.open(sys.argv[1])
for folder, _, files in iso.walk(udf_path="/"):
    for name in files:
        path = folder.rstrip("/") + "/" + name
        data = io.BytesIO()
        iso.get_file_from_iso_fp(data, udf_path=path)
        sys.stdout.buffer.write(f"{hashlib.sha256(data.getvalue()).hexdigest()} {path}\n".encode())
iso.close()
