// Filters of an HTTPRoute's rule, as the proxy knows them. What it does not know is refused: a route that does half of what
// it says is worse than one that is not accepted.

import type { HeaderModifier, HttpRouteFilter, PathModifier } from './objects.ts'
import type { Filter, HeaderChange, PathChange } from './routes.ts'

/** Throws an error that names the filter. */
export function filtersOf(filters: readonly HttpRouteFilter[]): readonly Filter[] {
  return filters.map((filter): Filter => {
    switch (filter.type) {
      case 'RequestHeaderModifier':
        return { kind: 'request-header', changes: changesOf(filter.requestHeaderModifier) }
      case 'ResponseHeaderModifier':
        return { kind: 'response-header', changes: changesOf(filter.responseHeaderModifier) }
      case 'RequestRedirect': {
        const { scheme, hostname, port, path, statusCode = 302 } = filter.requestRedirect ?? {}
        return {
          kind: 'redirect',
          ...(scheme === undefined ? {} : { scheme }),
          ...(hostname === undefined ? {} : { host: hostname }),
          ...(port === undefined ? {} : { port }),
          ...pathOf(path),
          status: statusCode,
        }
      }
      case 'URLRewrite': {
        const { hostname, path } = filter.urlRewrite ?? {}
        return { kind: 'rewrite', ...(hostname === undefined ? {} : { host: hostname }), ...pathOf(path) }
      }
      default:
        throw new Error(`Filter ${filter.type} is not supported`)
    }
  })
}

function changesOf({ set = [], add = [], remove = [] }: HeaderModifier = {}): readonly HeaderChange[] {
  return [
    ...set.map((each): HeaderChange => ({ kind: 'set', ...each })),
    ...add.map((each): HeaderChange => ({ kind: 'add', ...each })),
    ...remove.map((name): HeaderChange => ({ kind: 'remove', name })),
  ]
}

function pathOf(path: PathModifier | undefined): { readonly path?: PathChange } {
  if (path === undefined) return {}
  return path.type === 'ReplaceFullPath'
    ? { path: { kind: 'full', value: path.replaceFullPath ?? '/' } }
    : { path: { kind: 'prefix', value: path.replacePrefixMatch ?? '/' } }
}
