// Application routing: switched on by its command, Ingress and Gateway API through real proxies, seen with curl from outside.

import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { systemClock } from '@aksel/base/clock'
import { systemRandom } from '@aksel/base/ids'
import { silentLog } from '@aksel/base/log'
import { createAuthority, issue } from '@aksel/runtime/pki'
import { Aksel, runProgram } from './aksel.ts'

let aksel: Aksel
const timeout = 180_000
const demo = ['-g', 'aksel', '-n', 'demo']

before(async () => {
  aksel = await Aksel.inNewFolder()
  await aksel.ok(['up', '--nodes', '1'])
  await apply(['one', 'two'].flatMap((name) => [backend(name), service(name)]))
  await writeFile(join(aksel.dataDir, 'ca.pem'), await certificate('shop.example', 'gate.example'))
  for (const name of ['one', 'two'])
    await aksel.kubectl(`rollout status deployment/${name} --timeout=120s`, { timeoutMs: 140_000 })
})

after(() => aksel[Symbol.asyncDispose]())

/** Serves its name, and below /echo what it was asked for. */
const backend = (name: string) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: 'web',
            image: 'busybox:1.36',
            command: ['sh', '-c', script(name)],
            readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 },
          },
        ],
      },
    },
  },
})
const cgi =
  '#!/bin/sh\\nprintf "Content-Type: text/plain\\\\n\\\\n"; echo "$REQUEST_URI $HTTP_X_SENT $HTTP_X_FORWARDED_PROTO"\\n'
const script = (name: string): string =>
  `mkdir -p /www/cgi-bin /www/deep && echo ${name} > /www/index.html && echo ${name}-deep > /www/deep/index.html && printf '${cgi}' > /www/cgi-bin/echo && chmod +x /www/cgi-bin/echo && exec httpd -f -p 8080 -h /www`
const service = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { selector: { app: name }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
})

async function apply(items: readonly object[]): Promise<void> {
  await aksel.kubectl('apply -f -', { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) })
}

