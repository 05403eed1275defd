// Listeners and routes as HAProxy reads them. Whatever comes from objects stands between quotes; nothing with control
// characters gets here.

import { withoutTrailingSlashes } from '@aksel/base/slashes'
import type { Backend, Certificate, Filter, HeaderChange, Listener, PathChange, Route } from './routes.ts'

/** Where the proxy's container finds its files. */
export const CONFIG_FOLDER = '/etc/ingress-proxy'
export const HEALTH_PORT = 10_254

/** Ports below 1024 are for root, which the proxy is not. */
export function containerPort(port: number): number {
  return port < 1024 ? port + 8000 : port
}

const head = `global
  log stdout format raw local0 info
  maxconn 4096
defaults
  mode http
  log global
  option httplog
  option dontlognull
  option forwardfor
  timeout connect 5s
  timeout http-request 10s
  timeout client 60s
  timeout server 60s
  timeout tunnel 1h
frontend health
  bind :${HEALTH_PORT}
  option dontlog-normal
  http-request return status 200 content-type text/plain string ok
backend nothing
  http-request return status 404 content-type text/plain string "default backend - 404"`

/** Throws where a value cannot stand in a configuration. */
export function renderProxy(listeners: readonly Listener[], certificates: readonly Certificate[]): string {
  const parts = listeners.map((listener, index) => renderListener(listener, index, certificates.length > 0))
  return `${[head, ...parts].join('\n')}\n`
}

/** One line for each certificate: its file, and the names it is for. */
export function renderCertificateList(certificates: readonly Certificate[]): string {
  return (
    certificates.map(({ name, hosts }) => `${CONFIG_FOLDER}/${name} ${hosts.join(' ')}`.trimEnd()).join('\n') + '\n'
  )
}

function renderListener({ name, port, isTls, routes }: Listener, index: number, hasCertificates: boolean): string {
  // A port for TLS without a certificate would not open: its listener says so in its status.
  if (isTls && !hasCertificates) return `# ${port}: no certificate`
  const tls = isTls ? ` ssl crt-list ${CONFIG_FOLDER}/crt-list alpn h2,http/1.1` : ''
  const lines = [
    `frontend listener-${index}`,
    `  # ${name.replaceAll(/[^\w./-]/g, '')}`,
    `  bind :${containerPort(port)}${tls}`,
    `  http-request set-header X-Forwarded-Proto ${isTls ? 'https' : 'http'}`,
    `  http-request set-header X-Forwarded-Port ${port}`,
    '  http-request set-var(txn.host) req.hdr(host),field(1,:),lower',
  ]
  const backends: string[] = []
  for (const [number, route] of routes.entries()) {
    const id = `listener-${index}-route-${number}`
    lines.push(...conditionLines(route, id), `  use_backend ${id} if ${conditionOf(route, id)}`)
    backends.push(...renderBackend(route, id))
  }
  return [...lines, '  default_backend nothing', ...backends].join('\n')
}

function conditionLines({ path }: Route, id: string): readonly string[] {
  if (path.kind === 'exact') return [`  acl ${id}-path path -m str ${quoted(path.value)}`]
  if (path.kind === 'regex') return [`  acl ${id}-path path -m reg ${quoted(path.value)}`]
  const prefix = withoutTrailingSlashes(path.value)
  if (prefix === '') return [`  acl ${id}-path path -m beg /`]
  // By whole elements: /shop is no prefix of /shopping.
  return [`  acl ${id}-path path -m str ${quoted(prefix)}`, `  acl ${id}-path path -m beg ${quoted(`${prefix}/`)}`]
}

function conditionOf(route: Route, id: string): string {
  const terms = [...hostTerms(route), `${id}-path`]
  if (route.method !== undefined) terms.push(`{ method ${quoted(route.method)} }`)
  for (const { name, kind, value } of route.headers) {
    terms.push(`{ req.fhdr(${nameOf(name)}) -m ${kind === 'exact' ? 'str' : 'reg'} ${quoted(value)} }`)
  }
  for (const { name, kind, value } of route.query) {
    terms.push(`{ url_param(${nameOf(name)}) -m ${kind === 'exact' ? 'str' : 'reg'} ${quoted(value)} }`)
  }
  return terms.join(' ')
}

function hostTerms({ host, isDeep }: Route): readonly string[] {
  if (host === undefined) return []
  const name = host.toLowerCase()
  if (!name.startsWith('*.')) return [`{ var(txn.host) -m str ${quoted(name)} }`]
  const rest = name.slice(1)
  if (isDeep === true) return [`{ var(txn.host) -m end ${quoted(rest)} }`]
  return [`{ var(txn.host) -m reg ${quoted(`^[^.]+${rest.replaceAll('.', String.raw`\.`)}$`)} }`]
}

