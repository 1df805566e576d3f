#!/busybox sh
# The first program of a small Linux: it says that it runs, and switches the machine off.
/busybox mkdir -p /proc
/busybox mount -t proc proc /proc
echo "This is Linux. Its command line: $(/busybox cat /proc/cmdline)"
/busybox sleep 1
/busybox poweroff -f
