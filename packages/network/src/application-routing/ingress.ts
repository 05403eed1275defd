// Ingresses of the class as routes of one proxy. Pure: objects in; routes, certificates, and what is wrong out.

import type { Secret, Service } from '@aksel/api/types/core-v1'
import type { IngressBackend } from '@aksel/api/types/networking-v1'
import { INGRESS_CLASS, type Ingress } from './objects.ts'
import { byPrecedence, type Backend, type Certificate, type Filter, type Listener, type Route } from './routes.ts'

export interface IngressView {
  readonly ingresses: readonly Ingress[]
  service(namespace: string, name: string): Service | undefined
  secret(namespace: string, name: string): Secret | undefined
}

export interface ProxyPlan {
  readonly listeners: readonly Listener[]
  readonly certificates: readonly Certificate[]
  /** By key of the object. */
  readonly faults: ReadonlyMap<string, readonly string[]>
}

const PREFIX = 'nginx.ingress.kubernetes.io/'
const LEGACY_CLASS = 'kubernetes.io/ingress.class'
/** What is heeded; of the others somebody is told. */
const known = ['ssl-redirect', 'force-ssl-redirect', 'rewrite-target', 'use-regex', 'backend-protocol']

export function isOfClass({ spec, metadata }: Ingress): boolean {
  return (spec?.ingressClassName ?? metadata.annotations?.[LEGACY_CLASS]) === INGRESS_CLASS
}

export function planIngress(view: IngressView): ProxyPlan {
  const faults = new Map<string, string[]>()
  const certificates = new Map<string, Certificate>()
  const plain: Route[] = []
  const tls: Route[] = []
  const own = view.ingresses.filter(isOfClass).toSorted((left, right) => (ageOf(left) < ageOf(right) ? -1 : 1))
  for (const ingress of own) {
    const key = `${ingress.metadata.namespace}/${ingress.metadata.name}`
    const fault = (text: string): void => void faults.set(key, [...(faults.get(key) ?? []), text])
    const secured = addCertificates(view, ingress, certificates, fault)
    for (const route of routesOf(view, ingress, fault)) {
      tls.push(route)
      plain.push(isRedirected(ingress, route, secured) ? { ...route, filters: [toHttps] } : route)
    }
    for (const name of Object.keys(ingress.metadata.annotations ?? {})) {
      if (name.startsWith(PREFIX) && !known.includes(name.slice(PREFIX.length)))
        fault(`Annotation ${name} is not heeded here`)
    }
  }
  return {
    listeners: [
      { name: 'http', port: 80, isTls: false, routes: plain.toSorted(byPrecedence) },
      { name: 'https', port: 443, isTls: true, routes: tls.toSorted(byPrecedence) },
    ],
    certificates: [...certificates.values()],
    faults,
  }
}

const toHttps: Filter = { kind: 'redirect', scheme: 'https', status: 308 }

/** The oldest wins where two say the same. */
function ageOf({ metadata }: Ingress): string {
  return `${metadata.creationTimestamp ?? ''} ${metadata.namespace}/${metadata.name}`
}

function addCertificates(
  view: IngressView,
  { spec, metadata }: Ingress,
  certificates: Map<string, Certificate>,
  fault: (text: string) => void,
): ReadonlySet<string> {
  const secured = new Set<string>()
  for (const { hosts = [], secretName } of spec?.tls ?? []) {
    if (secretName === undefined) continue
    const name = `${metadata.namespace}_${secretName}.pem`
    const pem = pemOf(view.secret(metadata.namespace!, secretName))
    if (pem === undefined) {
      fault(`Secret ${metadata.namespace}/${secretName} holds no certificate and key (tls.crt, tls.key)`)
      continue
    }
    const before = certificates.get(name)
    certificates.set(name, { name, pem, hosts: [...new Set([...(before?.hosts ?? []), ...hosts])] })
    for (const host of hosts) secured.add(host)
  }
  return secured
}

