// What annotations of Azure's cloud provider ask for, and how the bad ones are refused.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Service } from '@aksel/api/types/core-v1'
import { readyNode } from '../testing/objects.ts'
import { annotations, portAnnotation, unsupportedAnnotations } from './annotations.ts'
import { planLoadBalancer } from './plan.ts'
import { probeOf } from './probes.ts'
import { sourcesOf } from './sources.ts'

const vnet = ['10.224.0.0/12']
const nodes = [readyNode('node-1', '10.224.0.4')]

function service(notes: Readonly<Record<string, string>>, spec: Partial<Service['spec']> = {}): Service {
  return {
    metadata: { name: 'web', namespace: 'shop', uid: 'u1', annotations: notes },
    spec: {
      type: 'LoadBalancer',
      ports: [
        { name: 'http', port: 80, protocol: 'TCP', nodePort: 30080 },
        { name: 'admin', port: 81, protocol: 'TCP', nodePort: 30081 },
        { name: 'dns', port: 53, protocol: 'UDP', nodePort: 30053 },
      ],
      ...spec,
    },
  }
}

const probe = (notes: Readonly<Record<string, string>>, spec: Partial<Service['spec']> = {}, port = 0) => {
  const asked = service(notes, spec)
  return probeOf(asked, asked.spec.ports![port]!)
}

test('probes ask the node port over TCP every five seconds, and UDP ports have none', () => {
  assert.deepEqual(probe({}), { protocol: 'Tcp', port: 30080, intervalSeconds: 5, failures: 2 })
  assert.equal(probe({}, {}, 2), undefined)
})

test('annotations of a port go before its appProtocol, and that before annotations of the service', () => {
  const all = {
    [annotations.probeProtocol]: 'http',
    [annotations.probePath]: '/ready',
    [annotations.probeInterval]: '7',
    [annotations.probeCount]: '3',
  }
  const timing = { intervalSeconds: 7, failures: 3 }
  assert.deepEqual(probe(all), { protocol: 'Http', port: 30080, path: '/ready', ...timing })
  const ports = [{ port: 80, nodePort: 30080, appProtocol: 'https' }]
  assert.deepEqual(probe(all, { ports }), { protocol: 'Https', port: 30080, path: '/ready', ...timing })
  const own = {
    ...all,
    [portAnnotation(80, 'health-probe_protocol')]: 'tcp',
    [portAnnotation(80, 'health-probe_interval')]: '11',
    [portAnnotation(80, 'health-probe_num-of-probe')]: '4',
  }
  assert.deepEqual(probe(own, { ports }), { protocol: 'Tcp', port: 30080, intervalSeconds: 11, failures: 4 })
  const path = { ...all, [portAnnotation(80, 'health-probe_request-path')]: '/own' }
  assert.equal(probe(path)!.path, '/own')
})

test('a probe may ask another port of the service, by number or name, or any other', () => {
  const key = portAnnotation(80, 'health-probe_port')
  assert.equal(probe({ [key]: '81' })!.port, 30081)
  assert.equal(probe({ [key]: 'admin' })!.port, 30081)
  assert.equal(probe({ [key]: '15021' })!.port, 15021)
  assert.throws(() => probe({ [key]: 'nobody' }), {
    message: `failed to parse annotation ${key}: port nobody not found in service`,
  })
  assert.throws(() => probe({ [key]: '65536' }), {
    message: `failed to parse annotation ${key}: port 65536 is out of range`,
  })
  const local = { externalTrafficPolicy: 'Local', healthCheckNodePort: 30999 } as const
  assert.equal(probe({}, local, 2)!.port, 30999, 'with local traffic every port is asked there, UDP, too')
  assert.equal(probe({ [key]: '81' }, local)!.port, 30081)
})

test('bad probes are refused in the words of the provider', () => {
  const refused = (name: string, value: string, message: string): void =>
    assert.throws(() => probe({ [name]: value }), { message: `failed to parse annotation ${name}: ${message}` })
  refused(annotations.probeInterval, '4', 'the minimum value of interval is 5')
  refused(annotations.probeCount, '1', 'the minimum value of num-of-probe is 2')
  refused(portAnnotation(80, 'health-probe_interval'), '1', 'the minimum value of interval is 5')
  refused(annotations.probeCount, 'two', 'error value: two: strconv.ParseInt: parsing "two": invalid syntax')
  assert.throws(() => probe({ [annotations.probeInterval]: '60' }), /total probe should be less than 120/)
})

test('ports may go without a rule or without a probe', () => {
  const plan = planLoadBalancer(
    service({ [portAnnotation(81, 'no_lb_rule')]: 'true', [portAnnotation(80, 'no_probe_rule')]: 'true' }),
    nodes,
    [],
  )
  assert.deepEqual(
    plan.rules.map(({ protocol, port, probe: asked }) => [protocol, port, asked]),
    [
      ['TCP', 80, undefined],
      ['UDP', 53, undefined],
    ],
  )
})

