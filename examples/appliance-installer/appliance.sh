#!/busybox sh
# The appliance: the first program of its kernel. Here it shows a file of its disk, and leaves a shell; a real one would start its work.

. /system.sh

greet() {
    echo "This is the appliance."
    if [ -n "$medium" ]; then
        cat /medium/motd
    else
        echo "Its disk is not there."
    fi
    shell
}

find_medium APPLIANCE
at_each_console greet
