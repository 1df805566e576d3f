#!/busybox sh
# What stands for an installer in the tests: it says what the kernel was started with, and what its answer file on the medium says.

/busybox mkdir -p /bin /proc /sys /dev /cdrom
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
tries=0
while medium=$(findfs LABEL="Debian 12.9.0 amd64 n") ; [ -z "$medium" ] && [ $tries -lt 50 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
mount -t iso9660 -o ro "$medium" /cdrom
say() {
    for tty in $(cat /sys/class/tty/console/active); do
        echo "$@" >"/dev/$tty"
    done
}
say "This is the stand-in of Debian's installer."
say "Started with: $(cat /proc/cmdline)"
say "The answers begin with: $(head -n 1 /cdrom/preseed.cfg)"
sleep 2
poweroff -f