test('a service without node ports takes packets as they were sent, unless floating addresses are off', () => {
  const ports = [{ port: 80 }]
  const [rule] = planLoadBalancer(service({}, { ports }), nodes, []).rules
  assert.deepEqual(rule!.backends, [{ address: '10.224.0.4' }])
  assert.equal(rule!.probe!.port, 10256)
  assert.throws(
    () => planLoadBalancer(service({ [annotations.noFloating]: 'true' }, { ports }), nodes, []),
    /has no node port/,
  )
})

test('high availability ports are one rule for everything, of internal load balancers alone', () => {
  const internal = { [annotations.internal]: 'true', [annotations.everyPort]: 'true' }
  const { rules } = planLoadBalancer(service(internal), nodes, [])
  assert.deepEqual(
    rules.map(({ protocol, backends }) => [protocol, backends]),
    [['ALL', [{ address: '10.224.0.4' }]]],
  )
  assert.equal(planLoadBalancer(service({ [annotations.everyPort]: 'true' }), nodes, []).rules.length, 3)
})

test('affinity, idle time and a public address by name are handed on; SCTP is refused', () => {
  const plan = planLoadBalancer(
    service(
      { [annotations.idleTimeout]: '30', [annotations.publicName]: 'front', [annotations.publicGroup]: 'rg' },
      { sessionAffinity: 'ClientIP' },
    ),
    nodes,
    [],
  )
  assert.deepEqual(plan.publicAddress, { name: 'front', resourceGroup: 'rg' })
  assert.ok(plan.rules.every(({ isBySource, idleTimeoutMinutes }) => isBySource === true && idleTimeoutMinutes === 30))
  assert.throws(
    () => planLoadBalancer(service({}, { ports: [{ port: 9, protocol: 'SCTP', nodePort: 30009 }] }), nodes, []),
    /port 9 is SCTP/,
  )
  assert.throws(
    () => planLoadBalancer(service({ [annotations.address]: 'fd00::1' }), nodes, []),
    /IPv4 addresses alone/,
  )
})

test('neighbours of the VNet come in beside named ranges, unless everyone else is shut out', () => {
  const ranges = (notes: Readonly<Record<string, string>>, spec: Partial<Service['spec']> = {}) =>
    sourcesOf(service(notes, spec), vnet).ranges
  assert.deepEqual(ranges({}), [])
  assert.deepEqual(ranges({}, { loadBalancerSourceRanges: ['192.0.2.0/24'] }), ['10.224.0.0/12', '192.0.2.0/24'])
  const shut = { [annotations.denyOthers]: 'true', [annotations.allowedRanges]: '192.0.2.0/24, 198.51.100.0/24' }
  assert.deepEqual(ranges(shut), ['192.0.2.0/24', '198.51.100.0/24'])
  assert.deepEqual(ranges({ [annotations.denyOthers]: 'true', [annotations.allowedTags]: 'VirtualNetwork' }), vnet)
  assert.deepEqual(ranges({ [annotations.denyOthers]: 'true', [annotations.allowedRanges]: '10.0.0.0' }), [
    '255.255.255.255/32',
  ])
})

test('tags that are not known here, and tags beside ranges of the service, are told', () => {
  const { warnings } = sourcesOf(
    service({ [annotations.allowedTags]: 'AzureFrontDoor.Backend' }, { loadBalancerSourceRanges: ['192.0.2.0/24'] }),
    vnet,
  )
  assert.deepEqual(
    warnings.map(({ reason }) => reason),
    ['ConflictConfiguration', 'UnsupportedAnnotation'],
  )
  assert.match(warnings[1]!.message, /service tag AzureFrontDoor.Backend are not known here/)
})

test('every annotation of Azure works or says why not', () => {
  const told = (name: string): string | undefined =>
    unsupportedAnnotations(service({ [`service.beta.kubernetes.io/${name}`]: 'x' }))[0]?.why
  assert.match(told('azure-load-balancer-configurations')!, /one load balancer/)
  assert.match(told('azure-pls-name')!, /private link/)
  assert.equal(told('azure-load-balanser-internal'), 'Azure does not know it')
  assert.equal(told('azure-load-balancer-mode'), undefined, 'the standard load balancer has none')
  for (const name of Object.values(annotations)) assert.deepEqual(unsupportedAnnotations(service({ [name]: 'x' })), [])
})

test('a service of IPv6 alone gets no balancer and is told why; of both families IPv4 is balanced', () => {
  const families = (...ipFamilies: readonly ('IPv4' | 'IPv6')[]) =>
    planLoadBalancer(service({}, { ipFamilies }), both, [])
  const addresses = [
    ...readyNode('node-1', '10.224.0.4').status!.addresses!,
    { type: 'InternalIP', address: 'fd00::4' },
  ]
  const both = [{ ...nodes[0]!, status: { ...nodes[0]!.status, addresses } }]
  assert.throws(() => families('IPv6'), /load balancers have IPv4 addresses alone: the service has IPv6 alone/)
  for (const each of [families('IPv4', 'IPv6'), families('IPv6', 'IPv4')])
    assert.deepEqual(each.rules[0]!.backends, [{ address: '10.224.0.4', port: 30080 }])
})
