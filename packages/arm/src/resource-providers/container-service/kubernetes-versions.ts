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

/** Ubuntu means 22.04 up to Kubernetes 1.34 and 24.04 from 1.35. */
export function nodeImageOf(osSku: string, version: string): string {
  const release = '202611.01.0'
  const minor = Number(version.split('.')[1])
  const ubuntu = minor >= 35 ? '2404' : '2204'
  const names: Readonly<Record<string, string>> = {
    ubuntu: `AKSUbuntu-${ubuntu}gen2containerd`,
    ubuntu2204: 'AKSUbuntu-2204gen2containerd',
    ubuntu2404: 'AKSUbuntu-2404gen2containerd',
    azurelinux: 'AKSAzureLinux-V3gen2',
    azurelinux3: 'AKSAzureLinux-V3gen2',
  }
  return `${names[osSku.toLowerCase()] ?? names['ubuntu']!}-${release}`
}
