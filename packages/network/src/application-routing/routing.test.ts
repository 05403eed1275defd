// What Ingresses and HTTPRoutes become: precedence, quoting, filters, certificates, and verdicts in upstream's words.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Secret } from '@aksel/api/types/core-v1'
import { service } from '../testing/objects.ts'
import { hostsOf, planGateway, type GatewayView } from './gateway.ts'
import { renderProxy } from './haproxy.ts'
import { planIngress } from './ingress.ts'
import type { Gateway, HttpRoute, HttpRouteRule, Ingress } from './objects.ts'
import { byPrecedence, type Route } from './routes.ts'

const base: Route = {
  owner: 'default/r',
  path: { kind: 'prefix', value: '/' },
  headers: [],
  query: [],
  filters: [],
  backends: [{ address: '10.0.0.80', port: 80, weight: 1 }],
  statusWithout: 500,
}

test('more special routes come first, and equals stay as they came', () => {
  const named = (owner: string, more: Partial<Route>): Route => ({ ...base, owner, ...more })
  const routes = [
    named('any', {}),
    named('wild', { host: '*.example.org' }),
    named('short', { host: 'a.example.org' }),
    named('long', { host: 'a.example.org', path: { kind: 'prefix', value: '/shop' } }),
    named('regex', { host: 'a.example.org', path: { kind: 'regex', value: '^/s' } }),
    named('exact', { host: 'a.example.org', path: { kind: 'exact', value: '/s' } }),
    named('header', { host: 'a.example.org', headers: [{ name: 'x', kind: 'exact', value: '1' }] }),
    named('method', { host: 'a.example.org', method: 'GET' }),
    named('second', { host: 'a.example.org' }),
  ]
  assert.deepEqual(
    routes.toSorted(byPrecedence).map(({ owner }) => owner),
    ['exact', 'regex', 'long', 'method', 'header', 'short', 'second', 'wild', 'any'],
  )
})

const render = (more: Partial<Route>): string =>
  renderProxy([{ name: 'http', port: 80, isTls: false, routes: [{ ...base, ...more }] }], [])

test('values stand between quotes, whatever they hold, and control characters are refused', () => {
  const nasty = `it's "x" # \\1 %[src]`
  const header = { name: 'x', kind: 'exact', value: nasty } as const
  assert.ok(render({ headers: [header] }).includes(`{ req.fhdr(x) -m str 'it'\\''s "x" # \\1 %[src]' }`))
  const filters = [{ kind: 'request-header', changes: [{ kind: 'set', name: 'X-A', value: nasty }] }] as const
  assert.ok(render({ filters }).includes(`http-request set-header X-A 'it'\\''s "x" # \\\\1 %%[src]'`))
  assert.throws(() => render({ path: { kind: 'exact', value: '/a\nbind :1' } }), /A control character stands in/)
  assert.throws(() => render({ headers: [{ ...header, name: 'x) }' }] }), /cannot be the name of a header/)
  assert.doesNotMatch(render({ owner: 'a\n  bind :1' }), /bind :1\b/)
})

test('a prefix is one of whole elements, wildcards of one label or of many', () => {
  const prefix = render({ path: { kind: 'prefix', value: '/shop/' } })
  assert.match(prefix, /-path path -m str '\/shop'\n.*-path path -m beg '\/shop\/'/)
  assert.match(render({ host: '*.example.org' }), /-m reg '\^\[\^\.\]\+\\\.example\\\.org\$'/)
  assert.match(render({ host: '*.example.org', isDeep: true }), /-m end '\.example\.org'/)
})

test('weights beyond what the proxy counts to keep their shares; none at all is an error of the route', () => {
  const backends = [900_000, 100_000, 1, 0].map((weight, n) => ({ address: `10.0.0.${n}`, port: 80, weight }))
  const weights = Array.from(render({ backends }).matchAll(/server s\d \S+ weight (\d+)/g), ([, weight]) =>
    Number(weight),
  )
  assert.deepEqual(weights, [256, 28, 1])
  assert.match(render({ backends: [] }), /return status 500/)
})

const tls: Secret = {
  metadata: { name: 'tls', namespace: 'default' },
  data: {
    'tls.crt': Buffer.from('-----BEGIN CERTIFICATE-----\nx').toString('base64'),
    'tls.key': Buffer.from('-----BEGIN PRIVATE KEY-----\nx').toString('base64'),
  },
}

