// KubeSchedulerConfiguration v1, as operators write it: profiles with plug-ins switched and weighed, and their arguments.

import type { NodeAffinity, TopologySpreadConstraint } from '@aksel/api/types/core-v1'
import { ConfigurationError, Field } from './configuration-field.ts'
import {
  defaultProfile,
  filterPlugins,
  otherPlugins,
  scorePlugins,
  type Profile,
  type ResourceWeight,
  type ScoringStrategy,
} from './profile.ts'
import type { QueueOptions } from './queue.ts'

export { ConfigurationError } from './configuration-field.ts'

export interface SchedulerConfiguration {
  readonly profiles: readonly Profile[]
  readonly queue: QueueOptions
}

const GROUP_VERSION = 'kubescheduler.config.k8s.io/v1'
const names: ReadonlySet<string> = new Set([...filterPlugins, ...scorePlugins.map(([name]) => name), ...otherPlugins])

/** `value` as YAML or JSON gave it. Throws ConfigurationError that names the field and what stands there. */
export function parseConfiguration(value: unknown): SchedulerConfiguration {
  const root = new Field('', value)
  if (root.text('apiVersion') !== GROUP_VERSION)
    throw new ConfigurationError('apiVersion', `must be ${GROUP_VERSION}, not "${root.text('apiVersion')}"`)
  if (root.text('kind') !== 'KubeSchedulerConfiguration')
    throw new ConfigurationError('kind', `must be KubeSchedulerConfiguration, not "${root.text('kind')}"`)
  if (root.list('extenders').length > 0) throw new ConfigurationError('extenders', 'extenders are not offered')
  const given = root.list('profiles').map(parseProfile)
  const profiles = given.length === 0 ? [defaultProfile()] : given
  const seen = new Set<string>()
  for (const { schedulerName } of profiles) {
    if (seen.has(schedulerName))
      throw new ConfigurationError('profiles', `two of them have the schedulerName "${schedulerName}"`)
    seen.add(schedulerName)
  }
  const initial = root.number('podInitialBackoffSeconds', { from: 1, fallback: 1 })
  const max = root.number('podMaxBackoffSeconds', { from: 1, fallback: 10 })
  if (max < initial)
    throw new ConfigurationError(
      'podMaxBackoffSeconds',
      `must not be less than podInitialBackoffSeconds (${initial}), is ${max}`,
    )
  return { profiles, queue: { initialBackoffMs: initial * 1000, maxBackoffMs: max * 1000 } }
}

function parseProfile(field: Field): Profile {
  const base = defaultProfile(field.text('schedulerName') || 'default-scheduler')
  const switched = switchPlugins(field.field('plugins'), base)
  let profile = switched
  for (const config of field.list('pluginConfig')) profile = withArguments(profile, config)
  return profile
}

const pointsUsed = ['multiPoint', 'filter', 'score', 'postFilter'] as const
const pointsKnown = new Set<string>([
  ...pointsUsed,
  'preEnqueue',
  'queueSort',
  'preFilter',
  'preScore',
  'reserve',
  'permit',
  'preBind',
  'bind',
  'postBind',
])

/** A plug-in that is switched off at one point goes there, at `multiPoint` everywhere; `*` means all. */
function switchPlugins(plugins: Field, base: Profile): Profile {
  for (const point of plugins.keys())
    if (!pointsKnown.has(point)) throw new ConfigurationError(`${plugins.path}.${point}`, 'is no extension point')
  const filters = new Set(base.filters)
  const scores = new Map(base.scores)
  let { preempts } = base
  for (const point of pointsUsed) {
    const at = plugins.field(point)
    for (const each of at.list('disabled')) {
      const name = known(each, { star: true })
      const gone = (plugin: string): boolean => name === '*' || name === plugin
      if (point === 'multiPoint' || point === 'filter')
        for (const plugin of filters) if (gone(plugin)) filters.delete(plugin)
      if (point === 'multiPoint' || point === 'score')
        for (const plugin of scores.keys()) if (gone(plugin)) scores.delete(plugin)
      if ((point === 'multiPoint' || point === 'postFilter') && gone('DefaultPreemption')) preempts = false
    }
    for (const each of at.list('enabled')) {
      const name = known(each, { star: false })
      const weight = each.number('weight', { from: 0, fallback: 0 })
      const usual = scorePlugins.find(([plugin]) => plugin === name)?.[1]
      if (point !== 'score' && point !== 'postFilter' && (filterPlugins as readonly string[]).includes(name))
        filters.add(name)
      if ((point === 'multiPoint' || point === 'score') && usual !== undefined)
        scores.set(name, weight === 0 ? usual : weight)
      if (name === 'DefaultPreemption') preempts = true
    }
  }
  return { ...base, filters, scores, preempts }
}

function known(field: Field, { star }: { readonly star: boolean }): string {
  const name = field.text('name')
  if (!names.has(name) && !(star && name === '*'))
    throw new ConfigurationError(`${field.path}.name`, `there is no plug-in "${name}"`)
  return name
}

