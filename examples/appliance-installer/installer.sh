#!/busybox sh
# The installer: finds the medium that it was started from and the first disk that is another, asks, and copies the appliance there.

. /system.sh

image=/medium/appliance.img

# A disk is not the medium, can be written to, and has room.
find_target() {
    size=$(stat -c %s $image)
    for disk in /sys/block/vd* /sys/block/sd*; do
        [ -e "$disk/size" ] || continue
        name=/dev/${disk##*/}
        [ "$name" != "$medium" ] || continue
        [ "$(cat "$disk/ro")" = 0 ] || continue
        [ $(($(cat "$disk/size") * 512)) -ge "$size" ] || continue
        target=$name
        return
    done
}

install() {
    echo "This is the installer of the appliance."
    if [ -z "$medium" ]; then
        echo "Its medium is not there: the kernel has no driver for it."
    elif [ -z "$target" ]; then
        echo "There is no disk to install to. It takes one of at least $(((size + 1048575) / 1048576)) MiB."
    else
        ask
    fi
    shell
}

ask() {
    echo "The appliance will be installed to $target. All that is on it will be lost."
    printf "Type yes to go on: "
    read -r answer
    if [ "$answer" != yes ]; then
        echo "Nothing has been written."
    elif ! mkdir /installing; then
        echo "Somebody at another console was faster."
    elif dd if=$image of="$target" bs=1M conv=fsync && cmp -n "$size" $image "$target"; then
        echo "The appliance is installed. Take the medium out, and start the machine again."
        poweroff -f
    else
        echo "It could not be installed."
        rmdir /installing
    fi
}

if find_medium APPLIANCE_SETUP; then
    find_target
fi
at_each_console install
