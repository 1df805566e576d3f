# Prints every file that libudfread finds in an image as "SHA-256 PATH".
import ctypes
import hashlib
import sys


class Entry(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_uint), ("name", ctypes.c_char_p)]


lib = ctypes.CDLL(sys.argv[1])
for name, result, arguments in (
    ("udfread_init", ctypes.c_void_p, []),
    ("udfread_open", ctypes.c_int, [ctypes.c_void_p, ctypes.c_char_p]),
    ("udfread_opendir", ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_char_p]),
    ("udfread_readdir", ctypes.POINTER(Entry), [ctypes.c_void_p, ctypes.POINTER(Entry)]),
    ("udfread_closedir", None, [ctypes.c_void_p]),
    ("udfread_file_open", ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_char_p]),
    ("udfread_file_size", ctypes.c_int64, [ctypes.c_void_p]),
    ("udfread_file_read", ctypes.c_ssize_t, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]),
    ("udfread_file_close", None, [ctypes.c_void_p]),
):
    function = getattr(lib, name)
    function.restype, function.argtypes = result, arguments

DIRECTORY = 1
LENGTH = 1 << 20
udf = lib.udfread_init()
if lib.udfread_open(udf, sys.argv[2].encode()) < 0:
    sys.exit("libudfread opens no volume")


def walk(path):
    folder = lib.udfread_opendir(udf, path or b"/")
    if not folder:
        sys.exit(f"libudfread does not read {path}")
    entry = Entry()
    while lib.udfread_readdir(folder, ctypes.byref(entry)):
        if entry.name in (b".", b".."):
            continue
        below = path + b"/" + entry.name
        if entry.kind == DIRECTORY:
            walk(below)
            continue
        file = lib.udfread_file_open(udf, below)
        digest, buffer = hashlib.sha256(), ctypes.create_string_buffer(LENGTH)
        while (count := lib.udfread_file_read(file, buffer, LENGTH)) > 0:
            digest.update(buffer.raw[:count])
        if count < 0:
            sys.exit(f"libudfread does not read {below}")
        lib.udfread_file_close(file)
        sys.stdout.buffer.write(digest.hexdigest().encode() + b" " + below + b"\n")
    lib.udfread_closedir(folder)


walk(b"")
