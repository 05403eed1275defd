// Where pods get their addresses as they come: from a pod subnet in batches, or from a plug-in that the user brings.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { contains, parseAddress, parseRange } from '@aksel/base/ipv4'
import type { ContainerServiceClient, ManagedClusterAgentPoolProfile } from '@azure/arm-containerservice'
import type { NetworkManagementClient, Subnet } from '@azure/arm-network'
import { Aksel, runProgram } from './aksel.ts'
import { connectionOf, networkClient, sdkClient, subnetsIn } from './sdk-client.ts'

const group = 'pod-networks'
const region = 'westeurope'
const ranges = {
  nodes: '10.1.0.0/24',
  pods: '10.1.4.0/24',
  tight: '10.1.9.0/27',
  /** Three addresses, as Azure keeps five of each subnet. */
  narrow: '10.1.10.0/29',
} as const

let aksel: Aksel
let client: ContainerServiceClient
let networks: NetworkManagementClient
let subnetIds: ReadonlyMap<string, string>

before(async () => {
  aksel = await Aksel.inNewFolder()
  await aksel.ok(['up', '--nodes', '1'], { timeoutMs: 170_000 })
  const connection = await connectionOf(aksel)
  client = await sdkClient(connection)
  networks = await networkClient(connection)
  subnetIds = await subnetsIn(aksel, networks, { group, location: region, name: 'net', ranges })
})

after(async () => {
  await aksel[Symbol.asyncDispose]()
})

type Kubectl = (...args: readonly string[]) => Promise<string>

/** A cluster of one node, unless the pool says otherwise. */
async function clusterOn(
  name: string,
  profile: object,
  pool: Partial<ManagedClusterAgentPoolProfile>,
): Promise<Kubectl> {
  const node = { name: 'system', mode: 'System', count: 1, vmSize: 'Standard_D2s_v5' }
  const created = await client.managedClusters.createOrUpdate(group, name, {
    location: region,
    dnsPrefix: name,
    networkProfile: profile,
    agentPoolProfiles: [{ ...node, ...pool }],
  })
  assert.equal(created.provisioningState, 'Succeeded')
  const { kubeconfigs } = await client.managedClusters.listClusterAdminCredentials(group, name)
  const path = join(aksel.dataDir, `${name}-kubeconfig`)
  await writeFile(path, kubeconfigs![0]!.value!)
  return (...args) => aksel.kubectl(['--kubeconfig', path, ...args])
}

/** Asked again until it says so, or the time is over. */
async function eventually(ask: () => Promise<string>, words: RegExp, withinMs = 90_000): Promise<string> {
  const end = Date.now() + withinMs
  let last = await ask()
  while (!words.test(last) && Date.now() < end) {
    await sleep(300)
    last = await ask()
  }
  assert.match(last, words)
  return last
}

/** Addresses of the subnet that machines hold for their pods. */
async function heldOf(subnet: keyof typeof ranges): Promise<number> {
  const { networks } = JSON.parse(await readFile(join(aksel.dataDir, 'fabric', 'fabric.json'), 'utf8')) as {
    networks: Record<string, { machines: Record<string, { pods?: { subnetId: string; addresses: string[] } }> }>
  }
  const id = subnetIds.get(subnet)!.toLowerCase()
  const machines = Object.values(networks).flatMap((network) => Object.values(network.machines))
  return machines.reduce((sum, { pods }) => sum + (pods?.subnetId === id ? pods.addresses.length : 0), 0)
}

/** The VNet's link on the host, and the network namespaces of its machines. */
async function placeOf(
  subnet: keyof typeof ranges,
): Promise<{ readonly router: string; readonly machines: readonly string[] }> {
  const { networks: all } = JSON.parse(await readFile(join(aksel.dataDir, 'fabric', 'fabric.json'), 'utf8')) as {
    networks: Record<string, { key: string; machines: Record<string, { key: string }> }>
  }
  const { key, machines } =
    all[
      subnetIds
        .get(subnet)!
        .toLowerCase()
        .replace(/\/subnets\/.*/, '')
    ]!
  return { router: `aksel-${key}`, machines: Object.values(machines).map((machine) => `aksel-${machine.key}`) }
}

/**
 * What leaves the VNet is seen at the host's end of its link, at the one port that the host opens to machines there: by which address it
 * comes. Pods of the one node and the node itself ask.
 */
