// A server in a process of its own for the trust tests of flow control: it is flooded over TLS by clients that do not share its thread.
// The process's own argument is `FloodOptions` as JSON; it says over its channel where it listens.

import { clientCertificate, listenForTest, startTestServer } from '../test-server.ts'
import type { GuardRules } from './guard.ts'
import { plantedRules, type FloodOptions, type FloodServer } from './flooded.ts'

const options = JSON.parse(process.argv[2]!) as FloodOptions
const rules: Partial<GuardRules> = { calmMs: options.calmMs, ...plantedRules(options.planted) }
const server = await startTestServer({ seats: options.seats, guard: { rules } })
const { url } = await listenForTest(server)
const certificates = await Promise.all(
  options.users.map(async (user) => {
    const { certificatePem: certPem, keyPem } = await clientCertificate(server, user)
    return [user.name, { certPem, keyPem }] as const
  }),
)
process.on('disconnect', () => process.exit(0))
process.send!({
  url,
  caPem: server.authority.certificatePem,
  certificates: Object.fromEntries(certificates),
} satisfies FloodServer)
