#!/busybox sh
# What stands for an installer in the tests: it says what the kernel was started with, and what its answer file on the medium begins with.

. /system.sh

say() {
    for tty in $(cat /sys/class/tty/console/active); do
        echo "$@" >"/dev/$tty"
    done
}

# The name of the volume and the answer file are in a file of the initramfs.
. /stand-in.conf
find_medium "$label" || say "The medium is not there."
say "This is the stand-in of $name's installer."
say "Started with: $(cat /proc/cmdline)"
say "The answers begin with: $(head -n 1 "/medium/$answers")"
sleep 2
poweroff -f
