// Two parts of the gate make real nodes side by side: one of them does so as on a host of its own, so that neither meets what
// the other has made. Only the files' root, the CPUs and the cgroups are shared.

/** Folders in which clusters of one host know of each other. */
const SHARED_FOLDERS = ['/run/netns', '/run/containerd', '/var/lib/cni', '/var/lib/aksel'] as const

/**
 * The new table of mounts is a copy: it would hold disks, layers and network namespaces of clusters that run on this host,
 * which could then not be taken away. `/` may itself be such a mount.
 */
const LET_GO = String.raw`awk '$2 != "/" && ($1 ~ "^/dev/loop" || $3 == "nsfs" || $3 == "overlay") { print $2 }' /proc/mounts | tac |
while read -r folder; do umount -l "$folder"; done`

const SCRIPT = [
  'set -e',
  'ip link set lo up',
  LET_GO,
  `for folder in ${SHARED_FOLDERS.join(' ')}; do mkdir -p "$folder"; mount -t tmpfs tmpfs "$folder"; done`,
  // Not exec: the first process of a namespace takes no signal by default, and reaps what others leave.
  '"$@" & wait "$!"',
].join('\n')

/**
 * The command with network, mounts and processes of its own, which end with it. Needs root, util-linux and iproute2.
 *
 * @returns the words of the command that does so
 */
export function apart(argv: readonly string[]): readonly string[] {
  const namespaces = ['--net', '--mount', '--propagation', 'private', '--pid', '--fork', '--mount-proc', '--kill-child']
  return ['unshare', ...namespaces, 'bash', '-c', SCRIPT, 'apart', ...argv]
}
