// What a pod may ask for that not every kernel and runtime has: it is refused here, in upstream's words, rather than run
// without. Pure.

import { readFile } from 'node:fs/promises'
import type { AppArmorProfile, Container, Pod } from '@aksel/api/types/core-v1'
import type { SecurityProfile } from '../cri/types.ts'
import type { Refusal } from './admission.ts'
import { allContainers } from './names.ts'

export interface HostSupport {
  readonly appArmor: boolean
}

export async function readHostSupport(): Promise<HostSupport> {
  const enabled = await readFile('/sys/module/apparmor/parameters/enabled', 'utf8').catch(() => 'N')
  return { appArmor: enabled.startsWith('Y') }
}

/** Undefined where the node can do what the pod asks for. */
export function judgeSupport(pod: Pod, host: HostSupport): Refusal | undefined {
  const confined = allContainers(pod).some(
    (container) => (appArmorOf(pod, container)?.type ?? 'Unconfined') !== 'Unconfined',
  )
  if (confined && !host.appArmor) {
    return { reason: 'AppArmor', message: 'Cannot enforce AppArmor: AppArmor is not enabled on the host' }
  }
  // No release of the runtimes that this node knows tells which groups of an image it leaves out.
  if (pod.spec.securityContext?.supplementalGroupsPolicy === 'Strict') {
    const message = 'SupplementalGroupsPolicy=Strict is not supported in this node'
    return { reason: 'SupplementalGroupsPolicyNotSupported', message }
  }
  return undefined
}

/** Rejects what a sandbox cannot be given. */
export function checkSandboxSupport(pod: Pod, handler: string): void {
  if (pod.spec.hostUsers === false)
    throw new Error(`RuntimeClass handler "${handler}" does not support user namespaces`)
}

/** The container's own, its annotation from before there was a field, or its pod's. */
function appArmorOf(
  { metadata, spec }: Pod,
  container: Pick<Container, 'name' | 'securityContext'>,
): AppArmorProfile | undefined {
  const own = container.securityContext?.appArmorProfile
  if (own !== undefined) return own
  const told = metadata.annotations?.[`container.apparmor.security.beta.kubernetes.io/${container.name}`]
  if (told === undefined) return spec.securityContext?.appArmorProfile
  if (told.startsWith('localhost/')) return { type: 'Localhost', localhostProfile: told.slice('localhost/'.length) }
  return { type: told === 'unconfined' ? 'Unconfined' : 'RuntimeDefault' }
}

/** As the runtime takes it; undefined where the pod says nothing. */
export function appArmorProfile(pod: Pod, container: Container): SecurityProfile | undefined {
  const profile = appArmorOf(pod, container)
  if (profile === undefined) return undefined
  if (profile.type === 'Localhost') return { profileType: 'Localhost', localhostRef: profile.localhostProfile ?? '' }
  return { profileType: profile.type === 'Unconfined' ? 'Unconfined' : 'RuntimeDefault' }
}