async function assertPodsSubnetRules(kubectl: Kubectl): Promise<void> {
  const { router, machines } = await placeOf('pods')
  const [, end] = /inet (\S+)\/30/.exec((await runProgram(['ip', '-4', 'addr', 'show', 'dev', router])).stdout)!
  await using seen = createServer((_request, response) => response.end(`by ${_request.socket.remoteAddress}`))
  await once(seen.listen(53, end), 'listening')
  await kubectl('run', 'asker', '--image=docker.io/library/busybox:1.36', '--command', '--', 'sleep', '36000')
  await kubectl('wait', 'pod/asker', '--for=condition=Ready', '--timeout=120s')
  const wget = ['wget', '-q', '-O', '-', `http://${end}:53/`]
  const node = async (): Promise<string> =>
    (await runProgram(['nsenter', `--net=/run/netns/${machines[0]}`, 'timeout', '30', 'busybox', ...wget])).stdout
  const pod = (): Promise<string> =>
    kubectl('exec', 'asker', '--', 'sh', '-c', `timeout 3 ${wget.join(' ')} || echo silence`)
  const put = async (change: Subnet): Promise<void> => {
    await networks.subnets.beginCreateOrUpdateAndWait(group, 'net', 'pods', { addressPrefix: ranges.pods, ...change })
  }
  const clusters = await node()
  assert.match(clusters, /^by 100\.66\./)
  assert.equal(await eventually(pod, /^by /), clusters, "by the cluster's load balancer")

  const deny = { direction: 'Outbound', access: 'Deny', protocol: 'Tcp', destinationPortRange: '53' } as const
  const everyone = { sourceAddressPrefix: '*', sourcePortRange: '*', destinationAddressPrefix: '*' }
  const closed = await networks.networkSecurityGroups.beginCreateOrUpdateAndWait(group, 'closed', {
    location: region,
    securityRules: [{ name: 'no-53', priority: 100, ...deny, ...everyone }],
  })
  await put({ networkSecurityGroup: { id: closed.id! } })
  await eventually(pod, /silence/)
  assert.equal(await node(), clusters)
  const denied = /^Pod asker: .* denied by security rule "no-53" \(Outbound\) .* of subnet "pods"/m
  const events = ['get', 'events', '--field-selector', 'reason=NetworkSecurityGroupDenied', '-o']
  const told = 'jsonpath={range .items[*]}{.involvedObject.kind} {.involvedObject.name}: {.message}{"\\n"}{end}'
  await eventually(async () => `${await pod()}\n${await kubectl(...events, told)}`, denied)

  const table = await networks.routeTables.beginCreateOrUpdateAndWait(group, 'nowhere', {
    location: region,
    routes: [{ name: 'nowhere', addressPrefix: '100.64.0.0/16', nextHopType: 'None' }],
  })
  await put({ routeTable: { id: table.id! } })
  await eventually(pod, /silence/)
  assert.equal(await node(), clusters)

  const address = await networks.publicIPAddresses.beginCreateOrUpdateAndWait(group, 'pods-out', {
    location: region,
    sku: { name: 'Standard' },
    publicIPAllocationMethod: 'Static',
  })
  const gateway = await networks.natGateways.beginCreateOrUpdateAndWait(group, 'pods-out', {
    location: region,
    sku: { name: 'Standard' },
    publicIpAddresses: [{ id: address.id! }],
  })
  await put({ natGateway: { id: gateway.id! } })
  await eventually(pod, new RegExp(`^by ${address.ipAddress}$`))
  assert.equal(await node(), clusters)
}

/** What `aksel diagnose` tells of addresses: subject and cause. */
async function exhausted(cluster: string): Promise<string> {
  const text = await aksel.ok(['diagnose', '--cluster', cluster, '-g', group, '-o', 'json'])
  const { findings } = JSON.parse(text) as {
    readonly findings: readonly {
      readonly id: string
      readonly cause: string
      readonly subject: { readonly kind: string }
    }[]
  }
  return findings
    .filter(({ id }) => id === 'network/addresses-exhausted')
    .map(({ subject, cause }) => `${subject.kind} ${cause}`)
    .join('\n')
}

/** Within the VNet alone: each takes an address of the nodes' subnet. */
const internal = (name: string): object => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, annotations: { 'service.beta.kubernetes.io/azure-load-balancer-internal': 'true' } },
  spec: { type: 'LoadBalancer', selector: { app: 'crowd' }, ports: [{ port: 80 }] },
})

const deployment = (name: string, replicas: number): readonly string[] =>
  `create deployment ${name} --image registry.k8s.io/pause:3.6 --replicas ${replicas}`.split(' ')

