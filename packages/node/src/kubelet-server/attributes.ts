// What a request to the kubelet's port asks of the cluster: which subresource of its node, by which verb. As upstream maps paths. Pure.

export interface NodeAttributes {
  readonly verb: string
  /** Of `nodes`; whoever has one of them may. */
  readonly subresources: readonly string[]
}

const verbs: Readonly<Record<string, string>> = {
  GET: 'get',
  HEAD: 'get',
  POST: 'create',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
}

const byPath: readonly (readonly [prefix: string, subresource: string])[] = [
  ['/stats', 'stats'],
  ['/metrics', 'metrics'],
  ['/logs', 'log'],
  ['/checkpoint', 'checkpoint'],
]

/** KubeletFineGrainedAuthz: those who have not the whole of `nodes/proxy` may have these. */
const finer: readonly (readonly [prefix: string, subresource: string])[] = [
  ['/healthz', 'healthz'],
  ['/pods', 'pods'],
  ['/runningpods', 'pods'],
  ['/configz', 'configz'],
]

export function attributesOf(method: string, path: string): NodeAttributes {
  const verb = verbs[method] ?? ''
  const isBelow = ([prefix]: readonly [string, string]): boolean => path === prefix || path.startsWith(`${prefix}/`)
  const own = byPath.find(isBelow)
  if (own !== undefined) return { verb, subresources: [own[1]] }
  const fine = finer.find(isBelow)
  return { verb, subresources: fine === undefined ? ['proxy'] : [fine[1], 'proxy'] }
}
