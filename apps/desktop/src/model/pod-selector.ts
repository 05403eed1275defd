// Which pods belong to an object, as a label selector of the API.

interface Selecting {
  readonly kind: string
  readonly spec?: Readonly<Record<string, unknown>>
}

interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>>
  readonly matchExpressions?: readonly {
    readonly key: string
    readonly operator: string
    readonly values?: readonly string[]
  }[]
}

/** Undefined for what has no pods of its own. */
export function selectorOf({ kind, spec }: Selecting): string | undefined {
  const selector = spec?.['selector']
  if (typeof selector !== 'object' || selector === null) return undefined
  if (kind === 'Service' || kind === 'ReplicationController') return plain(selector as Readonly<Record<string, string>>)
  if (!['Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet', 'Job', 'PodDisruptionBudget'].includes(kind))
    return undefined
  const { matchLabels = {}, matchExpressions = [] } = selector as LabelSelector
  const parts = [plain(matchLabels), ...matchExpressions.map(expression)].filter(
    (part) => part !== undefined && part !== '',
  )
  return parts.length === 0 ? undefined : parts.join(',')
}

function plain(labels: Readonly<Record<string, string>>): string | undefined {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`)
  return pairs.length === 0 ? undefined : pairs.join(',')
}

function expression({
  key,
  operator,
  values = [],
}: {
  readonly key: string
  readonly operator: string
  readonly values?: readonly string[]
}): string {
  switch (operator) {
    case 'In':
      return `${key} in (${values.join(',')})`
    case 'NotIn':
      return `${key} notin (${values.join(',')})`
    case 'Exists':
      return key
    default:
      return `!${key}`
  }
}