test(
  'Azure CNI by pod subnet, dynamic: a node holds addresses in batches of 16, more as pods come, fewer as they go',
  { timeout: 400_000 },
  async () => {
    const kubectl = await clusterOn(
      'dynamic',
      { networkPlugin: 'azure' },
      { podSubnetID: subnetIds.get('pods')!, vnetSubnetID: subnetIds.get('narrow')! },
    )
    assert.equal(await heldOf('pods'), 16)
    await kubectl(...deployment('crowd', 18))
    await kubectl('rollout', 'status', 'deployment/crowd', '--timeout=180s')
    const pods = (await kubectl('get', 'pods', '-o', 'jsonpath={.items[*].status.podIP}')).split(' ')
    assert.equal(new Set(pods).size, 18)
    assert.deepEqual(
      pods.filter((address) => !contains(parseRange(ranges.pods), parseAddress(address))),
      [],
    )
    const held = await heldOf('pods')
    assert.ok(held >= 32 && held % 16 === 0, `holds ${held}`)
    await kubectl('scale', 'deployment/crowd', '--replicas=1')
    await eventually(async () => `holds ${await heldOf('pods')}`, /^holds 16$/)
    await assertPodsSubnetRules(kubectl)

    // Two services and a node fill the subnet: the node that is ordered has room beside other nodes, and gets no address.
    for (const name of ['one', 'two']) {
      await aksel.kubectl(['--kubeconfig', join(aksel.dataDir, 'dynamic-kubeconfig'), 'apply', '-f', '-'], {
        input: JSON.stringify(internal(name)),
      })
      await kubectl('wait', `service/${name}`, '--for=jsonpath={.status.loadBalancer.ingress[0].ip}', '--timeout=120s')
    }
    const pool = await client.agentPools.get(group, 'dynamic', 'system')
    await assert.rejects(
      client.agentPools.createOrUpdate(group, 'dynamic', 'system', { ...pool, count: 2 }),
      /SubnetIsFull/,
    )
    const told = await exhausted('dynamic')
    assert.match(told, /^NodePool SubnetIsFull: .*Machine '.*' of agent pool 'system' has none\.$/m)
    await client.managedClusters.delete(group, 'dynamic')
    assert.equal(await heldOf('pods'), 0)
  },
)

test(
  "a pod subnet without another batch is told on the node in Azure's words, and its pods say that no address is left",
  { timeout: 400_000 },
  async () => {
    const kubectl = await clusterOn(
      'tight',
      { networkPlugin: 'azure' },
      {
        vnetSubnetID: subnetIds.get('nodes')!,
        podSubnetID: subnetIds.get('tight')!,
      },
    )
    await kubectl(...deployment('crowd', 17))
    const told = [
      'get',
      'events',
      '-A',
      '-o',
      'jsonpath={range .items[*]}{.involvedObject.kind} {.reason}: {.message}{"\\n"}{end}',
    ]
    const full =
      /^Node SubnetIsFull: Subnet tight with address prefix 10\.1\.9\.0\/27 does not have enough capacity for 16 IP addresses\.$/m
    await eventually(() => kubectl(...told), full)
    await eventually(() => kubectl(...told), /^Pod FailedCreatePodSandBox: .*no IP addresses available in range set/m)
    assert.equal(await heldOf('tight'), 16)
    assert.match(
      await exhausted('tight'),
      /^Pod Node "aks-system-.*" has given all the addresses that it has for pods\.$/m,
    )
    // Who needs fewer is served.
    await kubectl('scale', 'deployment/crowd', '--replicas=6')
    await kubectl('rollout', 'status', 'deployment/crowd', '--timeout=120s')
    await client.managedClusters.delete(group, 'tight')
  },
)

/** A plug-in of the test's own: it takes its range from a file beside its configuration, and has the reference plug-in make the link. */
const brought = String.raw`
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: brought, namespace: kube-system}
spec:
  selector: {matchLabels: {app: brought}}
  template:
    metadata: {labels: {app: brought}}
    spec:
      hostNetwork: true
      tolerations: [{operator: Exists}]
      containers:
        - name: install
          image: docker.io/library/busybox:1.36
          command:
            - sh
            - -ec
            - |
              printf '%s\n' '#!/bin/sh' '. /etc/cni/net.d/brought.env' \
                'sed -e "s/brought/ptp/; s#RANGE#$RANGE#" | /opt/cni/bin/ptp' > /host/bin/brought.new
              chmod 755 /host/bin/brought.new && mv /host/bin/brought.new /host/bin/brought
              echo RANGE=10.99.0.0/24 > /host/net.d/brought.env
              echo '{"cniVersion": "0.4.0", "name": "byo", "plugins": [{"type": "brought", "ipam":
                {"type": "host-local", "subnet": "RANGE", "routes": [{"dst": "0.0.0.0/0"}]}}]}' > /host/net.d/new
              mv /host/net.d/new /host/net.d/10-byo.conflist
              exec sleep 36000
          volumeMounts: [{name: bin, mountPath: /host/bin}, {name: conf, mountPath: /host/net.d}]
      volumes:
        - {name: bin, hostPath: {path: /opt/cni/bin}}
        - {name: conf, hostPath: {path: /etc/cni/net.d}}
`

