// The order of groups and versions in discovery: upstream's priorities of the built-in ones, by which APIServices rank.

/** As an APIService has them: `groupPriorityMinimum` and `versionPriority`; the higher comes first. */
export interface GroupVersionPriority {
  readonly group: number
  readonly version: number
}

const groupPriorities: Readonly<Record<string, number>> = {
  // The aggregator's own group stands before all others.
  'apiregistration.k8s.io': 20_000,
  '': 18_000,
  apps: 17_800,
  'events.k8s.io': 17_750,
  'authentication.k8s.io': 17_700,
  'authorization.k8s.io': 17_600,
  autoscaling: 17_500,
  batch: 17_400,
  'certificates.k8s.io': 17_300,
  'networking.k8s.io': 17_200,
  policy: 17_100,
  'rbac.authorization.k8s.io': 17_000,
  'storage.k8s.io': 16_800,
  'apiextensions.k8s.io': 16_700,
  'admissionregistration.k8s.io': 16_700,
  'scheduling.k8s.io': 16_600,
  'coordination.k8s.io': 16_500,
  'node.k8s.io': 16_300,
  'discovery.k8s.io': 16_200,
  'flowcontrol.apiserver.k8s.io': 16_100,
  'internal.apiserver.k8s.io': 16_000,
  'resource.k8s.io': 15_900,
  'storagemigration.k8s.io': 15_800,
  // As the manifest of metrics-server has it.
  'metrics.k8s.io': 100,
}

/** What an APIService made for a custom resource's group version gets. */
export const customPriority: GroupVersionPriority = { group: 1000, version: 100 }

export function builtInPriority(group: string, version: string): GroupVersionPriority {
  return { group: groupPriorities[group] ?? customPriority.group, version: versionPriority(group, version) }
}

function versionPriority(group: string, version: string): number {
  if (group === '') return 1
  if (group === 'metrics.k8s.io') return 100
  if (group === 'autoscaling' && version === 'v2') return 30
  if (/^v\d+$/.test(version)) return 15
  return /beta/.test(version) ? 9 : 1
}

const versionShape = /^v(\d+)(?:(alpha|beta)(\d+))?$/

/** Kubernetes' order of versions, newest and stablest first: v2, v1, v1beta2, v1beta1, v1alpha1, then all else by name. */
export function compareVersions(a: string, b: string): number {
  const [x, y] = [versionShape.exec(a), versionShape.exec(b)]
  if (x === null || y === null) return x === null && y === null ? (a < b ? -1 : a > b ? 1 : 0) : x === null ? 1 : -1
  const stage = (match: RegExpExecArray): number => (match[2] === undefined ? 2 : match[2] === 'beta' ? 1 : 0)
  return stage(y) - stage(x) || Number(y[1]) - Number(x[1]) || Number(y[3] ?? 0) - Number(x[3] ?? 0)
}
