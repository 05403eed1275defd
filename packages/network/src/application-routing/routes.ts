// What a proxy is to do, whether an Ingress or an HTTPRoute asks for it: listeners, routes in order of precedence, backends.

export interface Listener {
  readonly name: string
  /** What clients connect to. */
  readonly port: number
  readonly isTls: boolean
  /** In order of precedence: the first that fits answers. */
  readonly routes: readonly Route[]
}

export interface Certificate {
  /** File name. */
  readonly name: string
  /** Certificate chain and key, PEM. */
  readonly pem: string
  /** Server names; all when empty. */
  readonly hosts: readonly string[]
}

export type ValueMatch = { readonly name: string; readonly kind: 'exact' | 'regex'; readonly value: string }

export interface Route {
  /** Says in the proxy's log whose route it was: `default/web`. */
  readonly owner: string
  /** `www.example.org`; `*.example.org` with `isDeep` for any number of labels; undefined for every host. */
  readonly host?: string
  /** Where a wildcard stands for more than one label, as in a Gateway. */
  readonly isDeep?: boolean
  readonly path: { readonly kind: 'exact' | 'prefix' | 'regex'; readonly value: string }
  readonly method?: string
  readonly headers: readonly ValueMatch[]
  readonly query: readonly ValueMatch[]
  readonly filters: readonly Filter[]
  readonly backends: readonly Backend[]
  /** What is answered while no backend can be. */
  readonly statusWithout: 500 | 503
}

export interface Backend {
  readonly address: string
  readonly port: number
  readonly weight: number
  readonly isTls?: boolean
}

export type HeaderChange =
  | { readonly kind: 'set' | 'add'; readonly name: string; readonly value: string }
  | { readonly kind: 'remove'; readonly name: string }

export type Filter =
  | { readonly kind: 'request-header' | 'response-header'; readonly changes: readonly HeaderChange[] }
  | {
      readonly kind: 'redirect'
      readonly scheme?: string
      readonly host?: string
      readonly port?: number
      readonly path?: PathChange
      readonly status: number
    }
  | { readonly kind: 'rewrite'; readonly host?: string; readonly path?: PathChange }

export type PathChange =
  | { readonly kind: 'full'; readonly value: string }
  /** In place of the prefix that the route has. */
  | { readonly kind: 'prefix'; readonly value: string }
  /** In place of what the route's pattern matched; `\1` are its groups. */
  | { readonly kind: 'regex'; readonly value: string }

/** More special first: host, kind and length of path, method, count of headers and of parameters; equals stay as they came. */
export function byPrecedence(left: Route, right: Route): number {
  const hostRank = ({ host }: Route): number => (host === undefined ? 2 : host.startsWith('*') ? 1 : 0)
  const pathRank = ({ path }: Route): number => ({ exact: 0, regex: 1, prefix: 2 })[path.kind]
  return (
    hostRank(left) - hostRank(right) ||
    (right.host ?? '').length - (left.host ?? '').length ||
    pathRank(left) - pathRank(right) ||
    right.path.value.length - left.path.value.length ||
    Number(left.method === undefined) - Number(right.method === undefined) ||
    right.headers.length - left.headers.length ||
    right.query.length - left.query.length
  )
}
