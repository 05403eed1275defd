// What a node serves besides its pods: its metadata, the kubelet's port; and a node that is another host.

import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Aksel, runProgram } from './aksel.ts'
import type { KubeletAnswer, KubeletCall } from './kubelet-client.ts'
import { Shell } from './shell.ts'
import { SecondHost } from './second-host.ts'

interface NodeFacts {
  readonly spec: { readonly providerID: string }
}

interface InstanceDocument {
  readonly compute: {
    readonly resourceId: string
    readonly vmSize: string
    readonly location: string
    readonly osProfile: { readonly computerName: string }
  }
  readonly network: {
    readonly interface: readonly {
      readonly ipv4: { readonly ipAddress: readonly { readonly privateIpAddress: string }[] }
    }[]
  }
}

interface Placed {
  readonly attachment: { readonly networkNamespace: string; readonly address: string }
}

/** Serves a page on its loopback address alone, and says back what it is told. */
const script =
  'echo -n "the page" > /tmp/index.html; httpd -p 127.0.0.1:8080 -h /tmp; while read word; do echo heard $word; done; sleep 9999'

const kubeletClient = join(import.meta.dirname, 'kubelet-client.ts')

interface Request {
  readonly spec: { readonly signerName: string; readonly username: string }
  readonly status: { readonly conditions: readonly { readonly reason: string }[] }
}

let aksel: Aksel
let first: string

before(async () => {
  aksel = await Aksel.inNewFolder()
  await aksel.ok(['up', '--nodes', '1'])
  const { items } = await aksel.json<{ items: { metadata: { name: string } }[] }>('get nodes')
  first = items[0]!.metadata.name
})

after(async () => {
  await aksel[Symbol.asyncDispose]()
})

const machineFolder = async (node: string): Promise<string> => {
  const all = join(aksel.dataDir, 'machines')
  const name = (await readdir(all)).find((each) => each.endsWith(node.replace(/^aks-/, '')))
  return join(all, name!)
}

