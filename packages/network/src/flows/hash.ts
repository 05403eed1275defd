// A number for a set of labels, the same on every node: what Cilium's allocator does with a shared store.

/** Between 256, below which identities are reserved, and 65,535. */
export function podLabelHash(namespace: string, labels: Readonly<Record<string, string>>): number {
  const text = [namespace, ...Object.entries(labels).map((pair) => pair.join('='))].toSorted().join('\u0000')
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0
  return 256 + (hash % (65_536 - 256))
}
