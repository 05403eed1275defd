// What a job may ask for, what stays as it was, and what its status may claim.

import { deepEqual } from '../deep-equal.ts'
import { forbidden, invalid, notSupported, required, tooLong, tooMany, type FieldError } from '../field-errors.ts'
import type { WriteContext } from '../kind-row.ts'
import type { Job, JobSpec, PodFailurePolicyRule, SuccessPolicy } from '../types/batch-v1.ts'
import type { Container } from '../types/core-v1.ts'
import { dnsSubdomain } from '../validation/names.ts'
import { validateTemplate } from '../validation/pod-spec.ts'
import { selectorPicks, validateSelector } from '../validation/selectors.ts'
import { nonNegative, oneOf, requiredOneOf, unchanged } from '../validation/values.ts'

const indexedParallelismMax = 100_000
const policyRulesMax = 20

export function validateJob({ spec }: Job): readonly FieldError[] {
  const errors: FieldError[] = [...validateJobSpec(spec, 'spec')]
  if (spec.selector === undefined) errors.push(required('spec.selector'))
  else {
    errors.push(...validateSelector(spec.selector, 'spec.selector'))
    if (!selectorPicks(spec.selector, spec.template.metadata?.labels ?? {})) {
      errors.push(
        invalid(
          'spec.template.metadata.labels',
          spec.template.metadata?.labels ?? {},
          '`selector` does not match template `labels`',
        ),
      )
    }
  }
  return errors
}

/** Rules without the selector, which a cron job's template has not. */
export function validateJobSpec(spec: JobSpec, path: string): readonly FieldError[] {
  const errors: FieldError[] = []
  for (const field of [
    'parallelism',
    'completions',
    'activeDeadlineSeconds',
    'backoffLimit',
    'ttlSecondsAfterFinished',
    'backoffLimitPerIndex',
    'maxFailedIndexes',
  ] as const) {
    errors.push(...nonNegative(spec[field], `${path}.${field}`))
  }
  errors.push(
    ...requiredOneOf(spec.completionMode, ['Indexed', 'NonIndexed'], `${path}.completionMode`),
    ...validateIndexes(spec, path),
  )
  const replacements = spec.podFailurePolicy === undefined ? ['Failed', 'TerminatingOrFailed'] : ['Failed']
  errors.push(...oneOf(spec.podReplacementPolicy, replacements, `${path}.podReplacementPolicy`))
  errors.push(...validateManager(spec.managedBy, `${path}.managedBy`))
  errors.push(...validateTemplate(spec.template, `${path}.template`), ...validateRestarts(spec, path))
  const rules = spec.podFailurePolicy?.rules ?? []
  if (rules.length > policyRulesMax)
    errors.push(tooMany(`${path}.podFailurePolicy.rules`, rules.length, policyRulesMax))
  for (const [index, rule] of rules.entries())
    errors.push(...validateRule(rule, spec, `${path}.podFailurePolicy.rules[${index}]`))
  if (spec.successPolicy === undefined) return errors
  if (spec.completionMode !== 'Indexed')
    errors.push(invalid(`${path}.successPolicy`, spec.successPolicy, 'requires indexed completion mode'))
  else errors.push(...validateSuccess(spec.successPolicy, spec.completions ?? 0, `${path}.successPolicy.rules`))
  return errors
}

const managerMax = 63

/** Who else than the job controller looks after the job: `example.com/queue`. */
function validateManager(manager: string | undefined, path: string): readonly FieldError[] {
  if (manager === undefined) return []
  const errors: FieldError[] = []
  const slash = manager.indexOf('/')
  if (slash < 1 || slash === manager.length - 1)
    errors.push(invalid(path, manager, 'must be a domain-prefixed path (such as "acme.io/foo")'))
  else {
    const host = manager.slice(0, slash)
    errors.push(...dnsSubdomain(host).map((wrong) => invalid(path, host, wrong)))
  }
  return manager.length > managerMax ? [...errors, tooLong(path, managerMax)] : errors
}

const successRulesMax = 20

function validateSuccess(policy: SuccessPolicy, completions: number, path: string): readonly FieldError[] {
  const { rules } = policy
  const errors: FieldError[] = []
  if (rules.length === 0)
    errors.push(required(path, 'at least one rules must be specified when the successPolicy is specified'))
  if (rules.length > successRulesMax) errors.push(tooMany(path, rules.length, successRulesMax))
  for (const [index, { succeededCount: count, succeededIndexes: indexes }] of rules.entries()) {
    const at = `${path}[${index}]`
    if (count === undefined && indexes === undefined)
      errors.push(required(at, 'at least one of succeededCount or succeededIndexes must be specified'))
    const parsed = indexes === undefined ? undefined : countIndexes(indexes, completions)
    if (typeof parsed === 'string')
      errors.push(invalid(`${at}.succeededIndexes`, indexes, `error parsing succeededIndexes: ${parsed}`))
    if (count === undefined) continue
    errors.push(...nonNegative(count, `${at}.succeededCount`))
    const most = `must be less than or equal to`
    if (count > completions)
      errors.push(
        invalid(`${at}.succeededCount`, count, `${most} ${completions} (the number of specified completions)`),
      )
    if (typeof parsed === 'number' && count > parsed) {
      const words = `${most} ${parsed} (the number of indexes in the specified succeededIndexes field)`
      errors.push(invalid(`${at}.succeededCount`, count, words))
    }
  }
  return errors
}

