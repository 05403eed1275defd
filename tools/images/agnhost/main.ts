// The program of our agnhost image: the sub-commands that the Kubernetes test suite expects under this name, as far as
// its conformance tests use them. Runs inside a container on Node alone; it may import nothing but `node:` and its own folder.

import { inClusterClient } from './incluster.ts'
import { connectTo } from './connect.ts'
import { dnsServers, dnsSuffix } from './dns.ts'
import { guestbook } from './guestbook.ts'
import { grpcHealth } from './grpc-health.ts'
import { issuerDiscovery } from './issuer-discovery.ts'
import { liveness } from './liveness.ts'
import { generateLogs } from './logs-generator.ts'
import { metricsAdapter } from './metrics-adapter.ts'
import { mountTest } from './mount-test.ts'
import { netExec } from './netexec.ts'
import { netTest } from './nettest.ts'
import { porter } from './porter.ts'
import { serveHostname } from './serve-hostname.ts'
import { sampleApiServer } from './sample-apiserver.ts'
import { testWebServer } from './test-webserver.ts'
import { webhook } from './webhook.ts'
import { conversionWebhook } from './conversion-webhook.ts'
import { parseFlags, type Flags } from './flags.ts'

type Command = (flags: Flags) => void | Promise<void>

const [program = '/agnhost', name = 'pause', ...rest] = process.argv.slice(2)

/** Sleeps until it is told to end. */
function pause(): void {
  process.stdout.write('Paused\n')
  setInterval(() => {}, 1 << 30)
}

/** As Go prints its arguments: `[/agnhost entrypoint-tester a b]`. */
function entrypoint(): void {
  process.stdout.write(`[${[program, name, ...rest].join(' ')}]\n`)
}

const commands: Readonly<Record<string, Command>> = {
  connect: connectTo,
  'crd-conversion-webhook': conversionWebhook,
  'dns-server-list': dnsServers,
  'dns-suffix': dnsSuffix,
  'entrypoint-tester': entrypoint,
  'grpc-health-checking': grpcHealth,
  guestbook,
  inclusterclient: inClusterClient,
  liveness,
  'logs-generator': generateLogs,
  'metrics-adapter': metricsAdapter,
  mounttest: mountTest,
  netexec: netExec,
  nettest: netTest,
  pause,
  porter,
  'sample-apiserver': sampleApiServer,
  'serve-hostname': serveHostname,
  'test-service-account-issuer-discovery': issuerDiscovery,
  'test-webserver': testWebServer,
  webhook,
}

// The first process of a container gets no default action for signals: it has to end by itself.
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    if (process.listenerCount(signal) === 1) process.exit(name === 'pause' ? 0 : 2)
  })
}

const command = commands[name]
if (command === undefined) {
  process.stderr.write(`Error: unknown command "${name}" for "agnhost"\nKnown: ${Object.keys(commands).join(', ')}\n`)
  process.exit(1)
}
await command(parseFlags(rest))
