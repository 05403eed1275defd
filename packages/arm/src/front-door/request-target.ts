// What a request means to do, and to what: the scope and the verb that locks and the activity log go by.

import type { ArmRequest } from './route.ts'

export interface RequestTarget {
  /** The id that is read, written or acted on; a list's own parent. */
  readonly scopeId: string
  /** `Microsoft.Network/virtualNetworks/write`. */
  readonly action: string
  readonly kind: 'read' | 'write' | 'delete' | 'action'
}

const kinds: Readonly<Record<string, RequestTarget['kind']>> = {
  GET: 'read',
  HEAD: 'read',
  PUT: 'write',
  PATCH: 'write',
  DELETE: 'delete',
  POST: 'action',
}

/** Undefined for what lies above subscriptions. */
export function targetOf({ method, url }: Pick<ArmRequest, 'method' | 'url'>): RequestTarget | undefined {
  const path = decodeURI(url.split('?')[0]!)
    .replaceAll(/\/{2,}/g, '/')
    .replace(/\/$/, '')
  if (!/^\/subscriptions\/[^/]+/i.test(path)) return undefined
  const kind = kinds[method] ?? 'action'
  const at = path.toLowerCase().lastIndexOf('/providers/')
  const [before, after] = at < 0 ? ['', path.slice(1)] : [path.slice(0, at), path.slice(at + '/providers/'.length)]
  const [namespace, ...rest] = at < 0 ? ['Microsoft.Resources', ...after.split('/')] : after.split('/')
  // An odd end is a list's type, or the name of an action.
  const loose = rest.length % 2 === 1 ? rest.at(-1)! : undefined
  const pairs = loose === undefined ? rest : rest.slice(0, -1)
  const types = pairs.filter((_, index) => index % 2 === 0)
  const named = at < 0 ? `/${pairs.join('/')}` : `${before}/providers/${[namespace, ...pairs].join('/')}`
  const scopeId = pairs.length === 0 ? before : named
  const verb =
    kind === 'action'
      ? [...(loose === undefined ? [] : [loose]), 'action']
      : [...(loose === undefined ? [] : [loose]), kind]
  return { scopeId, kind, action: [namespace, ...types, ...verb].join('/') }
}