function withArguments(profile: Profile, config: Field): Profile {
  const name = known(config, { star: false })
  const args = config.field('args')
  switch (name) {
    case 'NodeResourcesFit':
      return fitArguments(profile, args)
    case 'NodeResourcesBalancedAllocation': {
      const resources = weights(args)
      return resources.length === 0 ? profile : { ...profile, balancedResources: resources }
    }
    case 'NodeAffinity': {
      const addedAffinity = args.field('addedAffinity').value as NodeAffinity | undefined
      return addedAffinity === undefined ? profile : { ...profile, addedAffinity }
    }
    case 'InterPodAffinity':
      return {
        ...profile,
        hardPodAffinityWeight: args.number('hardPodAffinityWeight', { from: 0, to: 100, fallback: 1 }),
        ignorePreferredTermsOfExistingPods: args.flag('ignorePreferredTermsOfExistingPods'),
      }
    case 'PodTopologySpread':
      return { ...profile, defaultSpread: spreadArguments(profile, args) }
    case 'DefaultPreemption':
      return {
        ...profile,
        minCandidateNodesPercentage: args.number('minCandidateNodesPercentage', { from: 0, to: 100, fallback: 10 }),
        minCandidateNodesAbsolute: args.number('minCandidateNodesAbsolute', { from: 0, fallback: 100 }),
      }
    case 'VolumeBinding':
      return { ...profile, bindTimeoutSeconds: args.number('bindTimeoutSeconds', { from: 0, fallback: 600 }) }
    default:
      throw new ConfigurationError(config.path, `plug-in ${name} takes no arguments`)
  }
}

function fitArguments(profile: Profile, args: Field): Profile {
  const ignored = new Set(args.texts('ignoredResources'))
  const groups = args.texts('ignoredResourceGroups')
  const isIgnoredResource = (name: string): boolean =>
    ignored.has(name) || groups.some((group) => name.startsWith(`${group}/`))
  const strategy = args.field('scoringStrategy')
  const scoring = strategy.value === undefined ? profile.scoring : parseStrategy(strategy, profile)
  return { ...profile, scoring, isIgnoredResource }
}

function parseStrategy(strategy: Field, profile: Profile): ScoringStrategy {
  const given = weights(strategy)
  const resources = given.length === 0 ? profile.scoring.resources : given
  const type = strategy.text('type')
  if (type === 'LeastAllocated' || type === 'MostAllocated') return { type, resources }
  if (type !== 'RequestedToCapacityRatio')
    throw new ConfigurationError(
      `${strategy.path}.type`,
      `must be LeastAllocated, MostAllocated or RequestedToCapacityRatio, not "${type}"`,
    )
  const points = strategy.field('requestedToCapacityRatio').list('shape')
  if (points.length === 0)
    throw new ConfigurationError(
      `${strategy.path}.requestedToCapacityRatio.shape`,
      'at least one point must be specified',
    )
  const shape = points.map((point) => ({
    utilization: point.number('utilization', { from: 0, to: 100, fallback: 0 }),
    score: point.number('score', { from: 0, to: 10, fallback: 0 }),
  }))
  for (const [index, point] of shape.entries())
    if (index > 0 && point.utilization <= shape[index - 1]!.utilization)
      throw new ConfigurationError(
        `${points[index]!.path}.utilization`,
        'utilization values must be sorted in increasing order',
      )
  return { type, resources, shape }
}

function weights(field: Field): readonly ResourceWeight[] {
  return field.list('resources').map((each) => ({
    name: each.text('name'),
    weight: each.number('weight', { from: 1, to: 100, fallback: 1 }),
  }))
}

function spreadArguments(profile: Profile, args: Field): Profile['defaultSpread'] {
  const type = args.text('defaultingType') || 'System'
  const given = args.list('defaultConstraints')
  if (type !== 'System' && type !== 'List')
    throw new ConfigurationError(`${args.path}.defaultingType`, `must be System or List, not "${type}"`)
  if (type === 'System' && given.length > 0)
    throw new ConfigurationError(`${args.path}.defaultingType`, 'when .defaultConstraints are not empty, must be List')
  if (type === 'System') return profile.defaultSpread
  const constraints = given.map((each): Omit<TopologySpreadConstraint, 'labelSelector'> => {
    const whenUnsatisfiable = each.text('whenUnsatisfiable')
    if (whenUnsatisfiable !== 'DoNotSchedule' && whenUnsatisfiable !== 'ScheduleAnyway')
      throw new ConfigurationError(
        `${each.path}.whenUnsatisfiable`,
        `must be DoNotSchedule or ScheduleAnyway, not "${whenUnsatisfiable}"`,
      )
    if (each.field('labelSelector').value !== undefined)
      throw new ConfigurationError(
        `${each.path}.labelSelector`,
        'constraint must not define a selector, as they deduced for each pod',
      )
    return {
      topologyKey: each.text('topologyKey'),
      maxSkew: each.number('maxSkew', { from: 1, fallback: 1 }),
      whenUnsatisfiable,
    }
  })
  return { constraints, isBuiltIn: false }
}
