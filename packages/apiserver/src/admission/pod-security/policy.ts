// What a namespace's labels ask of its pods.

import { invalid, type FieldError } from '@aksel/api/field-errors'
import { levels, type Level, type LevelVersion } from './evaluate.ts'

export interface Policy {
  readonly enforce: LevelVersion
  readonly audit: LevelVersion
  readonly warn: LevelVersion
}

const prefix = 'pod-security.kubernetes.io/'
const open: LevelVersion = { level: 'privileged', minor: undefined }

type Labels = Readonly<Record<string, string>>

/** Labels that mean nothing: enforcement is as strict as can be, audit and warnings are off. */
export function policyOf(labels: Labels | undefined): {
  readonly policy: Policy
  readonly errors: readonly FieldError[]
} {
  const errors: FieldError[] = []
  const read = (mode: 'enforce' | 'audit' | 'warn'): LevelVersion => {
    const levelLabel = labels?.[prefix + mode]
    const versionLabel = labels?.[`${prefix}${mode}-version`]
    let { level, minor } = open
    if (levelLabel !== undefined) {
      if ((levels as readonly string[]).includes(levelLabel)) level = levelLabel as Level
      else {
        errors.push(
          invalid(`metadata.labels[${prefix}${mode}]`, levelLabel, 'must be one of privileged, baseline, restricted'),
        )
        level = mode === 'enforce' ? 'restricted' : 'privileged'
      }
    }
    if (versionLabel !== undefined && versionLabel !== 'latest') {
      const match = /^v1\.(0|[1-9]\d{0,8})$/.exec(versionLabel)
      if (match === null) {
        errors.push(invalid(`metadata.labels[${prefix}${mode}-version]`, versionLabel, 'must be "latest" or "v1.x"'))
      } else minor = Number(match[1])
    }
    return { level, minor }
  }
  const enforce = read('enforce')
  const audit = read('audit')
  const warn = read('warn')
  const isStrict =
    errors.length === 0 && labels?.[`${prefix}warn`] === undefined && isStricter(enforce.level, warn.level)
  if (!isStrict) return { policy: { enforce, audit, warn }, errors }
  // Who enforces without a word on warnings is warned of what is enforced: workloads fail only later.
  const minor = labels?.[`${prefix}warn-version`] === undefined ? enforce.minor : warn.minor
  return { policy: { enforce, audit, warn: { level: enforce.level, minor } }, errors }
}

export function isStricter(left: Level, right: Level): boolean {
  return levels.indexOf(left) > levels.indexOf(right)
}

export function isSame(left: LevelVersion, right: LevelVersion): boolean {
  return left.level === right.level && left.minor === right.minor
}