/** Puts a certificate for the names into the Secret `tls`, and gives the authority's. */
async function certificate(...dnsNames: readonly string[]): Promise<string> {
  const scope = { clock: systemClock(), random: systemRandom(), log: silentLog(), signal: new AbortController().signal }
  const authority = await createAuthority(scope, { commonName: 'ingress test', years: 1 })
  const { certificatePem, keyPem } = await issue(scope, authority, {
    commonName: dnsNames[0]!,
    dnsNames: [...dnsNames],
    usages: ['server'],
    days: 1,
  })
  const data = {
    'tls.crt': Buffer.from(certificatePem).toString('base64'),
    'tls.key': Buffer.from(keyPem).toString('base64'),
  }
  await apply([{ apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls', metadata: { name: 'tls' }, data }])
  return authority.certificatePem
}

interface Call {
  readonly url: string
  readonly address: string
  readonly headers?: readonly string[]
  readonly more?: readonly string[]
}

/** Status and body. */
async function curl({ url, address, headers = [], more = [] }: Call): Promise<string> {
  const { hostname } = new URL(url)
  const argv = [
    'curl',
    '-sS',
    '-m',
    '10',
    '--cacert',
    join(aksel.dataDir, 'ca.pem'),
    '-w',
    '%{http_code} %{redirect_url}',
  ]
  for (const port of [80, 443, 8080]) argv.push('--resolve', `${hostname}:${port}:${address}`)
  for (const header of headers) argv.push('-H', header)
  const { stdout, stderr } = await runProgram([...argv, ...more, url])
  return `${stdout}${stderr}`.replaceAll('\n', ' ').trim()
}

/** Proxies read their configuration a moment after it is written: asked again for half a minute at most. */
async function becomes(call: Call, expected: RegExp): Promise<void> {
  const deadline = AbortSignal.timeout(30_000)
  let said = await curl(call)
  while (!expected.test(said) && !deadline.aborted) said = await curl(call)
  assert.match(said, expected, JSON.stringify(call))
}

async function addressOf(path: string, jsonpath: string): Promise<string> {
  await aksel.kubectl(['wait', path, `--for=jsonpath=${jsonpath}`, '--timeout=60s'], { timeoutMs: 70_000 })
  return aksel.kubectl(['get', path, '-o', `jsonpath=${jsonpath}`])
}

const ingressPath = (path: string, name: string, pathType = 'Prefix') => ({
  path,
  pathType,
  backend: { service: { name, port: { name: 'http' } } },
})

test(
  'an Ingress leads to its services by host and path, over TLS, and says where',
  { timeout: 2 * timeout },
  async () => {
    await aksel.ok(['az', 'aks', 'approuting', 'enable', ...demo], { timeoutMs: 170_000 })
    const metadata = (name: string, annotations: object = {}) => ({ name, annotations })
    const ingressClassName = 'webapprouting.kubernetes.azure.com'
    const at = (host: string, paths: readonly object[]) => ({ host, http: { paths } })
    const ingress = (spec: object, name: string, annotations?: object) => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: metadata(name, annotations),
      spec: { ingressClassName, ...spec },
    })
    await apply([
      ingress(
        {
          rules: [
            at('plain.example', [
              ingressPath('/', 'one'),
              ingressPath('/deep', 'two'),
              ingressPath('/exact', 'two', 'Exact'),
            ]),
          ],
        },
        'plain',
      ),
      ingress(
        {
          tls: [{ hosts: ['shop.example'], secretName: 'tls' }],
          rules: [at('shop.example', [ingressPath('/', 'two')])],
        },
        'secured',
      ),
      ingress(
        { rules: [at('*.wild.example', [ingressPath('/api(/|$)(.*)', 'one', 'ImplementationSpecific')])] },
        'rewritten',
        { 'nginx.ingress.kubernetes.io/rewrite-target': '/$2' },
      ),
      ingress({ rules: [at('broken.example', [ingressPath('/', 'nobody')])] }, 'broken'),
    ])
    await aksel.kubectl('rollout status deployment/nginx -n app-routing-system --timeout=120s', { timeoutMs: 140_000 })
    const address = await addressOf('ingress/plain', '{.status.loadBalancer.ingress[0].ip}')
    await becomes({ address, url: 'http://plain.example/' }, /^one 200/)
    await becomes({ address, url: 'http://plain.example/deep/' }, /^two-deep 200/)
    await becomes({ address, url: 'http://plain.example/deeper' }, /404/)
    await becomes({ address, url: 'http://other.example/' }, /^default backend - 404\s*404/)
    await becomes({ address, url: 'http://shop.example/deep/?x=1' }, /308 https:\/\/shop\.example\/deep\/\?x=1$/)
    await becomes({ address, url: 'https://shop.example/cgi-bin/echo' }, /^\/cgi-bin\/echo\s+https 200/)
    await becomes({ address, url: 'http://a.wild.example/api/deep/' }, /^one-deep 200/)
    await becomes({ address, url: 'http://a.b.wild.example/api/deep/' }, /404/)
    await becomes({ address, url: 'http://broken.example/' }, /503/)
    const events = await aksel.kubectl('get events --field-selector reason=Rejected -o jsonpath={.items[*].message}')
    assert.match(events, /Service default\/nobody: not found/)
    await aksel.kubectl('delete ingress plain')
    await becomes({ address, url: 'http://plain.example/' }, /404/)
  },
)

test(
  'a Gateway and its HTTPRoutes: weights, headers, filters and TLS, with upstream’s conditions',
  { timeout: 2 * timeout },
  async () => {
    await aksel.ok(['az', 'aks', 'approuting', 'gateway', 'istio', 'enable', ...demo], { timeoutMs: 170_000 })
    await aksel.kubectl('wait gatewayclass/approuting-istio --for=condition=Accepted --timeout=60s', {
      timeoutMs: 70_000,
    })
    const api = { apiVersion: 'gateway.networking.k8s.io/v1' }
    const listener = (name: string, port: number, more: object = {}) => ({ name, port, protocol: 'HTTP', ...more })
    const route = (name: string, spec: object) => ({
      ...api,
      kind: 'HTTPRoute',
      metadata: { name },
      spec: { parentRefs: [{ name: 'gate' }], ...spec },
    })
    await apply([
      {
        ...api,
        kind: 'Gateway',
        metadata: { name: 'gate' },
        spec: {
          gatewayClassName: 'approuting-istio',
          listeners: [
            listener('http', 80),
            listener('https', 443, {
              protocol: 'HTTPS',
              hostname: 'gate.example',
              tls: { certificateRefs: [{ name: 'tls' }] },
            }),
            listener('lost', 8443, { protocol: 'HTTPS', tls: { certificateRefs: [{ name: 'absent' }] } }),
          ],
        },
      },
      route('web', {
        hostnames: ['gate.example'],
        rules: [
          {
            matches: [{ path: { value: '/' }, headers: [{ name: 'x-version', value: 'two' }] }],
            backendRefs: [{ name: 'two', port: 80 }],
          },
          {
            matches: [{ path: { value: '/split' } }],
            filters: [
              { type: 'URLRewrite', urlRewrite: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/' } } },
            ],
            backendRefs: [
              { name: 'one', port: 80, weight: 3 },
              { name: 'two', port: 80, weight: 1 },
            ],
          },
          {
            matches: [{ path: { type: 'Exact', value: '/moved' } }],
            filters: [
              {
                type: 'RequestRedirect',
                requestRedirect: {
                  scheme: 'https',
                  hostname: 'new.example',
                  path: { type: 'ReplaceFullPath', replaceFullPath: '/here' },
                  statusCode: 301,
                },
              },
            ],
          },
          {
            filters: [
              {
                type: 'RequestHeaderModifier',
                requestHeaderModifier: { set: [{ name: 'X-Sent', value: "it's 100%" }] },
              },
            ],
            backendRefs: [{ name: 'one', port: 80 }],
          },
        ],
      }),
      route('nowhere', { hostnames: ['nowhere.example'], rules: [{ backendRefs: [{ name: 'nobody', port: 80 }] }] }),
      route('mirrored', {
        hostnames: ['mirror.example'],
        rules: [{ filters: [{ type: 'RequestMirror' }], backendRefs: [{ name: 'one', port: 80 }] }],
      }),
    ])
    await aksel.kubectl('wait gateway/gate --for=condition=Programmed --timeout=120s', { timeoutMs: 140_000 })
    const address = await addressOf('gateway/gate', '{.status.addresses[0].value}')
    await becomes({ address, url: 'http://gate.example/' }, /^one 200/)
    await becomes({ address, url: 'http://gate.example/', headers: ['x-version: two'] }, /^two 200/)
    await becomes({ address, url: 'https://gate.example/cgi-bin/echo' }, /^\/cgi-bin\/echo it's 100% https 200/)
    await becomes({ address, url: 'http://gate.example/moved' }, /301 https:\/\/new\.example\/here$/)
    await becomes({ address, url: 'http://nowhere.example/' }, /500/)
    await becomes({ address, url: 'http://mirror.example/' }, /404/)
    const answers: string[] = []
    for (let asked = 0; asked < 8; asked += 1) answers.push(await curl({ address, url: 'http://gate.example/split/' }))
    // Each of the two proxies takes turns by weight for itself, so that eight answers are six and two but for one each.
    const first = answers.filter((text) => text.startsWith('one')).length
    assert.ok(first >= 4 && first <= 7, answers.join())
    const conditions = async (kind: string, path: string): Promise<string> =>
      aksel.kubectl(['get', kind, '-o', `jsonpath={range ${path}}{.type}={.status}:{.reason} {end}`])
    assert.match(
      await conditions('httproute/web', '.status.parents[0].conditions[*]'),
      /Accepted=True:Accepted ResolvedRefs=True:ResolvedRefs/,
    )
    assert.match(
      await conditions('httproute/nowhere', '.status.parents[0].conditions[*]'),
      /ResolvedRefs=False:BackendNotFound/,
    )
    assert.match(
      await conditions('httproute/mirrored', '.status.parents[0].conditions[*]'),
      /Accepted=False:UnsupportedValue/,
    )
    assert.match(
      await conditions('gateway/gate', '.status.listeners[2].conditions[*]'),
      /ResolvedRefs=False:InvalidCertificateRef/,
    )
    assert.equal(
      await aksel.kubectl(['get', 'gateway/gate', '-o', 'jsonpath={.status.listeners[0].attachedRoutes}']),
      '2',
    )
  },
)

test('switched off, the proxies of Ingresses are gone, and what people wrote stays', { timeout }, async () => {
  await aksel.ok(['az', 'aks', 'approuting', 'disable', ...demo], { timeoutMs: 170_000 })
  await aksel.kubectl('wait namespace/app-routing-system --for=delete --timeout=120s', { timeoutMs: 140_000 })
  assert.match(await aksel.kubectl('get ingress secured -o name'), /ingress\.networking\.k8s\.io\/secured/)
  assert.match(await aksel.fails(['kubectl', 'get', 'ingressclass', 'webapprouting.kubernetes.azure.com']), /NotFound/)
})