const lookups = {
  service: (namespace: string, name: string) =>
    namespace === 'default' && name === 'web' ? service('web', { clusterIP: '10.0.0.80' }) : undefined,
  secret: (_namespace: string, name: string) => (name === 'tls' ? tls : undefined),
}

function ingress(spec: object, annotations: Readonly<Record<string, string>> = {}): Ingress {
  return {
    metadata: { name: 'i', namespace: 'default', annotations },
    spec: { ingressClassName: 'webapprouting.kubernetes.azure.com', ...spec },
  } as Ingress
}

const rule = (host: string, path = '/') => ({
  host,
  http: { paths: [{ path, pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }] },
})
const secured = { tls: [{ hosts: ['a.example'], secretName: 'tls' }], rules: [rule('a.example')] }

test('an Ingress with TLS redirects, unless it says otherwise; its certificate is for its hosts', () => {
  const plan = planIngress({ ingresses: [ingress(secured)], ...lookups })
  const [plain, safe] = plan.listeners
  assert.deepEqual(plain!.routes[0]!.filters, [{ kind: 'redirect', scheme: 'https', status: 308 }])
  assert.deepEqual(safe!.routes[0]!.backends, [{ address: '10.0.0.80', port: 80, weight: 1 }])
  assert.deepEqual(
    plan.certificates.map(({ name, hosts }) => [name, hosts]),
    [['default_tls.pem', ['a.example']]],
  )
  const open = planIngress({
    ingresses: [ingress(secured, { 'nginx.ingress.kubernetes.io/ssl-redirect': 'false' })],
    ...lookups,
  })
  assert.deepEqual(open.listeners[0]!.routes[0]!.filters, [])
})

test('what is wrong with an Ingress is told, and the rest of it works', () => {
  const missing = {
    ...rule('b.example'),
    http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'gone', port: { number: 80 } } } }] },
  }
  const plan = planIngress({
    ingresses: [
      ingress(
        { tls: [{ hosts: ['a.example'], secretName: 'absent' }], rules: [rule('a.example'), missing] },
        { 'nginx.ingress.kubernetes.io/auth-url': 'https://x' },
      ),
      ingress({ ...secured, ingressClassName: 'other' }),
    ],
    ...lookups,
  })
  assert.deepEqual(plan.faults.get('default/i'), [
    'Secret default/absent holds no certificate and key (tls.crt, tls.key)',
    'Service default/gone: not found',
    'Annotation nginx.ingress.kubernetes.io/auth-url is not heeded here',
  ])
  assert.equal(plan.listeners[0]!.routes.length, 2)
})

test('hosts that a listener and a route have in common', () => {
  const rows: readonly (readonly [string | undefined, readonly string[], unknown])[] = [
    [undefined, [], [undefined]],
    ['a.example', [], ['a.example']],
    [undefined, ['b.example'], ['b.example']],
    ['*.example', ['a.example', 'other.test'], ['a.example']],
    ['a.example', ['*.example'], ['a.example']],
    ['a.example', ['b.example'], undefined],
  ]
  for (const [listener, route, expected] of rows) assert.deepEqual(hostsOf(listener, route), expected)
})

function gateway(listeners: Gateway['spec']['listeners']): Gateway {
  return { metadata: { name: 'gate', namespace: 'default' }, spec: { gatewayClassName: 'approuting-istio', listeners } }
}

function route(name: string, spec: Partial<HttpRoute['spec']> = {}, namespace = 'default'): HttpRoute {
  const rules: readonly HttpRouteRule[] = [{ backendRefs: [{ name: 'web', port: 80 }] }]
  return {
    metadata: { name, namespace },
    spec: { parentRefs: [{ name: 'gate', namespace: 'default' }], rules, ...spec },
  }
}

const http = { name: 'http', port: 80, protocol: 'HTTP' }
const view = (routes: readonly HttpRoute[], more: Partial<GatewayView> = {}): GatewayView => ({
  routes,
  grants: [],
  namespace: (name) => ({ metadata: { name, labels: { 'kubernetes.io/metadata.name': name } } }) as never,
  ...lookups,
  ...more,
})
const verdictsOf = (conditions: readonly { type: string; status: string; reason: string }[]): string =>
  conditions.map(({ type, status, reason }) => `${type}=${status} ${reason}`).join(', ')