const web = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: web
          image: docker.io/library/busybox:1.36
          command: [sh, -c, 'hostname > index.html && exec httpd -f -p 8080']
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
`

/** Leases of the plug-in's network, in the machines' own folders. */
async function leasesOf(network: string): Promise<readonly string[]> {
  const machines = await readdir(join(aksel.dataDir, 'machines'))
  const folders = machines.flatMap((key) =>
    ['os/kubelet', 'kubelet'].map((root) => join(aksel.dataDir, 'machines', key, root, 'cni/var/networks', network)),
  )
  const found = await Promise.all(folders.map((folder) => readdir(folder).catch(() => [])))
  return found.flat().filter((name) => name.startsWith('10.'))
}

test(
  'network plugin none: nodes are not Ready until a DaemonSet brings a plug-in, which then gives pods their addresses',
  { timeout: 400_000 },
  async () => {
    const kubectl = await clusterOn('byo', { networkPlugin: 'none' }, { vnetSubnetID: subnetIds.get('nodes')! })
    const ready = ['get', 'nodes', '-o', 'jsonpath={.items[*].status.conditions[?(@.type=="Ready")]}']
    await eventually(() => kubectl(...ready), /"status":"False"/)
    assert.match(await kubectl(...ready), /NetworkReady=false reason:NetworkPluginNotReady/)
    await writeFile(join(aksel.dataDir, 'web.yaml'), web)
    await kubectl('apply', '-f', join(aksel.dataDir, 'web.yaml'))
    await eventually(
      () => kubectl('get', 'pods', '-o', 'jsonpath={.items[*].status.conditions[*].message}'),
      /not-ready/,
    )

    await writeFile(join(aksel.dataDir, 'brought.yaml'), brought)
    await kubectl('apply', '-f', join(aksel.dataDir, 'brought.yaml'))
    await kubectl('wait', 'nodes', '--all', '--for=condition=Ready', '--timeout=120s')
    await kubectl('rollout', 'status', 'deployment/web', '--timeout=120s')
    const list = 'jsonpath={range .items[*]}{.metadata.name} {.status.podIP}{"\\n"}{end}'
    const pods = (await kubectl('get', 'pods', '-l', 'app=web', '-o', list)).trim().split('\n')
    const [[one], [other, address]] = pods.map((line) => line.split(' ')) as [[string], [string, string]]
    assert.ok(contains(parseRange('10.99.0.0/24'), parseAddress(address)), address)
    const ask = (place: string): Promise<string> =>
      kubectl('exec', one, '--', 'timeout', '5', 'wget', '-q', '-O', '-', `http://${place}`)
    assert.equal((await ask(`${address}:8080`)).trim(), other)
    assert.match(await ask('web'), /^web-/)
    assert.equal((await leasesOf('byo')).length, 2, "in the machine's folder, not the host's")
    await kubectl('scale', 'deployment/web', '--replicas=1')
    await eventually(async () => `leases: ${(await leasesOf('byo')).length}`, /^leases: 1$/)
    await client.managedClusters.delete(group, 'byo')
  },
)

const both = `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
        - name: web
          image: docker.io/library/busybox:1.36
          env: [{name: IPS, valueFrom: {fieldRef: {fieldPath: status.podIPs}}}]
          command: [sh, -c, 'hostname > index.html && exec httpd -f -p 8080']
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: NodePort
  ipFamilyPolicy: PreferDualStack
  selector: {app: web}
  ports: [{port: 80, targetPort: 8080}]
`

const shutBoth = (from: readonly object[]): string =>
  JSON.stringify({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'web' },
    spec: { podSelector: { matchLabels: { app: 'web' } }, policyTypes: ['Ingress'], ingress: from },
  })

