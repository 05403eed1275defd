// What AKS keeps back of a machine: nodes take it off what pods may have, and the autoscaler foresees it.

/** What a node keeps on AKS: CPU by cores, memory by pods, and what the kubelet evicts at. */
export function aksReserved(
  vcpus: number,
  memoryBytes: number,
  maxPods: number,
): { readonly cpuMilli: number; readonly memoryBytes: number } {
  const row = cpuReserved.findLast(([cores]) => cores <= Math.max(1, vcpus))!
  const MEGA = 1_000_000
  const kubeReserved = Math.min(20 * MEGA * maxPods + 50 * MEGA, Math.floor(memoryBytes / 4))
  return { cpuMilli: row[1], memoryBytes: kubeReserved + 100 * 1024 * 1024 }
}

const cpuReserved: readonly (readonly [number, number])[] = [
  [1, 60],
  [2, 100],
  [4, 140],
  [8, 180],
  [16, 260],
  [32, 420],
  [64, 740],
]