test('routes are attached where a listener takes them, and are told why not elsewhere', () => {
  const far = { ...http, name: 'far', port: 8080, allowedRoutes: { namespaces: { from: 'All' as const } } }
  const rows: readonly (readonly [HttpRoute, string])[] = [
    [route('fine'), 'Accepted=True Accepted, ResolvedRefs=True ResolvedRefs'],
    [
      route('nobody', { rules: [{ backendRefs: [{ name: 'gone', port: 80 }] }] }),
      'Accepted=True Accepted, ResolvedRefs=False BackendNotFound',
    ],
    [
      route('port', { rules: [{ backendRefs: [{ name: 'web', port: 81 }] }] }),
      'Accepted=True Accepted, ResolvedRefs=False BackendNotFound',
    ],
    [
      route('kind', { rules: [{ backendRefs: [{ name: 'web', kind: 'Bucket', port: 80 }] }] }),
      'Accepted=True Accepted, ResolvedRefs=False InvalidKind',
    ],
    [
      route('apart', { parentRefs: [{ name: 'gate', namespace: 'default', sectionName: 'http' }] }, 'other'),
      'Accepted=False NotAllowedByListeners, ResolvedRefs=False BackendNotFound',
    ],
    [
      route('section', { parentRefs: [{ name: 'gate', sectionName: 'none' }] }),
      'Accepted=False NoMatchingParent, ResolvedRefs=True ResolvedRefs',
    ],
    [
      route('mirror', { rules: [{ filters: [{ type: 'RequestMirror' }] }] }),
      'Accepted=False UnsupportedValue, ResolvedRefs=True ResolvedRefs',
    ],
    [
      route('across', { rules: [{ backendRefs: [{ name: 'web', namespace: 'default', port: 80 }] }] }, 'other'),
      'Accepted=True Accepted, ResolvedRefs=False RefNotPermitted',
    ],
  ]
  for (const [each, expected] of rows) {
    const plan = planGateway(gateway([http, far]), view([each]))
    assert.equal(verdictsOf(plan.routeVerdicts[0]!.conditions), expected, each.metadata.name)
  }
  const grants = [
    {
      metadata: { name: 'g', namespace: 'default' },
      spec: {
        from: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: 'other' }],
        to: [{ group: '', kind: 'Service' }],
      },
    },
  ]
  const granted = planGateway(gateway([far]), view([rows.at(-1)![0]], { grants }))
  assert.equal(
    verdictsOf(granted.routeVerdicts[0]!.conditions),
    'Accepted=True Accepted, ResolvedRefs=True ResolvedRefs',
  )
})

test('listeners that cannot be served say why, and the others go on', () => {
  const https = { name: 'https', port: 443, protocol: 'HTTPS' }
  const listeners = [
    http,
    { ...https, tls: { certificateRefs: [{ name: 'tls' }] } },
    { ...https, name: 'lost', port: 444, tls: { certificateRefs: [{ name: 'absent' }] } },
    { ...https, name: 'through', port: 445, tls: { mode: 'Passthrough' } },
    { name: 'tcp', port: 5000, protocol: 'TCP' },
    { ...http, name: 'a', port: 8080 },
    { ...http, name: 'b', port: 8080 },
  ]
  const plan = planGateway(gateway(listeners), view([route('fine')]))
  const reasons = plan.listenerVerdicts.map(({ name, attachedRoutes, conditions }) => {
    const wrong = conditions.filter(({ type, status }) =>
      type === 'Conflicted' ? status === 'True' : status === 'False',
    )
    return `${name} ${attachedRoutes} ${wrong.map(({ type, reason }) => `${type}:${reason}`).join(' ')}`.trim()
  })
  assert.deepEqual(reasons, [
    'http 1',
    'https 1',
    'lost 1 Programmed:Invalid ResolvedRefs:InvalidCertificateRef',
    'through 1 Programmed:Invalid ResolvedRefs:InvalidCertificateRef',
    'tcp 1 Accepted:UnsupportedProtocol Programmed:Invalid',
    'a 1 Accepted:HostnameConflict Programmed:Invalid Conflicted:HostnameConflict',
    'b 1 Accepted:HostnameConflict Programmed:Invalid Conflicted:HostnameConflict',
  ])
  assert.deepEqual(
    plan.listeners.map(({ port, isTls }) => [port, isTls]),
    [
      [80, false],
      [443, true],
    ],
  )
})
