// Where one is, as a URL that can be kept and shared: `/desktop/c/CLUSTER/list/pods?ns=shop&q=web`.

export type Route =
  | { readonly page: 'clusters' }
  | { readonly page: 'create' }
  | { readonly page: 'overview' | 'pools' | 'flows' | 'problems'; readonly cluster: string }
  | { readonly page: 'list'; readonly cluster: string; readonly resource: string; readonly filter: string }
  | {
      readonly page: 'object'
      readonly cluster: string
      readonly resource: string
      /** Empty for what belongs to no namespace. */
      readonly namespace: string
      readonly name: string
      readonly tab: string
    }

const BASE = '/desktop'

export function parseRoute(path: string, query: URLSearchParams): Route {
  const parts = path
    .slice(path.startsWith(BASE) ? BASE.length : 0)
    .split('/')
    .filter(Boolean)
    .map(decodeURIComponent)
  if (parts[0] === 'create') return { page: 'create' }
  const [mark, cluster, page, resource] = parts
  if (mark !== 'c' || cluster === undefined) return { page: 'clusters' }
  if (page === 'pools' || page === 'flows' || page === 'problems') return { page, cluster }
  if (page === 'list' && resource !== undefined) return { page, cluster, resource, filter: query.get('q') ?? '' }
  if (page === 'object' && resource !== undefined && parts[5] !== undefined) {
    const namespace = parts[4] === '-' ? '' : parts[4]!
    return { page, cluster, resource, namespace, name: parts[5], tab: query.get('tab') ?? 'details' }
  }
  return { page: 'overview', cluster }
}

export function formatRoute(route: Route): string {
  const path = (...parts: readonly string[]): string => `${BASE}/${parts.map(encodeURIComponent).join('/')}`
  switch (route.page) {
    case 'clusters':
      return `${BASE}/`
    case 'create':
      return path('create')
    case 'overview':
      return path('c', route.cluster)
    case 'pools':
    case 'flows':
    case 'problems':
      return path('c', route.cluster, route.page)
    case 'list':
      return (
        path('c', route.cluster, 'list', route.resource) +
        (route.filter === '' ? '' : `?q=${encodeURIComponent(route.filter)}`)
      )
    case 'object': {
      const { cluster, resource, namespace, name, tab } = route
      const base = path('c', cluster, 'object', resource, namespace === '' ? '-' : namespace, name)
      return tab === 'details' ? base : `${base}?tab=${tab}`
    }
    default:
      return route satisfies never
  }
}
