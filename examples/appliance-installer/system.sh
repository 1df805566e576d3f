# What both first programs begin with: busybox's commands, the kernel's file systems, the drivers of a virtual machine's disks.

/busybox mkdir -p /bin /proc /sys /dev /medium
/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
# In the order in which they need each other.
for module in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk \
    cdrom scsi_common scsi_mod virtio_scsi sr_mod isofs; do
    insmod /modules/$module.ko
done

# Mounts the volume of this name at /medium, and puts the name of its disk into $medium. Drives take a while to be found.
find_medium() {
    tries=0
    while medium=$(findfs LABEL="$1") ; [ -z "$medium" ]; do
        tries=$((tries + 1))
        [ $tries -gt 50 ] && return 1
        sleep 0.1
    done
    mount -t iso9660 -o ro "$medium" /medium
}

# Runs a command at each console, the screen and the serial port, and switches the machine off when it has ended at all of them.
at_each_console() {
    for tty in $(cat /sys/class/tty/console/active); do
        "$@" <"/dev/$tty" >"/dev/$tty" 2>&1 &
    done
    wait
    poweroff -f
}

# Leaves a shell at the console.
shell() {
    setsid -c sh
}
