# Which instruction breaks bug.c? `make demo` finds it backwards from the fault; this is the way forwards.
#
#   lockstep run bug.elf                                    a fault in mean(), which is correct
#   lockstep gdb bug.elf --listen 127.0.0.1:1234            and in another terminal:
#   gdb-multiarch bug.elf -ex 'target remote :1234' -x examples/guests/bug.gdb

set pagination off
set confirm off

echo \n== report() followed a pointer that is a small number. Watch that pointer from the first reading on.\n
tbreak record
continue
watch first_station->next
continue

echo \n== This store changed it. It is meant to write a reading.\n
backtrace
list record
print *station

echo \n== Seven readings have the places 0 to 6, and the last one went here:\n
print &station->tenths[7]
print &station->next