/** How many indexes `0,2-4` names, or what is wrong with it. */
function countIndexes(text: string, completions: number): number | string {
  if (text === '') return 0
  let [count, last] = [0, -1]
  for (const part of text.split(',')) {
    const [first = '', end, ...more] = part.split('-')
    if (more.length > 0)
      return `the fragment "${part}" violates the requirement that an index interval can have at most two parts separated by '-'`
    for (const number of [first, ...(end === undefined ? [] : [end])]) {
      if (!/^\d+$/.test(number)) return `cannot convert string to integer for index: "${number}"`
      if (Number(number) >= completions) return `too large index: "${number}"`
    }
    const [from, to] = [Number(first), Number(end ?? first)]
    if (from <= last) return `non-increasing order, previous: ${last}, current: ${from}`
    if (end !== undefined && to <= from) return `non-increasing order, previous: ${from}, current: ${to}`
    count += to - from + 1
    last = to
  }
  return count
}

function validateIndexes(spec: JobSpec, path: string): readonly FieldError[] {
  const errors: FieldError[] = []
  const { completions, parallelism, backoffLimitPerIndex, maxFailedIndexes } = spec
  if (spec.completionMode === 'Indexed') {
    if (completions === undefined) errors.push(required(`${path}.completions`, `when completion mode is Indexed`))
    if (parallelism !== undefined && parallelism > indexedParallelismMax) {
      errors.push(
        invalid(
          `${path}.parallelism`,
          parallelism,
          `must be less than or equal to ${indexedParallelismMax} when completion mode is Indexed`,
        ),
      )
    }
    if (completions !== undefined && maxFailedIndexes !== undefined && maxFailedIndexes > completions) {
      errors.push(invalid(`${path}.maxFailedIndexes`, maxFailedIndexes, 'must be less than or equal to completions'))
    }
  } else {
    if (backoffLimitPerIndex !== undefined)
      errors.push(invalid(`${path}.backoffLimitPerIndex`, backoffLimitPerIndex, 'requires indexed completion mode'))
    if (maxFailedIndexes !== undefined)
      errors.push(invalid(`${path}.maxFailedIndexes`, maxFailedIndexes, 'requires indexed completion mode'))
  }
  if (maxFailedIndexes !== undefined && backoffLimitPerIndex === undefined) {
    errors.push(required(`${path}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified'))
  }
  return errors
}

function validateRestarts(spec: JobSpec, path: string): readonly FieldError[] {
  const policy = spec.template.spec?.restartPolicy
  const at = `${path}.template.spec.restartPolicy`
  if (policy === 'Always') return [required(at, 'valid values: "OnFailure", "Never"')]
  if (policy !== 'OnFailure' && policy !== 'Never') return [notSupported(at, policy, ['Never', 'OnFailure'])]
  if (spec.podFailurePolicy !== undefined && policy !== 'Never')
    return [invalid(at, policy, 'only "Never" is supported when podFailurePolicy is specified')]
  if (spec.backoffLimitPerIndex !== undefined && policy !== 'Never')
    return [invalid(at, policy, 'only "Never" is supported when backoffLimitPerIndex is specified')]
  return []
}

function validateRule(rule: PodFailurePolicyRule, spec: JobSpec, path: string): readonly FieldError[] {
  const errors: FieldError[] = [
    ...requiredOneOf(rule.action, ['Count', 'FailIndex', 'FailJob', 'Ignore'], `${path}.action`),
  ]
  if (rule.action === 'FailIndex' && spec.backoffLimitPerIndex === undefined) {
    errors.push(invalid(`${path}.action`, rule.action, 'requires the backoffLimitPerIndex to be set'))
  }
  const conditions = rule.onPodConditions ?? []
  if (rule.onExitCodes === undefined && conditions.length === 0) {
    return [...errors, invalid(path, rule, 'specifying one of OnExitCodes and OnPodConditions is required')]
  }
  if (rule.onExitCodes !== undefined && conditions.length > 0) {
    errors.push(invalid(path, rule, 'specifying both OnExitCodes and OnPodConditions is not supported'))
  }
  if (conditions.length > policyRulesMax)
    errors.push(tooMany(`${path}.onPodConditions`, conditions.length, policyRulesMax))
  if (rule.onExitCodes === undefined) return errors
  const { operator, values } = rule.onExitCodes
  errors.push(...requiredOneOf(operator, ['In', 'NotIn'], `${path}.onExitCodes.operator`))
  if (values.length === 0) errors.push(invalid(`${path}.onExitCodes.values`, values, 'at least one value is required'))
  if (values.length > 255) errors.push(tooMany(`${path}.onExitCodes.values`, values.length, 255))
  if (values.some((value, index) => index > 0 && value < values[index - 1]!))
    errors.push(invalid(`${path}.onExitCodes.values`, values, 'must be ordered'))
  if (operator === 'In' && values.includes(0))
    errors.push(invalid(`${path}.onExitCodes.values[${values.indexOf(0)}]`, 0, 'must not be 0 for the In operator'))
  return errors
}

/** A suspended job that never started may still be told where to run; from 1.36 on, one that was stopped may too, and with what. */
export function validateJobUpdate(next: Job, old: Job, { release }: WriteContext): readonly FieldError[] {
  const errors: FieldError[] = [...validateJob(next)]
  const [now, before] = [next.spec, old.spec]
  const mayScale =
    before.completionMode === 'Indexed' && now.completions !== undefined && now.completions === now.parallelism
  if (!mayScale) errors.push(...unchanged(now.completions, before.completions, 'spec.completions'))
  for (const field of [
    'selector',
    'completionMode',
    'podFailurePolicy',
    'backoffLimitPerIndex',
    'managedBy',
    'successPolicy',
  ] as const) {
    errors.push(...unchanged(now[field], before[field], `spec.${field}`))
  }
  const isStill = before.suspend === true && isSuspended(old) && (old.status?.active ?? 0) === 0
  const mayMove =
    before.suspend === true &&
    (old.status?.startTime === undefined || (isStill && release.gates('MutableSchedulingDirectivesForSuspendedJobs')))
  const mayResize = isStill && release.gates('MutablePodResourcesForSuspendedJobs')
  const shown = ({ template }: JobSpec): unknown => {
    const sized = mayResize ? withoutResources(template) : template
    return mayMove ? withoutPlacement(sized) : sized
  }
  if (!deepEqual(shown(now), shown(before))) errors.push(invalid('spec.template', now.template, 'field is immutable'))
  return errors
}

function isSuspended({ status }: Job): boolean {
  return (status?.conditions ?? []).some(({ type, status: holds }) => type === 'Suspended' && holds === 'True')
}

function withoutResources(template: JobSpec['template']): JobSpec['template'] {
  const { spec } = template
  if (spec === undefined) return template
  const plain = (containers: readonly Container[] | undefined): readonly Container[] =>
    (containers ?? []).map((container) => ({ ...container, resources: {} }))
  return {
    ...template,
    spec: { ...spec, containers: plain(spec.containers), initContainers: plain(spec.initContainers) },
  }
}

function withoutPlacement(template: JobSpec['template']): unknown {
  const { nodeSelector: _n, tolerations: _t, affinity, schedulingGates: _s, ...spec } = template.spec ?? {}
  const { nodeAffinity: _a, ...otherAffinity } = affinity ?? {}
  const { labels: _l, annotations: _m, ...metadata } = template.metadata ?? {}
  return { metadata, spec: { ...spec, affinity: otherAffinity } }
}

export function validateJobStatus(next: Job, old: Job): readonly FieldError[] {
  const status = next.status ?? {}
  const errors: FieldError[] = []
  for (const field of ['active', 'succeeded', 'failed', 'ready', 'terminating'] as const)
    errors.push(...nonNegative(status[field], `status.${field}`))
  const holds = (job: Job, type: string): boolean =>
    (job.status?.conditions ?? []).some((one) => one.type === type && one.status === 'True')
  if (holds(next, 'Complete') && holds(next, 'Failed'))
    errors.push(invalid('status.conditions', status.conditions, 'cannot set Complete=True and Failed=true conditions'))
  for (const type of ['Complete', 'Failed', 'FailureTarget', 'SuccessCriteriaMet']) {
    if (holds(old, type) && !holds(next, type))
      errors.push(invalid('status.conditions', status.conditions, `cannot disable the terminal ${type}=True condition`))
  }
  if (status.completionTime !== undefined && !holds(next, 'Complete')) {
    errors.push(
      invalid(
        'status.completionTime',
        status.completionTime,
        'cannot set completionTime when there is no Complete=True condition',
      ),
    )
  }
  const before = old.status?.completionTime
  if (before !== undefined && status.completionTime !== before)
    errors.push(invalid('status.completionTime', status.completionTime, 'completionTime cannot be mutated'))
  if (holds(next, 'Complete') && (status.active ?? 0) > 0)
    errors.push(forbidden('status.active', 'active>0 is invalid for finished job'))
  return errors
}
