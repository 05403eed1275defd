// The Kubernetes versions on offer, and how an alias such as `1.35` becomes one.

export interface OfferedVersion {
  readonly version: string
  readonly isDefault: boolean
  readonly isPreview: boolean
  readonly supportPlans: readonly string[]
}

/** Oldest first; one patch of each minor is offered. */
export const offeredVersions: readonly OfferedVersion[] = [
  {
    version: '1.34.10',
    isDefault: false,
    isPreview: false,
    supportPlans: ['KubernetesOfficial', 'AKSLongTermSupport'],
  },
  { version: '1.35.7', isDefault: true, isPreview: false, supportPlans: ['KubernetesOfficial', 'AKSLongTermSupport'] },
  { version: '1.36.3', isDefault: false, isPreview: false, supportPlans: ['KubernetesOfficial', 'AKSLongTermSupport'] },
]

export const defaultVersion = '1.35.7'

export function minorOf(version: string): string {
  return version.split('.').slice(0, 2).join('.')
}

/** The full version that the text stands for; undefined where it is not on offer. Empty text is the default. */
export function resolveVersion(text: string): string | undefined {
  if (text === '') return defaultVersion
  return offeredVersions.find(({ version }) => version === text || minorOf(version) === text)?.version
}

/** Versions that a cluster of this version may be upgraded to: the next minor, and newer patches of its own. */
export function upgradesOf(version: string): readonly string[] {
  const [major, minor, patch] = version.split('.').map(Number) as [number, number, number]
  return offeredVersions.flatMap((offered) => {
    const [itsMajor, itsMinor, itsPatch] = offered.version.split('.').map(Number) as [number, number, number]
    const newer = itsMinor === minor ? itsPatch > patch : itsMinor === minor + 1
    return itsMajor === major && newer ? [offered.version] : []
  })
}

/** Versions that a pool's nodes may be upgraded to: whatever is newer than theirs, minors that its control plane went through
 * included, and nothing newer than that. */
export function poolUpgradesOf(version: string, controlPlane: string): readonly string[] {
  return offeredVersions
    .map((offered) => offered.version)
    .filter((offered) => compareVersions(offered, version) > 0 && compareVersions(offered, controlPlane) <= 0)
}

export function compareVersions(left: string, right: string): number {
  const [one, other] = [left, right].map((text) => text.split('.').map(Number)) as [number[], number[]]
  const at = one.findIndex((part, index) => part !== other[index])
  return at < 0 ? 0 : one[at]! - other[at]!
}
