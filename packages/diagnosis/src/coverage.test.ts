// docs/coverage/diagnosis.md says what the scenarios and the tests of the detectors show. Run with AKSEL_WRITE=1 to write it anew.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { scenarios } from './scenarios/all.ts'

const page = new URL('../../../docs/coverage/diagnosis.md', import.meta.url)
const detectors = new URL('detectors/', import.meta.url)

/** Findings that no test cluster can be brought to, and the test that shows them. */
const judged: readonly (readonly [string, string, string])[] = [
  [
    'taints that the pod does not tolerate',
    'pending/taints',
    'a taint that the pod does not tolerate is in the way only where no other node is left',
  ],
  [
    'nodes that the cluster has marked as unfit',
    'pending/nodes-unwell',
    'nodes that the cluster itself has marked as unfit are told as such',
  ],
  ['cordoned nodes', 'pending/cordoned', 'cordoned nodes and no nodes at all'],
  ['no nodes at all', 'pending/no-nodes', 'cordoned nodes and no nodes at all'],
  [
    'an autoscaler of nodes without room',
    'pending/insufficient-resources',
    'an autoscaler of nodes that has no room is told with what is short',
  ],
  ['a volume whose zone has no node left', 'pending/volume-zone', 'a volume whose zone has no node left'],
  ['a node that is silent', 'nodes/silent', 'nodes that are silent or under pressure'],
  ['a node under pressure', 'nodes/disk-pressure', 'nodes that are silent or under pressure'],
  ['an evicted pod', 'nodes/evicted', 'an evicted pod says what its node was low on'],
  ['an autoscaler at its maximum', 'performance/autoscaler-at-maximum', 'an autoscaler at its maximum'],
  [
    'memory near its limit',
    'performance/memory-near-limit',
    'memory near its limit, and a neighbour that takes all the CPU',
  ],
  ['a noisy neighbour', 'performance/noisy-neighbour', 'memory near its limit, and a neighbour that takes all the CPU'],
  [
    'a certificate in a secret that is over',
    'access/certificate-expired',
    'certificates in secrets that are over, end soon, or last',
  ],
  [
    'a certificate in a secret that ends soon',
    'access/certificate-expires-soon',
    'certificates in secrets that are over, end soon, or last',
  ],
  [
    'a signing request that nobody approves',
    'access/certificate-not-approved',
    'a certificate that nobody approves, and one that was denied',
  ],
  [
    'a signing request that was denied',
    'access/certificate-refused',
    'a certificate that nobody approves, and one that was denied',
  ],
  [
    'requests that wait for a seat of their priority level',
    'performance/api-queued',
    'an API server whose clients wait, and one whose event loop is late',
  ],
  [
    'an event loop that is late',
    'performance/event-loop',
    'an API server whose clients wait, and one whose event loop is late',
  ],
  [
    'a node whose pods no route leads to',
    'network/route-missing',
    'a route to the pods of a node that is missing or leads elsewhere',
  ],
  [
    'a node that has no address left for a pod',
    'network/addresses-exhausted',
    'a pod that gets no address, and a pool whose subnet is full',
  ],
  [
    'a pool whose order failed for want of addresses',
    'network/addresses-exhausted',
    'a pod that gets no address, and a pool whose subnet is full',
  ],
  ['a pod that cannot end', 'workloads/pod-stuck', 'a pod that cannot end because its node does not answer'],
]

/** Faults that are caused in other stories: name, finding, file, title of the test. */
const elsewhere: readonly (readonly [string, string, string, string])[] = [
  [
    'a client that is turned away by priority and fairness',
    'performance/api-throttled',
    'tests/e2e/diagnosis.test.ts',
    'a client that floods the API server is found, and so is the guard that stops it',
  ],
  [
    'a client against which the managed API server guard acts',
    'performance/api-guard',
    'tests/e2e/diagnosis.test.ts',
    'a client that floods the API server is found, and so is the guard that stops it',
  ],
  [
    'a network security group that shuts a service off',
    'network/security-group-blocks',
    'tests/e2e/networks.test.ts',
    'a security group, a route and a full subnet that stop a cluster are found by diagnosis',
  ],
  [
    'a network security group that lets nothing out',
    'network/security-group-blocks',
    'tests/e2e/networks.test.ts',
    'a security group, a route and a full subnet that stop a cluster are found by diagnosis',
  ],
  [
    'a route that drops what leaves the subnet',
    'network/route-missing',
    'tests/e2e/networks.test.ts',
    'a security group, a route and a full subnet that stop a cluster are found by diagnosis',
  ],
  [
    'a subnet without an address for one more node',
    'network/addresses-exhausted',
    'tests/e2e/networks.test.ts',
    'a security group, a route and a full subnet that stop a cluster are found by diagnosis',
  ],
]

function rendered(): string {
  const caused = scenarios.map(({ name, finds }) => `| ${name} | \`${finds}\` | caused |`)
  const others = elsewhere.map(([name, id, file]) => `| ${name} | \`${id}\` | caused in \`${file}\` |`)
  const rest = judged.map(([name, id, title]) => `| ${name} | \`${id}\` | judged: ${title} |`)
  return [
    '# Diagnosis',
    '',
    '`aksel diagnose` over each fault. `caused`: the fault is made in a cluster of real containers and found there',
    '(`tests/e2e/diagnosis.test.ts`), beside a cluster that is well, in which nothing is found. `judged`: shown on made-up objects',
    '(`diagnose.test.ts`, `around.test.ts` in `packages/diagnosis/src`). A login that is over, refused or of another issuer is caused as well.',
    '',
    'Not there: causes that only traces or metrics over time tell. What lies around the nodes (security groups, routes, subnets, failed',
    'pools) is asked of Resource Manager and its Network Watcher, for clusters of this server.',
    '',
    '| Fault | Finding | Shown |',
    '| --- | --- | --- |',
    ...caused,
    ...others,
    ...rest,
    '',
  ].join('\n')
}

void test('docs/coverage/diagnosis.md is what the scenarios and tests say', () => {
  const wanted = rendered()
  if (process.env['AKSEL_WRITE'] === '1') writeFileSync(page, wanted)
  assert.equal(readFileSync(page, 'utf8'), wanted)
})

void test('each test that the table names exists, and each finding of a scenario is one that a detector can make', () => {
  const tests = ['diagnose.test.ts', 'around.test.ts']
    .map((file) => readFileSync(new URL(file, import.meta.url), 'utf8'))
    .join('\n')
  for (const [, , title] of judged) assert.ok(tests.includes(`'${title}'`), title)
  for (const [, , file, title] of elsewhere)
    assert.ok(readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8').includes(title), title)
  const source = readdirSync(detectors)
    .map((file) => readFileSync(new URL(file, detectors), 'utf8'))
    .join('\n')
  for (const { finds } of scenarios) {
    const [family, cause] = finds.split('/') as [string, string]
    assert.ok(source.includes(`'${finds}'`) || source.includes(`'${cause}'`) || source.includes(`${family}/\${`), finds)
  }
})
