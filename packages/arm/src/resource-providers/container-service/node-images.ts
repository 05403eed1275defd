// Node images by name: a new release every Monday, for each operating system. Pure.

const WEEK_MS = 7 * 86_400_000
/** A Monday at midnight, UTC. */
const FIRST_MONDAY_MS = Date.UTC(2024, 0, 1)
/** An image that is older may not be chosen any more: 90 days. */
const OFFERED_WEEKS = 13

/** `202611.23.0`: the Monday at or before this time. */
function releaseAt(ms: number): string {
  const monday = FIRST_MONDAY_MS + Math.floor((ms - FIRST_MONDAY_MS) / WEEK_MS) * WEEK_MS
  const [year, month, day] = new Date(monday).toISOString().slice(0, 10).split('-')
  return `${year}${month}.${day}.0`
}

/** Ubuntu means 22.04 up to Kubernetes 1.34 and 24.04 from 1.35. */
function familyOf(osSku: string, version: string): string {
  const ubuntu = Number(version.split('.')[1]) >= 35 ? '2404' : '2204'
  const names: Readonly<Record<string, string>> = {
    ubuntu: `AKSUbuntu-${ubuntu}gen2containerd`,
    ubuntu2204: 'AKSUbuntu-2204gen2containerd',
    ubuntu2404: 'AKSUbuntu-2404gen2containerd',
    azurelinux: 'AKSAzureLinux-V3gen2',
    azurelinux3: 'AKSAzureLinux-V3gen2',
    windows2022: 'AKSWindows-2022-containerd-gen2',
    windows2025: 'AKSWindows-2025-gen2',
  }
  return names[osSku.toLowerCase()] ?? names['ubuntu']!
}

/** The newest image of an operating system for a Kubernetes version. */
export function nodeImageOf(osSku: string, version: string, nowMs: number): string {
  return `${familyOf(osSku, version)}-${releaseAt(nowMs)}`
}

/** Whether the image is one that can be chosen now. */
export function isOfferedImage(image: string, osSku: string, version: string, nowMs: number): boolean {
  const family = familyOf(osSku, version)
  return Array.from({ length: OFFERED_WEEKS }, (_, weeks) => releaseAt(nowMs - weeks * WEEK_MS)).some(
    (release) => image === `${family}-${release}`,
  )
}
