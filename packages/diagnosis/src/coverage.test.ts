// docs/coverage/diagnosis.md says what the scenarios and the tests of the detectors show. Run with AKSEL_WRITE=1 to write it anew.

import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { advice } from './scenarios/advice.ts'
import { scenarios } from './scenarios/all.ts'

const page = new URL('../../../docs/coverage/diagnosis.md', import.meta.url)
const detectors = new URL('detectors/', import.meta.url)

/** Findings that a test cluster cannot be brought to at will: why not, and the test that shows them. */
const judged: readonly (readonly [string, string, string, string])[] = [
  [
    'a noisy neighbour',
    'performance/noisy-neighbour',
    'memory near its limit, and a neighbour that takes all the CPU',
    'it needs nine tenths of a machine for itself',
  ],
  ...noRegistry([
    ['an image or a tag that the registry does not have', 'containers/image-not-found'],
    ['a registry that wants a password, and a pod without a pull secret', 'containers/image-secret'],
  ]),
]

function noRegistry(
  rows: readonly (readonly [name: string, id: string])[],
): readonly (readonly [string, string, string, string])[] {
  const title = 'what a registry answers is told as its cause: no such image, no password, a wrong one, nobody there'
  return rows.map(([name, id]) => [name, id, title, 'the machines of the tests reach no registry'])
}

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
  [
    'a node whose pods no route leads to',
    'network/route-missing',
    'tests/e2e/networks.test.ts',
    'a security group, a route and a full subnet that stop a cluster are found by diagnosis',
  ],
  [
    'a node that has no address left for a pod',
    'network/addresses-exhausted',
    'tests/e2e/pod-networks.test.ts',
    "a pod subnet without another batch is told on the node in Azure's words, and its pods say that no address is left",
  ],
  [
    'a pool whose order failed for want of addresses',
    'network/addresses-exhausted',
    'tests/e2e/pod-networks.test.ts',
    'Azure CNI by pod subnet, dynamic: a node holds addresses in batches of 16, more as pods come, fewer as they go',
  ],
  ...here('nodes that take nobody are told by what keeps pods away', [
    ['taints that the pod does not tolerate', 'pending/taints'],
    ['cordoned nodes', 'pending/cordoned'],
    ['an autoscaler of nodes without room', 'pending/insufficient-resources'],
  ]),
  ...here('a node whose disk is full is found, with the pods that it threw out and those that wait for it', [
    ['a node under pressure', 'nodes/disk-pressure'],
    ['nodes that the cluster has marked as unfit', 'pending/nodes-unwell'],
    ['an evicted pod', 'nodes/evicted'],
  ]),
  ...here('a node that nobody hears, a pod that cannot end there, and a cluster without a node', [
    ['a node that is silent', 'nodes/silent'],
    ['a pod that cannot end', 'workloads/pod-stuck'],
    ['no nodes at all', 'pending/no-nodes'],
  ]),
  ...here('a client that floods the API server is found, and so is the guard that stops it', [
    ['requests that wait for a seat of their priority level', 'performance/api-queued'],
  ]),
  ...here('an API server whose process is kept from its core is found by what its event loop lost', [
    ['an event loop that is late', 'performance/event-loop'],
  ]),
  ...here('every fault is found, with its cause', [
    ['a certificate in a secret that is over', 'access/certificate-expired'],
    ['a certificate in a secret that ends soon', 'access/certificate-expires-soon'],
  ]),
]

function here(
  title: string,
  rows: readonly (readonly [name: string, id: string])[],
): readonly (readonly [string, string, string, string])[] {
  return rows.map(([name, id]) => [name, id, 'tests/e2e/diagnosis.test.ts', title])
}

function rendered(): string {
  const caused = scenarios.map(({ name, finds }) => `| ${name} | \`${finds}\` | caused |`)
  const asked = advice.map(
    ({ name, finds }) => `| ${name} | \`${finds}\` | caused; told by \`diagnose ${finds.split('/')[0]}\` |`,
  )
  const others = elsewhere.map(([name, id, file]) => `| ${name} | \`${id}\` | caused in \`${file}\` |`)
  const rest = judged.map(([name, id, title, why]) => `| ${name} | \`${id}\` | judged, as ${why}: ${title} |`)
  return [
    '# Diagnosis',
    '',
    '`aksel diagnose` over each fault. `caused`: the fault is made in a cluster of real containers and found there',
    '(`tests/e2e/diagnosis.test.ts`), beside a cluster that is well, in which nothing is found. `judged`: shown on made-up objects',
    '(`diagnose.test.ts`, `around.test.ts`, `log-causes.test.ts` in `packages/diagnosis/src`). A login that is over, refused or of another issuer is caused as well.',
    '',
    'Of the analyzers of k8sgpt those that need an add-on whose kinds no cluster has by itself (Gateway API, Operator Lifecycle Manager) are',
    'not there; those that tell what is no fault (`security`, `tidiness`) are asked for by name. What a schedule or a deadline of a CronJob',
    'may not be, and config maps over a megabyte, the API server refuses.',
    '',
    'Not there: causes that only traces or metrics over time tell. What lies around the nodes (security groups, routes, subnets, failed',
    'pools) is asked of Resource Manager and its Network Watcher, for clusters of this server.',
    '',
    '| Fault | Finding | Shown |',
    '| --- | --- | --- |',
    ...caused,
    ...others,
    ...rest,
    ...asked,
    '',
  ].join('\n')
}

void test('docs/coverage/diagnosis.md is what the scenarios and tests say', () => {
  const wanted = rendered()
  if (process.env['AKSEL_WRITE'] === '1') writeFileSync(page, wanted)
  assert.equal(readFileSync(page, 'utf8'), wanted)
})

/** A title in a comment or in another list is no test. */
function hasTest(source: string, title: string): boolean {
  return [`'${title}'`, `"${title}"`, `\`${title}\``].some((quoted) => {
    const at = source.indexOf(quoted)
    return at >= 0 && /\btest\(\s*$/.test(source.slice(0, at))
  })
}

void test('each test that the table names exists, and each finding of a scenario is one that a detector can make', () => {
  const own = ['diagnose.test.ts', 'around.test.ts', 'log-causes.test.ts'].map((file) =>
    readFileSync(new URL(file, import.meta.url), 'utf8'),
  )
  for (const [, , title] of judged)
    assert.ok(
      own.some((source) => hasTest(source, title)),
      title,
    )
  for (const [, , file, title] of elsewhere)
    assert.ok(hasTest(readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8'), title), title)
  const source = readdirSync(detectors)
    .map((file) => readFileSync(new URL(file, detectors), 'utf8'))
    .join('\n')
  for (const finds of [
    ...[...scenarios, ...advice].map((each) => each.finds),
    ...[...judged, ...elsewhere].map(([, id]) => id),
  ]) {
    const [family, cause] = finds.split('/') as [string, string]
    assert.ok(source.includes(`'${finds}'`) || source.includes(`'${cause}'`) || source.includes(`${family}/\${`), finds)
  }
})

void test('a title that stands anywhere else is no test', () => {
  const source = `// 'a lost one'\nvoid test(\n  'a node',\n  () => {})\nconst titles = ['a pod']`
  assert.deepEqual(
    ['a node', 'a pod', 'a lost one'].filter((title) => hasTest(source, title)),
    ['a node'],
  )
})