interface Dual {
  readonly metadata: { readonly name: string }
  readonly spec: {
    readonly podCIDRs?: readonly string[]
    readonly clusterIPs?: readonly string[]
    readonly ports?: readonly { readonly nodePort: number }[]
    readonly nodeName?: string
  }
  readonly status: {
    readonly podIPs?: readonly { readonly ip: string }[]
    readonly addresses?: readonly { readonly type: string; readonly address: string }[]
  }
}

/**
 * Named as upstream's dual-stack tests are: should have ipv4 and ipv6 internal node ip, should create pod, add ipv6 and ipv4 ip to pod
 * ips, should be able to reach pod on ipv4 and ipv6 ip, should create service with ipv4,v6 cluster ip, should function for node-Service.
 */
test(
  'dual stack: pods of two nodes, their service, its node port and its name by IPv6 as by IPv4; policies hold for both',
  { timeout: 400_000 },
  async () => {
    const overlay = { networkPlugin: 'azure', networkPluginMode: 'overlay', ipFamilies: ['IPv4', 'IPv6'] }
    const engine = { networkDataplane: 'cilium', networkPolicy: 'cilium' }
    const kubectl = await clusterOn('dual', { ...overlay, ...engine }, { count: 2 })
    const get = async (...what: readonly string[]): Promise<readonly Dual[]> =>
      (JSON.parse(await kubectl('get', ...what, '-o', 'json')) as { readonly items: readonly Dual[] }).items
    const nodes = await get('nodes')
    for (const { spec, status } of nodes) {
      const own = status.addresses!.filter(({ type }) => type === 'InternalIP').map(({ address }) => address)
      assert.deepEqual([own.length, own[1]!.includes(':')], [2, true], own.join())
      assert.deepEqual([spec.podCIDRs!.length, spec.podCIDRs![1]!.endsWith('/80')], [2, true], spec.podCIDRs!.join())
    }
    await writeFile(join(aksel.dataDir, 'both.yaml'), both)
    await kubectl('apply', '-f', join(aksel.dataDir, 'both.yaml'))
    await kubectl('rollout', 'status', 'daemonset/web', '--timeout=120s')
    const [one, other] = (await get('pods', '-l', 'app=web')) as [Dual, Dual]
    const sh = (script: string): Promise<string> => kubectl('exec', one.metadata.name, '--', 'sh', '-c', script)
    const ips = one.status.podIPs!.map(({ ip }) => ip)
    assert.equal((await sh('echo $IPS')).trim(), ips.join())
    const hosts = await sh('cat /etc/hosts')
    for (const ip of ips) assert.ok(hosts.includes(`${ip}\t${one.metadata.name}`), hosts)

    const page = (place: string): Promise<string> => sh(`timeout 3 wget -q -O - http://${place} 2>&1 || true`)
    const [other4, other6] = other.status.podIPs!.map(({ ip }) => ip) as [string, string]
    // A container that runs may not listen yet.
    assert.equal((await eventually(() => page(`[${other6}]:8080`), /^web-/)).trim(), other.metadata.name)
    const [service] = (await get('services', '--field-selector', 'metadata.name=web')) as [Dual]
    const address = service.spec.clusterIPs![1]!
    await eventually(() => page(`[${address}]`), /^web-/)
    const far = nodes.find(({ metadata }) => metadata.name === other.spec.nodeName)!
    const [, farAddress] = far.status.addresses!.map((each) => each.address)
    await eventually(() => page(`[${farAddress!}]:${service.spec.ports![0]!.nodePort}`), /^web-/)
    const named = await eventually(
      () => sh('nslookup -type=aaaa web.default.svc.cluster.local || true'),
      /Address:.*fd12/,
    )
    assert.ok(named.includes(address), named)
    await eventually(() => sh(`nslookup ${address} || true`), /web\.default\.svc\.cluster\.local/)
    // IPv6 ends at the VNet's edge, and says so at once.
    await eventually(() => page('[2001:db8::1]'), /[Uu]nreachable|No route/)

    const policy = join(aksel.dataDir, 'policy.json')
    const rule = async (from: readonly object[]): Promise<void> => {
      await writeFile(policy, shutBoth(from))
      await kubectl('apply', '-f', policy)
    }
    await rule([])
    for (const place of [`[${other6}]`, other4]) await eventually(() => page(`${place}:8080`), /^(?!web-)/)
    await rule([{ from: [{ podSelector: { matchLabels: { app: 'web' } } }] }])
    for (const place of [`[${other6}]`, other4]) await eventually(() => page(`${place}:8080`), /^web-/)
    await client.managedClusters.delete(group, 'dual')
  },
)
