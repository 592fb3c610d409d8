/** The two scripts that bring the guest up. They are run by busybox ash; what varies is in /nodeland (see initramfs.ts). */

/** Where both scripts find their files: in the initramfs first, then moved into the new root. */
export const GUEST_FOLDER = '/run/nodeland';

/**
 * Stage 1, the initramfs's /init: insert modules, mount the host's root read-only with a tmpfs over it, mount the shares
 * read-write at their own paths, and make that the root. Anything that fails here is a boot failure.
 */
export const STAGE_ONE = `#!/bin/busybox ash
B=/bin/busybox
step() { "$@" || { echo "nodeland-sandbox: failed: $*" >/dev/console; $B poweroff -f; }; }
$B mount -t proc proc /proc
$B mount -t sysfs sysfs /sys
$B mount -t devtmpfs devtmpfs /dev
for module in /modules/*.ko; do step $B insmod "$module"; done
P9=trans=virtio,version=9p2000.L,msize=512000
step $B mount -t 9p -o $P9,ro,cache=loose host-root /lower
step $B mount -t tmpfs -o mode=755,size=50% tmpfs /upper
$B mkdir /upper/data /upper/work
step $B mount -t overlay -o lowerdir=/lower,upperdir=/upper/data,workdir=/upper/work overlay /newroot
cd /newroot
$B mkdir -p proc sys dev run tmp
$B mount -t tmpfs -o mode=755 tmpfs run
$B mount -t tmpfs -o mode=1777 tmpfs tmp
for folder in proc sys dev; do step $B mount --move /$folder $folder; done
$B mkdir -p ./${GUEST_FOLDER}
$B cp /bin/busybox /nodeland/* ./${GUEST_FOLDER}/
while read -r tag folder; do
  $B mkdir -p "./$folder"
  step $B mount -t 9p -o $P9,cache=loose "$tag" "./$folder"
done </nodeland/shares
step $B mount --move . /
exec $B chroot . ${GUEST_FOLDER}/busybox ash ${GUEST_FOLDER}/stage2
`;

/**
 * The shares are cached loosely: Node.js, which opens many small files, starts some three times faster than with cache=mmap or none.
 * The price is that the guest writes to the host about a second late (the dirty_ settings; and at the end, before it reports), and
 * does not see what the host changes in files the guest has already read.
 *
 * Stage 2, process 1 in the real root: mount the rest, run the command, report.
 *
 * Output goes through pipes, so that the command sees what it would see on the host, and two copiers that run as real-time
 * tasks: output arrives even when the scheduler under test does not run anybody. When the command has ended:
 * 1. everybody but the copiers is killed, so that they see the end of their pipe;
 * 2. each copier writes the end mark after all output of its stream;
 * 3. what is still cached for the shares is written to the host, and "exit N" goes to the control port;
 * 4. process 1 waits; the host ends the machine once it has the exit code and both marks.
 */
export const STAGE_TWO = `
W=${GUEST_FOLDER}
B=$W/busybox
cd /
exec 3<>/dev/vport0p1 || { echo "nodeland-sandbox: no control port" >/dev/console; $B poweroff -f; }
mounted() { $B mkdir -p "$4" 2>/dev/null; $B mount -t "$1" -o "$2" "$3" "$4"; }
mounted devpts gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mounted tmpfs mode=1777 shm /dev/shm
$B mount -t bpf bpf /sys/fs/bpf
$B mount -t debugfs debugfs /sys/kernel/debug
$B mount -t tracefs tracefs /sys/kernel/tracing
$B mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo "+cpu +cpuset +memory +pids" >/sys/fs/cgroup/cgroup.subtree_control
$B ln -sf /proc/self/fd /dev/fd
$B ln -sf /proc/self/fd/0 /dev/stdin
$B ln -sf /proc/self/fd/1 /dev/stdout
$B ln -sf /proc/self/fd/2 /dev/stderr
$B hostname nodeland-sandbox
echo 100 >/proc/sys/vm/dirty_expire_centisecs
echo 100 >/proc/sys/vm/dirty_writeback_centisecs
$B ip link set lo up
ulimit -l unlimited
ulimit -n 1048576
mark=$($B cat $W/mark)
$B mkfifo $W/out $W/err
copier() { $B cat $1; printf '\\0%s' "$mark"; }
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
chrt -f -p 1 $$
copier $W/out >/dev/vport0p2 3>&- & out=$!
copier $W/err >/dev/vport0p3 3>&- & err=$!
chrt -o -p 0 $$
echo booted >&3
$B setsid /bin/sh $W/command </dev/null >$W/out 2>$W/err 3>&- &
wait $!
code=$?
for round in 1 2; do
  for folder in /proc/[0-9]*; do
    pid=\${folder#/proc/}
    parent=0
    { read -r _ _ _ parent _ <$folder/stat; } 2>/dev/null
    case $pid,$parent in 1,*|$out,*|$err,*|*,$out|*,$err) ;; *) kill -9 $pid 2>/dev/null ;; esac
  done
done
wait
$B sync
echo "exit $code" >&3
while read -r line <&3; do :; done
$B poweroff -f
`;