/** Certificate and key in one text; undefined where one of them is missing. */
export function pemOf(secret: Secret | undefined): string | undefined {
  const text = (name: string): string =>
    Buffer.from(secret?.data?.[name] ?? '', 'base64')
      .toString()
      .trim()
  const [certificate, key] = [text('tls.crt'), text('tls.key')]
  const isWhole = certificate.includes('BEGIN CERTIFICATE') && key.includes('PRIVATE KEY')
  return isWhole ? `${certificate}\n${key}\n` : undefined
}

function isRedirected({ metadata }: Ingress, { host }: Route, secured: ReadonlySet<string>): boolean {
  const annotation = (name: string): string | undefined => metadata.annotations?.[`${PREFIX}${name}`]
  if (annotation('force-ssl-redirect') === 'true') return true
  return host !== undefined && secured.has(host) && annotation('ssl-redirect') !== 'false'
}

function routesOf(view: IngressView, ingress: Ingress, fault: (text: string) => void): readonly Route[] {
  const { spec, metadata } = ingress
  const owner = `${metadata.namespace}/${metadata.name}`
  const annotation = (name: string): string | undefined => metadata.annotations?.[`${PREFIX}${name}`]
  const target = annotation('rewrite-target')
  const isRegex = annotation('use-regex') === 'true' || (target !== undefined && /\$\d/.test(target))
  const isTls = annotation('backend-protocol')?.toUpperCase() === 'HTTPS'
  const route = (host: string | undefined, path: Route['path'], backend: IngressBackend | undefined): Route => ({
    owner,
    ...(host === undefined || host === '' ? {} : { host }),
    path,
    headers: [],
    query: [],
    filters: target === undefined ? [] : [rewriteOf(target, path)],
    backends: backendOf(view, metadata.namespace!, backend, isTls, fault),
    statusWithout: 503,
  })
  const routes = (spec?.rules ?? []).flatMap(({ host, http }) =>
    (http?.paths ?? []).map(({ path = '/', pathType, backend }) => {
      const asPattern = isRegex && pathType !== 'Exact'
      const kind = asPattern ? 'regex' : pathType === 'Exact' ? 'exact' : 'prefix'
      return route(host, { kind, value: asPattern ? `^${path}` : path }, backend)
    }),
  )
  if (spec?.defaultBackend === undefined) return routes
  return [...routes, route(undefined, { kind: 'prefix', value: '/' }, spec.defaultBackend)]
}

function rewriteOf(target: string, path: Route['path']): Filter {
  if (path.kind !== 'regex') return { kind: 'rewrite', path: { kind: 'full', value: target } }
  return {
    kind: 'rewrite',
    path: { kind: 'regex', value: target.replaceAll('\\', '\\\\').replaceAll(/\$(\d)/g, String.raw`\$1`) },
  }
}

function backendOf(
  view: IngressView,
  namespace: string,
  backend: IngressBackend | undefined,
  isTls: boolean,
  fault: (text: string) => void,
): readonly Backend[] {
  const reference = backend?.service
  if (reference === undefined) {
    fault('A backend that is no Service is not supported')
    return []
  }
  const found = serviceBackend(view.service(namespace, reference.name), reference.port?.number ?? reference.port?.name)
  if (typeof found === 'string') {
    fault(`Service ${namespace}/${reference.name}: ${found}`)
    return []
  }
  return [{ ...found, weight: 1, ...(isTls ? { isTls } : {}) }]
}

/** Where the service answers; or why it does not. */
export function serviceBackend(
  service: Service | undefined,
  port: number | string | undefined,
): { readonly address: string; readonly port: number } | string {
  if (service === undefined) return 'not found'
  const { clusterIP, ports = [], type } = service.spec
  if (type === 'ExternalName') return 'an ExternalName cannot be a backend here'
  if (clusterIP === undefined || clusterIP === 'None' || clusterIP === '') return 'it has no cluster IP'
  const found = ports.find((each) => each.port === port || each.name === port)
  return found === undefined ? `it has no port ${port ?? ''}` : { address: clusterIP, port: found.port }
}
