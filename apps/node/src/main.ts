// The program on a machine: node agent, service proxy, DNS and tunnel, wired from one options file; or its LocalDNS alone. Ending it leaves
// containers, services and mounts as they are.

import module from 'node:module'

module.enableCompileCache()
if (process.argv[2] === '--make-certificate-request') {
  const { makeRequestHere } = await import('./certificate-request.ts')
  await makeRequestHere()
  process.exit(0)
}
const { readOptions } = await import('./options.ts')
const options = await readOptions(process.argv.slice(2), process.env)

const stop = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => stop.abort(new Error(`the agent was told to end by ${signal}`)))
}
// The power button: what an init system sends before it stops the machine.
const powerOff = new AbortController()
process.once('SIGPWR', () => powerOff.abort(new Error('the machine is to stop')))
// An agent ends by being killed as often as not, and the next one should start from compiled code all the same.
setTimeout(() => module.flushCompileCache(), 3000).unref()
if (options.isLocalDns) {
  const { runLocalDnsProgram } = await import('./local-dns-program.ts')
  await runLocalDnsProgram(options, stop.signal)
} else {
  const { runNode } = await import('./node.ts')
  await runNode(options, { signal: stop.signal, powerOff: powerOff.signal })
}
// Sockets that others keep open must not hold an agent that has ended.
process.exit(0)
