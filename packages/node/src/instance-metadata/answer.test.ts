// The metadata service by question: headers, versions, formats, events, and what is refused in which words.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { noEvents } from '@aksel/provider/scheduled-events'
import { answerMetadata, type MetadataAnswer, type MetadataFacts } from './answer.ts'

const resourceId =
  '/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/mc_rg_c1_westeurope/providers/Microsoft.Compute/virtualMachineScaleSets/aks-nodepool1-12345678-vmss/virtualMachines/3'

const facts: MetadataFacts = {
  instance: {
    resourceId,
    region: 'westeurope',
    zone: '2',
    vmSize: 'Standard_D2s_v5',
    nodeImage: 'AKSUbuntu-2404gen2containerd-202611.01.0',
    computerName: 'aks-nodepool1-12345678-vmss000003',
    tags: { team: 'red', 'aks-managed-poolName': 'nodepool1' },
    diskBytes: 128 * 2 ** 30,
  },
  interfaces: [{ address: '10.224.0.4', subnet: '10.224.0.0', prefixLength: 16, macAddress: '02:1a:2b:3c:00:01' }],
  events: noEvents,
  approved: new Set(),
}

interface Question {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

function ask(
  target: string,
  { method = 'GET', headers = { metadata: 'true' }, body = '' }: Question = {},
  own = facts,
): MetadataAnswer {
  return answerMetadata(own, { method, target, headers, body })
}

const document = (version: string): { compute: Record<string, unknown>; network: Record<string, unknown> } =>
  JSON.parse(ask(`/metadata/instance?api-version=${version}`).body) as never

test('the instance document says what the machine is, in Azure’s shape', () => {
  const { compute, network } = document('2021-02-01')
  assert.deepEqual(
    [
      'name',
      'location',
      'zone',
      'vmSize',
      'vmScaleSetName',
      'resourceGroupName',
      'subscriptionId',
      'resourceId',
      'osType',
    ].map((name) => compute[name]),
    [
      'aks-nodepool1-12345678-vmss_3',
      'westeurope',
      '2',
      'Standard_D2s_v5',
      'aks-nodepool1-12345678-vmss',
      'mc_rg_c1_westeurope',
      '11111111-2222-3333-4444-555555555555',
      resourceId,
      'Linux',
    ],
  )
  assert.equal(compute['tags'], 'team:red;aks-managed-poolName:nodepool1')
  assert.deepEqual(compute['tagsList'], [
    { name: 'team', value: 'red' },
    { name: 'aks-managed-poolName', value: 'nodepool1' },
  ])
  assert.match(String(compute['vmId']), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/)
  const spot = { ...facts, instance: { ...facts.instance, evictionPolicy: 'Deallocate' } as const }
  const path = '/metadata/instance/compute'
  const asked = ['priority', 'evictionPolicy'].map(
    (name) => ask(`${path}/${name}?api-version=2021-02-01&format=text`, {}, spot).body,
  )
  assert.deepEqual(asked, ['Spot', 'Deallocate'])
  assert.deepEqual(network, {
    interface: [
      {
        ipv4: {
          ipAddress: [{ privateIpAddress: '10.224.0.4', publicIpAddress: '' }],
          subnet: [{ address: '10.224.0.0', prefix: '16' }],
        },
        ipv6: { ipAddress: [] },
        macAddress: '021A2B3C0001',
      },
    ],
  })
})

test('fields begin with their version, and every question names one that there is', () => {
  assert.deepEqual(Object.keys(document('2017-04-02').compute).toSorted(), [
    'location',
    'name',
    'offer',
    'osType',
    'platformFaultDomain',
    'platformUpdateDomain',
    'publisher',
    'sku',
    'version',
    'vmId',
    'vmSize',
  ])
  assert.equal('userData' in document('2020-12-01').compute, false)
  assert.equal('userData' in document('2021-01-01').compute, true)
  for (const query of ['', '?api-version=', '?api-version=2021-02-02', '?api-version=latest']) {
    const { status, body } = ask(`/metadata/instance${query}`)
    assert.equal(status, 400)
    assert.deepEqual(JSON.parse(body), {
      error: 'Bad request. api-version is invalid or was not specified in the request.',
      'newest-versions': ['2025-04-07', '2023-11-15', '2023-07-01'],
    })
  }
  const versions = JSON.parse(ask('/metadata/versions').body) as { apiVersions: string[] }
  assert.ok(versions.apiVersions.includes('2021-02-01'))
})

test('leaves are text, folders JSON or the names in them', () => {
  const text = (path: string): readonly [number, string] => {
    const { status, body } = ask(`/metadata/instance/${path}?api-version=2021-02-01&format=text`)
    return [status, body]
  }
  assert.deepEqual(text('compute/vmSize'), [200, 'Standard_D2s_v5'])
  assert.deepEqual(text('compute/tagsList/1/value/'), [200, 'nodepool1'])
  assert.deepEqual(text('network/interface/0/ipv4/ipAddress/0/privateIpAddress'), [200, '10.224.0.4'])
  assert.deepEqual(text(''), [200, 'compute/\nnetwork/'])
  assert.deepEqual(text('network/interface/0/ipv4'), [200, 'ipAddress/\nsubnet/'])
  assert.deepEqual(text('compute/nothing')[0], 404)
  assert.deepEqual(text('compute/__proto__')[0], 404)
  assert.equal(ask('/metadata/instance/compute/vmSize?api-version=2021-02-01').status, 400)
  assert.equal(ask('/metadata/instance?api-version=2021-02-01&format=xml').status, 400)
})

test('whoever was sent by somebody else is refused: no header, a forwarded question, another method', () => {
  const target = '/metadata/instance?api-version=2021-02-01'
  assert.deepEqual(ask(target, { headers: {} }).body, '{"error":"Bad request. Required metadata header not specified"}')
  assert.equal(ask(target, { headers: { metadata: 'false' } }).status, 400)
  const forwarded = ask(target, { headers: { metadata: 'true', 'x-forwarded-for': '10.0.0.1' } })
  assert.match(`${forwarded.status} ${forwarded.body}`, /^400 .*X-Forwarded-For/)
  assert.equal(ask(target, { method: 'POST' }).status, 405)
  assert.equal(ask('/metadata/attested/document?api-version=2021-02-01').status, 404)
  assert.equal(ask('/').status, 404)
})

test('a machine without an identity gives no tokens, in Azure’s words', () => {
  const token = (query: string, headers?: Readonly<Record<string, string>>): unknown => {
    const { status, body } = ask(`/metadata/identity/oauth2/token?${query}`, headers === undefined ? {} : { headers })
    return [status, JSON.parse(body)]
  }
  const refused = (error: string, error_description: string): unknown => [400, { error, error_description }]
  const resource = 'resource=https%3A%2F%2Fmanagement.azure.com%2F'
  assert.deepEqual(token(`api-version=2018-02-01&${resource}`), refused('invalid_request', 'Identity not found'))
  assert.deepEqual(
    token('api-version=2018-02-01'),
    refused('invalid_request', 'Required audience parameter not specified'),
  )
  assert.deepEqual(
    token(`api-version=2018-02-01&${resource}`, {}),
    refused('bad_request_102', 'Required metadata header not specified'),
  )
  assert.deepEqual(
    token(`api-version=2017-04-02&${resource}`),
    refused('bad_request', 'api-version is invalid or was not specified in the request'),
  )
})

test('a question for a token goes on with what names resource and identity, and nothing else', () => {
  const asked = ask(
    '/metadata/identity/oauth2/token/?api-version=2018-02-01&resource=https%3A%2F%2Fa%2F&client_id=x&bypass_cache=true',
  )
  assert.equal(asked.passedOn, '/metadata/identity/oauth2/token?resource=https%3A%2F%2Fa%2F&client_id=x')
  assert.equal(ask('/metadata/identity/info?api-version=2018-02-01').passedOn, '/metadata/identity/info?')
  const unasked = ask('/metadata/identity/oauth2/token?api-version=2018-02-01&resource=a', { headers: {} })
  assert.deepEqual([unasked.status, unasked.passedOn], [400, undefined])
})

test('scheduled events are told by version, and start once they are agreed to', () => {
  const event = {
    id: '602D9444-D2CD-49C7-8624-8643E7171297',
    type: 'Preempt',
    notBeforeMs: Date.UTC(2026, 0, 2, 3, 4, 5),
    description: 'why',
    source: 'Platform',
    durationSeconds: -1,
  } as const
  const target = '/metadata/scheduledevents?api-version=2020-07-01'
  assert.deepEqual(JSON.parse(ask(target).body), { DocumentIncarnation: 1, Events: [] })
  const own = { ...facts, events: { incarnation: 2, events: [event] } }
  assert.deepEqual(JSON.parse(ask(target, {}, own).body), {
    DocumentIncarnation: 2,
    Events: [
      {
        EventId: event.id,
        EventStatus: 'Scheduled',
        EventType: 'Preempt',
        ResourceType: 'VirtualMachine',
        Resources: ['aks-nodepool1-12345678-vmss000003'],
        NotBefore: 'Fri, 02 Jan 2026 03:04:05 GMT',
        Description: 'why',
        EventSource: 'Platform',
        DurationInSeconds: -1,
      },
    ],
  })
  const older = JSON.parse(ask('/metadata/scheduledevents?api-version=2019-01-01', {}, own).body) as {
    Events: object[]
  }
  assert.equal('Description' in older.Events[0]!, false)
  const start = (id: string): MetadataAnswer =>
    ask(
      target,
      { method: 'POST', headers: { metadata: 'true' }, body: JSON.stringify({ StartRequests: [{ EventId: id }] }) },
      own,
    )
  const agreed = start(event.id)
  assert.deepEqual([agreed.status, agreed.approved], [200, [event.id]])
  assert.equal(start('another').status, 400)
  assert.equal(ask(target, { method: 'POST', body: 'nonsense' }, own).status, 400)
  const started = JSON.parse(ask(target, {}, { ...own, approved: new Set([event.id]) }).body) as {
    DocumentIncarnation: number
    Events: { EventStatus: string; NotBefore: string }[]
  }
  assert.deepEqual(
    [started.DocumentIncarnation, started.Events[0]!.EventStatus, started.Events[0]!.NotBefore],
    [3, 'Started', ''],
  )
})
