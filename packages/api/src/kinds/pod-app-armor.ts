// The older way of naming a container's AppArmor profile: an annotation, which a new pod's field takes up.

import type { Draft } from '@aksel/base/draft'
import { deepEqual } from '../deep-equal.ts'
import type { AppArmorProfile, Pod } from '../types/core-v1.ts'
import { appArmorPrefix, containersOf } from '../validation/pod-annotations.ts'
import { validateAppArmor } from '../validation/pod-security.ts'

/**
 * The field wins where both are there (validation sees to it that they agree). Nothing is copied the other way: every node
 * that these minors allow reads the field.
 */
export function takeUpAppArmorAnnotations(pod: Draft<Pod>, warn: (sentence: string) => void): void {
  if (pod.metadata.annotations === undefined || pod.spec.os?.name === 'windows') return
  const ofPod = pod.spec.securityContext?.appArmorProfile
  for (const { container } of containersOf(pod.spec as Pod['spec'], '')) {
    const own = container as Draft<typeof container>
    const key = `${appArmorPrefix}${own.name}`
    const text = pod.metadata.annotations[key]
    if (text === undefined || own.securityContext?.appArmorProfile !== undefined) continue
    const profile = profileOf(text)
    const isNew = profile !== undefined && !deepEqual(profile, ofPod)
    if (isNew) {
      own.securityContext ??= {}
      own.securityContext.appArmorProfile = profile
    }
    if (isNew || profile === undefined)
      warn(`metadata.annotations[${key}]: deprecated since v1.30; use the "appArmorProfile" field instead`)
  }
}

/** Undefined where the annotation names none, or one that the field could not hold. */
function profileOf(text: string): AppArmorProfile | undefined {
  if (text === 'unconfined') return { type: 'Unconfined' }
  if (text === 'runtime/default') return { type: 'RuntimeDefault' }
  if (!text.startsWith('localhost/')) return undefined
  const profile = { type: 'Localhost', localhostProfile: text.slice('localhost/'.length) }
  return validateAppArmor(profile, '').length > 0 ? undefined : profile
}