test(
  'a node serves at the kubelet’s port with a certificate of the cluster, to whom RBAC lets, and to nobody else',
  { timeout: 200_000 },
  async () => {
    const { attachment } = JSON.parse(
      await readFile(join(await machineFolder(first), 'machine.json'), 'utf8'),
    ) as Placed
    const ca = join(aksel.dataDir, 'root-ca.crt')
    await writeFile(ca, await aksel.kubectl('get configmap kube-root-ca.crt -o jsonpath={.data.ca\\.crt}'))
    const ask = async (path: string, token?: string): Promise<readonly [code: string, body: string]> => {
      // The certificate is asked for once the node stands in the API.
      const patient = ['--retry', '60', '--retry-delay', '1', '--retry-connrefused', '--max-time', '20']
      const who = token === undefined ? [] : ['--header', `Authorization: Bearer ${token}`]
      const url = `https://${attachment.address}:10250${path}`
      const curl = ['curl', '-sS', '-w', '\n%{http_code}', '--cacert', ca, ...patient, ...who, url]
      const { code, stdout, stderr } = await runProgram([
        'nsenter',
        `--net=/run/netns/${attachment.networkNamespace}`,
        ...curl,
      ])
      assert.equal(code, 0, stderr)
      const lines = stdout.split('\n')
      return [lines.at(-1)!, lines.slice(0, -1).join('\n').trim()]
    }
    await aksel.kubectl('create serviceaccount scraper')
    await aksel.kubectl('create clusterrole scraper --verb=get --resource=nodes/metrics')
    await aksel.kubectl('create clusterrolebinding scraper --clusterrole=scraper --serviceaccount=default:scraper')
    const token = (await aksel.kubectl('create token scraper')).trim()
    assert.deepEqual(await ask('/metrics'), ['401', 'Unauthorized'])
    assert.deepEqual(await ask('/metrics', 'nonsense'), ['401', 'Unauthorized'])
    const [code, metrics] = await ask('/metrics/cadvisor', token)
    assert.equal(code, '200', metrics)
    assert.match(metrics, /^container_cpu_usage_seconds_total\{/m)
    assert.match((await ask('/metrics/resource', token))[1], /^node_cpu_usage_seconds_total /m)
    assert.match((await ask('/metrics', token))[1], /^kubelet_running_pods \d+$/m)
    assert.deepEqual(await ask('/pods', token), [
      '403',
      'Forbidden (user=system:serviceaccount:default:scraper, verb=get, resource=nodes, subresource(s)=[pods proxy])',
    ])
    assert.match(
      await aksel.kubectl(`get --raw /api/v1/nodes/${first}/proxy/metrics/cadvisor`),
      /^machine_cpu_cores 2$/m,
    )
    const { kubeletconfig } = JSON.parse(await aksel.kubectl(`get --raw /api/v1/nodes/${first}/proxy/configz`)) as {
      kubeletconfig: Readonly<Record<string, unknown>>
    }
    const { address, port, clusterDNS, maxPods, evictionHard } = kubeletconfig
    assert.deepEqual([address, port, clusterDNS, maxPods], [attachment.address, 10_250, ['10.0.0.10'], 250])
    assert.equal((evictionHard as Readonly<Record<string, string>>)['memory.available'], '100Mi')
    const probe = { exec: { command: ['true'] }, periodSeconds: 1 }
    const container = { name: 'main', image: 'busybox:1.36', command: ['sleep', '10000'], readinessProbe: probe }
    const probed = { spec: { nodeName: first, containers: [container] } }
    await aksel.kubectl(['run', 'probed', '--image=busybox:1.36', '--overrides', JSON.stringify(probed)])
    await aksel.kubectl('wait pod/probed --for=condition=Ready --timeout=90s', { timeoutMs: 110_000 })
    assert.match(
      (await ask('/metrics/probes', token))[1],
      /^prober_probe_total\{container="main",namespace="default",pod="probed",probe_type="Readiness",pod_uid="[^"]+",result="successful"\} \d+$/m,
    )
    await aksel.kubectl('delete pod probed --now')
    const { items } = await aksel.json<{ items: Request[] }>('get csr')
    const serving = items.filter(({ spec }) => spec.signerName === 'kubernetes.io/kubelet-serving')
    const own = serving.filter(({ spec }) => spec.username === `system:node:${first}`)
    assert.ok(own.length > 0)
    for (const { status } of own) assert.equal(status.conditions[0]!.reason, 'AutoApproved')
  },
)

test(
  'exec, attach and port-forward at the kubelet’s port: for who may use the node as a proxy, by the protocols of its clients',
  { timeout: 200_000 },
  async () => {
    const spec = {
      nodeName: first,
      containers: [{ name: 'main', image: 'busybox:1.36', stdin: true, command: ['sh', '-c', script] }],
    }
    await aksel.kubectl(['run', 'served', '--image=busybox:1.36', '--overrides', JSON.stringify({ spec })])
    await aksel.kubectl('wait pod/served --for=condition=Ready --timeout=90s', { timeoutMs: 110_000 })
    await aksel.kubectl('create serviceaccount operator')
    await aksel.kubectl('create clusterrole operator --verb=get,create --resource=nodes/proxy')
    await aksel.kubectl('create clusterrolebinding operator --clusterrole=operator --serviceaccount=default:operator')
    const { attachment } = JSON.parse(
      await readFile(join(await machineFolder(first), 'machine.json'), 'utf8'),
    ) as Placed
    const ca = await aksel.kubectl('get configmap kube-root-ca.crt -o jsonpath={.data.ca\\.crt}')
    const token = (await aksel.kubectl('create token operator')).trim()
    const talk = async (asked: Omit<KubeletCall, 'address' | 'ca' | 'token'>, by = token): Promise<KubeletAnswer> => {
      const enter = ['nsenter', `--net=/run/netns/${attachment.networkNamespace}`, process.execPath, kubeletClient]
      const call: KubeletCall = { ...asked, address: attachment.address, ca, token: by }
      const { code, stdout, stderr } = await runProgram([...enter, JSON.stringify(call)])
      assert.equal(code, 0, stderr)
      return JSON.parse(stdout) as KubeletAnswer
    }
    const cat =
      '/exec/default/served/main?command=sh&command=-c&command=cat;echo+err+>%262;exit+3&input=1&output=1&error=1'
    const ended = await talk({ path: cat, protocol: 'v5.channel.k8s.io', input: 'hello', endsInput: true })
    assert.deepEqual([ended[1], ended[2]], ['hello', 'err\n'])
    assert.match(ended[3]!, /command terminated with exit code 3/)
    const attach = '/attach/default/served/main?input=1&output=1'
    const attached = await talk({ path: attach, protocol: 'v5.channel.k8s.io', input: 'word\n', until: 'heard word' })
    assert.match(attached[1]!, /heard word/)
    const port = { path: '/portForward/default/served?port=8080', protocol: 'v4.channel.k8s.io' }
    const page = await talk({ ...port, input: 'GET /index.html HTTP/1.0\r\n\r\n' })
    // Channels begin with the port's number.
    assert.equal(page[0]!.slice(0, 2), Buffer.from([0x90, 0x1f]).toString('latin1'))
    assert.match(page[0]!.slice(2), /^HTTP\/1\.\d 200 OK[^]*the page$/)
    const stranger = (await aksel.kubectl('create token default')).trim()
    assert.deepEqual(await talk({ path: cat, protocol: 'v5.channel.k8s.io' }, stranger), {
      refused:
        '403 Forbidden (user=system:serviceaccount:default:default, verb=get, resource=nodes, subresource(s)=[proxy])',
    })
    await aksel.kubectl('delete pod served --now')
  },
)

test('node prints what its transcript says', { timeout: 600_000 }, async () => {
  const shell = await Shell.open(aksel)
  await shell.replay('node', 150_000)
})

test(
  'a machine tells itself and its pods what it is, as in Azure, and pods no more where that is restricted',
  { timeout: 200_000 },
  async () => {
    for (const [name, hostNetwork] of [
      ['inside', false],
      ['beside', true],
    ] as const) {
      const spec = { nodeName: first, hostNetwork }
      const run = ['run', name, '--image=busybox:1.36', '--overrides', JSON.stringify({ spec })]
      await aksel.kubectl([...run, '--', 'sleep', '10000'])
    }
    await aksel.kubectl('wait pod/inside pod/beside --for=condition=Ready --timeout=90s', { timeoutMs: 110_000 })
    const ask = (pod: string, path: string, ...more: string[]): readonly string[] => {
      const wget = ['timeout', '10', 'wget', '-qO-', ...more, `http://169.254.169.254/metadata/${path}`]
      return ['kubectl', 'exec', pod, '--', ...wget]
    }
    const told = ['--header', 'Metadata: true']
    const { spec } = await aksel.json<NodeFacts>(`get node ${first}`)
    for (const pod of ['inside', 'beside']) {
      const { compute, network } = JSON.parse(
        await aksel.ok(ask(pod, 'instance?api-version=2021-02-01', ...told)),
      ) as InstanceDocument
      assert.equal(`azure://${compute.resourceId}`, spec.providerID)
      assert.deepEqual(
        [compute.osProfile.computerName, compute.vmSize, compute.location],
        [first, 'Standard_D2s_v5', 'westeurope'],
      )
      const address = await aksel.kubectl(['get', 'node', first, '-o', 'jsonpath={.status.addresses[0].address}'])
      assert.equal(network.interface[0]!.ipv4.ipAddress[0]!.privateIpAddress, address)
      assert.equal(
        await aksel.ok(ask(pod, 'instance/compute/vmSize?api-version=2021-02-01&format=text', ...told)),
        'Standard_D2s_v5',
      )
    }
    assert.match(await aksel.fails(ask('inside', 'instance?api-version=2021-02-01')), /400 Bad Request/)
    const token = 'identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/'
    const cluster = await aksel.ok(['az', 'aks', 'show', '-g', 'aksel', '-n', 'demo', '-o', 'json'])
    const { identityProfile } = JSON.parse(cluster) as { identityProfile: { kubeletidentity: { clientId: string } } }
    for (const pod of ['inside', 'beside']) {
      const got = JSON.parse(await aksel.ok(ask(pod, token, ...told))) as Readonly<Record<string, string>>
      assert.deepEqual([got['token_type'], got['resource']], ['Bearer', 'https://management.azure.com/'])
      assert.equal(got['client_id'], identityProfile.kubeletidentity.clientId)
    }
    assert.match(
      await aksel.fails(ask('inside', `${token}&client_id=${crypto.randomUUID()}`, ...told)),
      /400 Bad Request/,
    )
    assert.match(await aksel.fails(ask('inside', token)), /400 Bad Request/)
    const events = JSON.parse(
      await aksel.ok(ask('inside', 'scheduledevents?api-version=2020-07-01', ...told)),
    ) as object
    assert.deepEqual(events, { DocumentIncarnation: 1, Events: [] })

    const folder = await machineFolder(first)
    const config = JSON.parse(await readFile(join(folder, 'agent.json'), 'utf8')) as {
      instance: { isRestricted: boolean }
    }
    config.instance.isRestricted = true
    await writeFile(join(folder, 'agent.json'), JSON.stringify(config))
    process.kill(Number(await readFile(join(folder, 'agent.pid'), 'utf8')), 'SIGKILL')
    // Until the next agent has begun, the socket holds questions for it and pods are still let through.
    const end = AbortSignal.timeout(60_000)
    let heard = ''
    while (!/exit code 143/.test(heard)) {
      const { stdout, stderr } = await aksel.run(ask('inside', 'instance?api-version=2021-02-01', ...told))
      heard = stdout + stderr
      assert.ok(!end.aborted, `a pod is still answered: ${heard}`)
    }
    assert.match(await aksel.ok(ask('beside', 'instance?api-version=2021-02-01', ...told)), /"azEnvironment"/)
    await aksel.kubectl('delete pod inside beside --grace-period=0 --force')
  },
)

/** For `sh -c`: serves its name, and what takes more than one packet. */
const page = (name: string): string =>
  `mkdir /tmp/w; echo -n ${name} > /tmp/w/index.html; dd if=/dev/zero of=/tmp/w/big bs=1k count=500 2>/dev/null; exec httpd -f -p 8080 -h /tmp/w`

/** A pod of a machine in the VNet and the pod on the other host, by their addresses and by a service that both are behind. */
async function reachEachOther(host: SecondHost): Promise<void> {
  const run = ['run', 'here', '--image=busybox:1.36', '--overrides', JSON.stringify({ spec: { nodeName: first } })]
  await aksel.kubectl([...run, '--', 'sh', '-c', page('here')])
  await aksel.kubectl('wait pod/here --for=condition=Ready --timeout=90s', { timeoutMs: 110_000 })
  const addressOf = (pod: string): Promise<string> =>
    aksel.kubectl(['get', 'pod', pod, '-o', 'jsonpath={.status.podIP}'])
  const [here, there] = [await addressOf('here'), await addressOf('there')]
  const from = (pod: string, command: string): Promise<string> =>
    aksel.kubectl(['exec', pod, '--', 'sh', '-c', command], { timeoutMs: 60_000 })
  for (const [pod, other, name] of [
    ['here', there, 'there'],
    ['there', here, 'here'],
  ] as const) {
    assert.equal(await from(pod, `timeout 20 wget -qO- http://${other}:8080/`), name)
    assert.equal((await from(pod, `timeout 30 wget -qO- http://${other}:8080/big | wc -c`)).trim(), '512000')
  }
  await aksel.kubectl('label pod here there app=both --overwrite')
  await aksel.kubectl('create service clusterip both --tcp=80:8080')
  const sliced = '--for=jsonpath={.endpoints[1].addresses[0]}'
  await aksel.kubectl(['wait', 'endpointslice', '-l', 'kubernetes.io/service-name=both', sliced, '--timeout=60s'])
  for (const pod of ['here', 'there']) {
    // A connection each time: both answer within forty of them, or one of them cannot.
    const all = await from(pod, 'for n in $(seq 40); do timeout 20 wget -qO- http://both/ || echo lost; echo; done')
    assert.deepEqual([...new Set(all.trim().split('\n'))].toSorted(), ['here', 'there'], `by the service, from ${pod}`)
  }
  const { attachment } = JSON.parse(await readFile(join(await machineFolder(first), 'machine.json'), 'utf8')) as Placed
  const enter = ['nsenter', `--net=/run/netns/${attachment.networkNamespace}`]
  const curl = (address: string): readonly string[] => ['curl', '-s', '--max-time', '20', `http://${address}:8080/`]
  assert.equal((await runProgram([...enter, ...curl(there)])).stdout, 'there', 'from the machine itself')
  assert.equal((await host.run(curl(here))).stdout, 'here', 'from the other host itself')
  assert.match(await from('there', `nc -w 20 ${attachment.address} 10250 -e true && echo reached`), /reached/)
}

test(
  'another host joins by a token, runs pods like the others, and leaves without a trace; wrong tokens and hashes are refused',
  { timeout: 500_000 },
  async () => {
    await using host = await SecondHost.plugged()
    await host.run(['ip', 'route', 'add', '10.230.0.0/24', 'via', host.serverAddress])
    const untouched = await host.state()
    const command = await aksel.ok(['node', 'token', 'create', '--via', host.serverAddress])
    const [, server, token, pin] =
      /node join (\S+) --token (\S+) --discovery-token-ca-cert-hash (\S+) --via/.exec(command) ?? []
    assert.ok(server !== undefined && token !== undefined && pin !== undefined, command)
    assert.match(await aksel.ok(['node', 'token', 'list']), new RegExp(`${token} +2[34]h .*authentication,signing`))
    const signed = `--for=jsonpath={.data.jws-kubeconfig-${token.slice(0, 6)}}`
    await aksel.kubectl(['wait', '-n', 'kube-public', 'configmap/cluster-info', signed, '--timeout=60s'])
    const own = ['--via', host.serverAddress, '--node-name', 'second', '--node-labels', 'rack=two']
    const join = (given: { token?: string; pin?: string }): readonly string[] => {
      const proof = ['--token', given.token ?? token, '--discovery-token-ca-cert-hash', given.pin ?? pin]
      return ['node', 'join', server, ...proof, ...own]
    }
    assert.match(
      await host.fails(...join({ token: 'zzzzzz.0123456789abcdef' })),
      /"zzzzzz" is invalid .* or it has expired/,
    )
    assert.match(await host.fails(...join({ token: `${token.slice(0, 7)}0123456789abcdef` })), /cannot be trusted/)
    assert.match(await host.fails(...join({ pin: `sha256:${'0'.repeat(64)}` })), /is not the one that was pinned/)
    const short = await aksel.ok(['node', 'token', 'create', '--ttl', '1s', '--via', host.serverAddress])
    const ended = /--token (\S+)/.exec(short)![1]!
    await aksel.kubectl(`wait -n kube-system --for=delete secret/bootstrap-token-${ended.slice(0, 6)} --timeout=60s`)
    assert.match(await host.fails(...join({ token: ended })), /expired/)
    assert.equal(await host.state(), untouched, 'who was refused leaves nothing')

    const joined = await host.aksel(...join({}))
    assert.match(joined.stdout, /This host is the node "second"/, joined.stderr)
    const ownRoute =
      /own route \("10\.230\.0\.0\/24 via \S+ dev eth0"\) goes before the cluster's network 10\.224\.0\.0\/12/
    assert.match(joined.stderr, ownRoute)
    assert.match(await aksel.kubectl('get events --field-selector reason=OverlayRouteExists'), ownRoute)
    assert.match(await host.fails(...join({})), /has joined .* as "second" already/)
    const node = await aksel.json<{ status: { addresses: { address: string }[] } }>('get node second')
    assert.ok(JSON.stringify(node).includes(host.address))
    const spec = { nodeSelector: { rack: 'two' } }
    const run = ['run', 'there', '--image=busybox:1.36', '--overrides', JSON.stringify({ spec }), '--', 'sh', '-c']
    await aksel.kubectl([...run, `echo hello from there; ${page('there')}`])
    await aksel.kubectl('wait pod/there --for=condition=Ready --timeout=90s', { timeoutMs: 110_000 })
    assert.equal(await aksel.kubectl('logs there'), 'hello from there\n')
    const asked =
      'nslookup kubernetes.default.svc.cluster.local && nc -w 20 kubernetes.default.svc.cluster.local 443 -e true && echo reached'
    assert.match(await aksel.kubectl(['exec', 'there', '--', 'sh', '-c', asked]), /reached/)

    await reachEachOther(host)

    assert.match(await host.ok('node', 'leave'), /has left .*kubectl delete node second/)
    assert.equal(await host.state(), untouched, 'who left leaves nothing')
    await aksel.kubectl('delete node second')
    await aksel.kubectl('delete pod there here --grace-period=0 --force --ignore-not-found')
    await aksel.kubectl('delete service both')
    await aksel.ok(['node', 'token', 'delete', token])
    assert.match(await host.fails(...join({})), /is invalid for this cluster or it has expired/)
  },
)