function renderBackend(route: Route, id: string): readonly string[] {
  const lines = [`backend ${id}`, `  # ${route.owner.replaceAll(/[^\w./-]/g, '')}`]
  for (const filter of route.filters) lines.push(...filterLines(filter, route))
  if (route.filters.some(({ kind }) => kind === 'redirect')) return lines
  const usable = scaled(route.backends)
  if (usable.length === 0) {
    return [...lines, `  http-request return status ${route.statusWithout} content-type text/plain string "no backend"`]
  }
  lines.push('  balance roundrobin')
  usable.forEach(({ address, port, weight, isTls }, number) => {
    const tls = isTls === true ? ' ssl verify none' : ''
    lines.push(`  server s${number} ${address}:${port} weight ${weight}${tls}`)
  })
  return lines
}

/** HAProxy counts to 256; a share that is there stays at least 1. */
function scaled(backends: readonly Backend[]): readonly Backend[] {
  const used = backends.filter(({ weight }) => weight > 0)
  const most = Math.max(...used.map(({ weight }) => weight), 1)
  const factor = most > 256 ? 256 / most : 1
  return used.map((backend) => ({ ...backend, weight: Math.max(1, Math.round(backend.weight * factor)) }))
}

function filterLines(filter: Filter, route: Route): readonly string[] {
  switch (filter.kind) {
    case 'request-header':
      return filter.changes.map((change) => `  http-request ${headerChange(change)}`)
    case 'response-header':
      return filter.changes.map((change) => `  http-response ${headerChange(change)}`)
    case 'redirect': {
      const set = filter.path === undefined ? [] : [`  ${pathChange(filter.path, route)}`]
      const scheme = filter.scheme ?? '%[req.hdr(X-Forwarded-Proto)]'
      const host = filter.host === undefined ? '%[var(txn.host)]' : plain(filter.host)
      const port = filter.port === undefined ? '' : `:${filter.port}`
      // A quoted format: its own parts are the only ones that are filled in.
      return [...set, `  http-request redirect code ${filter.status} location ${scheme}://${host}${port}%[pathq]`]
    }
    case 'rewrite': {
      const host = filter.host === undefined ? [] : [`  http-request set-header Host ${quoted(formatted(filter.host))}`]
      return [...host, ...(filter.path === undefined ? [] : [`  ${pathChange(filter.path, route)}`])]
    }
    default:
      return filter satisfies never
  }
}

function headerChange(change: HeaderChange): string {
  if (change.kind === 'remove') return `del-header ${nameOf(change.name)}`
  return `${change.kind}-header ${nameOf(change.name)} ${quoted(formatted(change.value))}`
}

function pathChange(change: PathChange, { path }: Route): string {
  if (change.kind === 'full') return `http-request set-path ${quoted(formatted(change.value))}`
  if (change.kind === 'regex')
    return `http-request replace-path ${quoted(path.value)} ${quoted(formatted(change.value, true))}`
  const from = withoutTrailingSlashes(path.value).replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
  const to = withoutTrailingSlashes(change.value)
  // Nothing left is the root.
  return to === ''
    ? `http-request replace-path ${quoted(`^${from}/?(.*)$`)} ${quoted(String.raw`/\1`)}`
    : `http-request replace-path ${quoted(`^${from}(/.*)?$`)} ${quoted(`${formatted(to)}${String.raw`\1`}`)}`
}

/** A value where HAProxy fills in what follows a per cent sign, and numbers behind a backslash. */
function formatted(value: string, keepsGroups = false): string {
  const percent = value.replaceAll('%', '%%')
  return keepsGroups ? percent : percent.replaceAll('\\', '\\\\')
}

/** One word, whatever it holds, as in a shell. */
function quoted(value: string): string {
  if (/\p{Cc}/u.test(value)) throw new Error(`A control character stands in ${JSON.stringify(value)}`)
  return `'${value.replaceAll("'", String.raw`'\''`)}'`
}

/** Names of headers and parameters stand without quotes. */
function nameOf(name: string): string {
  if (!/^[\w.~-]+$/.test(name)) throw new Error(`"${name}" cannot be the name of a header or parameter here`)
  return name
}

function plain(host: string): string {
  if (!/^[\w.*-]+$/.test(host)) throw new Error(`"${host}" is no host name`)
  return host
}
