// What a cluster serves, from its own discovery, and where each kind stands in the navigation.

export interface ApiResource {
  readonly group: string
  readonly version: string
  /** `deployments`. */
  readonly resource: string
  readonly kind: string
  readonly namespaced: boolean
  readonly verbs: readonly string[]
  readonly shortNames: readonly string[]
  readonly subresources: readonly string[]
}

interface WireResource {
  readonly resource: string
  readonly responseKind?: { readonly kind?: string } | null
  readonly scope?: string
  readonly verbs?: readonly string[]
  readonly shortNames?: readonly string[]
  readonly subresources?: readonly { readonly subresource: string }[]
}

export interface WireDiscovery {
  readonly items?: readonly {
    readonly metadata?: { readonly name?: string }
    readonly versions?: readonly { readonly version: string; readonly resources?: readonly WireResource[] }[]
  }[]
}

/** The preferred version of each kind that can be listed. */
export function resourcesOf(documents: readonly WireDiscovery[]): readonly ApiResource[] {
  const seen = new Map<string, ApiResource>()
  for (const { items = [] } of documents)
    for (const { metadata, versions = [] } of items)
      for (const { version, resources = [] } of versions)
        for (const each of resources) {
          const group = metadata?.name ?? ''
          const key = `${each.resource}.${group}`
          if (seen.has(key) || each.verbs?.includes('list') !== true) continue
          seen.set(key, {
            group,
            version,
            resource: each.resource,
            kind: each.responseKind?.kind ?? each.resource,
            namespaced: each.scope === 'Namespaced',
            verbs: each.verbs,
            shortNames: each.shortNames ?? [],
            subresources: (each.subresources ?? []).map(({ subresource }) => subresource),
          })
        }
  return [...seen.values()]
}

/** `deployments.apps`, as it stands in URLs of the desktop; the core group has no suffix. */
export function resourceId({ group, resource }: Pick<ApiResource, 'group' | 'resource'>): string {
  return group === '' ? resource : `${resource}.${group}`
}

/** Path of a list, of one object or of its subresource on the API server. */
export function apiPath(
  { group, version, resource, namespaced }: Pick<ApiResource, 'group' | 'version' | 'resource' | 'namespaced'>,
  ref: { readonly namespace?: string | undefined; readonly name?: string; readonly subresource?: string } = {},
): string {
  const base = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
  const place = namespaced && ref.namespace !== undefined && ref.namespace !== '' ? `/namespaces/${ref.namespace}` : ''
  const name = ref.name === undefined ? '' : `/${encodeURIComponent(ref.name)}`
  const subresource = ref.subresource === undefined ? '' : `/${ref.subresource}`
  return `${base}${place}/${resource}${name}${subresource}`
}

export interface NavGroup {
  readonly title: string
  readonly items: readonly { readonly resource: ApiResource; readonly title: string }[]
}

const places: readonly (readonly [string, readonly string[]])[] = [
  [
    'Workloads',
    [
      'pods',
      'deployments.apps',
      'statefulsets.apps',
      'daemonsets.apps',
      'replicasets.apps',
      'jobs.batch',
      'cronjobs.batch',
    ],
  ],
  [
    'Network',
    [
      'services',
      'endpointslices.discovery.k8s.io',
      'ingresses.networking.k8s.io',
      'networkpolicies.networking.k8s.io',
      'gateways.gateway.networking.k8s.io',
      'httproutes.gateway.networking.k8s.io',
    ],
  ],
  [
    'Configuration',
    [
      'configmaps',
      'secrets',
      'horizontalpodautoscalers.autoscaling',
      'poddisruptionbudgets.policy',
      'resourcequotas',
      'limitranges',
    ],
  ],
  ['Storage', ['persistentvolumeclaims', 'persistentvolumes', 'storageclasses.storage.k8s.io']],
  [
    'Access',
    [
      'serviceaccounts',
      'roles.rbac.authorization.k8s.io',
      'rolebindings.rbac.authorization.k8s.io',
      'clusterroles.rbac.authorization.k8s.io',
      'clusterrolebindings.rbac.authorization.k8s.io',
    ],
  ],
  [
    'Cluster',
    [
      'nodes',
      'namespaces',
      'events',
      'customresourcedefinitions.apiextensions.k8s.io',
      'leases.coordination.k8s.io',
      'apiservices.apiregistration.k8s.io',
    ],
  ],
]

/** Kinds of Kubernetes itself that stand in no group: one finds them by search. */
const builtIn = /(^|\.)k8s\.io$|^(apps|batch|policy|autoscaling|extensions|)$/

/** What may be listed, where people look for it; kinds of others by their group at the end. */
export function navigation(
  resources: readonly ApiResource[],
  mayList: (resource: ApiResource) => boolean,
): readonly NavGroup[] {
  const byId = new Map(resources.filter(mayList).map((each) => [resourceId(each), each]))
  const groups: NavGroup[] = places.map(([title, ids]) => ({
    title,
    items: ids.flatMap((id) => {
      const resource = byId.get(id)
      if (resource === undefined) return []
      byId.delete(id)
      return [{ resource, title: titleOf(resource) }]
    }),
  }))
  const custom = [...byId.values()].filter(({ group }) => !builtIn.test(group) && group !== 'metrics.k8s.io')
  groups.push({
    title: 'Custom resources',
    items: custom
      .toSorted((left, right) => left.kind.localeCompare(right.kind))
      .map((resource) => ({ resource, title: titleOf(resource) })),
  })
  return groups.filter(({ items }) => items.length > 0)
}

const titles: Readonly<Record<string, string>> = {
  'endpointslices.discovery.k8s.io': 'Endpoint slices',
  'horizontalpodautoscalers.autoscaling': 'Autoscalers',
  'poddisruptionbudgets.policy': 'Disruption budgets',
  persistentvolumeclaims: 'Volume claims',
  persistentvolumes: 'Volumes',
  'customresourcedefinitions.apiextensions.k8s.io': 'Custom kinds',
  'apiservices.apiregistration.k8s.io': 'API services',
  horizontalpodautoscalers: 'Autoscalers',
}

/** `NetworkPolicy` to `Network policies`. */
export function titleOf(resource: Pick<ApiResource, 'group' | 'resource' | 'kind'>): string {
  const known = titles[resourceId(resource)]
  if (known !== undefined) return known
  const words = resource.kind.replaceAll(/([a-z])([A-Z])/g, '$1 $2').toLowerCase()
  const plural = /(s|x|ch|sh)$/.test(words)
    ? `${words}es`
    : /[^aeiou]y$/.test(words)
      ? `${words.slice(0, -1)}ies`
      : `${words}s`
  return plural.charAt(0).toUpperCase() + plural.slice(1)
}
