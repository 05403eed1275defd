// Annotations that say something of a pod's containers: the older way of naming profiles, mirrors of static pods, and the
// price of deleting a pod.

import { forbidden, invalid, type FieldError } from '../field-errors.ts'
import type { AppArmorProfile, Container, EphemeralContainer, PodSpec, SeccompProfile } from '../types/core-v1.ts'
import { localPath } from './paths.ts'

type Annotations = Readonly<Record<string, string>>

export const mirrorAnnotation = 'kubernetes.io/config.mirror'
export const appArmorPrefix = 'container.apparmor.security.beta.kubernetes.io/'
const seccompPod = 'seccomp.security.alpha.kubernetes.io/pod'
const seccompPrefix = 'container.seccomp.security.alpha.kubernetes.io/'
const deletionCost = 'controller.kubernetes.io/pod-deletion-cost'

interface Placed {
  readonly container: Container | EphemeralContainer
  readonly path: string
}

/** Every container with its path: init containers first, as upstream visits them. */
export function containersOf(spec: PodSpec, path: string): readonly Placed[] {
  return (['initContainers', 'containers', 'ephemeralContainers'] as const).flatMap((field) =>
    (spec[field] ?? []).map((container, index) => ({ container, path: `${path}.${field}[${index}]` })),
  )
}

export function validatePodAnnotations(annotations: Annotations, spec: PodSpec, path: string): readonly FieldError[] {
  const errors: FieldError[] = []
  const mirror = annotations[mirrorAnnotation]
  if (mirror !== undefined && (spec.nodeName ?? '') === '')
    errors.push(
      invalid(`${path}[${mirrorAnnotation}]`, mirror, 'must set spec.nodeName if mirror pod annotation is set'),
    )
  for (const [key, value] of Object.entries(annotations)) {
    if (key === seccompPod || key.startsWith(seccompPrefix)) errors.push(...validateSeccomp(value, `${path}.${key}`))
    if (key.startsWith(appArmorPrefix)) errors.push(...validateAppArmor(key, value, spec, path))
  }
  const cost = annotations[deletionCost]
  if (cost !== undefined && !/^(0|-?[1-9]\d{0,9})$/.test(cost))
    errors.push(invalid(`${path}[${deletionCost}]`, cost, 'must be a 32bit integer'))
  return errors
}

function validateSeccomp(value: string, path: string): readonly FieldError[] {
  if (['runtime/default', 'docker/default', 'unconfined'].includes(value)) return []
  if (value.startsWith('localhost/')) return localPath(value.slice('localhost/'.length), path)
  return [invalid(path, value, 'must be a valid seccomp profile')]
}

function validateAppArmor(key: string, value: string, spec: PodSpec, path: string): readonly FieldError[] {
  const name = key.slice(appArmorPrefix.length)
  const errors: FieldError[] = containersOf(spec, '').some(({ container }) => container.name === name)
    ? []
    : [invalid(`${path}[${key}]`, name, 'container not found')]
  const isProfile = ['', 'runtime/default', 'unconfined'].includes(value) || value.startsWith('localhost/')
  if (!isProfile)
    errors.push(invalid(`${path}[${key}]`, value, `invalid AppArmor profile name: ${JSON.stringify(value)}`))
  return errors
}

/** Where a field and an annotation both name a profile they must name the same. */
export function validateProfileAnnotations(
  annotations: Annotations,
  spec: PodSpec,
  path: string,
): readonly FieldError[] {
  const errors: FieldError[] = []
  const podSeccomp = spec.securityContext?.seccompProfile
  errors.push(...agree(annotations[seccompPod], podSeccomp, `${path}.securityContext.seccompProfile`, 'seccomp'))
  for (const { container, path: at } of containersOf(spec, path)) {
    const { seccompProfile, appArmorProfile } = container.securityContext ?? {}
    const said = annotations[`${seccompPrefix}${container.name}`]
    errors.push(...agree(said, seccompProfile, `${at}.securityContext.seccompProfile`, 'seccomp'))
    const armor = appArmorProfile ?? spec.securityContext?.appArmorProfile
    const armored = annotations[`${appArmorPrefix}${container.name}`]
    if (spec.os?.name !== 'windows')
      errors.push(...agree(armored, armor, `${at}.securityContext.appArmorProfile`, 'apparmor'))
  }
  return errors
}

function agree(
  annotation: string | undefined,
  profile: SeccompProfile | AppArmorProfile | undefined,
  path: string,
  word: string,
): readonly FieldError[] {
  if (annotation === undefined || profile === undefined) return []
  const expected = {
    Unconfined: ['unconfined'],
    RuntimeDefault: word === 'seccomp' ? ['runtime/default', 'docker/default'] : ['runtime/default'],
  }
  if (profile.type === 'Localhost') {
    if (!annotation.startsWith('localhost/'))
      return [forbidden(`${path}.type`, `${word} type in annotation and field must match`)]
    return annotation.slice('localhost/'.length) === profile.localhostProfile
      ? []
      : [forbidden(`${path}.localhostProfile`, `${word} profile in annotation and field must match`)]
  }
  const values = expected[profile.type as keyof typeof expected]
  if (values === undefined || values.includes(annotation)) return []
  return [forbidden(`${path}.type`, `${word} type in annotation and field must match`)]
}

/** What annotations of a pod may not become. */
export function validateAnnotationUpdates(next: Annotations, old: Annotations): readonly FieldError[] {
  const errors: FieldError[] = []
  for (const [key, value] of Object.entries(old)) {
    if (next[key] === value) continue
    const at = `metadata.annotations[${key}]`
    if (key.startsWith(appArmorPrefix)) errors.push(forbidden(at, 'may not remove or update AppArmor annotations'))
    if (key === mirrorAnnotation) errors.push(forbidden(at, 'may not remove or update mirror pod annotation'))
  }
  for (const key of Object.keys(next)) {
    if (Object.hasOwn(old, key)) continue
    const at = `metadata.annotations[${key}]`
    if (key.startsWith(appArmorPrefix)) errors.push(forbidden(at, 'may not add AppArmor annotations'))
    if (key === mirrorAnnotation) errors.push(forbidden(at, 'may not add mirror pod annotation'))
  }
  return errors
}
